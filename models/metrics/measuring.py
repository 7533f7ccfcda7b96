"""Measure a model of the catalog: load what it takes, measure, and keep what came of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from models import checkpoints, datasets, shelf
from models.catalog import ModelInfo
from models.classifier import Classifier
from models.datasets import ImageData
from models.jobs import Device
from models.metrics import METRICS, Need, count_of, figures, goal_of, is_of_images, library
from models.metrics.evaluation import Progress, lacking, prepare
from models.metrics.figures import Figures
from models.metrics.repeats import Report, report
from models.metrics.spec import Measurement
from models.training.session import device as choose_device


@dataclass(frozen=True)
class Measured:
    """What came of a measurement.

    Args:
        report: The figures.
        judge: The classifier that they are of; None without.
        device: That computed.
        lacking: Of the metrics that were left out because they do not apply, what they need.
    """

    report: Report
    judge: ModelInfo | None
    device: str
    lacking: Mapping[str, Need]


def unheard(name: str, done: int, total: int) -> None:
    """Be told how far a measurement is, where nobody looks on."""
    del name, done, total


def measure(
    info: ModelInfo,
    dataset: str,
    *,
    metrics: Sequence[str] | None = None,
    lenient: bool = False,
    n: int = 10_000,
    seed: int = 0,
    seeds: int = 1,
    device: Device = "auto",
    progress: Progress = unheard,
) -> Measured:
    """Load a model, its data and the classifier that judges it, and measure it.

    Args:
        info: The model.
        dataset: Whose held-out images samples are compared with.
        metrics: Names; None for all that apply and do not take minutes.
        lenient: Whether those of them that do not apply are left out, instead of raising an error.
        n: See `models.metrics.repeats.report`.
        seed: See there.
        seeds: See there.
        device: Where to compute; "auto" chooses.
        progress: See there; may raise, to end it.

    Raises:
        UserError: As there; or the model or the data cannot be loaded.
    """
    judge = library.judge_of(dataset, info)
    where = choose_device(device)
    model, test = checkpoints.load(info), datasets.load(dataset, "test")
    classifier = cast(Classifier, checkpoints.load(judge)) if judge else None
    network, train = judge.id if judge else "", _train(info, dataset, metrics)
    left: Mapping[str, Need] = {}
    if lenient and metrics is not None:
        context = prepare(model, test, n=n, classifier=classifier, network=network, train=train, device=where)
        left = lacking(context, metrics)
        metrics = [name for name in metrics if name not in left]
        if not metrics:
            return Measured(Report({}), judge, where.type, left)
    found = report(
        model,
        test,
        metrics=metrics,
        n=n,
        classifier=classifier,
        network=network,
        train=train,
        device=where,
        seed=seed,
        seeds=seeds,
        progress=progress,
    )
    return Measured(found, judge, where.type, left)


def _train(info: ModelInfo, dataset: str, metrics: Sequence[str] | None) -> ImageData | None:
    """Load the training images, if a metric compares with them or has a floor that they are measured for."""
    asked = (METRICS[name] for name in METRICS if metrics is None or name in metrics)
    wanted = any(metric.of == "samples" or "train" in metric.needs for metric in asked)
    return datasets.load(dataset, "train") if wanted and info.can("decode") else None


def figures_of(spec: Measurement, measured: Measured, seconds: float = 0.0) -> Figures:
    """Return what came of a measurement as it is kept."""
    found, data = measured.report, datasets.info(spec.dataset)
    values = figures.finite(found.values)
    intervals = {key: one for key, one in found.intervals.items() if key in values}
    # Image by image, so that models are compared as pairs, see `models.metrics.comparison.difference`.
    compared = {key for key in intervals if is_of_images(key) and goal_of(key)}
    return Figures(
        spec=spec,
        values=values,
        floors=figures.finite(found.floors),
        intervals=intervals,
        series={
            key: figures.packed(one, figures.MOST_IMAGES if key in compared else figures.LONGEST)
            for key, one in found.series.items()
        },
        counts={key: count_of(key, spec.n, data) for key in found.values},
        lacking=dict(measured.lacking),
        classifier=library.network_of(measured.judge),
        device=measured.device,
        versions=shelf.versions(library.LIBRARIES),
        seconds=round(seconds, 1),
    )


def make(
    spec: Measurement, info: ModelInfo, *, device: Device = "auto", progress: Progress = unheard
) -> Figures:
    """Measure what a spec says; raises as `measure`."""
    started = time.perf_counter()
    found = measure(
        info,
        spec.dataset,
        metrics=spec.metrics or None,
        lenient=True,
        n=spec.n,
        seed=spec.seed,
        seeds=spec.seeds,
        device=device,
        progress=progress,
    )
    return figures_of(spec, found, time.perf_counter() - started)


def obtain(
    spec: Measurement, info: ModelInfo, *, device: Device = "auto", progress: Progress = unheard
) -> Figures:
    """Return figures: shipped ones, those that were computed before, or new ones, which are kept; see `make`."""
    found = library.find(spec, info)
    if found is not None:
        return found
    name = library.key(spec, info)
    return shelf.obtain(
        library.path_of(name),
        lambda: library.cached(spec, info),
        lambda: make(spec, info, device=device, progress=progress),
        lambda made: library.keep(made, name),
        lambda share: progress("", 0, 1),
    )
