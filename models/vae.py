"""Autoencoders: plain (`ae`), variational (`vae`), conditional (`cvae`).

    encoder: x -> q(z|x) = N(mean, exp(logvar))        decoder: z -> p(x|z)

A plain autoencoder's codes follow no prior. After training, an affine map is fitted between N(0, I) and their
Gaussian (`latent_mean`, `latent_scale`), so that its latents, too, are in prior standard deviations.
"""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models import objectives
from models.choices import LIKELIHOODS, VAE_OBJECTIVES
from models.config import AutoencoderConfig, AutoencoderTraining
from models.core import LatentModel, Posterior
from models.datasets import ImageData
from models.metrics.latent import active_units
from models.metrics.reconstruction import psnr
from models.networks import Decoder, Encoder
from models.training.recipe import Batch, Ema, Recipe

_LOGVAR_RANGE = (-16.0, 8.0)  # keeps exp() finite while the encoder is still wild


class Autoencoder(LatentModel):
    """Encoder and decoder around a latent space with the prior N(0, I)."""

    latent_mean: Tensor
    latent_scale: Tensor
    aggregate_covariance: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.likelihood = config.likelihood
        self.stochastic = config.family != "ae"
        self.encoder = Encoder(config)
        self.label = nn.Embedding(config.classes, self.encoder.out_features) if config.classes else None
        self.head = nn.Linear(self.encoder.out_features, config.latent_dim * (1 + self.stochastic))
        nn.init.normal_(self.head.weight, std=0.5 * self.encoder.out_features**-0.5)
        nn.init.zeros_(self.head.bias)
        self.decoder = Decoder(config)
        self.log_sigma = nn.Parameter(torch.zeros(()))
        self.register_buffer("latent_mean", torch.zeros(config.latent_dim))
        self.register_buffer("latent_scale", torch.eye(config.latent_dim))
        # Of the posterior means of the training images: its eigenvectors are the directions that the data use.
        self.register_buffer("aggregate_covariance", torch.eye(config.latent_dim))

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the decoder, and the encoder with its head."""
        label = () if self.label is None else (self.label,)
        return {"decoder": self.decoder, "encoder": nn.Sequential(self.encoder, self.head, *label)}

    def posterior(self, x: Tensor, labels: Tensor | None) -> Posterior:
        """Return q(z|x) over the codes that the networks use, before any fitted affine map."""
        h = self.encoder(x)
        if self.label is not None:
            if labels is None:
                raise ValueError("a conditional encoder needs labels")
            h = h + self.label(labels)
        out = self.head(h).float()
        if not self.stochastic:
            return Posterior(out, torch.full_like(out, -torch.inf))
        mean, logvar = out.chunk(2, dim=1)
        return Posterior(mean, logvar.clamp(*_LOGVAR_RANGE))

    def encode(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Posterior:
        """Return q(z|x) for images in [-1, 1], in prior standard deviations."""
        q = self.posterior(x, labels)
        if self.stochastic:
            return q
        centred = (q.mean - self.latent_mean).T
        solve = cast(Callable[..., Tensor], torch.linalg.solve_triangular)  # pyright: ignore[reportUnknownMemberType]
        return Posterior(solve(self.latent_scale, centred, upper=False).T, q.logvar)

    def codes(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Map latents in prior standard deviations to the codes that the decoder was trained on."""
        return z if self.stochastic else self.latent_mean + z @ self.latent_scale.T

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the mean of p(x|z) in [-1, 1]."""
        return objectives.decoder_mean(self.likelihood, self.decoder(self.codes(z), labels))

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight that latents meet first."""
        weight = self.decoder.first.weight
        return weight if self.stochastic else weight @ self.latent_scale

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the decoder's first features, shape (B, F)."""
        return self.decoder.hidden(self.codes(z), labels)


class AutoencoderRecipe(Recipe):
    """Minimise reconstruction error plus, for a VAE, the KL divergence to the prior."""

    live = Recipe.live | {"beta", "warmup"}
    config: AutoencoderTraining

    def __init__(self, model: AutoencoderConfig, config: AutoencoderTraining, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = cast(Autoencoder, self.place(Autoencoder(model)))
        self.ema = Ema(self.place(Autoencoder(model)), self.model, config.ema_images)
        self.likelihood = LIKELIHOODS[model.likelihood]
        self.objective = VAE_OBJECTIVES[config.objective]
        self.modules = {"model": self.model, "average": self.ema.average}
        self.optimizers = {
            "model": torch.optim.Adam(self.model.parameters(), config.learning_rate, fused=True),
        }

    @property
    def average(self) -> Autoencoder:
        """The model with averaged weights."""
        return cast(Autoencoder, self.ema.average)

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one step on the negative ELBO (or on the likelihood alone, for a plain autoencoder)."""
        self.set_learning_rate(progress)
        labels = batch.labels if self.model.classes else None
        with self.autocast():
            posterior = self.model.posterior(batch.x, labels)
            z = posterior.sample(rng) if self.model.stochastic else posterior.mean
            output = self.model.decoder(z, labels)
        nll = self.likelihood(output.float(), batch.x, self.model.log_sigma)
        scalars = {"nll": nll.detach().mean()}
        if self.model.stochastic:
            weight = min(1.0, progress / self.config.warmup) if self.config.warmup else 1.0
            loss = self.objective(nll, posterior, self.config.beta, weight)
            scalars["kl"] = posterior.kl().detach().sum(1).mean()
        else:
            loss = nll.mean()
        self.optimizers["model"].zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        # Likelihoods are sums over pixels: a wild first batch would otherwise throw the weights far away.
        nn.utils.clip_grad_norm_(self.model.parameters(), 1e4)
        self.optimizers["model"].step()
        self.ema.update(len(batch.x), (step + 1) * len(batch.x))
        return {"loss": loss.detach(), **scalars}

    @torch.no_grad()
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Decode fixed latents."""
        return self.average.decode(z, labels if self.model.classes else None)

    @torch.no_grad()
    def validate(self, data: ImageData) -> Mapping[str, float]:
        """Measure PSNR of reconstructions (posterior mean) and, for a VAE, the ELBO's terms and active units."""
        x = data.floats(slice(0, 2000), self.device)
        labels = data.labels_at(slice(0, 2000), self.device) if self.model.classes else None
        q = self.average.posterior(x, labels)
        output = self.average.decoder(q.mean, labels)
        result = {"psnr_db": float(psnr(objectives.decoder_mean(self.model.likelihood, output), x).mean())}
        if self.model.stochastic:
            result["kl_nats"] = float(q.kl().sum(1).mean())
            result["active_units"] = float(active_units(q.mean))
        return result

    @torch.no_grad()
    def export(self, data: ImageData) -> Autoencoder:
        """Return the averaged model, with what is fitted to its codes of training images."""
        model = Autoencoder(cast(AutoencoderConfig, self.model.config))
        model.load_state_dict(self.average.state_dict())
        model = model.eval().requires_grad_(False)
        chunks = [slice(start, start + 500) for start in range(0, min(len(data), 10_000), 500)]
        labels = [data.labels_at(chunk, "cpu") if model.classes else None for chunk in chunks]
        codes = torch.cat(
            [model.posterior(data.floats(c), y).mean for c, y in zip(chunks, labels, strict=True)]
        )
        # Ridge: a code that never varies must not make the covariance singular.
        covariance = (
            torch.cov(codes.T).reshape(model.aggregate_covariance.shape) + 1e-6 * model.aggregate_covariance
        )
        if model.stochastic:
            model.aggregate_covariance.copy_(covariance)
        else:
            model.latent_mean.copy_(codes.mean(0))
            factor = cast(Tensor, torch.linalg.cholesky(covariance))  # pyright: ignore[reportUnknownMemberType]
            model.latent_scale.copy_(factor)
        return model
