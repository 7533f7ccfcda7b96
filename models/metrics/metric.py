"""What a metric is: what it needs, what its figures are, and which of them are better. Torch-free."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.datasets import DatasetInfo

Need = Literal[
    "images",
    "decode",
    "encode",
    "gradient",
    "posterior",
    "density",
    "classify",
    "judge",
    "neighbours",
    "covariance",
    "categories",
    "train",
    "inception",
    "classes",
    "factors",
    "known",
    "modes",
]

NEEDS: Mapping[Need, str] = {
    "images": "a data set of images",
    "decode": "a model that generates images",
    "encode": "a model that encodes images",
    "gradient": "a decoder with a gradient that a search can follow; one that was imported as ONNX has none",
    "posterior": "a model whose encoder gives a distribution, such as a VAE",
    "density": "a model that gives images a probability, such as a VAE",
    "classify": "a classifier with the attributes of the data set",
    "judge": "a classifier of the data set to judge the samples",
    "neighbours": "more images than the neighbours that it looks at",
    "covariance": "more images than the classifier has features, or their covariance is singular",
    "categories": "a classifier of categories",
    "train": "the training images of the data set",
    "inception": "the Inception network",
    "classes": "a data set with classes",
    "factors": "a data set with known categorical attributes",
    "known": "a data set with known attributes, such as sprites",
    "modes": "a data set whose modes are known: a toy, or stacked_mnist and its classifier",
}


Count = Callable[[int, DatasetInfo], int]
Subject = Literal["samples", "latents", "images"]
Goal = Literal["lower", "higher", "one"]


def held_out(n: int, data: DatasetInfo) -> int:
    """Return how many held-out images there are where n are asked for."""
    return min(n, data.test)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Args:
        run: `"module:attribute"`, a function of a `models.metrics.context.Context` to numbers by key.
        needs: What the model, the data set and the classifier that judges must be; see `NEEDS`.
        description: One sentence: what it measures, and when it misleads.
        values: What each key of the result is, with its unit.
        count: How many samples, or real images, it looks at where n are asked for.
        real: Keys of `values` that are of real images, although the others are of samples.
        of: What it measures. Of samples: others, or training images for the floor, can take their place. Of latents
            drawn at random: others can. Of held-out images: nothing is drawn.
        series: What each curve, or list of the values of single images, is. One that is named like a figure holds the
            values whose mean that figure is.
        trace: `"module:attribute"`, a function of the context to them by key; empty if there are none.
        goals: Of the keys of `values` whose better values are known, which those are: lower, higher, or near 1.
        slow: Whether it takes minutes, and is only measured where it is asked for by name.
    """

    run: str
    needs: tuple[Need, ...]
    description: str
    values: Mapping[str, str]
    count: Count = held_out
    real: tuple[str, ...] = ()
    of: Subject = "images"
    series: Mapping[str, str] = field(default_factory=dict[str, str])
    trace: str = ""
    goals: Mapping[str, Goal] = field(default_factory=dict[str, Goal])
    slow: bool = False
