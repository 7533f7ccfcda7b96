"""Sharpness: the variance of an image's Laplacian, always read as a ratio to real images of its data set."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from models.metrics.evaluation import Context


def sharpness(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
    """Return the variance of the 3x3 Laplacian of each image's luminance.

    Observation noise of variance s^2 adds 20 s^2 (the sum of the squared kernel; a third of it in RGB, where
    the noise of three channels is averaged), so it is measured on decoder means; above the value of real
    images it means noise or checkerboard, not quality.

    Args:
        x: Images in [-1, 1], shape (B, C, H, W); colour is averaged over the channels first.

    References:
        Tolstikhin et al. (2018), arXiv:1711.01558, section 5.
    """
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=x.device)
    edges = F.conv2d(x.float().mean(1, keepdim=True), kernel[None, None])
    return edges.flatten(1).var(dim=1)


def measure(context: "Context") -> dict[str, float]:
    """Measure the sharpness of samples and of real images."""
    real = float(context.each(sharpness, context.real).mean())
    samples = float(context.each(sharpness, context.samples).mean())
    return {"sharpness_ratio": samples / max(real, 1e-12), "sharpness_real": real}
