"""Autoencoders: plain (`ae`), variational (`vae`), conditional (`cvae`).

    encoder: x -> q(z|x) = N(mean, exp(logvar))        decoder: z -> p(x|z)

A plain autoencoder's codes follow no prior. After training, an affine map is fitted between N(0, I) and their
Gaussian (`latent_mean`, `latent_scale`), so that its latents, too, are in prior standard deviations.

A conditional VAE gets one for each class: q(z|x) averaged over the images of one class is not N(0, I), though over
all of them it nearly is. The map makes the prior of a class the Gaussian of its codes, and so samples of the prior
decode to what the class looks like. This is the conditional prior p(z|y) of Sohn, Lee & Yan (2015, "Learning
structured output representation using deep conditional generative models"), fitted after training by its moments.
"""

import copy
from collections.abc import Callable, Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.choices import LIKELIHOODS, PRIORS, VAE_OBJECTIVES
from models.config import AutoencoderConfig, AutoencoderTraining, VaeGanConfig
from models.core import LatentModel, Posterior, log_normal
from models.datasets import ImageData
from models.datasets.binary import binarised
from models.latent import generator
from models.metrics.latent import active_units
from models.metrics.reconstruction import psnr
from models.networks import Decoder, Encoder
from models.objectives.likelihoods import Likelihood, decoder_mean
from models.objectives.vae import RECONSTRUCTION, Draws
from models.priors import Prior
from models.training.recipe import Batch, Ema, HeldOut, Recipe

_DRAWS = 4  # samples of each posterior that a prior is fitted to
_HELD_OUT = 2000  # images that a validation looks at, at most
_CHUNK = 256  # of them that are encoded at once
_LOSS = 6  # stream of random numbers: of the samples that a validation draws
_LOGVAR_RANGE = (-16.0, 8.0)  # keeps exp() finite while the encoder is still wild


class Autoencoder(LatentModel):
    """Encoder and decoder around a latent space with the prior N(0, I)."""

    latent_mean: Tensor
    latent_scale: Tensor
    aggregate_covariance: Tensor

    prior: Prior | None

    def __init__(self, config: AutoencoderConfig | VaeGanConfig) -> None:
        super().__init__(config)
        self.likelihood = config.likelihood
        self.stochastic = config.family != "ae"
        prior = PRIORS[config.prior_fit]
        # Whether latents are mapped to codes.
        self.fitted = config.classes > 0 or not self.stochastic or prior is not None
        kinds = (config.classes,) if config.classes else ()
        self.encoder = Encoder(config)
        self.label = nn.Embedding(config.classes, self.encoder.out_features) if config.classes else None
        self.head = nn.Linear(self.encoder.out_features, config.latent_dim * (1 + self.stochastic))
        nn.init.normal_(self.head.weight, std=0.5 * self.encoder.out_features**-0.5)
        nn.init.zeros_(self.head.bias)
        self.decoder = Decoder(config)
        self.log_sigma = nn.Parameter(torch.zeros(()))
        # Mean and Cholesky factor of the covariance of codes, of those of each class where there are classes.
        self.register_buffer("latent_mean", torch.zeros(*kinds, config.latent_dim))
        self.register_buffer("latent_scale", torch.eye(config.latent_dim).repeat(*kinds, 1, 1))
        # Of the latents of the training images: its eigenvectors are the directions that the data use.
        self.register_buffer("aggregate_covariance", torch.eye(config.latent_dim))
        self.prior = prior(config).requires_grad_(False) if prior else None

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the decoder, and the encoder with its head."""
        label = () if self.label is None else (self.label,)
        prior = {} if self.prior is None else {"prior": self.prior}
        return {"decoder": self.decoder, "encoder": nn.Sequential(self.encoder, self.head, *label), **prior}

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
        """Return q(z|x) for images in [-1, 1], in prior standard deviations.

        Where codes are mapped (`ae`, `cvae`), the variances are those of each latent dimension on its own: the
        map makes them depend on each other a little, so a KL divergence from the prior of a class that is summed
        over dimensions is a lower bound.
        """
        q = self.posterior(x, labels)
        if not self.fitted:
            return q
        z, inverse = self.whitened(q.mean, labels)
        if self.prior is not None:
            inverse = self.prior.inverse_jacobian(z) @ inverse  # of all that is between codes and latents
            z = self.prior.inverse(z)[0]
        variance = inverse.square() @ q.logvar.exp()[:, :, None]
        return Posterior(z, variance[:, :, 0].log())

    def codes(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch dim"]:
        """Map latents in prior standard deviations to the codes that the decoder was trained on."""
        if not self.fitted:
            return z
        mean, scale = self._of_class(self.latent_mean, labels), self._of_class(self.latent_scale, labels)
        u = z if self.prior is None else self.prior(z)
        return mean + (scale @ u[:, :, None])[:, :, 0]

    def whitened(
        self, codes: Float[Tensor, "*samples batch dim"], labels: Int[Tensor, " batch"] | None
    ) -> tuple[Tensor, Tensor]:
        """Undo the affine part of the map to codes; returns what was mapped, and the matrix that undoes the scale."""
        solve = cast(Callable[..., Tensor], torch.linalg.solve_triangular)  # pyright: ignore[reportUnknownMemberType]
        eye = torch.eye(self.latent_dim, device=self.latent_scale.device)
        inverse = solve(self.latent_scale, eye, upper=False)
        mean, inverse = self._of_class(self.latent_mean, labels), self._of_class(inverse, labels)
        return (inverse @ (codes - mean)[..., None])[..., 0], inverse

    def _of_class(self, table: Tensor, labels: Tensor | None) -> Tensor:
        """Return what a table has for each image's class; of an unconditional model, the table."""
        if not self.classes:
            return table
        if labels is None:
            raise ValueError("a conditional model needs labels")
        return table[labels]

    @property
    def binary(self) -> bool:
        """Whether p(x|z) is that of black and white pixels."""
        return self.likelihood == "bernoulli"

    def log_likelihood(
        self,
        x: Float[Tensor, "batch channels height width"],
        codes: Float[Tensor, "samples batch dim"],
        labels: Int[Tensor, " batch"] | None,
    ) -> Float[Tensor, "samples batch"]:
        """Return log p(x|z) of images for several codes each, in nats."""
        likelihood = LIKELIHOODS["bernoulli" if self.binary else "gaussian"]
        return -compared(likelihood, self.outputs(codes, labels), x, self.log_sigma)

    def log_prior(
        self, codes: Float[Tensor, "samples batch dim"], labels: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "samples batch"]:
        """Return log p(z) of codes, in nats: of N(0, I), or of what it is mapped to (of each class)."""
        if not self.fitted:
            return log_normal(codes).sum(-1)
        z, inverse = self.whitened(codes, labels)
        volume = inverse.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        if self.prior is not None:
            flat, change = self.prior.inverse(z.flatten(0, 1))
            z, volume = flat.view_as(z), volume + change.view(z.shape[:2])
        return log_normal(z).sum(-1) + volume

    def outputs(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        """Decode several codes of each image, shape (K, B, D), to (K B, C, H, W)."""
        return self.decoder(codes.flatten(0, 1), None if labels is None else labels.repeat(len(codes)))

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the mean of p(x|z) in [-1, 1]."""
        return decoder_mean(self.likelihood, self.decoder(self.codes(z, labels), labels))

    def network(self) -> Decoder | None:
        """Return the decoder, with the map from latents to codes in its first layer.

        None where that map is not affine, or another one for each class.
        """
        if self.classes or self.prior is not None:
            return None
        decoder = copy.deepcopy(self.decoder)
        if self.fitted:
            decoder.first.bias.copy_(decoder.first(self.latent_mean))
            decoder.first.weight.copy_(decoder.first.weight @ self.latent_scale)
        return decoder

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight that latents meet first; of a conditional model its mean over classes.

        A fitted prior, which is not linear, is left out: it maps to codes that are as wide as its latents.
        """
        weight = self.decoder.first_layer()
        scale = self.latent_scale.mean(0) if self.classes else self.latent_scale
        return weight @ scale if self.fitted else weight

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the decoder's first features, shape (B, F)."""
        return self.decoder.hidden(self.codes(z, labels), labels)


def compared(likelihood: Likelihood, output: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
    """Return -log p(x|z) of B images for K outputs of a decoder each, (K B, C, H, W), in nats, shape (K, B)."""
    count = len(output) // len(x)
    repeated = x.expand(count, *x.shape).flatten(0, 1)
    return likelihood(output, repeated, log_sigma).view(count, -1)


class AutoencoderRecipe(Recipe):
    """Minimise reconstruction error plus, for a VAE, the KL divergence to the prior."""

    live = Recipe.live | {
        "beta", "warmup", "capacity", "capacity_weight", "capacity_ramp", "free_bits", "importance_samples",
        "mmd_weight",
    }  # fmt: skip
    config: AutoencoderTraining

    def __init__(self, model: AutoencoderConfig, config: AutoencoderTraining, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = cast(Autoencoder, self.place(Autoencoder(model)))
        self.ema = Ema(self.place(Autoencoder(model)), self.model, config.ema_images)
        self.likelihood = LIKELIHOODS[model.likelihood]
        self.objective = VAE_OBJECTIVES[config.objective] if self.model.stochastic else RECONSTRUCTION
        self.modules = {"model": self.model, "average": self.ema.average}
        self.optimizers = {
            "model": torch.optim.Adam(
                [p for p in self.model.parameters() if p.requires_grad], config.learning_rate, fused=True
            ),
        }

    @property
    def average(self) -> Autoencoder:
        """The model with averaged weights."""
        return cast(Autoencoder, self.ema.average)

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one step on the objective (on the likelihood alone, for a plain autoencoder)."""
        self.set_learning_rate(progress)
        draws = self.draw(batch, progress, rng)
        loss = self.objective.loss(draws, self.config)
        # Likelihoods are sums over pixels: a wild first batch would otherwise throw the weights far away.
        self.descend("model", loss, clip=1e4)
        self.ema.update(len(batch.x), (step + 1) * len(batch.x))
        return self.terms(loss, draws)

    def terms(self, loss: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the loss and the parts that all objectives have, in nats an image."""
        scalars = {"loss": loss.detach(), "reconstruction_nats": draws.nll.detach().mean()}
        if self.model.stochastic:
            scalars["kl_nats"] = draws.posterior.kl().detach().sum(1).mean()
        return scalars

    def draw(
        self, batch: Batch, progress: float, rng: torch.Generator, model: Autoencoder | None = None
    ) -> Draws:
        """Encode images, and decode as many samples of each posterior as the objective takes."""
        model = model or self.model
        count = self.config.importance_samples if self.objective.several else 1
        labels = batch.labels if model.classes else None
        with self.autocast():
            posterior = model.posterior(batch.x, labels)
            one = [posterior.sample(rng) if model.stochastic else posterior.mean for _ in range(count)]
            z = torch.stack(one)
            output = model.outputs(z, labels)
        nll = compared(self.likelihood, output.float(), batch.x, model.log_sigma)
        weight = self.config.kl_share(progress)
        return Draws(posterior, z, nll, batch.population, progress, weight, rng)

    def prepare(self, data: ImageData) -> ImageData:
        """Return the images, binarised if so configured."""
        return binarised(data) if self.config.binarise else data

    @torch.no_grad()
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Decode fixed latents."""
        return self.average.decode(z, labels if self.model.classes else None)

    @torch.no_grad()
    def reconstruct(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return reconstructions from posterior means."""
        return reconstructed(self.average, x, labels if self.model.classes else None)[0]

    @torch.no_grad()
    def validate(self, held: HeldOut) -> Mapping[str, float]:
        """Measure the loss and its parts, PSNR of reconstructions (posterior mean) and, for a VAE, active units."""
        return {**validated(self.average, held.data, self.device), **self.losses(held)}

    def losses(self, held: HeldOut) -> dict[str, float]:
        """Return what a step reports, but of the averaged model on held-out images, in batches of the same size."""
        rng, data = generator(0, _LOSS, device=self.device), held.data
        index = torch.arange(min(len(data), _HELD_OUT))
        totals: dict[str, float] = {}
        for some in index.tensor_split(max(1, len(index) // self.config.batch_size)):
            labels = data.labels_at(some, self.device) if self.model.classes else None
            batch = Batch(data.floats(some, self.device), labels, None, held.population)
            draws = self.draw(batch, held.progress, rng, self.average)
            for name, value in self.terms(self.objective.loss(draws, self.config), draws).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(some) / len(index)
        return totals

    @torch.no_grad()
    def export(self, data: ImageData, brief: bool = False) -> Autoencoder:
        """Return the averaged model, with what is fitted to its codes of training images."""
        model = Autoencoder(cast(AutoencoderConfig, self.model.config))
        model.load_state_dict(self.average.state_dict())
        fit(model.eval().requires_grad_(False), data, self.config.prior_steps, brief)
        return model


def reconstructed(model: Autoencoder, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Posterior]:
    """Return what the posterior means of images decode to, in [-1, 1], and their posteriors over codes."""
    q = model.posterior(x, labels)
    return decoder_mean(model.likelihood, model.decoder(q.mean, labels)), q


def validated(model: Autoencoder, data: ImageData, device: torch.device) -> dict[str, float]:
    """Return the PSNR of reconstructions (posterior mean) and, for a VAE, the KL term and active units."""
    ratios: list[Tensor] = []
    found: list[Posterior] = []
    for some in torch.split(torch.arange(min(len(data), _HELD_OUT)), _CHUNK):
        x = data.floats(some, device)
        rebuilt, q = reconstructed(model, x, data.labels_at(some, device) if model.classes else None)
        ratios.append(psnr(rebuilt, x))
        found.append(q)
    result = {"psnr_db": float(torch.cat(ratios).mean())}
    if model.stochastic:
        result["kl_nats"] = float(torch.cat([q.kl() for q in found]).sum(1).mean())
        result["active_units"] = float(active_units(torch.cat([q.mean for q in found])))
    return result


def fit(model: Autoencoder, data: ImageData, steps: int, brief: bool = False) -> None:
    """Fit to a trained model what depends on its codes of training images: deviation, map of latents, covariance.

    Args:
        model: On the CPU, in eval mode; it is changed.
        data: Training images.
        steps: Of a fitted prior that takes steps.
        brief: The prior, which takes long, stays as it is.
    """
    chunks = [slice(start, start + 500) for start in range(0, min(len(data), 10_000), 500)]
    labels = [data.labels_at(chunk, "cpu") if model.classes else None for chunk in chunks]
    found = [model.posterior(data.floats(c), y) for c, y in zip(chunks, labels, strict=True)]
    q = Posterior(torch.cat([one.mean for one in found]), torch.cat([one.logvar for one in found]))
    classes = torch.cat([y for y in labels if y is not None]) if model.classes else None
    if model.likelihood == "gaussian-optimal":
        _fit_sigma(model, q, data, classes)
    if model.fitted:
        _fit_map(model, q, classes)
    if model.prior is not None and not brief:
        draws = [q.sample(generator(i)) if model.stochastic else q.mean for i in range(_DRAWS)]
        whitened = [model.whitened(codes, classes)[0] for codes in draws]
        model.prior.fit(torch.cat(whitened), steps)
    if model.stochastic:
        means = q.mean
        if model.fitted:
            latents = [model.encode(data.floats(c), y).mean for c, y in zip(chunks, labels, strict=True)]
            means = torch.cat(latents)
        model.aggregate_covariance.copy_(_covariance(means))


def _fit_sigma(model: Autoencoder, q: Posterior, data: ImageData, labels: Tensor | None) -> None:
    """Keep the deviation that is optimal over training images, so that p(x|z) is one density for every image."""
    codes = q.sample(generator(0)) if model.stochastic else q.mean
    squares: list[Tensor] = []
    for some in torch.split(torch.arange(len(codes)), 500):
        output = model.decoder(codes[some], None if labels is None else labels[some])
        squares.append((output - data.floats(some)).square().flatten(1).mean(1))
    model.log_sigma.copy_(0.5 * torch.cat(squares).mean().clamp_min(1e-6).log())


def _fit_map(model: Autoencoder, q: Posterior, labels: Tensor | None) -> None:
    """Fit the map from N(0, I) to the codes of each class, by the moments of the average of their posteriors.

    Classes with few images lean on the others: their covariance is mixed with that within all classes, which
    counts as D images; so are means with that of all, which counts as one.
    """
    index = torch.zeros(len(q.mean), dtype=torch.long) if labels is None else labels
    members = [index == kind for kind in range(max(1, model.classes))]
    counts = torch.tensor([int(member.sum()) for member in members])[:, None]
    sums = torch.stack([q.mean[member].sum(0) for member in members])
    means = (sums + q.mean.mean(0)) / (counts + 1)
    centred = q.mean - means[index]
    scatters = torch.stack(
        [centred[m].T @ centred[m] + torch.diag(q.logvar[m].exp().sum(0)) for m in members]
    )
    dim = model.latent_dim
    pooled = scatters.sum(0) / counts.sum()
    covariances = (scatters + dim * pooled) / (counts[:, :, None] + dim)
    model.latent_mean.copy_(means.reshape_as(model.latent_mean))
    factors = cast(Tensor, torch.linalg.cholesky(covariances + 1e-6 * torch.eye(dim)))  # pyright: ignore[reportUnknownMemberType]
    model.latent_scale.copy_(factors.reshape_as(model.latent_scale))


def _covariance(rows: Tensor) -> Tensor:
    """Return the covariance of rows; ridge, because a code that never varies must not make it singular."""
    dim = rows.shape[1]
    return torch.cov(rows.T).reshape(dim, dim) + 1e-6 * torch.eye(dim)
