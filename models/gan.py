"""Generative adversarial networks: a generator, z -> x, and a discriminator that tells its images from real ones.

Default: relativistic pairing with zero-centred gradient penalties on real and on fake images, no normalisation
layers, an averaged generator (Huang et al., 2024, arXiv:2501.05441). The generator's last layer is linear: with
tanh and lazy penalties from the first step it saturates and never comes back.
"""

import math
from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models import objectives
from models.choices import ADVERSARIAL_LOSSES, AUGMENTATIONS, PENALTIES
from models.config import GanConfig, GanTraining, GeneratorConfig
from models.core import ImageModel, LatentModel
from models.datasets import ImageData
from models.latent import generator, prior
from models.metrics.points import SAMPLES, of_points
from models.metrics.sharpness import sharpness
from models.networks import Decoder, Encoder, initialise
from models.training.recipe import Batch, Ema, Recipe, check_fits, does_not_fit


class Discriminator(nn.Module):
    """Images to one logit each; a label enters by projection (Miyato & Koyama, 2018, arXiv:1802.05637)."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        self.features = Encoder(config)
        self.logit = initialise(nn.Linear(self.features.out_features, 1))
        self.label = nn.Embedding(config.classes, self.features.out_features) if config.classes else None
        if self.label is not None:
            nn.init.normal_(self.label.weight, std=self.features.out_features**-0.5)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return logits, shape (B,)."""
        h = self.features(x)
        logits = self.logit(h)[:, 0]
        if self.label is not None:
            if labels is None:
                raise ValueError("a conditional discriminator needs labels")
            logits = logits + (self.label(labels) * h).sum(1)
        return logits


class Gan(LatentModel):
    """Generator and discriminator."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__(config)
        self.generator = Decoder(config)
        self.discriminator = Discriminator(config)

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Generate images in [-1, 1]."""
        return self.generator(z, labels).clamp(-1, 1)

    def score(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the discriminator's logits; with the relativistic loss only differences mean something."""
        return self.discriminator(x, labels)

    def pixel_decoder(self) -> Decoder:
        """Return the generator."""
        return self.generator

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight that latents meet first."""
        return self.generator.first.weight

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the generator's first features, shape (B, F)."""
        return self.generator.hidden(z, labels)


class GanRecipe(Recipe):
    """Train discriminator and generator in turn."""

    live = Recipe.live | {"gamma", "final_gamma", "penalty_interval", "penalty_dense_steps"}
    config: GanTraining

    def __init__(self, model: GanConfig, config: GanTraining, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = cast(Gan, self.place(Gan(model)))
        average = self.place(Decoder(model))
        self.ema = Ema(average, self.model.generator, config.ema_images)
        self.losses = ADVERSARIAL_LOSSES[config.loss]
        self.penalise = PENALTIES[config.penalty]
        self.augmentations = [AUGMENTATIONS[name] for name in config.augment]
        # Gradients are per pixel: over more pixels, the same change of the image has a smaller gradient norm.
        self._scale = math.prod(model.sample_shape) / 1024
        self.modules = {"model": self.model, "average": self.ema.average}
        betas = (config.beta1, config.beta2)
        self.optimizers = {
            name: torch.optim.Adam(part.parameters(), config.learning_rate, betas=betas, fused=True)
            for name, part in {
                "generator": self.model.generator,
                "discriminator": self.model.discriminator,
            }.items()
        }

    def adopt(self, model: ImageModel) -> None:
        """Begin with the weights of a GAN, or with those of another model's decoder as the generator.

        A decoder that is trained already knows what belongs into a picture; the discriminator, which starts anew
        then, only has to teach it what its blur hides (Ham, Jun & Kim, 2020, arXiv:2002.02112).
        """
        decoder = model.pixel_decoder() if isinstance(model, LatentModel) else None
        if decoder is None:
            raise does_not_fit(model.config, self.model.config, ("family",))
        check_fits(decoder.config, self.model.config, tuple(GeneratorConfig.model_fields.keys() - {"family"}))
        for module in (self.model.generator, self.ema.average):
            module.load_state_dict(decoder.state_dict())
        if isinstance(model, Gan):
            self.model.discriminator.load_state_dict(model.discriminator.state_dict())

    def generate(self, count: int, labels: Tensor | None, rng: torch.Generator) -> Tensor:
        """Generate images for fresh latents, without clipping."""
        z = torch.randn(count, self.model.latent_dim, generator=rng, device=self.device)
        with self.autocast():
            return self.model.generator(z, labels).float()

    def judge(self, x: Tensor, labels: Tensor | None, rng: torch.Generator) -> Tensor:
        """Return logits for images, augmented if so configured, shape (B,)."""
        for augment in self.augmentations:
            x = augment(x, rng)
        with self.autocast():
            return self.model.discriminator(x, labels).float()

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one step of the discriminator and one of the generator on the same real images."""
        self.set_learning_rate(progress)
        labels = batch.labels if self.model.classes else None
        scalars = self._step_discriminator(batch.x, labels, step, self.gamma_at(progress), rng)
        if step < self.config.head_start:
            return scalars

        self.model.discriminator.requires_grad_(False)
        fake = self.generate(len(batch.x), labels, rng)
        with torch.no_grad():  # they move no weight of the generator
            real_logits = self.judge(batch.x, labels, rng)
        loss = self.losses.generator(real_logits, self.judge(fake, labels, rng))
        self.optimizers["generator"].zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        self.optimizers["generator"].step()
        self.model.discriminator.requires_grad_(True)

        self.ema.update(len(batch.x), (step + 1) * len(batch.x))
        return {**scalars, "generator_loss": loss.detach()}

    def gamma_at(self, progress: float) -> float:
        """Return the penalty's weight: strong while the two are far apart, weak when details are learned.

        Falls geometrically; Huang et al. (2024), arXiv:2501.05441, let it fall by a factor of ten.
        """
        start = self._scale if self.config.gamma is None else self.config.gamma
        return start * self.config.final_gamma**progress

    def _step_discriminator(
        self,
        x: Tensor,
        labels: Tensor | None,
        step: int,
        gamma: float,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate(len(x), labels, rng)
        dense = step < self.config.penalty_dense_steps
        penalised = any(self.penalise) and gamma > 0 and (dense or step % self.config.penalty_interval == 0)
        both = torch.cat([x, fake]).requires_grad_(penalised)
        logits = self.judge(both, None if labels is None else torch.cat([labels, labels]), rng)
        real_logits, fake_logits = logits.chunk(2)
        loss = self.losses.discriminator(real_logits, fake_logits)
        scalars = {"discriminator_loss": loss.detach(), "margin": (real_logits - fake_logits).detach().mean()}
        if penalised:
            # Lazy regularisation (Karras et al., 2020, arXiv:1912.04958, appendix B): rarer, but weighted more.
            weight = gamma * (1 if dense else self.config.penalty_interval)
            terms = objectives.gradient_penalty(logits, both).chunk(2)
            penalty = torch.stack([t.mean() for t, on in zip(terms, self.penalise, strict=True) if on]).sum()
            loss = loss + weight * penalty
            scalars["penalty"] = penalty.detach()
        self.optimizers["discriminator"].zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        self.optimizers["discriminator"].step()
        return scalars

    @torch.no_grad()
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Generate images for fixed latents with the averaged generator."""
        return self.ema.average(z, labels if self.model.classes else None).clamp(-1, 1)

    @torch.no_grad()
    def validate(self, data: ImageData) -> Mapping[str, float]:
        """Measure the sharpness of 512 samples as a ratio to held-out images, and their spread in pixels.

        Of points: how far they are from the data's, and how many of their modes they cover.
        """
        some = slice(0, SAMPLES if data.info.points else 512)
        real = data.floats(some, self.device)
        labels = data.labels_at(some, self.device) if self.model.classes else None
        z = prior(range(len(real)), self.model.latent_dim).to(self.device)
        fake = self.preview(z, labels)
        if data.info.points:
            return of_points(fake, real, data.info.points)
        shuffle = torch.randperm(len(real), generator=generator(0)).to(self.device)
        spread = [(x - x[shuffle]).square().flatten(1).sum(1).sqrt().mean() for x in (fake, real)]
        return {
            "sharpness_ratio": float(sharpness(fake).mean() / sharpness(real).mean()),
            "pixel_spread_ratio": float(spread[0] / spread[1]),
        }

    def export(self, data: ImageData) -> Gan:
        """Return the model with the averaged generator."""
        del data
        model = Gan(cast(GanConfig, self.model.config))
        model.load_state_dict(self.model.state_dict())
        model.generator.load_state_dict(self.ema.average.state_dict())
        return model.eval().requires_grad_(False)
