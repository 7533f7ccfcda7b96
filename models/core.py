"""What a model is: one abstract class, and the capabilities that a model may have besides.

Backend code asks `isinstance(model, Encodes)`, the app asks the catalog `info.can("encode")`; nobody asks for
the name of a family. Models in use are `eval()`, without gradients, and never changed, because sessions share
them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.config import GeneratorConfig, ModelConfig

if TYPE_CHECKING:
    from models.networks import Decoder


class ImageModel(nn.Module):
    """A network over images of one shape, or over points, built from a config."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Channels, height, width of one image; (2,) of a point."""
        return self.config.sample_shape

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the networks by their role, in the order in which a card lists their sizes."""
        return dict(self.named_children())


class LatentModel(ImageModel, ABC):
    """A model that decodes latents, with the prior p(z) = N(0, I), to images, or points, in [-1, 1]."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.latent_dim = config.latent_dim
        self.classes = config.classes

    @abstractmethod
    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Decode latents.

        Args:
            z: Latents, shape (B, D), in prior standard deviations.
            labels: Classes, shape (B,), for a conditional model; else None.

        Returns:
            Images, shape (B, C, H, W), or points, shape (B, 2), in [-1, 1]: the mean of p(x|z) where the model
            defines one.
        """

    @abstractmethod
    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight of the affine map that latents meet first, shape (out, D); SeFa decomposes it.

        What is not affine before it, such as a mapping network, counts as the linear map that is closest to it.
        """

    @abstractmethod
    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the features after the first non-linearity, flattened, shape (B, F); GANSpace analyses them."""

    def network(self) -> "Decoder | None":
        """Return the one network that decodes latents, to what its config's `output` says; None if there is none."""
        return None


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian q(z|x).

    Args:
        mean: Shape (B, D).
        logvar: Log variances, shape (B, D); minus infinity for a deterministic encoder.
    """

    mean: Float[Tensor, "batch dim"]
    logvar: Float[Tensor, "batch dim"]

    def sample(self, rng: torch.Generator) -> Float[Tensor, "batch dim"]:
        """Draw one latent for each image by reparameterisation (Kingma & Welling, 2013, arXiv:1312.6114)."""
        noise = torch.randn(self.mean.shape, generator=rng, device=self.mean.device)
        return self.mean + torch.exp(0.5 * self.logvar) * noise

    def log_prob(self, z: Float[Tensor, "*samples batch dim"]) -> Float[Tensor, "*samples batch dim"]:
        """Return the log density of latents in each dimension, in nats."""
        return log_normal(z, self.mean, self.logvar)

    def kl(self) -> Float[Tensor, "batch dim"]:
        """Return KL(q(z|x) || N(0, 1)) for each image and dimension, in nats, shape (B, D).

        Kingma & Welling (2013), arXiv:1312.6114, appendix B.
        """
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)


def log_normal(z: Tensor, mean: Tensor | float = 0.0, logvar: Tensor | float = 0.0) -> Tensor:
    """Return the log density of N(mean, exp(logvar)) at each element of z, in nats; of N(0, 1) by default."""
    logvar = torch.as_tensor(logvar, device=z.device)
    return -0.5 * ((z - mean).square() * torch.exp(-logvar) + logvar + math.log(2 * math.pi))


@runtime_checkable
class Encodes(Protocol):
    """Has an encoder: the capability `encode`."""

    def encode(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Posterior:
        """Return q(z|x) for images in [-1, 1]."""
        ...


@runtime_checkable
class Explains(Protocol):
    """Gives images a density p(x) by p(x|z) p(z), and guesses which codes explain one."""

    @property
    def binary(self) -> bool:
        """Whether it is a density of black and white pixels."""
        ...

    def posterior(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None
    ) -> Posterior:
        """Return q(z|x) over codes for images in [-1, 1]."""
        ...

    def log_likelihood(
        self,
        x: Float[Tensor, "batch channels height width"],
        codes: Float[Tensor, "samples batch dim"],
        labels: Int[Tensor, " batch"] | None,
    ) -> Float[Tensor, "samples batch"]:
        """Return log p(x|z) of images for several codes each, in nats."""
        ...

    def log_prior(
        self, codes: Float[Tensor, "samples batch dim"], labels: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "samples batch"]:
        """Return log p(z) of codes, in nats."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Has a discriminator: the capability `score`."""

    def score(
        self, x: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the discriminator's logit for images in [-1, 1]; up to a constant where the loss is relative."""
        ...


@runtime_checkable
class Features(Protocol):
    """Gives a feature vector of an image: the capability `features`."""

    def features(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """Return features of images in [-1, 1], shape (B, F)."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Predicts attributes of an image: the capability `classify`."""

    def classify(self, x: Float[Tensor, "batch channels height width"]) -> dict[str, Tensor]:
        """Return, by attribute, probabilities (B, values) or, if continuous, estimates (B,)."""
        ...


def to_unit(pixels: Tensor) -> Float[Tensor, "*shape"]:
    """Map uint8 pixels in [0, 255] to float32 in [-1, 1]."""
    return pixels.float().mul_(2 / 255).sub_(1)


def to_pixels(x: Float[Tensor, "*shape"]) -> Tensor:
    """Map images in [-1, 1] to the nearest uint8 pixels in [0, 255]; values outside are clipped."""
    return x.add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def parameter_count(module: nn.Module) -> int:
    """Count the trained numbers of a module."""
    return sum(math.prod(p.shape) for p in module.parameters())
