"""The nearest neighbours of every point among all points: exact up to a size, then approximate."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.shared import Progress, unheard

EXACT = 150_000  # points up to which all distances are computed: about 25 s on two cores, in 32 dimensions
_GROUP = 32  # points whose least distance is looked at first
_ROWS = 512  # points at once, at most
_BLOCK = 33_554_432  # distances at once: 128 MB

Neighbours = tuple[NDArray[np.int32], NDArray[np.float32]]


def nearest(
    vectors: NDArray[np.float32],
    k: int,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
    progress: Progress = unheard,
) -> Neighbours:
    """Return the k nearest other points of each point, nearest first.

    Args:
        vectors: Shape (N, D), finite.
        k: At most N - 1.
        device: Where distances are computed.
        seed: Of the approximate search, among more than `EXACT` points.
        progress: Told the share that is done; may raise, to end it.

    Returns:
        Indices, shape (N, k), and Euclidean distances, shape (N, k).
    """
    if len(vectors) > EXACT and torch.device(device).type == "cpu":
        return _approximate(vectors, k, seed)
    x = torch.as_tensor(vectors, device=device)
    x = x - x.mean(0)  # the products below round less around the origin
    rows = min(_ROWS, max(16, _BLOCK // len(x)))
    parts: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
    with torch.inference_mode():
        columns, halves = _padded(x)
        room = x.new_empty(
            rows, len(halves)
        )  # given to each product in turn: fresh memory costs as much again
        for start in range(0, len(x), rows):
            some = torch.arange(start, min(start + rows, len(x)), device=x.device)
            near = torch.addmm(halves, x[some], columns, alpha=-1, out=room[: len(some)])
            near[torch.arange(len(some), device=x.device), some] = (
                math.inf
            )  # a point is not its own neighbour
            found = _least(near, k)
            distances = (x[found] - x[some, None]).square().sum(2).sqrt()
            distances, order = distances.sort(dim=1)
            found = found.gather(1, order)
            parts.append((found.to("cpu", torch.int32).numpy(), distances.cpu().numpy()))
            progress(min(1.0, (start + rows) / len(x)))
    indices, distances = zip(*parts, strict=True)
    return np.concatenate(indices), np.concatenate(distances)


def _padded(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the points as columns (D, M) and half their squared norms (M,), M a multiple of the group's size.

    What is added is infinitely far from everything.
    """
    more = -len(x) % _GROUP
    columns = torch.cat([x, x.new_zeros(more, x.shape[1])]).T.contiguous()
    return columns, torch.cat([x.square().sum(1) / 2, x.new_full((more,), math.inf)])


def _least(near: Tensor, k: int) -> Tensor:
    """Return the indices (B, k) of the least numbers of each row (B, M), in no order.

    The k least lie in the k groups with the least minima. To look for these first is several times faster than to
    look for the k least of all.

    Args:
        near: Half the squared distances, less what changes no order.
        k: How many.
    """
    groups = near.view(len(near), -1, _GROUP)
    count = min(k, groups.shape[1])
    chosen = groups.amin(2).topk(count, dim=1, largest=False).indices
    inside = groups.gather(1, chosen[:, :, None].expand(-1, -1, _GROUP)).flatten(1)
    best = inside.topk(k, dim=1, largest=False).indices
    return chosen.gather(1, best // _GROUP) * _GROUP + best % _GROUP


def _approximate(vectors: NDArray[np.float32], k: int, seed: int) -> Neighbours:
    """Return neighbours of which a few in a hundred may be missed, in far less than quadratic time.

    References:
        Dong, Moses & Li (2011), "Efficient k-nearest neighbor graph construction for generic similarity measures".
    """
    from pynndescent import NNDescent  # pyright: ignore[reportMissingTypeStubs]

    found: Any = NNDescent(vectors, n_neighbors=k + 1, random_state=seed, max_candidates=60)
    indices, distances = found.neighbor_graph
    return indices[:, 1:].astype(np.int32), distances[:, 1:].astype(np.float32)
