"""What a VAE minimises: the negative ELBO and its relatives, in nats an image.

A new one is a function of what a step drew and of the options, an entry made of it, and a line in `models.choices`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from models.config import AutoencoderTraining
from models.core import Posterior, log_normal

_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the kernels of `mmd`


@dataclass(frozen=True)
class Draws:
    """What one step drew for a batch of B images: K latents for each.

    Args:
        posterior: q(z|x), of B images in D dimensions.
        z: Samples of it, shape (K, B, D).
        nll: -log p(x|z) of each in nats, shape (K, B).
        population: Images in the training set, B at least.
        progress: Share of the training that is done, in [0, 1].
        weight: Of the KL term while it fades in, in [0, 1].
        rng: Of further samples, on the device.
    """

    posterior: Posterior
    z: Float[Tensor, "samples batch dim"]
    nll: Float[Tensor, "samples batch"]
    population: int
    progress: float
    weight: float
    rng: torch.Generator


class VaeObjective(NamedTuple):
    """A loss, a scalar, and whether it takes several samples of each posterior (`importance_samples`)."""

    loss: Callable[[Draws, AutoencoderTraining], Tensor]
    several: bool = False


def reconstruction(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the negative log-likelihood alone: what a plain autoencoder minimises."""
    del config
    return draws.nll.mean()


def negative_elbo(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the negative evidence lower bound (Kingma & Welling, 2013, arXiv:1312.6114, eq. 3)."""
    del config
    return (draws.nll + draws.weight * draws.posterior.kl().sum(1)).mean()


def negative_beta_elbo(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the negative ELBO with the KL term weighted by `beta` (Higgins et al., 2017, beta-VAE, eq. 4)."""
    return (draws.nll + config.beta * draws.weight * draws.posterior.kl().sum(1)).mean()


def negative_tc_elbo(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the negative ELBO with `beta` on its total correlation only (beta-TC VAE).

    The KL term is the information of z on x, plus the total correlation of z, plus the KL divergences of its
    dimensions from the prior; z is one sample of each posterior.

    References:
        Chen, Li, Grosse & Duvenaud (2018), arXiv:1802.04942, equations 2 and 4, with alpha = gamma = 1.
    """
    z = draws.z[0]
    joint, product = aggregate_log_density(draws.posterior, z, draws.population)
    information = draws.posterior.log_prob(z).sum(1) - joint
    dimensions = product - log_normal(z).sum(1)
    divergence = information + config.beta * (joint - product) + dimensions
    return (draws.nll[0] + draws.weight * divergence).mean()


def aggregate_log_density(
    posterior: Posterior, z: Float[Tensor, "batch dim"], population: int
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Estimate log q(z) and the sum of log q(z_j) over dimensions, from a batch.

    q(z) is the mean of q(z|x) over the N images of the training set. The image that z was drawn for is one of
    them; the M others of the batch stand for the other N - 1. This is stratified sampling, averaged over which of
    them is the last: unbiased for q(z), so its logarithm is biased low.

    Args:
        posterior: Of a batch of B = M + 1 images.
        z: One sample for each.
        population: N, which is B at least.

    References:
        Chen, Li, Grosse & Duvenaud (2018), arXiv:1802.04942, appendix C.2.
    """
    count = len(z)
    densities = log_normal(
        z[:, None], posterior.mean, posterior.logvar
    )  # of sample i under image j, (B, B, D)
    weights = torch.full((count, count), (population - 1) / population / max(1, count - 1), device=z.device)
    weights = weights.fill_diagonal_(1 / population if count > 1 else 1.0).log()
    joint = (weights + densities.sum(2)).logsumexp(1)
    return joint, (weights[:, :, None] + densities).logsumexp(1).sum(1)


def negative_capacity_elbo(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the reconstruction error, with the KL term held at a capacity that grows with the training.

    Burgess et al. (2018), arXiv:1804.03599, equation 8; their gamma is `capacity_weight`.
    """
    target = config.capacity * min(1.0, draws.progress / config.capacity_ramp)
    divergence = draws.posterior.kl().sum(1).mean()
    return draws.nll.mean() + config.capacity_weight * (divergence - target).abs()


def negative_free_bits_elbo(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the negative ELBO in which each dimension may use `free_bits` nats at no cost.

    Kingma et al. (2016), arXiv:1606.04934, equation 15, with one dimension to each of its groups.
    """
    divergence = draws.posterior.kl().mean(0).clamp_min(config.free_bits).sum()
    return draws.nll.mean() + draws.weight * divergence


def negative_iwae_bound(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the negative importance-weighted bound of K samples; with one sample it is the ELBO.

    Burda, Grosse & Salakhutdinov (2015), arXiv:1509.00519, equation 8.
    """
    del config
    ratio = (log_normal(draws.z) - draws.posterior.log_prob(draws.z)).sum(2)
    bounds = (draws.weight * ratio - draws.nll).logsumexp(0) - math.log(len(draws.nll))
    return -bounds.mean()


def wae_mmd(draws: Draws, config: AutoencoderTraining) -> Tensor:
    """Return the reconstruction error plus the distance of all codes together from the prior, by `mmd_weight`.

    Tolstikhin, Bousquet, Gelly & Schölkopf (2017), arXiv:1711.01558, algorithm 2, with -log p(x|z) as the cost.
    """
    z = draws.z[0]
    prior = torch.randn(z.shape, generator=draws.rng, device=z.device)
    return draws.nll.mean() + config.mmd_weight * draws.weight * mmd(z, prior)


def mmd(x: Float[Tensor, "batch dim"], y: Float[Tensor, "batch dim"]) -> Tensor:
    """Estimate the squared maximum mean discrepancy of two samples, without bias: it may be below zero.

    The kernel is a sum of inverse multiquadratics c / (c + |x - y|^2), with c from a tenth to ten times the mean
    squared distance of two samples of N(0, I).

    Args:
        x: Shape (B, D), B >= 2.
        y: Same shape.

    References:
        Gretton et al. (2012), JMLR 13, equation 3; the kernel: Tolstikhin et al. (2017), arXiv:1711.01558,
        sections 3 and 4.
    """
    count, dim = x.shape

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squared = (a[:, None] - b).square().sum(2)
        return torch.stack([2 * dim * s / (2 * dim * s + squared) for s in _SCALES]).sum(0)

    within = kernel(x, x) + kernel(y, y)
    return (within.sum() - within.trace()) / (count * (count - 1)) - 2 * kernel(x, y).mean()


RECONSTRUCTION = VaeObjective(reconstruction)
ELBO = VaeObjective(negative_elbo)
BETA = VaeObjective(negative_beta_elbo)
BTC = VaeObjective(negative_tc_elbo)
CAPACITY = VaeObjective(negative_capacity_elbo)
FREE_BITS = VaeObjective(negative_free_bits_elbo)
IWAE = VaeObjective(negative_iwae_bound, several=True)
WAE_MMD = VaeObjective(wae_mmd)
