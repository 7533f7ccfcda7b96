"""What a request comes to, as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.core import to_pixels


@dataclass(frozen=True)
class RenderResult:
    """What a request came to.

    Args:
        images: uint8, shape (N, H, W, C).
        latents: float32, shape (N, D), in prior standard deviations.
        values: Named arrays besides, numbers or words, e.g. `coordinates` (N, K) along the request's axes; of
            directions `vectors` (K, D) and `shares` (K,) and, empty where the kind has none, `names`,
            `attributes`, `scores` and `chances` (K,), see `models.directions.Directions`.
        seconds: Time that it took.
        done: Share of the work that is done, in [0, 1]; below 1 only in a stream.
        waiting: Whether nothing is computed for this answer alone until the next result, only for all who wait.
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    seconds: float = 0.0
    done: float = 1.0
    waiting: bool = False


def array(tensor: Tensor) -> NDArray[np.float32]:
    """Return a tensor as a float32 array of its own: some tensors are shared by all sessions."""
    return tensor.detach().float().numpy().copy()


def pictures(x: Tensor) -> NDArray[np.uint8]:
    """Return images (N, C, H, W) in [-1, 1] as uint8 pixels (N, H, W, C)."""
    return to_pixels(x).permute(0, 2, 3, 1).contiguous().numpy()
