"""From N(0, I) to what a decoder of others expects, and from its values to images in [-1, 1]."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.foreign.configs import ForeignConfig


def to_prior(config: ForeignConfig, z: Float[Tensor, "batch dim"]) -> Tensor:
    """Map latents that follow N(0, I) to what a decoder expects, of the rank that it expects."""
    if config.prior == "uniform":
        z = torch.erf(z / math.sqrt(2))
    elif config.prior == "sphere":
        z = math.sqrt(config.latent_dim) * torch.nn.functional.normalize(z, dim=1)
    return z[:, :, None, None] if config.latent_rank == 4 else z


def to_images(config: ForeignConfig, values: Tensor) -> Tensor:
    """Map a decoder's values to images in [-1, 1]."""
    scale = 2 / (config.high - config.low)
    return values.mul(scale).add(-1 - config.low * scale).clamp(-1, 1)


def to_values(config: ForeignConfig, x: Tensor) -> Tensor:
    """Map images in [-1, 1] to the values that an encoder of others takes: the inverse of `to_images`."""
    return x.add(1).mul((config.high - config.low) / 2).add(config.low)
