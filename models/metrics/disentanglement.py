"""Disentanglement: whether each known factor of variation has a latent dimension of its own."""

from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.core import Encodes
from models.datasets import drawn_on
from models.datasets.factors import Factor
from models.metrics import MIG_IMAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.metrics.evaluation import Context

BINS = 20


def binned(values: Float[Tensor, " batch"], bins: int = BINS) -> Int[Tensor, " batch"]:
    """Return the bins of a histogram of equal widths, from the smallest value to the largest, shape (N,)."""
    low, high = values.min(), values.max()
    share = (values - low) / (high - low).clamp_min(1e-12)
    return (share * bins).long().clamp(0, bins - 1)


def mutual_information(x: Int[Tensor, " batch"], y: Int[Tensor, " batch"]) -> float:
    """Return the mutual information of two discrete variables, by their frequencies, in nats.

    The estimate is too large by about (|X| - 1)(|Y| - 1) / 2N; in a difference of two such terms that cancels.
    """
    joint = torch.bincount(x * (int(y.max()) + 1) + y).double()
    entropies = [_entropy(torch.bincount(one).double()) for one in (x, y)]
    return sum(entropies) - _entropy(joint)


def _entropy(counts: Tensor) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * shares.log()).sum())


def mutual_information_gaps(
    latents: Float[Tensor, "batch dim"], factors: Float[Tensor, "batch factors"], known: "Sequence[Factor]"
) -> dict[str, float]:
    """Return for each factor how much more the best latent dimension tells of it than the second best.

    Both are shares of the factor's entropy, so 1 is reached where one dimension says all and no other anything.
    Continuous factors and latents are put into 20 bins. A factor that does not vary is left out.

    Args:
        latents: Posterior means, shape (N, D).
        factors: Their images' factors, shape (N, F).
        known: What the columns are.

    References:
        Chen, Li, Grosse & Duvenaud (2018), arXiv:1802.04942, section 4.1, equation 6; with posterior means in a
        histogram, as in Locatello et al. (2019), arXiv:1811.12359, appendix C, instead of samples.
    """
    codes = [binned(column) for column in latents.unbind(1)]
    gaps: dict[str, float] = {}
    for factor, column in zip(known, factors.unbind(1), strict=True):
        values = column.long() if factor.values else binned(column)
        entropy = _entropy(torch.bincount(values).double())
        if entropy > 0:
            told = sorted((mutual_information(code, values) for code in codes), reverse=True)
            gaps[factor.name] = (told[0] - (told[1] if len(told) > 1 else 0.0)) / entropy
    return gaps


def measure(context: "Context") -> dict[str, float]:
    """Measure the gaps on held-out images: 10,000 of them where they can be drawn, else as many as there are.

    Symmetry bounds what can be reached: nothing tells the orientation of a square beyond a quarter turn.
    """
    missing = min(context.n, MIG_IMAGES) - len(context.real)
    data = drawn_on(context.data, missing) if missing > 0 else context.real
    encode = cast(Encodes, context.model).encode

    def mean(x: Tensor) -> Tensor:
        return encode(x).mean

    means = context.posterior.mean if data is context.real else context.each(mean, data)
    assert data.factors is not None
    gaps = mutual_information_gaps(means, data.factors, data.info.factors)
    return {
        "mig": sum(gaps.values()) / max(1, len(gaps)),
        **{f"mig_{name}": gap for name, gap in gaps.items()},
    }
