"""New points on a map that is there, and back: which latent a place of the plane has. Without torch and umap-learn.

Both ways take the nearest points of the map and weigh them, so no fitted object has to be kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.embedding.maps import EmbeddingMap
from models.errors import UserError

NEAREST = 8  # points of the map that a new one, or a place, is made of
_BLOCK = 8_388_608  # distances at once: 32 MB
_SAMPLED = 2000  # points that the typical spacing is measured at

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Inverse:
    """What places of the plane stand for.

    Args:
        latents: Shape (Q, D), float32.
        reliability: Shape (Q,), float32, in [0, 1]: how dense the map is there, relative to where its points typically
            are, times how far the latents around agree. Towards 0 the picture says more of the method than of the map.
        nearest: Shape (Q,), int64: the nearest point of the map.
    """

    latents: Vectors
    reliability: Vectors
    nearest: NDArray[np.int64]


def place(queries: Vectors, vectors: Vectors, positions: Vectors, k: int = NEAREST) -> Vectors:
    """Place new points on a map by their nearest points in the space that was mapped.

    Args:
        queries: What is new, shape (Q, D).
        vectors: Those of the map's points, shape (N, D).
        positions: Where these are, shape (N, 2).
        k: How many of the nearest count, by the inverse of their squared distance.

    Returns:
        Shape (Q, 2): a point that is one of the map's lies where that is.
    """
    _check(queries, vectors.shape[1])
    distances, found = nearest(queries, vectors, min(k, len(vectors)))
    return np.einsum("qk,qkd->qd", _weights(distances), positions[found]).astype(np.float32)


def place_latents(found: EmbeddingMap, latents: Vectors, k: int = NEAREST) -> Vectors:
    """Place latents, shape (Q, D), on a map by its own nearest latents; shape (Q, 2).

    Raises:
        UserError: The map's points have no latents, or these are others than a model of the map has.
    """
    known = _known(found)
    return place(latents, found.latents[known], found.positions[known], k)


def inverse(found: EmbeddingMap, places: Vectors, k: int = NEAREST) -> Inverse:
    """Return the latents of places of the plane, interpolated between the nearest points of the map.

    They are means of the points' latents, as long as these are on average: means alone would be too near to the
    origin, where few pictures of the model are. The density is relative, and the agreement the length of the
    mean of latents over their mean length (the mean resultant length of directional statistics; Mardia & Jupp, 2000).

    Args:
        found: The map.
        places: In the units of its positions, shape (Q, 2).
        k: How many of the nearest count, by the inverse of their squared distance.

    Raises:
        UserError: The map's points have no latents, or the places are no numbers.
    """
    known = _known(found)
    _check(places, 2)
    positions, latents = found.positions[known], found.latents[known]
    distances, near = nearest(places, positions, min(k, len(known)))
    weights = _weights(distances)
    mean = np.einsum("qk,qkd->qd", weights, latents[near])
    lengths = np.einsum("qk,qk->q", weights, np.linalg.norm(latents[near], axis=2))
    own = np.linalg.norm(mean, axis=1)
    agreement = own / np.maximum(lengths, 1e-12)
    scaled = mean / np.maximum(agreement, 1e-6)[:, None]
    typical = spacing(positions, k)
    density = np.square(typical / np.maximum(distances.mean(1), typical))
    return Inverse(scaled.astype(np.float32), (density * agreement).astype(np.float32), known[near[:, 0]])


def spacing(positions: Vectors, k: int = NEAREST) -> float:
    """Return how far apart points of a map typically are: the median of their mean distances to their k nearest.

    Args:
        positions: Shape (N, 2).
        k: At most N - 1 of them count.
    """
    some = positions[:: max(1, len(positions) // _SAMPLED)]
    distances, _ = nearest(some, positions, min(k + 1, len(positions)))
    return max(float(np.median(distances[:, 1:].mean(1))) if distances.shape[1] > 1 else 0.0, 1e-6)


def nearest(queries: Vectors, vectors: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the Euclidean distances and indices of the k nearest rows of each query, shape (Q, k), nearest first."""
    rows = max(1, _BLOCK // len(vectors))
    squares = np.einsum("nd,nd->n", vectors, vectors)
    chosen: list[NDArray[np.int64]] = []
    for start in range(0, len(queries), rows):
        some = queries[start : start + rows]
        near = squares - 2 * (some @ vectors.T)  # squared distance, less what changes no order
        chosen.append(np.argpartition(near, k - 1, axis=1)[:, :k])
    found = np.concatenate(chosen) if chosen else np.empty((0, k), np.int64)
    distances = np.linalg.norm(vectors[found] - queries[:, None], axis=2)
    order = np.argsort(distances, axis=1, kind="stable")
    return (
        np.take_along_axis(distances, order, 1).astype(np.float32),
        np.take_along_axis(found, order, 1),
    )


def _weights(distances: Vectors) -> NDArray[np.float64]:
    """Return weights that sum to 1 in each row, by the inverse of the squared distance."""
    squares = np.square(distances.astype(np.float64))
    inverse = 1 / np.maximum(squares, 1e-6 * squares.mean(1, keepdims=True) + 1e-24)
    return inverse / inverse.sum(1, keepdims=True)


def _known(found: EmbeddingMap) -> NDArray[np.int64]:
    """Return which points have a latent."""
    known = np.flatnonzero(np.isfinite(found.latents).all(axis=1))
    if not len(known):
        problem = "None of the points of this map has a latent."
        raise UserError("no-latents", problem, "Add generated samples to the map.")
    return known


def _check(queries: Vectors, dim: int) -> None:
    if queries.ndim != 2 or queries.shape[1] != dim:
        problem = f"The points have shape {queries.shape}, not (any number, {dim})."
        raise UserError("bad-latent", problem, "Open the map of the model that they belong to.")
    if not np.isfinite(queries).all():
        raise UserError("bad-latent", "A point is not a finite number.", "Leave it out.")
