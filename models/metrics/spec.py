"""What is to be measured of a model. Without torch and numpy, so that jobs and pages can name it at once."""

from pydantic import Field

from models.metrics import METRICS
from models.requests import Seed
from models.values import Value

_APART = (
    "likelihood",
    "accuracy",
)  # the one takes a minute; the other is of classifiers, which make no samples
STANDARD = tuple(name for name, metric in METRICS.items() if not metric.slow and name not in _APART)
SEEDS = 5  # independent samples: enough for intervals, see `models.metrics.intervals`
MOST_SEEDS = 100


class Measurement(Value):
    """What is to be measured of a model; with the weights, the images and the classifier, all that figures depend on.

    Args:
        model: The digest of the weights.
        dataset: Whose held-out images samples are compared with.
        n: Number of samples, and of real images as far as there are so many.
        seeds: Independent samples, of the seeds `seed`, `seed` + 1, ...
        seed: The first.
        metrics: Names of those that are wanted, where they apply; none: all that apply and do not take minutes.
    """

    model: str
    dataset: str
    n: int = Field(default=10_000, ge=2)
    seeds: int = Field(default=SEEDS, ge=1, le=MOST_SEEDS)
    seed: Seed = 0
    metrics: tuple[str, ...] = STANDARD


class Measurements(Value):
    """What one job measures, one after the other."""

    of: tuple[Measurement, ...] = Field(min_length=1, max_length=64)
