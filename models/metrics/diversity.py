"""Diversity: how far samples lie from each other, as a ratio to real images of the same data set."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from models.metrics.context import Context

_SHIFTS = (1, 2, 3, 4)  # pairs for each image: four halve the error of one at little cost


def pairwise_distance(points: Float[Tensor, "batch ..."]) -> float:
    """Estimate the mean L2 distance between two different points.

    Each is compared with the four that follow it, cyclically: unbiased where their order is random, in time
    linear in their number.

    Args:
        points: Shape (N, ...), N >= 2, in random order.

    Raises:
        ValueError: There are fewer than two points.
    """
    if len(points) < 2:
        raise ValueError("a distance needs two points")
    distances = [
        # In parts: the difference of ten thousand images would fill half a gigabyte.
        (one.float() - other.float()).square().flatten(1).sum(1).sqrt()
        for shift in _SHIFTS[: len(points) - 1]
        for one, other in zip(torch.split(points, 256), torch.split(points.roll(-shift, 0), 256), strict=True)
    ]
    return float(torch.cat(distances).mean())


def measure(context: "Context") -> dict[str, float]:
    """Measure distances in pixels and, where a classifier is given, in its features."""
    ratios = {"pairwise_distance_ratio": _ratio(context.samples.images, context.real.images)}
    if context.judge is not None:
        samples, real = (context.features(images) for images in (context.samples, context.real))
        ratios["feature_distance_ratio"] = _ratio(samples, real)
    return ratios


def _ratio(samples: Tensor, real: Tensor) -> float:
    return pairwise_distance(samples) / max(pairwise_distance(real), 1e-12)
