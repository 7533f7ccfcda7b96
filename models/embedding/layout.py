"""UMAP's layout: points that attract and repel each other, on all cores, and the same map for the same seed.

umap-learn moves both ends of an edge at once, which several threads can only do in an order that changes from run to
run; with a seed it takes one thread. Here each point is moved by one thread alone, by all of its edges, and sees the
others where they were at the end of the last epoch; its random numbers depend on the seed, the epoch and the point.
So neither the number of threads nor their pace changes the result.

Forces are looked up by the first bits of the squared distance, within one per cent: powers took most of the time.

Imports numba: import this module only where a map is computed.
"""

import threading
from typing import Any

import numba as _numba  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from numpy.typing import NDArray

from models.embedding.graph import Graph
from models.shared import Progress, unheard

_NEGATIVES = 5  # random points that repel a point for each edge that pulls it
_AT_ONCE = 5  # epochs between two looks at whether somebody wants it to end
_SHIFT = 17  # bits of a float32 that are left out: six of its fraction are kept
_OCTAVES = (-24, 14)  # squared distances from 2^-24 to 2^14 are told apart
_SOFT = 0.001  # keeps the repulsion of points in one place finite
numba: Any = _numba
_one_at_a_time = threading.Lock()  # numba's own pool of threads takes no second caller


def settle(
    start: NDArray[np.float32],
    graph: Graph,
    curve: tuple[float, float],
    epochs: int,
    *,
    seed: int = 0,
    progress: Progress = unheard,
) -> NDArray[np.float32]:
    """Lay a graph out by stochastic gradient descent, algorithms 4 and 5 of arXiv:1802.03426.

    Args:
        start: Where the points begin, shape (N, 2), some ten units wide.
        graph: What is near to what.
        curve: a and b, see `models.embedding.graph.curve`.
        epochs: How often the heaviest edge pulls; an edge of half the weight pulls half as often.
        seed: Of the points that repel.
        progress: Told the share that is done; may raise, to end it.

    Returns:
        Shape (N, 2), float32.
    """
    share = graph.weights / max(float(graph.weights.max(initial=0)), 1e-12)
    now = np.array(start, np.float32, order="C")
    then = np.empty_like(now)
    attract, repel, low = _forces(*curve)
    for first in range(0, epochs, _AT_ONCE):
        last = min(first + _AT_ONCE, epochs)
        with _one_at_a_time:
            _advance(
                now, then, graph.starts, graph.ends, share, first, last, epochs, attract, repel, low, seed
            )
        progress(last / epochs)
    return now


def _forces(a: float, b: float) -> tuple[NDArray[np.float32], NDArray[np.float32], np.int32]:
    """Return what pulls and pushes along a difference, by the first bits of its squared length, and the first bits."""
    low, high = ((127 + octave) << (23 - _SHIFT) for octave in _OCTAVES)
    bits = (np.arange(low, high, dtype=np.int32) << _SHIFT) | (1 << (_SHIFT - 1))  # the middle of each step
    square = bits.view(np.float32).astype(np.float64)
    power = square**b
    pull = -2 * a * b * power / (square * (1 + a * power))
    push = 2 * b / ((_SOFT + square) * (1 + a * power))
    return pull.astype(np.float32), push.astype(np.float32), np.int32(low)


@numba.njit(cache=True, fastmath=True, inline="always")
def _moved(x: Any, y: Any, px: Any, py: Any, table: Any, low: Any, rate: Any) -> Any:
    """Return a point after the pull or push of another; no step is longer than 4, as in umap-learn."""
    dx, dy = x - px, y - py
    square = np.float32(dx * dx + dy * dy)
    top = np.int32(table.shape[0] - 1)
    force = table[min(max((square.view(np.int32) >> np.int32(_SHIFT)) - low, np.int32(0)), top)]
    most = np.float32(4)
    return (
        x + rate * min(max(force * dx, -most), most),
        y + rate * min(max(force * dy, -most), most),
    )


@numba.njit(cache=True, inline="always")
def _seeded(seed: Any, epoch: Any, point: Any) -> Any:
    """Return the state of a stream of random numbers: splitmix64 (Steele, Lea & Flood, 2014), never 0."""
    state = np.uint64(seed) ^ (np.uint64(point) * np.uint64(0x9E3779B97F4A7C15))
    state ^= (np.uint64(epoch) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (state ^ (state >> np.uint64(31))) | np.uint64(1)


@numba.njit(cache=True, fastmath=True, parallel=True)
def _advance(
    now: Any,
    then: Any,
    starts: Any,
    ends: Any,
    share: Any,
    first: int,
    last: int,
    epochs: int,
    attract: Any,
    repel: Any,
    low: Any,
    seed: int,
) -> None:
    """Move all points through some epochs; random points by xorshift64* (Vigna, 2016, arXiv:1402.6246)."""
    count = now.shape[0]
    for epoch in range(first, last):
        rate = np.float32(1 - epoch / epochs)
        for i in numba.prange(count):
            x, y = now[i, 0], now[i, 1]
            state = _seeded(seed, epoch, i)
            for edge in range(starts[i], starts[i + 1]):
                if int((epoch + 1) * share[edge]) == int(epoch * share[edge]):
                    continue
                j = ends[edge]
                x, y = _moved(x, y, now[j, 0], now[j, 1], attract, low, rate)
                for _ in range(_NEGATIVES):
                    state ^= state >> np.uint64(12)
                    state ^= state << np.uint64(25)
                    state ^= state >> np.uint64(27)
                    drawn = (state * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(32)
                    j = np.int64((drawn * np.uint64(count)) >> np.uint64(32))
                    x, y = _moved(x, y, now[j, 0], now[j, 1], repel, low, rate)
            then[i, 0], then[i, 1] = x, y
        for i in numba.prange(count):
            now[i, 0], now[i, 1] = then[i, 0], then[i, 1]
