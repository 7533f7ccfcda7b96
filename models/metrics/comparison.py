"""Models against each other by number: which can be compared, and by how much a figure differs. Torch-free."""

from collections.abc import Sequence

from models.catalog import ModelInfo
from models.errors import UserError
from models.metrics.figures import Figures
from models.metrics.intervals import Interval, paired, welch


def shared_dataset(models: Sequence[ModelInfo]) -> str:
    """Return the data set that all models were trained on.

    Raises:
        UserError: There are fewer than two models, one generates nothing, its data set is not known, or they differ in
            it or in the shape of their images.
    """
    if len(models) < 2:
        raise UserError(
            "too-few-models", "One model alone has nothing to stand against.", "Choose two models or more."
        )
    first = models[0]
    for info in models:
        if not info.can("decode"):
            raise UserError(
                "cannot-decode", f"'{info.id}' generates nothing.", "Choose a VAE, a GAN or an autoencoder."
            )
        if not info.dataset:
            problem = f"It is not known what '{info.id}' was trained on."
            raise UserError("no-data", problem, "Choose a model whose config names its data set.")
        if info.dataset != first.dataset:
            problem = (
                f"'{first.id}' has learnt '{first.dataset}' and '{info.id}' '{info.dataset}': figures of different "
                "data sets say nothing of which model is better."
            )
            raise UserError("different-data", problem, "Choose models of one data set.")
        if info.sample_shape != first.sample_shape:
            problem = (
                f"'{first.id}' makes images of {_shape(first)} and '{info.id}' of {_shape(info)}: sharpness and "
                "distances depend on the size."
            )
            raise UserError("different-sizes", problem, "Choose models of one size.")
    return first.dataset


def difference(key: str, one: Figures, other: Figures) -> Interval | None:
    """Return by how much a figure of one model is above that of another; None where either has no interval.

    Of means over the same images whose values are kept it is the mean difference image by image. Otherwise both are
    taken as independent: right for different samples, and as a rule careful for the same images, of which quantiles
    were kept: what is hard for one model is mostly hard for the other.

    Args:
        key: Of the figure.
        one: What was measured of the one.
        other: What was measured of the other.
    """
    means = one.intervals.get(key), other.intervals.get(key)
    if means[0] is None or means[1] is None:
        return None
    values = one.of_images(key), other.of_images(key)
    if values[0] is None or values[1] is None or not _same_images(one, other, key):
        return welch(means[0], means[1])
    return paired(values[0], values[1])


def _same_images(one: Figures, other: Figures, key: str) -> bool:
    """Tell whether a mean is over the same held-out images, in the same order: data, number and seed decide on both."""
    asked = [
        (each.spec.dataset, each.spec.n, each.spec.seed, each.intervals[key].count) for each in (one, other)
    ]
    return asked[0] == asked[1]


def _shape(info: ModelInfo) -> str:
    return "x".join(map(str, info.sample_shape))
