"""Points in the plane whose distribution is known, for looking at how a generative model learns one.

Drawn from a seed each time; models see them divided by `DatasetInfo.points.scale`.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets import SEEDS, DatasetInfo, Split
from models.datasets.points import Points

_NOISE = 0.03  # standard deviation across a curve

Array = NDArray[np.float64]
Drawn = tuple[Array, NDArray[np.int64] | None]
Shape = Callable[[int, np.random.Generator], Drawn]


def mixture(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, None]:
    """Return points of a mixture of Gaussians of equal weight; labelled by their mode."""
    points = _of(info)
    modes = np.array(points.modes)

    def shape(count: int, rng: np.random.Generator) -> Drawn:
        labels = rng.integers(len(modes), size=count)
        return modes[labels] + points.sigma * rng.standard_normal((count, 2)), labels

    return _drawn(info, split, shape)


def spirals(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, None]:
    """Return points of two spirals around each other, of one and a half turns; labelled by their spiral."""

    def shape(count: int, rng: np.random.Generator) -> Drawn:
        labels = rng.integers(2, size=count)
        share = np.sqrt(rng.uniform(0.01, 1, count))  # about as many for each piece of the curve
        angle = 3 * math.pi * share + math.pi * labels
        return _noisy(2 * share[:, None] * _circle(angle), rng), labels

    return _drawn(info, split, shape)


def moons(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, None]:
    """Return points of two half circles that reach into each other; labelled by their half circle."""

    def shape(count: int, rng: np.random.Generator) -> Drawn:
        labels = rng.integers(2, size=count)
        angle = rng.uniform(0, math.pi, count) + math.pi * labels
        centre = np.array([[-0.5, -0.25], [0.5, 0.25]])
        return _noisy(_circle(angle) + centre[labels], rng), labels

    return _drawn(info, split, shape)


def line(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, None]:
    """Return points along a straight line: one dimension of the plane that matters."""

    def shape(count: int, rng: np.random.Generator) -> Drawn:
        along = rng.uniform(-1, 1, count)
        return _noisy(along[:, None] * np.array([1.0, 0.5]), rng), None

    return _drawn(info, split, shape)


def _circle(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _noisy(points: Array, rng: np.random.Generator) -> Array:
    return points + _NOISE * rng.standard_normal(points.shape)


def _drawn(info: DatasetInfo, split: Split, shape: Shape) -> tuple[Tensor, Tensor | None, None]:
    """Draw the points of a split, float32 (N, 2), scaled, and their labels where there are some."""
    count = info.train if split == "train" else info.test
    points, labels = shape(count, np.random.default_rng(SEEDS[split]))
    scaled = torch.as_tensor(points / _of(info).scale, dtype=torch.float32)
    return scaled, None if labels is None else torch.as_tensor(labels), None


def _of(info: DatasetInfo) -> Points:
    if info.points is None:
        raise TypeError(f"'{info.name}' is no data set of points")
    return info.points
