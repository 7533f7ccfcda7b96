"""Samples in the plane: which modes of a mixture they reach, and how far their distribution is from the data's."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.datasets.points import Points
from models.metrics import POINT_SAMPLES

NEAR = 3.0  # standard deviations within which a sample is of high quality
HITS = 0.01  # of the samples, of high quality, make a mode covered: 25 of 2,500


def mode_coverage(
    x: Float[Tensor, "batch 2"], modes: Float[Tensor, "modes 2"], sigma: float, hits: int = 25
) -> tuple[int, float]:
    """Count the modes of a mixture of Gaussians that samples cover, and the share of samples near one.

    Args:
        x: Samples, shape (N, 2).
        modes: Centres, shape (M, 2), in the same units.
        sigma: Standard deviation of each.
        hits: Samples within three standard deviations that make a mode covered.

    Returns:
        The modes covered, at most M, and the share of samples that are of high quality, in [0, 1].

    References:
        Srivastava et al. (2017), VEEGAN, arXiv:1705.07761, section 4.1, where one hit is enough; Lin et al. (2018),
        PacGAN, arXiv:1712.04086, section 4.1.
    """
    distance, nearest = torch.cdist(x.double(), modes.double()).min(1)
    near = distance <= NEAR * sigma
    counts = torch.bincount(nearest[near], minlength=len(modes))
    return int((counts >= hits).sum()), float(near.double().mean())


def energy_distance(x: Float[Tensor, "batch 2"], y: Float[Tensor, "other 2"]) -> float:
    """Estimate 2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased: 0 on average for one distribution, else positive.

    References:
        Székely & Rizzo (2013), "Energy statistics: a class of statistics based on distances", Journal of
        Statistical Planning and Inference 143(8), equation 5.
    """
    between = torch.cdist(x, y).mean()
    within = [torch.cdist(one, one).sum() / (len(one) * max(1, len(one) - 1)) for one in (x, y)]
    return float(2 * between - sum(within))


def of_points(x: Float[Tensor, "batch 2"], real: Float[Tensor, "other 2"], known: Points) -> dict[str, float]:
    """Measure samples of a data set of points.

    Args:
        x: Samples as a model makes them, in [-1, 1].
        real: Points of the data set, in the same units.
        known: The data set's scale and modes.

    Returns:
        `energy_distance` in the data's units and, of a mixture, `modes_covered` and `high_quality_share`.
    """
    x, real = (points[:POINT_SAMPLES].float() * known.scale for points in (x, real))
    result = {"energy_distance": energy_distance(x, real)}
    if known.modes:
        modes = torch.tensor(known.modes, device=x.device)
        covered, share = mode_coverage(x, modes, known.sigma, max(1, round(HITS * len(x))))
        result |= {"modes_covered": float(covered), "high_quality_share": share}
    return result
