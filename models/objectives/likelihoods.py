"""Likelihoods p(x|z): how what a decoder puts out is compared to an image."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from models.config import Output

# Likelihoods: (decoder output (B, C, H, W), images in [-1, 1], log_sigma scalar) -> -log p(x|z) in nats, (B,)
Likelihood = Callable[[Tensor, Tensor, Tensor], Tensor]


def bernoulli(output: Tensor, x: Tensor, log_sigma: Tensor) -> Float[Tensor, " batch"]:
    """Return the negative Bernoulli log-likelihood of pixels in [0, 1], with `output` as logits.

    Right for near-binary data; for grey values it is a pseudo-likelihood (Loaiza-Ganem & Cunningham, 2019,
    arXiv:1907.06845).
    """
    del log_sigma
    return F.binary_cross_entropy_with_logits(output, (x + 1) / 2, reduction="none").flatten(1).sum(1)


def gaussian(output: Tensor, x: Tensor, log_sigma: Tensor) -> Float[Tensor, " batch"]:
    """Return the negative Gaussian log-likelihood with one learned log standard deviation for all pixels.

    Rybkin, Daniilidis & Levine (2021), arXiv:2006.13202, equation 4.
    """
    squared = (output - x).square().flatten(1)
    nats = 0.5 * squared * torch.exp(-2 * log_sigma) + log_sigma + 0.5 * math.log(2 * math.pi)
    return nats.sum(1)


def gaussian_optimal(output: Tensor, x: Tensor, log_sigma: Tensor) -> Float[Tensor, " batch"]:
    """Return the negative Gaussian log-likelihood at the variance that is optimal for this batch: its MSE.

    The variance is a constant to the gradient, so that each image keeps its own term.
    Rybkin, Daniilidis & Levine (2021), arXiv:2006.13202, section 3.3 (sigma-VAE).
    """
    del log_sigma
    mse = (output - x).square().mean().detach().clamp_min(1e-6)
    return gaussian(output, x, 0.5 * mse.log())


def unclipped(kind: Output, output: Tensor) -> Float[Tensor, "batch channels height width"]:
    """Return pixel values for what a decoder puts out; where that is pixels, they may be beyond [-1, 1]."""
    return torch.sigmoid(output) * 2 - 1 if kind == "logits" else output


def decoder_mean(likelihood: str, output: Tensor) -> Float[Tensor, "batch channels height width"]:
    """Return the mean of p(x|z) in [-1, 1] for what a decoder puts out."""
    return unclipped("logits" if likelihood == "bernoulli" else "pixels", output).clamp(-1, 1)
