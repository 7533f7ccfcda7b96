"""What a VAE minimises: the negative ELBO and its relatives."""

from collections.abc import Callable

from torch import Tensor

from models.core import Posterior

# VAE objectives: (-log p(x|z) (B,), posterior, beta, warm-up weight) -> scalar to minimise
VaeObjective = Callable[[Tensor, Posterior, float, float], Tensor]


def negative_elbo(nll: Tensor, posterior: Posterior, beta: float, weight: float) -> Tensor:
    """Return the negative evidence lower bound, in nats (Kingma & Welling, 2013, arXiv:1312.6114, eq. 3)."""
    del beta
    return (nll + weight * posterior.kl().sum(1)).mean()


def negative_beta_elbo(nll: Tensor, posterior: Posterior, beta: float, weight: float) -> Tensor:
    """Return the negative ELBO with the KL term weighted by beta (Higgins et al., 2017, beta-VAE, eq. 4)."""
    return (nll + beta * weight * posterior.kl().sum(1)).mean()
