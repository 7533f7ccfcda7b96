"""Disentanglement: whether each known factor of variation has a latent dimension of its own."""

from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.core import Encodes
from models.datasets import drawn_on
from models.datasets.factors import Factor
from models.metrics import MIG_IMAGES
from models.metrics.context import Context, finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.datasets import ImageData

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
    joint = torch.bincount(x * (int(y.max()) + 1) + y)
    entropies = [entropy(torch.bincount(one)) for one in (x, y)]
    return sum(entropies) - entropy(joint)


def entropy(counts: Tensor) -> float:
    """Return the entropy of a variable from how often each value occurs, in nats."""
    shares = counts[counts > 0].double() / counts.sum()
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
        whole = entropy(torch.bincount(values))
        if whole > 0:
            told = sorted((mutual_information(code, values) for code in codes), reverse=True)
            gaps[factor.name] = (told[0] - (told[1] if len(told) > 1 else 0.0)) / whole
    return gaps


def known_latents(context: Context) -> "tuple[Tensor, ImageData]":
    """Return posterior means, shape (N, D), and their images, whose factors are known.

    Held-out images: 10,000 of them where they can be drawn, else as many as there are.
    """
    missing = min(context.n, MIG_IMAGES) - len(context.real)
    if missing <= 0 or not context.data.info.draw:
        return context.posterior.mean, context.real
    return context.once(_drawn_latents)


def _drawn_latents(context: Context) -> "tuple[Tensor, ImageData]":
    data = drawn_on(context.data, min(context.n, MIG_IMAGES) - len(context.real))
    encode = cast(Encodes, context.model).encode

    def means(x: Tensor) -> Tensor:
        return finite(encode(x).mean, "gives latents")

    return context.each(means, data), data


def measure(context: Context) -> dict[str, float]:
    """Measure the gaps on `known_latents`.

    Symmetry bounds what can be reached: nothing tells the orientation of a square beyond a quarter turn.
    """
    means, data = known_latents(context)
    assert data.factors is not None
    gaps = mutual_information_gaps(means, data.factors, data.info.factors)
    return {
        "mig": sum(gaps.values()) / max(1, len(gaps)),
        **{f"mig_{name}": gap for name, gap in gaps.items()},
    }
