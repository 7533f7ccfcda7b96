"""What a validation says of samples: how sharp and how varied they are, and which classes or modes they show."""

import torch
from torch import Tensor

from models.core import Classifies
from models.datasets import ImageData
from models.metrics.coverage import class_coverage
from models.metrics.diversity import pairwise_distance
from models.metrics.points import of_points
from models.metrics.sharpness import sharpness

_CHUNK = 256  # images that are judged at once


@torch.no_grad()
def of_samples(fake: Tensor, real: ImageData, judge: Classifies | None = None) -> dict[str, float]:
    """Measure samples against real images.

    Args:
        fake: Images in [-1, 1], shape (N, C, H, W), or points, shape (N, 2); N >= 2, in random order.
        real: Held-out images, or points, of the data set: two at least, in random order.
        judge: A classifier with a head `label` for the classes of the data set.

    Returns:
        Numbers by key, which `models.metrics.METRICS` describes: of images `sharpness_ratio`,
        `pairwise_distance_ratio` and, with a judge, `classes_covered`, `smallest_class_share` and `mean_confidence`;
        of points `energy_distance` and, of a mixture, `modes_covered` and `high_quality_share`.
    """
    x = real.floats(slice(None), fake.device)
    if real.info.points:
        return of_points(fake, x, real.info.points)
    result = {
        "sharpness_ratio": float(sharpness(fake).mean() / sharpness(x).mean().clamp_min(1e-12)),
        "pairwise_distance_ratio": pairwise_distance(fake) / max(pairwise_distance(x), 1e-12),
    }
    if judge is None:
        return result
    probabilities = torch.cat([judge.classify(part)["label"] for part in torch.split(fake, _CHUNK)])
    return result | class_coverage(probabilities, real)
