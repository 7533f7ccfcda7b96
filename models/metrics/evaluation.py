"""Measure a model: which metrics apply, and their numbers."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from models.classifier import Classifier, heads_of
from models.config import ClassifierConfig
from models.core import Encodes, Explains, ImageModel, LatentModel
from models.datasets import ImageData
from models.errors import UserError
from models.metrics import METRICS, NEEDS, NEIGHBOURS, Need, inception
from models.metrics.context import Context
from models.tables import Table

Measure = Callable[[Context], Mapping[str, float]]
Trace = Callable[[Context], Mapping[str, Tensor]]
Progress = Callable[[str, int, int], None]

_NUMBERS: tuple[Need, ...] = ("covariance", "neighbours")  # needs that more images would meet
# What a metric may need -> whether it is there; only asked in the order that the metric lists its needs
_HAS: Mapping[Need, Callable[[Context], bool]] = {
    "images": lambda context: context.data.info.points is None,
    "decode": lambda context: isinstance(context.model, LatentModel),
    "encode": lambda context: isinstance(context.model, Encodes),
    "gradient": lambda context: _has_gradient(context.model),
    "posterior": lambda context: context.is_stochastic,
    "density": lambda context: isinstance(context.model, Explains),
    "classify": lambda context: _fits(context.model, context.data),
    "judge": lambda context: context.judge is not None,
    "neighbours": lambda context: min(context.n, len(context.data)) > NEIGHBOURS,
    "covariance": lambda context: min(context.n, len(context.data)) > _feature_dim(context),
    "categories": lambda context: (
        context.judge is not None and any(head.values for head in context.judge.heads)
    ),
    "train": lambda context: context.train is not None,
    "inception": lambda context: inception.missing() is None,
    "classes": lambda context: bool(context.data.info.classes) and context.data.labels is not None,
    "factors": lambda context: (
        context.data.factors is not None and any(factor.values for factor in context.data.info.factors)
    ),
    "known": lambda context: context.data.factors is not None,
    "modes": lambda context: _has_modes(context),
}


def _has_gradient(model: ImageModel) -> bool:
    """Tell whether a picture's change can be followed back to its latent."""
    if not isinstance(model, LatentModel):
        return False
    where = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    labels = torch.zeros(1, dtype=torch.long, device=where) if model.classes else None
    with torch.enable_grad():
        z = torch.zeros(1, model.latent_dim, device=where, requires_grad=True)
        return model.decode(z, labels).requires_grad


def _feature_dim(context: Context) -> int:
    return cast(ClassifierConfig, cast(Classifier, context.judge).config).feature_dim


def _has_modes(context: Context) -> bool:
    """Tell whether it is known which modes the data have, and of a sample which it is of."""
    info = context.data.info
    categorical = bool(info.factors) and all(factor.values for factor in info.factors)
    return info.points is not None or (categorical and context.judge is not None)


def _fits(model: object, data: ImageData) -> bool:
    """Tell whether a classifier predicts exactly what is known of a data set, of images of its shape."""
    known = data.labels is not None or data.factors is not None
    if not known or not isinstance(model, Classifier):
        return False
    return model.sample_shape == tuple(data.images.shape[1:]) and model.heads == heads_of(data.info)


def _lacks(context: Context, name: str) -> Need | None:
    """Return the first thing that a metric needs and does not find, or None if it can be measured."""
    return next((need for need in METRICS[name].needs if not _HAS[need](context)), None)


def applicable(context: Context) -> list[str]:
    """Return the names of the metrics that can be measured."""
    return [name for name in METRICS if _lacks(context, name) is None]


def lacking(context: Context, names: Sequence[str]) -> dict[str, Need]:
    """Return which of some metrics cannot be measured, and the first thing that each needs and does not find."""
    found: dict[str, Need] = {}
    for name in names:
        if need := _lacks(context, name):
            found[name] = need
    return found


def prepare(
    model: ImageModel,
    data: ImageData,
    *,
    n: int = 10_000,
    classifier: Classifier | None = None,
    network: str = "classifier",
    train: ImageData | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
) -> Context:
    """Return what metrics measure; see `evaluate`."""
    own = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    where = own if device is None else torch.device(device)
    _check(model, data, n, classifier)
    judge = None if classifier is None else cast(Classifier, _placed(classifier, where))
    return Context(_placed(model, where), data, n, where, judge, seed, network, train)


def choose(context: Context, metrics: Sequence[str] | None) -> list[str]:
    """Return the names of the metrics to measure: those given, or all that apply and do not take minutes.

    Raises:
        UserError: One is unknown or does not apply, or none applies.
    """
    if metrics is None:
        chosen = [name for name in applicable(context) if not METRICS[name].slow]
    else:
        chosen = list(dict.fromkeys(metrics))
    for name in chosen:
        _require(context, name)
    if not chosen:
        problem = f"Nothing can be measured of this model on '{context.data.info.name}'."
        raise UserError("nothing-to-measure", problem, "Choose the data set that it was trained on.")
    if any("images" in METRICS[name].needs for name in chosen):
        _check_variety(context.data)
    return chosen


def _check_variety(data: ImageData) -> None:
    """Raise UserError if all images are the same: there is no ratio to them, and no distribution."""
    if bool((data.images == data.images[:1]).all()):
        problem = (
            f"All held-out images of '{data.info.name}' are the same, so nothing can be compared with them."
        )
        raise UserError("identical-images", problem, "Choose a data set of different images.")


def measured(context: Context, name: str) -> Mapping[str, float]:
    """Return the figures of one metric, by key."""
    return Table[Measure]("metric", {name: METRICS[name].run})[name](context)


def traced(context: Context, name: str) -> Mapping[str, Tensor]:
    """Return the curves of one metric, and its values for single images, by key; empty if it has none."""
    trace = METRICS[name].trace
    return Table[Trace]("metric", {name: trace})[name](context) if trace else {}


def evaluate(
    model: ImageModel,
    data: ImageData,
    *,
    metrics: Sequence[str] | None = None,
    n: int = 10_000,
    classifier: Classifier | None = None,
    network: str = "classifier",
    train: ImageData | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Measure a model on held-out images; `models.metrics.repeats.report` tells more of it.

    Args:
        model: The model; it is not changed.
        data: Held-out images of its data set.
        metrics: Names in `models.metrics.METRICS`; None for all that apply and do not take minutes.
        n: Number of samples, and of real images as far as there are so many.
        classifier: Judges what samples show; trained on the same data set.
        network: The classifier's name, which figures in its features bear.
        train: Training images of the same data set, for metrics that compare with them.
        device: Where to compute; None for where the model is.
        seed: Of the samples and of the choice of real images.
        progress: Called with (metric, metrics done, metrics in all) before each metric, and at the end.

    Returns:
        Numbers by key; `METRICS[name].values` says what each is.

    Raises:
        UserError: A metric is unknown or does not apply, model, data and classifier do not go together, or the model
            makes images that are not finite.
    """
    context = prepare(
        model, data, n=n, classifier=classifier, network=network, train=train, device=device, seed=seed
    )
    chosen = choose(context, metrics)
    result: dict[str, float] = {}
    for done, name in enumerate(chosen):
        if progress:
            progress(name, done, len(chosen))
        result |= measured(context, name)
    if progress:
        progress("", len(chosen), len(chosen))
    return result


def _require(context: Context, name: str) -> None:
    """Raise UserError if a metric that was asked for cannot be measured."""
    need = _lacks(context, name)
    if need is None:
        return
    choice = f"Choose among: {', '.join(applicable(context)) or 'none'}."
    if need == "judge":
        choice = f"Give one that was trained on '{context.data.info.name}'. Otherwise: {choice}"
    if need in _NUMBERS:
        least = _feature_dim(context) if need == "covariance" else NEIGHBOURS
        there = min(context.n, len(context.data))
        choice = f"There are {there:,}, and more than {least} are needed. {choice}"
    if need == "inception":
        choice = f"{inception.missing()} {choice}"
    raise UserError("metric-does-not-apply", f"The metric '{name}' needs {NEEDS[need]}.", choice)


def _check(model: ImageModel, data: ImageData, n: int, classifier: Classifier | None) -> None:
    """Raise UserError if what is given does not go together."""
    name, shape = data.info.name, tuple(data.images.shape[1:])
    if n < 2 or len(data) < 2:
        raise UserError(
            "too-few-images", "Metrics need two images at least.", "Give a larger number of images."
        )
    if model.sample_shape != shape:
        problem = f"The model makes or reads {_kind(model.sample_shape)}, and '{name}' holds {_kind(shape)}."
        raise UserError("shape-mismatch", problem, "Choose the data set that the model was trained on.")
    classes = model.classes if isinstance(model, LatentModel) else 0
    if classes and (data.labels is None or int(data.labels.max()) >= classes):
        problem = f"The model is conditioned on {classes} labels, which '{name}' does not have."
        raise UserError("labels-mismatch", problem, "Choose the data set that the model was trained on.")
    if classifier is not None and not _fits(classifier, data):
        problem = f"The classifier does not predict the attributes of '{name}'."
        raise UserError("classifier-mismatch", problem, f"Give one that was trained on '{name}'.")


def _kind(shape: tuple[int, ...]) -> str:
    return (
        f"images of {'x'.join(map(str, shape))} (channels x height x width)" if len(shape) == 3 else "points"
    )


def _placed(model: ImageModel, device: torch.device) -> ImageModel:
    """Return the model in eval mode on a device; a copy if need be, because sessions share models."""
    here = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if not model.training and here <= {torch.empty(0, device=device).device}:
        return model
    return copy.deepcopy(model).eval().to(device)
