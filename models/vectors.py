"""Networks over points, for data of two coordinates: what `models.networks` has for images.

A multilayer perceptron of leaky ReLUs alone learns the coarse features of a function of few inputs long before the
fine ones. Sines of random frequencies as the first layer mend that (Tancik et al., 2020, arXiv:2006.10739); as in
SIREN (Sitzmann et al., 2020, arXiv:2006.09661) frequencies and phases are learned.
"""

import math

import torch
from torch import Tensor, nn

from models.config import GeneratorConfig, ModelConfig

SLOPE = 0.2  # of the leaky ReLU, as in DCGAN (Radford et al., 2015, arXiv:1511.06434)
_HIDDEN = 8  # units of a layer for each of the config's `width`
_ENCODER_LAYERS = 3  # after the sines
# A decoder that maps one blob to modes far apart must be steep between them, which many layers are: of what a GAN
# learns of 25 Gaussians, 87 % lay within three standard deviations of a mode with 3 of them, and 94 % with 7.
_DECODER_LAYERS = 7
LATENT_FREQUENCY = 1.4  # radians for a prior standard deviation in every dimension
POINT_FREQUENCY = 4.0  # radians for a unit in both coordinates; data lie in [-1, 1]


class Sine(nn.Module):
    """sqrt(2) sin(x): of unit variance where the phases are spread."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the sines of the elements."""
        return math.sqrt(2) * torch.sin(x)


def decoder(config: GeneratorConfig, latent_dim: int) -> tuple[nn.Linear, nn.Sequential]:
    """Return the affine map that latents meet first, and what follows its sines: features (B, F) to points (B, 2)."""
    hidden = _HIDDEN * config.width
    return nn.Linear(latent_dim, hidden), nn.Sequential(
        *_layers(hidden, _DECODER_LAYERS), nn.Linear(hidden, config.channels)
    )


def encoder(config: ModelConfig) -> tuple[nn.Sequential, int]:
    """Return a network from points (B, 2) to features (B, F), and F."""
    hidden = _HIDDEN * config.width
    return nn.Sequential(
        nn.Linear(config.channels, hidden), Sine(), *_layers(hidden, _ENCODER_LAYERS)
    ), hidden


def _layers(hidden: int, count: int) -> list[nn.Module]:
    return [layer for _ in range(count) for layer in (nn.Linear(hidden, hidden), nn.LeakyReLU(SLOPE))]


@torch.no_grad()
def spread(first: nn.Linear, frequency: float) -> None:
    """Give the map that sines follow random phases, and frequencies of this standard deviation over its inputs."""
    nn.init.normal_(first.weight, std=frequency / math.sqrt(first.in_features))
    nn.init.uniform_(first.bias, 0, 2 * math.pi)
