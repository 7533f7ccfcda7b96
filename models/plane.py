"""The plane of two directions: its place in the latent space, and where its pictures lie. Torch-free."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def spanned(z: NDArray[Any], vectors: NDArray[Any]) -> tuple[Vector, Vector, Vector]:
    """Return the plane of two directions through a latent.

    Args:
        z: Shape (D,).
        vectors: Unit rows, shape (2, D), not parallel.

    Returns:
        The latent at coordinates (0, 0), and what one sd to the right and one upwards adds to it, each (D,).
    """
    across = vectors.astype(np.float64)
    inverse = np.linalg.pinv(across)
    corner = z - inverse @ (across @ z)
    right, up = inverse.T
    return corner.astype(np.float32), right.astype(np.float32), up.astype(np.float32)


def coordinate(share: float, span: float, spacing: str) -> float:
    """Return the coordinate at a share of the way from -span to span.

    With "quantile" it is a quantile of N(0, 1), at equal shares of probability, so that equal lengths stand for as
    much of the prior (Kingma & Welling, 2013, arXiv:1312.6114, appendix A: the inverse CDF of a grid).

    Args:
        share: In [0, 1].
        span: In prior standard deviations, positive.
        spacing: "linear" or "quantile".
    """
    if spacing == "linear":
        return span * (2 * share - 1)
    if (
        share > 0.5
    ):  # the upper half mirrors the lower: near 1, a probability has too few digits to tell its quantile
        return -coordinate(1 - share, span, spacing)
    low = 0.5 * math.erfc(span / math.sqrt(2))  # the tail below -span; NormalDist.cdf rounds it to 0 beyond 8
    return NormalDist().inv_cdf(low + (1 - 2 * low) * share) if share < 0.5 else 0.0


def positions(steps: int, span: float, spacing: str) -> list[float]:
    """Return ascending coordinates from -span to span, as many as there are steps, see `coordinate`."""
    return [coordinate(i / (steps - 1), span, spacing) for i in range(steps)]
