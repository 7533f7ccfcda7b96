"""What training minimises, as pure functions: likelihoods, ELBO, adversarial losses, penalties, augmentation.

Their names, which options choose by, stand in `models.choices`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from models.config import Output
from models.core import Posterior

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


# VAE objectives: (-log p(x|z) (B,), posterior, beta, warm-up weight) -> scalar to minimise
VaeObjective = Callable[[Tensor, Posterior, float, float], Tensor]


def negative_elbo(nll: Tensor, posterior: Posterior, beta: float, weight: float) -> Tensor:
    """Return the negative evidence lower bound, in nats (Kingma & Welling, 2013, arXiv:1312.6114, eq. 3)."""
    del beta
    return (nll + weight * posterior.kl().sum(1)).mean()


def negative_beta_elbo(nll: Tensor, posterior: Posterior, beta: float, weight: float) -> Tensor:
    """Return the negative ELBO with the KL term weighted by beta (Higgins et al., 2017, beta-VAE, eq. 4)."""
    return (nll + beta * weight * posterior.kl().sum(1)).mean()


# Adversarial losses: (logits of real (B,), of fake (B,)) -> scalar; pairs share a label where conditional
PairLoss = Callable[[Tensor, Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    """What the two networks of a GAN minimise."""

    discriminator: PairLoss
    generator: PairLoss


def nonsaturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's cross-entropy (Goodfellow et al., 2014, arXiv:1406.2661, equation 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def nonsaturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's non-saturating loss (Goodfellow et al., 2014, arXiv:1406.2661, section 3)."""
    del real
    return F.softplus(-fake).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the relativistic pairing loss: is the real one of a pair more real than the fake one?

    Jolicoeur-Martineau (2018), arXiv:1807.00734; Huang et al. (2024), arXiv:2501.05441, equation 2.
    """
    return F.softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's side of the relativistic pairing loss."""
    return F.softplus(real - fake).mean()


NONSATURATING = AdversarialLoss(nonsaturating_discriminator, nonsaturating_generator)
RELATIVISTIC = AdversarialLoss(relativistic_discriminator, relativistic_generator)


def gradient_penalty(logits: Float[Tensor, " batch"], x: Tensor) -> Float[Tensor, " batch"]:
    """Return half the squared norm of the discriminator's gradient at each image, differentiable.

    With real images this is R1 (Mescheder et al., 2018, arXiv:1801.04406, equation 9), with fake ones R2.

    Args:
        logits: Of `x`, computed with `x.requires_grad_()`.
        x: Images, shape (B, C, H, W).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * gradient.float().square().flatten(1).sum(1)


# DiffAugment (Zhao et al., 2020, arXiv:2006.10738): (images, generator) -> images, differentiable
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def _uniform(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, generator=rng, device=x.device)


def augment_color(x: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness by up to 0.5, saturation by a factor in [0, 2] and contrast by one in [0.5, 1.5]."""
    x = x + (_uniform(x, rng) - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * _uniform(x, rng)) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, rng) + 0.5) + mean


def augment_translation(x: Tensor, rng: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its size, with zeros moving in."""
    size = x.shape[-1]
    reach = size // 8
    moves = torch.randint(0, 2 * reach + 1, (2, len(x)), generator=rng, device=x.device)
    padded = F.pad(x, (reach, reach, reach, reach))
    line = torch.arange(size, device=x.device)
    rows = (moves[0][:, None] + line)[:, :, None]
    columns = (moves[1][:, None] + line)[:, None, :]
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)


def augment_cutout(x: Tensor, rng: torch.Generator) -> Tensor:
    """Blank a square of half the image's size, centred anywhere."""
    size = x.shape[-1]
    half = size // 4
    centre = torch.randint(0, size + 1, (2, len(x), 1, 1), generator=rng, device=x.device)  # between pixels
    line = torch.arange(size, device=x.device)
    rows, columns = line[None, :, None] - centre[0], line[None, None, :] - centre[1]
    inside = (rows >= -half) & (rows < half) & (columns >= -half) & (columns < half)
    return x * ~inside[:, None]
