"""Generative adversarial networks: a generator, z -> x, and a discriminator that tells its images from real ones.

Default: relativistic pairing with zero-centred gradient penalties on real and on fake images, no normalisation
layers, an averaged generator (Huang et al., 2024, arXiv:2501.05441). The generator's last layer is linear: with
tanh and lazy penalties from the first step it saturates and never comes back.
"""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.config import DiscriminatorConfig, GanConfig, GanTraining, GeneratorConfig, Output
from models.core import ImageModel, LatentModel
from models.datasets import ImageData
from models.networks import Decoder, Discriminator
from models.objectives.likelihoods import unclipped
from models.training.adversarial import AdversarialRecipe
from models.training.recipe import Batch, Ema, HeldOut, check_fits, does_not_fit


class Gan(LatentModel):
    """Generator and discriminator."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__(config)
        self.output: Output = config.output
        self.generator = Decoder(config, config.mapping)
        self.discriminator = Discriminator(config)

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Generate images in [-1, 1]."""
        return unclipped(self.output, self.generator(z, labels)).clamp(-1, 1)

    def score(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the discriminator's logits; with the relativistic loss only differences mean something."""
        return self.discriminator.score(x, labels)

    def network(self) -> Decoder:
        """Return the generator."""
        return self.generator

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight that latents meet first; a mapping network before it counts as linear."""
        return self.generator.first_layer()

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the generator's first features, shape (B, F)."""
        return self.generator.hidden(z, labels)


_COARSE = 16  # height and width, at most, at which a generator may be held to its anchor


class GanRecipe(AdversarialRecipe):
    """Train discriminator and generator in turn."""

    config: GanTraining  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, model: GanConfig, config: GanTraining, device: torch.device) -> None:
        super().__init__(model, config, device)
        self.model = cast(Gan, self.place(Gan(model)))
        average = self.place(Decoder(model, model.mapping))
        self.ema = Ema(average, self.model.generator, config.ema_images)
        self.modules = {"model": self.model, "average": self.ema.average}
        self.anchor: Decoder | None = None
        if config.anchor:  # a part of the state: a run that goes on needs no start any more
            self.anchor = Decoder(model, model.mapping)
            self.modules["anchor"] = self.place(self.anchor).requires_grad_(False)
        self.optimizers = {
            "generator": self.optimizer(self.model.generator),
            "discriminator": self.optimizer(self.model.discriminator),
        }

    @property
    def discriminator(self) -> Discriminator:
        """The model's."""
        return self.model.discriminator

    def adopt(self, model: ImageModel) -> None:
        """Begin with the weights of a GAN, or with those of another model's decoder as the generator.

        A decoder that is trained already knows what belongs into a picture; the discriminator, which starts anew
        then, only has to teach it what its blur hides (Ham, Jun & Kim, 2020, arXiv:2002.02112). It starts anew as
        well if it is to be another one than that of the GAN. A mapping may be put before a decoder that has none.

        With an `anchor`, that decoder stays beside the generator, frozen, and says what belongs to which latent: a
        likeness of coarse pictures leaves the details to the discriminator, as the L1 term of Isola et al. (2017),
        arXiv:1611.07004, section 3.2, does with an image that is given.
        """
        decoder = model.network() if isinstance(model, LatentModel) else None
        if decoder is None:
            raise does_not_fit(model.config, self.model.config, ("family",))
        shape = (GeneratorConfig.model_fields.keys() - {"family"}) | {"output"}
        check_fits(decoder.config, self.model.config, tuple(shape))
        if decoder.mapping is not None:
            check_fits(model.config, self.model.config, ("mapping",))
        for module in filter(None, (self.model.generator, self.ema.average, self.anchor)):
            module.load_state_dict({**module.state_dict(), **decoder.state_dict()})
        fields = DiscriminatorConfig.model_fields.keys()
        if isinstance(model, Gan) and all(
            getattr(model.config, name) == getattr(self.model.config, name) for name in fields
        ):
            self.discriminator.load_state_dict(model.discriminator.state_dict())

    def latents(self, count: int, rng: torch.Generator) -> Float[Tensor, "count dim"]:
        """Draw fresh latents from the prior."""
        return torch.randn(count, self.model.latent_dim, generator=rng, device=self.device)

    def generate(self, z: Tensor, labels: Tensor | None, network: Decoder | None = None) -> Tensor:
        """Generate images without clipping, by the generator or by another network of its shape."""
        with self.autocast():
            output = (network or self.model.generator)(z, labels).float()
        return unclipped(self.model.output, output)

    def drift(
        self,
        z: Float[Tensor, "batch dim"],
        labels: Int[Tensor, " batch"] | None,
        fake: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """Return how far images are from those of the anchor for the same latents.

        Args:
            z: Latents.
            labels: Of a conditional model.
            fake: What the generator makes of them, unclipped, so that what is out of range is called back, too.

        Returns:
            The mean absolute difference at 16 x 16 pixels, in units of which black and white are 2 apart.
        """
        assert self.anchor is not None
        with torch.no_grad():
            held = self.generate(z, labels, self.anchor).clamp(-1, 1)
        return F.l1_loss(_coarse(fake), _coarse(held))

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one step of the discriminator and, unless it `waits`, one of the generator."""
        self.set_learning_rate(progress)
        real, labels = self.whole_packs(batch)
        with torch.no_grad():
            fake = self.generate(self.latents(len(real), rng), labels)
        scalars = self.step_discriminator(real, fake, labels, progress, step, rng)
        if self.waits(step):
            return scalars

        z = self.latents(len(real), rng)
        fake = self.generate(z, labels)
        loss = self.generator_loss(real, fake, labels, rng)
        scalars["generator_loss"] = loss.detach()
        if self.anchor is not None:
            drift = self.drift(z, labels, fake)
            scalars["drift"] = drift.detach()
            loss = loss + self.config.anchor * drift
        self.descend("generator", loss)
        self.ema.update(len(batch.x) * self.config.critic_steps, (step + 1) * len(batch.x))
        return scalars

    @torch.no_grad()
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Generate images for fixed latents with the averaged generator."""
        output = self.ema.average(z, labels if self.model.classes else None)
        return unclipped(self.model.output, output).clamp(-1, 1)

    def validate(self, held: HeldOut) -> Mapping[str, float]:
        """Measure samples, of which see `models.metrics.samples.of_samples`, and the margin on held-out images."""
        return self.measured(held, self.model.latent_dim)

    def export(self, data: ImageData, brief: bool = False) -> Gan:
        """Return the model with the averaged generator."""
        del data, brief
        model = Gan(cast(GanConfig, self.model.config))
        model.load_state_dict(self.model.state_dict())
        model.generator.load_state_dict(self.ema.average.state_dict())
        return model.eval().requires_grad_(False)


def _coarse(x: Tensor) -> Tensor:
    """Return images at no more than 16 x 16 pixels, each the mean of a square; points as they are."""
    return F.avg_pool2d(x, x.shape[-1] // _COARSE) if x.shape[-1] > _COARSE else x
