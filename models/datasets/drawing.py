"""What data sets that are drawn share: factors by hash, checked tables, pictures in batches. Torch-free until then.

Picture i of a seed does not depend on how many are drawn or in which batches: every factor of it is a hash of
(seed, i, factor).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.datasets.factors import Factor

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.floating]
Compose = Callable[[Array], npt.NDArray[np.uint8]]
# Small enough that the layers of one batch stay in the cache of a core.
BATCH = 64


def uniform(seed: int, index: npt.NDArray[np.uint64], stream: int) -> npt.NDArray[np.float64]:
    """Hash (seed, index, stream) to numbers in [0, 1).

    References:
        Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", the SplitMix64 finaliser.
    """

    def mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))

    golden = np.uint64(0x9E3779B97F4A7C15)
    # Mixed one after the other, so that neighbouring seeds do not share shifted sequences.
    state = mix(np.full_like(index, seed % 2**64) + golden)
    state = mix(state ^ (index * golden + golden))
    state = mix(state ^ (np.full_like(index, stream + 1) * golden))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def sample(
    factors: Sequence[Factor],
    count: int,
    seed: int,
    start: int = 0,
    *,
    weights: Mapping[str, Sequence[float]] | None = None,
    skew: Mapping[str, float] | None = None,
) -> Array:
    """Draw the factors of pictures start, ..., start + count - 1 of a seed.

    Args:
        factors: The columns.
        count: Number of rows.
        seed: Any integer; different seeds give independent pictures.
        start: Index of the first.
        weights: How often each value of a categorical factor occurs, where not all are alike.
        skew: Powers that the uniform number of a continuous factor is raised to: below 1 favours the high end.

    Returns:
        Factors, float32, shape (count, len(factors)), in the order of `factors`.

    Raises:
        ValueError: `count` or `start` is negative.
    """
    if count < 0 or start < 0:
        raise ValueError(f"count and start must not be negative, got {count} and {start}")
    index = np.arange(start, start + count, dtype=np.uint64)
    table = np.empty((count, len(factors)), np.float32)
    for column, factor in enumerate(factors):
        drawn = uniform(seed, index, column)
        if factor.kind == "categorical":
            shares = (weights or {}).get(factor.name, (1.0,) * len(factor.values))
            edges = np.cumsum(shares) / sum(shares)
            table[:, column] = np.searchsorted(edges[:-1], drawn, side="right")
        else:
            share = drawn ** (skew or {}).get(factor.name, 1.0)
            table[:, column] = factor.low + (factor.high - factor.low) * share
    return table


def checked(factors: Sequence[Factor], rows: npt.NDArray[np.floating]) -> Array:
    """Return a factor table as float32, shape (N, len(factors)).

    Raises:
        ValueError: The shape is wrong, or a value is not finite, out of range, or no index where one is due.
    """
    table = np.asarray(rows, np.float32)
    if table.ndim != 2 or table.shape[1] != len(factors):
        raise ValueError(f"factors must have shape (N, {len(factors)}), got {table.shape}")
    for column, factor in enumerate(factors):
        low, high = (0, len(factor.values) - 1) if factor.kind == "categorical" else (factor.low, factor.high)
        if not np.all((table[:, column] >= np.float32(low)) & (table[:, column] <= np.float32(high))):
            raise ValueError(f"factor {factor.name} must lie in [{low}, {high}]")
        if factor.kind == "categorical" and np.any(table[:, column] % 1):
            raise ValueError(f"factor {factor.name} must be a whole number, the index of a value")
    return table


class Drawer:
    """Draws pictures with random factors.

    Args:
        factors: Draws the factors of `count` pictures of a seed from `start` on, float32, shape (count, F); raises
            ValueError where one of them is negative.
        compose: Draws the pictures of some factors, uint8, shape (B, C, H, W).
        shape: Channels, height, width of a picture.
    """

    def __init__(
        self, factors: Callable[[int, int, int], Array], compose: Compose, shape: tuple[int, int, int]
    ) -> None:
        self.factors = factors
        self.compose = compose
        self.shape = shape

    def __call__(
        self, count: int, seed: int, *, start: int = 0, progress: Callable[[int, int], None] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw pictures, in batches that the cores share.

        Args:
            count: Number of pictures.
            seed: Any integer; different seeds give independent pictures.
            start: Index of the first picture, so that a set can be drawn in pieces.
            progress: Called with (pictures done, count) as batches are finished.

        Returns:
            Images, uint8, shape (count, C, H, W), and factors, float32, shape (count, F).

        Raises:
            ValueError: `count` or `start` is negative.
        """
        import torch

        table = self.factors(count, seed, start)
        images = np.empty((count, *self.shape), np.uint8)
        for done in fill(images, table, np.arange(count), self.compose):
            if progress is not None:
                progress(done, count)
        return torch.as_tensor(images), torch.as_tensor(table)


def fill(
    images: npt.NDArray[np.uint8], table: Array, rows: npt.NDArray[np.int64], compose: Compose
) -> Iterator[int]:
    """Draw some rows of a factor table into their places, in batches that the cores share; yield how many are done.

    Args:
        images: Shape (N, C, H, W).
        table: Factors, shape (N, F).
        rows: Which, shape (M,).
        compose: Draws the pictures of some factors.
    """
    parts = [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]

    def draw(part: npt.NDArray[np.int64]) -> None:
        images[part] = compose(table[part])

    if len(parts) < 2:  # not worth a thread
        for part in parts:
            draw(part)
            yield len(part)
        return
    count = 0
    # NumPy releases the interpreter lock, so that threads share the work.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for part, _ in zip(parts, pool.map(draw, parts), strict=True):
            count += len(part)
            yield count
