"""How far a figure moves by chance: intervals of means, of their differences and of shares. Torch-free.

Repeats are over independent samples. Resampling the same ones with repetition (the bootstrap) is right for means over
images, but puts copies among the neighbours that precision or coverage look at, and adds to a Fréchet distance.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from models.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

LEVEL = 0.95
_DRAWS, _AT_ONCE = 2000, 100  # of the bootstrap


@dataclass(frozen=True)
class Interval:
    """A mean with an interval that holds the true one in about 95 of 100 repetitions of the measurement.

    Args:
        mean: The mean.
        low: Its lower end.
        high: Its upper end.
        over: What the mean is taken over: `"seeds"` or `"images"`.
        count: How many of them.
    """

    mean: float
    low: float
    high: float
    over: str
    count: int


def over_seeds(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean of a figure over independent samples, with Student's t interval.

    Args:
        values: The figure for each seed, two at least; five are a good number.
        level: Of confidence.

    References:
        Student (1908), "The probable error of a mean", Biometrika 6(1).
    """
    _check(len(values))
    return _student(statistics.fmean(values), statistics.stdev(values), "seeds", len(values), level)


def over_images(
    values: "Tensor | NDArray[Any] | Sequence[float]", level: float = LEVEL, seed: int = 0
) -> Interval:
    """Return the mean of a figure over images, with the percentile interval of the bootstrap.

    Only for figures that are such a mean; see the module's description.

    Args:
        values: The figure for each image, shape (N,), two at least.
        level: Of confidence.
        seed: Of the resampling.

    References:
        Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    data = np.asarray(values, np.float64)
    _check(len(data))
    rng = np.random.default_rng(seed)
    means = [
        data[rng.integers(len(data), size=(_AT_ONCE, len(data)))].mean(1) for _ in range(_DRAWS // _AT_ONCE)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(data.mean()), float(low), float(high), "images", len(data))


def paired(one: "NDArray[Any]", other: "NDArray[Any]", level: float = LEVEL) -> Interval:
    """Return the mean difference of a figure of two models on the same images, one less the other.

    Student's t interval of the differences image by image. What makes an image hard makes it hard for both models; that
    part of the spread cancels, so that the interval is narrower than `welch`'s of the two means.

    Args:
        one: The figure for each image, shape (N,), two at least.
        other: The same of the other model, in the same order.
        level: Of confidence.

    References:
        Student (1908), "The probable error of a mean", Biometrika 6(1), section 9.
    """
    gaps = np.subtract(one, other, dtype=np.float64)
    _check(len(gaps))
    return _student(float(gaps.mean()), float(gaps.std(ddof=1)), "images", len(gaps), level)


def welch(one: Interval, other: Interval, level: float = LEVEL) -> Interval:
    """Return the difference of two means whose values are independent of each other, one less the other.

    Welch's t interval: variances need not be equal. If it holds 0, chance may explain the difference. Of values that go
    together, such as those of two models on the same images, it is wider than need be; see `paired`.

    Args:
        one: A mean with its interval, of the same level; half its width over Student's quantile is taken for the
            standard error, which is exact for `over_seeds` and near enough for many images.
        other: The other one.
        level: Of confidence.

    References:
        Welch (1947), "The generalization of 'Student's' problem ...", Biometrika 34(1-2).
    """
    share = (1 + level) / 2
    errors = [((each.high - each.low) / 2 / _quantile(share, each.count - 1)) ** 2 for each in (one, other)]
    total = sum(errors)
    spread = sum(error**2 / (each.count - 1) for error, each in zip(errors, (one, other), strict=True))
    half = _quantile(share, total**2 / spread) * total**0.5 if spread > 0 else 0.0
    mean = one.mean - other.mean
    return Interval(mean, mean - half, mean + half, one.over, min(one.count, other.count))


def wilson(hits: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share, in [0, 1]; all of it where nothing was counted.

    With p = hits / n it is (p + z^2 / 2n ± z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z a quantile of the
    standard normal distribution. Unlike the interval p ± z sqrt(p (1 - p) / n) it stays in [0, 1] and has a width even
    where all or none are hits.

    Args:
        hits: How often it happened.
        count: n, how often it could have.
        level: Of confidence.

    Raises:
        ValueError: `hits` is not from 0 to `count`.

    References:
        Wilson (1927), "Probable inference, the law of succession, and statistical inference", Journal of the American
        Statistical Association 22(158).
    """
    if not 0 <= hits <= count:
        raise ValueError(f"{hits} of {count} is no share")
    if not count:
        return 0.0, 1.0
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    share, weight = hits / count, z * z / count
    middle = (share + weight / 2) / (1 + weight)
    half = z * (share * (1 - share) / count + weight / (4 * count)) ** 0.5 / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def _student(mean: float, deviation: float, over: str, count: int, level: float) -> Interval:
    """Return a mean with Student's t interval."""
    half = _quantile((1 + level) / 2, count - 1) * deviation / count**0.5
    return Interval(mean, mean - half, mean + half, over, count)


def _check(count: int) -> None:
    if count < 2:
        raise UserError("too-few-repeats", "One value has no interval.", "Ask for two seeds or more.")


def _quantile(share: float, freedom: float) -> float:
    """Return a quantile of Student's t distribution."""
    from scipy import special  # pyright: ignore[reportMissingTypeStubs]

    return float(cast(Any, special).stdtrit(freedom, share))
