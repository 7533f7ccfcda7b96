"""A VAE whose decoder answers to a discriminator (Larsen et al., 2016, arXiv:1512.09300).

    encoder:        q(z|x), as near to x in the discriminator's features as the prior allows
    decoder:        reconstructions that are like their images in these features, and all its pictures like real ones
    discriminator:  real images from reconstructions and from samples of the prior

Distances in features forgive what pixels punish, such as a texture that is shifted, so it need not blur.
"""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.config import VaeGanConfig, VaeGanTraining
from models.core import Posterior
from models.datasets import ImageData
from models.networks import Discriminator
from models.objectives.likelihoods import gaussian_optimal
from models.training.adversarial import AdversarialRecipe
from models.training.recipe import Batch, Ema, HeldOut
from models.vae import Autoencoder, fit, reconstructed, validated


class VaeGan(Autoencoder):
    """Encoder, decoder and discriminator."""

    def __init__(self, config: VaeGanConfig) -> None:
        super().__init__(config)
        self.discriminator = Discriminator(config)

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the decoder, the encoder with its head, and the discriminator."""
        return {**super().parts(), "discriminator": self.discriminator}

    def score(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the discriminator's logit of each image; with the relativistic loss only differences count."""
        return self.discriminator.score(x, labels)


class VaeGanRecipe(AdversarialRecipe):
    """Train discriminator, encoder and decoder in turn, each on its own loss (algorithm 1)."""

    live = AdversarialRecipe.live | {"beta", "warmup", "feature_weight"}
    config: VaeGanTraining  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, model: VaeGanConfig, config: VaeGanTraining, device: torch.device) -> None:
        super().__init__(model, config, device)
        self.model = cast(VaeGan, self.place(VaeGan(model)))
        self.ema = Ema(self.place(VaeGan(model)), self.model, config.ema_images)
        self.modules = {"model": self.model, "average": self.ema.average}
        parts = self.model.parts()
        self.optimizers = {
            name: self.optimizer(parts[name]) for name in ("discriminator", "encoder", "decoder")
        }

    @property
    def discriminator(self) -> Discriminator:
        """The model's."""
        return self.model.discriminator

    @property
    def average(self) -> VaeGan:
        """The model with averaged weights."""
        return cast(VaeGan, self.ema.average)

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one step of the discriminator and, unless it `waits`, one of the encoder and one of the decoder."""
        self.set_learning_rate(progress)
        real, _ = self.whole_packs(batch)
        posterior, rebuilt, fake = self.decode(real, rng)
        scalars = self.step_discriminator(real, fake.detach(), None, progress, step, rng)
        if self.waits(step):
            return scalars

        nll, features = self.feature_nll(rebuilt, real)
        kl = posterior.kl().sum(1).mean()
        weight = self.config.kl_share(progress)
        deceived = self.generator_loss(real, fake, None, rng)
        self.descend("encoder", nll + self.config.beta * weight * kl, retain=True)
        self.descend("decoder", self.config.feature_weight * nll / features + deceived)
        self.ema.update(len(batch.x) * self.config.critic_steps, (step + 1) * len(batch.x))
        return {
            **scalars,
            "generator_loss": deceived.detach(),
            "feature_reconstruction_nats": nll.detach(),
            "kl_nats": kl.detach(),
        }

    def decode(self, real: Tensor, rng: torch.Generator) -> tuple[Posterior, Tensor, Tensor]:
        """Encode images; return the posterior, all reconstructions, and as many fakes.

        Half of the fakes are reconstructions, half are samples of the prior, so that the discriminator sees as many
        fake images as real ones.
        """
        half = len(real) // 2
        with self.autocast():
            posterior = self.model.posterior(real, None)
            z = posterior.sample(rng)
            noise = torch.randn(z[half:].shape, generator=rng, device=self.device)
            images = self.model.decoder(torch.cat([z, noise])).float()
        rebuilt, sampled = images.split([len(z), len(noise)])
        return posterior, rebuilt, torch.cat([rebuilt[:half], sampled])

    def feature_nll(self, rebuilt: Tensor, real: Tensor) -> tuple[Tensor, int]:
        """Return -log p of an image's features, mean over images, and how many features an image has (equation 7).

        They are Gaussian around those of the reconstruction. Their variance is the optimal one instead of 1, because
        the scale of features changes while the discriminator learns.
        """
        network = self.discriminator
        with self.autocast():
            mean = network.features(network.pack(rebuilt)).float()
            with torch.no_grad():
                target = network.features(network.pack(real)).float()
        nll = gaussian_optimal(mean, target, torch.zeros((), device=self.device))
        return nll.sum() / len(real), target.numel() // len(real)

    @torch.no_grad()
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Decode fixed latents."""
        del labels
        return self.average.decode(z)

    @torch.no_grad()
    def reconstruct(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return reconstructions from posterior means."""
        del labels
        return reconstructed(self.average, x, None)[0]

    @torch.no_grad()
    def validate(self, held: HeldOut) -> Mapping[str, float]:
        """Measure reconstructions, the posterior, samples, and the margin on held-out images."""
        found = validated(self.average, held.data, self.device)
        return {**found, **self.measured(held, self.model.latent_dim)}

    @torch.no_grad()
    def export(self, data: ImageData, brief: bool = False) -> VaeGan:
        """Return the averaged encoder and decoder, and the discriminator as it is."""
        model = VaeGan(cast(VaeGanConfig, self.model.config))
        model.load_state_dict(self.average.state_dict())
        model.discriminator.load_state_dict(self.discriminator.state_dict())
        fit(model.eval().requires_grad_(False), data, self.config.prior_steps, brief)
        return model
