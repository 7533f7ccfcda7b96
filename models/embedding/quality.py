"""How far a map can be trusted, by number."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from models.embedding.knn import nearest
from models.shared import Progress, unheard

NEIGHBOURS = 15  # of a point, whose place and whose label are looked at
MOST = 10_000  # points that are looked at: a fixed subset, because time grows with the square
_ROWS = 256  # points at once


def subset(count: int, most: int = MOST) -> NDArray[np.int64]:
    """Return which of some points are measured: all, or the same random ones each time, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def trustworthiness(
    vectors: Float[NDArray[np.float32], "points features"],
    positions: Float[NDArray[np.float32], "points 2"],
    k: int = NEIGHBOURS,
    progress: Progress = unheard,
) -> float:
    """Measure how few points the map makes neighbours that are none.

    Args:
        vectors: What was mapped, shape (N, D).
        positions: Where it is, shape (N, 2).
        k: Neighbours that are compared; at most N / 2, as the measure has no meaning beyond.
        progress: Told the share that is done; may raise, to end it.

    Returns:
        1 - 2 / (N k (2 N - 3 k - 1)) times the sum, over points and their neighbours in the map, of by how much the
        neighbour's rank among the distances of `vectors` exceeds k; in [0, 1].

    References:
        Venna & Kaski (2001), "Neighborhood preservation in nonlinear projection methods: an experimental study",
        equation 1.
    """
    count = len(vectors)
    k = min(k, (count - 1) // 2)
    if k < 1:
        return 1.0
    near = torch.as_tensor(nearest(positions, k)[0]).long()
    x = torch.as_tensor(vectors).double() if count <= _ROWS else torch.as_tensor(vectors)
    x = x - x.mean(0)
    halves = x.square().sum(1) / 2
    excess = 0.0
    with torch.inference_mode():
        for start in range(0, count, _ROWS):
            own = torch.arange(start, min(start + _ROWS, count))
            distances = torch.addmm(
                halves, x[own], x.T, alpha=-1
            )  # half the square, less what changes no order
            distances[torch.arange(len(own)), own] = torch.inf
            excess += float((_ranks(distances, near[own]) - k).clamp_min(0).sum())
            progress(min(1.0, (start + _ROWS) / count))
    return 1 - 2 * excess / (count * k * (2 * count - 3 * k - 1))


def _ranks(distances: Float[Tensor, "rows points"], near: Int[Tensor, "rows k"]) -> Int[Tensor, "rows k"]:
    """Return the ranks of some points in each row, from 1: counting is faster than sorting."""
    columns = near.unbind(1)
    return torch.stack([1 + (distances < distances.gather(1, c[:, None])).sum(1) for c in columns], 1)


def knn_accuracy(vectors: NDArray[np.float32], labels: NDArray[np.integer], k: int = NEIGHBOURS) -> float:
    """Return how many points have the label of most of their k nearest others, in [0, 1].

    Args:
        vectors: Shape (N, D).
        labels: Shape (N,), not negative.
        k: At most N - 1 of them vote; of labels with as many votes the first counts.
    """
    k = min(k, len(vectors) - 1)
    found = labels[nearest(vectors, k)[0]]
    votes = np.stack([(found == label).sum(1) for label in range(int(labels.max()) + 1)], 1)
    return float((votes.argmax(1) == labels).mean())


def measured(
    vectors: NDArray[np.float32],
    positions: NDArray[np.float32],
    labels: NDArray[np.integer] | None,
    pixels: NDArray[np.uint8] | None,
    progress: Progress = unheard,
) -> Mapping[str, float]:
    """Return the figures of a map.

    Args:
        vectors: What was mapped, shape (N, D).
        positions: Where it is, shape (N, 2).
        labels: Of the real images, which come first, shape (R,), -1 where unknown; None: they have none.
        pixels: Of the real images, shape (R, P); None: they are not looked at.
        progress: Told the share that is done; may raise, to end it.

    Returns:
        "trustworthiness" and, where real images have two labels at least, "knn_map", "knn_space", "knn_pixels".
    """
    some = subset(len(vectors))
    result = {
        "trustworthiness": trustworthiness(
            vectors[some], positions[some], progress=lambda share: progress(share / 2)
        )
    }
    known = np.flatnonzero(labels >= 0) if labels is not None else np.empty(0, np.int64)
    if labels is None or len(np.unique(labels[known])) < 2:
        return result
    known = known[subset(len(known))]
    spaces = {"map": positions, "space": vectors, **({} if pixels is None else {"pixels": pixels})}
    for done, (name, space) in enumerate(spaces.items()):
        result[f"knn_{name}"] = knn_accuracy(space[known].astype(np.float32), labels[known])
        progress(0.5 + (done + 1) / (2 * len(spaces)))
    return result


def density(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how many points are around each point of a map, relative to the mean over points, shape (N,).

    A histogram of 256 x 256 cells, smoothed by a Gaussian of three cells.
    """
    cells, width = 256, 3.0
    edges = np.linspace(-1, 1, cells + 1)
    counts, _, _ = np.histogram2d(positions[:, 0], positions[:, 1], bins=(edges, edges))
    at = np.arange(cells)
    blur = np.exp(-0.5 * np.square((at[:, None] - at) / width))
    smooth = blur @ counts @ blur.T
    row, column = np.clip((positions.T + 1) * (cells / 2), 0, cells - 1).astype(int)
    found = smooth[row, column]
    return (found / found.mean()).astype(np.float32)
