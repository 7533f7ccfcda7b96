"""What a latent space does: information per dimension, active units."""

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from models.core import Posterior

if TYPE_CHECKING:
    from models.metrics.context import Context


def active_units(means: Float[Tensor, "batch dim"], threshold: float = 0.01) -> int:
    """Count the latent dimensions that carry information: Var_x(E_q[z|x]) above a threshold.

    Args:
        means: Posterior means of a data set, shape (N, D).
        threshold: Variance from which on a unit is active.

    References:
        Burda, Grosse & Salakhutdinov (2015), arXiv:1509.00519, section 5.
    """
    return int((means.var(dim=0) > threshold).sum())


def kl_per_dimension(posterior: Posterior) -> Float[Tensor, " dim"]:
    """Return KL(q(z|x) || N(0, 1)) of each dimension, mean over images, in nats, shape (D,).

    A dimension near 0 has collapsed to the prior: it says nothing about the image.
    """
    return posterior.kl().mean(dim=0)


def measure(context: "Context") -> dict[str, float]:
    """Measure how much of held-out images their latents hold."""
    return {
        "kl_nats": float(kl_per_dimension(context.posterior).sum()),
        "active_units": float(active_units(context.posterior.mean)),
    }
