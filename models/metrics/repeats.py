"""What else is told of a figure: how far it moves from one set of samples to another, and what real images reach."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.classifier import Classifier
from models.core import ImageModel
from models.datasets import ImageData
from models.errors import UserError
from models.metrics import METRICS
from models.metrics.context import Context
from models.metrics.evaluation import Progress, choose, measured, prepare, traced
from models.metrics.intervals import Interval, over_images, over_seeds


@dataclass(frozen=True)
class Report:
    """All that is measured of a model.

    Args:
        values: Figures by key; where there are several seeds, their means.
        floors: The same figures of training images in place of samples: what chance alone does to a perfect model.
        intervals: Of figures over seeds, where there are several; else, of means over images, over images.
        series: Curves, and figures of single images, by key, of the first seed: see `METRICS[name].series`.
        seeds: Of the samples.
    """

    values: dict[str, float]
    floors: dict[str, float] = field(default_factory=dict[str, float])
    intervals: dict[str, Interval] = field(default_factory=dict[str, Interval])
    series: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    seeds: tuple[int, ...] = (0,)


def report(
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
    seeds: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Measure a model, with intervals, curves, and what training images reach in place of samples.

    Args:
        seeds: Independent samples, of the seeds `seed`, `seed` + 1, ...; the real images stay the same. What does not
            depend on samples is measured once.
        model: See `models.metrics.evaluation.evaluate`, as for the other arguments.
        data: See there.
        metrics: See there.
        n: See there.
        classifier: See there.
        network: See there.
        train: See there; without them there are no floors.
        device: See there.
        seed: See there.
        progress: See there; each seed of a metric, and its floor, counts as a metric.

    Raises:
        UserError: As there.
    """
    if seeds < 1:
        raise UserError("too-few-repeats", "There is no seed to measure.", "Ask for one seed or more.")
    context = prepare(
        model, data, n=n, classifier=classifier, network=network, train=train, device=device, seed=seed
    )
    chosen = choose(context, metrics)
    tell = _Counter(progress, _total(chosen, seeds, train is not None))
    figures: dict[str, list[float]] = {}
    series: dict[str, Tensor] = {}
    for name in chosen:
        _add(figures, tell(name, context))
        series |= traced(context, name)
    for step in range(1, seeds):
        other = context.again(seed + step)
        for name in _varying(chosen):
            _add(figures, _of_samples(name, tell(name, other)))
    floors: dict[str, float] = {}
    if train is not None:
        floor = context.floor()
        for name in _sampled(chosen):
            floors |= _of_samples(name, tell(name, floor))
    tell.end()
    values = {key: statistics.fmean(each) for key, each in figures.items()}
    return Report(values, floors, _intervals(figures, series), series, tuple(range(seed, seed + seeds)))


def _intervals(figures: Mapping[str, Sequence[float]], series: Mapping[str, Tensor]) -> dict[str, Interval]:
    """Return the interval of each figure that has one."""
    found: dict[str, Interval] = {}
    for key, values in figures.items():
        if len(values) > 1:
            found[key] = over_seeds(values)
        elif key in series and len(series[key]) > 1 and math.isfinite(values[0]):
            found[key] = over_images(series[key])
    return found


def _of_samples(name: str, found: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of a metric that other samples would change."""
    return {key: value for key, value in found.items() if key not in METRICS[name].real}


def _sampled(names: Sequence[str]) -> list[str]:
    return [name for name in names if METRICS[name].of == "samples"]


def _varying(names: Sequence[str]) -> list[str]:
    return [name for name in names if METRICS[name].of != "images"]


def _total(names: Sequence[str], seeds: int, floors: bool) -> int:
    return len(names) + (seeds - 1) * len(_varying(names)) + floors * len(_sampled(names))


def _add(figures: dict[str, list[float]], found: Mapping[str, float]) -> None:
    for key, value in found.items():
        figures.setdefault(key, []).append(value)


class _Counter:
    """Measures, and tells how much of it is done."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, name: str, context: Context) -> Mapping[str, float]:
        if self._progress:
            self._progress(name, self._done, self._total)
        self._done += 1
        return measured(context, name)

    def end(self) -> None:
        if self._progress:
            self._progress("", self._total, self._total)
