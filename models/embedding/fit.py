"""Vectors to places in the plane: one function for each method, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.embedding.spec import MapSpec
from models.errors import UserError
from models.shared import Progress, unheard
from models.tables import Table

FEWEST = 3  # points that make a map
_KEPT = 64  # principal components in which neighbours are looked for, where vectors are longer
_WIDTH = 10.0  # of the plane in which UMAP begins, either way from its middle
_JITTER = 1e-3  # that parts points in one place, in the same unit
_TSNE_WIDTH = 1e-4  # of the first component, as in scikit-learn
_FEW, _EPOCHS_OF_FEW, _EPOCHS = 10_000, 500, 300  # umap-learn: 200 for many; more make up for a plainer start

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """What a method is asked for.

    Args:
        vectors: Shape (N, D), finite, of the spec's metric (see `prepared`), D at most 64.
        spec: What the plane should be.
        device: Where distances are computed, as torch names it.
        progress: Told the share that is done; may raise, to end it.
    """

    vectors: Vectors
    spec: MapSpec
    device: str
    progress: Progress

    @property
    def neighbours(self) -> int:
        """Other points that count as near: fewer than asked for where there are too few."""
        return min(self.spec.neighbours, len(self.vectors)) - 1


def plane(
    vectors: Vectors, spec: MapSpec, *, device: str = "cpu", progress: Progress = unheard
) -> NDArray[np.float32]:
    """Lay vectors out in the plane.

    Args:
        vectors: Shape (N, D).
        spec: The method and its options; the same one gives the same plane.
        device: Where distances are computed, as torch names it.
        progress: Told the share that is done; may raise, to end it.

    Returns:
        Shape (N, 2); the larger extent fills [-1, 1], the middle is the origin. Zeros where all vectors are the same
        and the method keeps them together.

    Raises:
        UserError: There are fewer than three vectors, or some are not finite.
    """
    if len(vectors) < FEWEST:
        problem = f"A map needs {FEWEST} points at least, not {len(vectors)}."
        raise UserError("too-few-points", problem, "Ask for more points.")
    if not np.isfinite(vectors).all():
        problem = "Some of the vectors to be mapped are not finite numbers."
        raise UserError("bad-latents", problem, "Train the model again: its weights have diverged.")
    task = Task(_reduced(prepared(vectors, spec)), spec, device, progress)
    return framed(METHODS[spec.method](task))


def prepared(vectors: Vectors, spec: MapSpec) -> Vectors:
    """Return vectors whose Euclidean distances order points as the metric does: of length 1, for the cosine."""
    if spec.metric == "euclidean":
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)


def framed(places: NDArray[Any]) -> NDArray[np.float32]:
    """Move and scale places (N, 2) so that the larger extent fills [-1, 1]."""
    low, high = places.min(0).astype(np.float64), places.max(0).astype(np.float64)
    half = float((high - low).max()) / 2
    return ((places - (low + high) / 2) / (half or 1.0)).astype(np.float32)


def principal(vectors: Vectors, count: int) -> NDArray[np.float32]:
    """Return the coordinates of vectors along their first principal components, shape (N, count).

    Signs are such that the largest coefficient of each component is positive; with fewer dimensions than components,
    the others are zero.
    """
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :count]
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    found = centred @ axes
    return np.pad(found, ((0, 0), (0, count - found.shape[1]))).astype(np.float32)


def _reduced(vectors: Vectors) -> Vectors:
    """Return vectors as short as neighbours are looked for in: distances in more dimensions say little more."""
    return principal(vectors, _KEPT) if vectors.shape[1] > _KEPT else np.ascontiguousarray(vectors)


def _pca(task: Task) -> NDArray[np.float32]:
    return principal(task.vectors, 2)


def _umap(task: Task) -> NDArray[np.float32]:
    """UMAP, from principal components instead of the graph's spectrum, which takes a third of umap-learn's time.

    References:
        McInnes, Healy & Melville (2018), arXiv:1802.03426. Kobak & Linderman (2021), "Initialization is critical for
        preserving global data structure in both t-SNE and UMAP", Nature Biotechnology 39.
    """
    from models.embedding import graph, knn, layout

    spec = task.spec
    indices, distances = knn.nearest(
        task.vectors, task.neighbours, device=task.device, seed=spec.seed, progress=_part(task, 0.0, 0.4)
    )
    if spec.metric == "cosine":
        distances = np.square(distances) / np.float32(2)  # 1 - cos, of vectors of length 1
    near = graph.fuzzy(indices, distances)
    task.progress(0.5)
    epochs = _EPOCHS_OF_FEW if len(task.vectors) <= _FEW else _EPOCHS
    curve = graph.curve(spec.min_dist)
    return layout.settle(_begin(task), near, curve, epochs, seed=spec.seed, progress=_part(task, 0.5, 1.0))


def _begin(task: Task) -> NDArray[np.float32]:
    """Return principal components, some ten units wide, with a little noise."""
    noise = np.random.default_rng(task.spec.seed).normal(size=(len(task.vectors), 2))
    return (_WIDTH * framed(principal(task.vectors, 2)) + _JITTER * noise).astype(np.float32)


def _part(task: Task, start: float, end: float) -> Progress:
    return lambda share: task.progress(start + (end - start) * share)


def _tsne(task: Task) -> NDArray[np.float32]:
    """t-SNE of scikit-learn, which does not tell how far it is.

    References:
        van der Maaten (2014), "Accelerating t-SNE using tree-based algorithms", JMLR 15.
    """
    from sklearn.manifold import TSNE  # pyright: ignore[reportMissingTypeStubs]

    begin = _begin(task)
    begin *= np.float32(_TSNE_WIDTH / max(float(begin[:, 0].std()), 1e-12))
    perplexity = min(float(task.spec.neighbours), (len(task.vectors) - 1) / 3)
    method: Any = cast(Any, TSNE)(perplexity=perplexity, init=begin, random_state=task.spec.seed, n_jobs=-1)
    return method.fit_transform(task.vectors)


METHODS = Table[Callable[[Task], NDArray[np.float32]]]("method", {"umap": _umap, "pca": _pca, "tsne": _tsne})
