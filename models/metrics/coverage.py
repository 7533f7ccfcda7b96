"""Coverage: which classes and attributes a classifier sees in samples, and how often it is right itself."""

from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.classifier import Classifier, accuracy
from models.datasets import ImageData

if TYPE_CHECKING:
    from models.metrics.context import Context

COVERED = 0.1  # of its share of the data makes a class covered; one stray sample would not be evidence
FREQUENT = 0.03  # of the data makes a value of an attribute one that samples should have


def shares(indices: Int[Tensor, " batch"], count: int) -> Float[Tensor, " count"]:
    """Return how often each of `count` categories occurs, as shares that sum to 1."""
    return torch.bincount(indices.cpu().long(), minlength=count).double() / max(len(indices), 1)


def measure_classes(context: "Context") -> dict[str, float]:
    """Measure which classes occur in samples and, for a conditional model, whether they are as asked for."""
    real, samples = context.real, context.samples
    real_confidence, real_predicted = context.classified(real)["label"].max(1)
    probabilities = context.classified(samples)["label"]
    result = class_coverage(probabilities, context.data)
    result["mean_confidence_real"] = float(real_confidence.mean())
    if samples.labels is not None:
        result["label_agreement"] = _agreement(probabilities.argmax(1), samples)
        result["label_agreement_real"] = _agreement(real_predicted, real)
    return result


def trace_classes(context: "Context") -> dict[str, Tensor]:
    """Return how often the classifier sees each class in samples and in real images, shape (classes,)."""
    count = len(context.data.info.classes)
    sets = {"class_shares": context.samples, "class_shares_real": context.real}
    return {key: shares(context.classified(of)["label"].argmax(1), count) for key, of in sets.items()}


def class_coverage(probabilities: Float[Tensor, "batch classes"], data: ImageData) -> dict[str, float]:
    """Measure which classes occur in samples.

    Args:
        probabilities: Of the classes for each sample, as a classifier sees them.
        data: Labelled images, whose classes occur as often as they should.

    Returns:
        `classes_covered`, `smallest_class_share` and `mean_confidence`; see `models.metrics.METRICS`.
    """
    confidence, predicted = probabilities.max(1)
    classes = len(data.info.classes)
    expected, found = shares(data.labels_at(slice(None)), classes), shares(predicted, classes)
    there = expected > 0
    return {
        "classes_covered": float((there & (found >= COVERED * expected)).sum()),
        "smallest_class_share": float(found[there].min()),
        "mean_confidence": float(confidence.mean()),
    }


def _agreement(predicted: Tensor, images: ImageData) -> float:
    return float((predicted == images.labels_at(slice(None))).double().mean())


def measure_factors(context: "Context") -> dict[str, float]:
    """Measure which frequent values of categorical attributes no sample has."""
    factors = cast(Tensor, context.data.factors)
    columns = {
        factor.name: shares(factors[:, i], len(factor.values)) >= FREQUENT
        for i, factor in enumerate(context.data.info.factors)
        if factor.values
    }
    return {
        "factor_values_missing": _missing(context.classified(context.samples), columns),
        "factor_values_missing_real": _missing(context.classified(context.real), columns),
        "factor_values": float(sum(int(frequent.sum()) for frequent in columns.values())),
    }


def _missing(predicted: dict[str, Tensor], frequent: dict[str, Tensor]) -> float:
    """Count the frequent values that are predicted for no image."""
    absent = [
        values & (shares(predicted[name].argmax(1), len(values)) == 0) for name, values in frequent.items()
    ]
    return float(torch.cat(absent).sum())


def trace_factors(context: "Context") -> dict[str, Tensor]:
    """Return how often the classifier sees each value of each categorical attribute, in samples and in real images."""
    found: dict[str, Tensor] = {}
    for key, images in (("factor_shares", context.samples), ("real_factor_shares", context.real)):
        seen = context.classified(images)
        for factor in context.data.info.factors:
            if factor.values:
                indices = seen[factor.name].argmax(1)
                found[f"{key}_{factor.name}"] = shares(indices, len(factor.values))
    return found


def measure_accuracy(context: "Context") -> dict[str, float]:
    """Measure a classifier on held-out images."""
    return accuracy(cast(Classifier, context.model), context.real, context.device)
