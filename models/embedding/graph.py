"""Neighbours to the weighted graph that UMAP lays out (McInnes, Healy & Melville, 2018, arXiv:1802.03426)."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_STEPS = 64  # halvings of the interval of a scale
_LEAST_SCALE = 1e-3  # of the mean distance


@dataclass(frozen=True)
class Graph:
    """A symmetric graph, row by row.

    Args:
        starts: Shape (N + 1,): where each point's edges start, and the last one's end.
        ends: The other ends, shape (E,).
        weights: In (0, 1], shape (E,).
    """

    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    weights: NDArray[np.float32]


def fuzzy(indices: NDArray[np.int32], distances: NDArray[np.floating[Any]]) -> Graph:
    """Return the fuzzy union of the points' own views of what is near, algorithms 2 and 3.

    Args:
        indices: Of the nearest other points, shape (N, k).
        distances: Theirs, ascending, shape (N, k).

    Returns:
        w + w^T - w w^T with w = exp(-(d - rho) / sigma): 1 for the nearest point, and log2(k + 1) in sum.
    """
    from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]

    count, k = indices.shape
    near = distances.astype(np.float64)
    beyond = np.maximum(0, near - _nearest_apart(near)[:, None])
    weights = np.exp(-beyond / _scales(beyond, near, math.log2(k + 1))[:, None])
    rows = np.repeat(np.arange(count, dtype=np.int32), k)
    own: Any = sparse.csr_array((weights.ravel(), (rows, indices.ravel())), shape=(count, count))
    union: Any = (own + own.T - own.multiply(own.T)).tocsr()
    union.eliminate_zeros()
    union.sort_indices()
    return Graph(union.indptr.astype(np.int32), union.indices.astype(np.int32), union.data.astype(np.float32))


def _nearest_apart(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rho, the distance to the nearest point that is not the same, shape (N,); 0 where all are."""
    apart = np.where(distances > 0, distances, np.inf).min(1)
    return np.where(np.isfinite(apart), apart, 0)


def _scales(
    beyond: NDArray[np.float64], distances: NDArray[np.float64], target: float
) -> NDArray[np.float64]:
    """Return sigma with which the weights of each row sum to a target, found by halving, shape (N,)."""
    low, high = np.zeros(len(beyond)), np.full(len(beyond), np.inf)
    scale = np.ones(len(beyond))
    for _ in range(_STEPS):
        small = np.exp(-beyond / scale[:, None]).sum(1) < target
        low, high = np.where(small, scale, low), np.where(small, high, scale)
        scale = np.where(np.isinf(high), 2 * scale, (low + high) / 2)
    mean = distances.mean(1)
    least = _LEAST_SCALE * np.where(mean > 0, mean, float(distances.mean()))
    return np.maximum(scale, np.maximum(least, np.finfo(np.float32).tiny))


def curve(min_dist: float, spread: float = 1.0) -> tuple[float, float]:
    """Return a and b with which 1 / (1 + a d^2b) is nearest to 1 up to `min_dist` and exp(-(d - min_dist)) beyond.

    Section 3.2 there; `spread` scales the distances of the exponential.
    """
    from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]

    at = np.linspace(0, 3 * spread, 300)
    wanted = np.where(at < min_dist, 1.0, np.exp(-(at - min_dist) / spread))

    def shape(d: NDArray[np.float64], a: float, b: float) -> NDArray[np.float64]:
        return 1 / (1 + a * d ** (2 * b))

    (a, b), _ = cast(Any, optimize).curve_fit(shape, at, wanted)
    return float(a), float(b)
