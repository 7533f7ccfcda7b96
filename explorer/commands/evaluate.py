"""`evaluate`: measure a model on held-out images."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from explorer.commands.console import Json, Model, ProgressLine, emit, note, only_results, screen_width, table
from explorer.commands.train import Device
from models import catalog
from models.catalog import ModelInfo
from models.datasets import DATASETS, sized_for
from models.errors import UserError
from models.metrics import METRICS, of_key
from models.metrics.spec import MOST_SEEDS, STANDARD, Measurement
from models.values import MAX_SEED

if TYPE_CHECKING:
    from models.metrics.figures import Figures
    from models.metrics.intervals import Interval

_ALL, _STANDARD = "all", "standard"  # metrics
_PROTOCOL = "latent-explorer evaluate, held-out images of"
_NOTES = {
    "95 % interval": "Interval: of the mean over seeds, or, where the figure is a mean over images, over those.",
    "floor": "Floor: what training images reach in place of samples.",
}
_SLOW = [name for name, metric in METRICS.items() if metric.slow]


def evaluate(
    model: Model,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"One of {', '.join(DATASETS)}, folder:<path> or own:<name>. By default the model's own.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int,
        typer.Option("--n", min=2, metavar="INTEGER", help="Samples, and real images as far as there are."),
    ] = 10_000,
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help=f"'{_ALL}' that apply and do not take minutes ({', '.join(_SLOW)} do), '{_STANDARD}' for those that "
            f"Compare shows at first, or some of {', '.join(METRICS)}, with commas.",
        ),
    ] = _ALL,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, metavar="INTEGER", help="Of the samples.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_SEEDS,
            metavar="INTEGER",
            help="Independent samples, from that seed on: means, with 95 % intervals. Five are a good number.",
        ),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="All of it as JSON in a file, with curves, as the page Compare keeps it.",
            show_default=False,
        ),
    ] = None,
    write_card: Annotated[
        bool,
        typer.Option(
            "--write-card",
            help="Store the figures in the model's card, and the directions of its attributes beside it.",
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Measure anew, even if the app or this command has done so before."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a model on held-out images of a data set.

    The page Compare shows the same figures at once when it asks for them: they are kept with what can be computed
    again.
    """
    info = catalog.find(model)
    if not (dataset or info.dataset):
        problem = f"It is not known what '{info.id}' was trained on."
        raise UserError("no-data", problem, "Name a data set with --dataset.")
    name = sized_for(dataset or info.dataset, info.model.size)
    chosen = _chosen(metrics)
    for word in chosen:
        METRICS[word]  # an unknown one shows before any image is loaded
    spec = Measurement(model=info.digest, dataset=name, n=count, seeds=seeds, seed=seed, metrics=chosen)
    written: list[str] = []
    with only_results():
        kept = _obtained(info, spec, device, lenient=metrics == _STANDARD, fresh=fresh)
        values = {key: kept.values.get(key, math.nan) for key in kept.counts}  # not kept: it was not finite
        if out:
            from models.metrics import figures

            figures.write(out, kept)
            note(f"Written to {out}")
        if write_card:
            _write_card(info, kept)
            written = [catalog.CARD, *([catalog.DIRECTIONS] if _write_directions(info) else [])]
    if as_json:
        result = {"model": info.id, "dataset": name, "n": count, "device": kept.device, "metrics": values}
        emit(
            {
                **result,
                "counts": kept.counts,
                "seed": seed,
                "classifier": kept.classifier and kept.classifier.id,
                **_more(kept),
            }
        )
    else:
        judged = f", judged by {kept.classifier.name}" if kept.classifier else ""
        print(f"{info.id} on {name}, {kept.device}{judged}")
        print(_explained(kept, values))
    if written:
        note(f"Written to {info.path}: {', '.join(written)}")


def _chosen(metrics: str) -> tuple[str, ...]:
    """Return the names of the metrics; none stand for all."""
    if metrics == _ALL:
        return ()
    return STANDARD if metrics == _STANDARD else tuple(word.strip() for word in metrics.split(","))


def _obtained(info: ModelInfo, spec: Measurement, device: Device, *, lenient: bool, fresh: bool) -> "Figures":
    """Return figures that are there already, if they are of what is asked for, or measure and keep them.

    Args:
        info: The model.
        spec: What is asked for.
        device: Where it is to be computed.
        lenient: Whether metrics that do not apply are left out, instead of raising an error.
        fresh: Whether it is measured even if it was before.
    """
    from models.metrics import library

    for there in () if fresh else (library.shipped(spec, info), library.cached(spec, info)):
        if there and device in ("auto", there.device) and (lenient or not there.lacking):
            note("There already: not measured again; --fresh does.")
            return there
    from models.metrics.measuring import figures_of, measure

    key, started, line = library.key(spec, info), time.perf_counter(), ProgressLine(seconds=0)
    try:
        made = measure(
            info,
            spec.dataset,
            metrics=spec.metrics or None,
            lenient=lenient,
            n=spec.n,
            device=device,
            seed=spec.seed,
            seeds=spec.seeds,
            progress=lambda name, done, total: line.show(f"{done}/{total} {name}".rstrip()),
        )
    finally:
        line.close()
    kept = figures_of(spec, made, time.perf_counter() - started)
    try:
        library.keep(kept, key)
    except UserError as error:
        note(f"Not kept for next time: {error.problem}")
    return kept


def _more(kept: "Figures") -> dict[str, Any]:
    """Return what else is told of figures: floors, intervals, and the network whose features they are of."""
    network, spec = kept.classifier, kept.spec
    return {
        "floors": kept.floors,
        "intervals": {key: asdict(interval) for key, interval in kept.intervals.items()},
        "seeds": list(range(spec.seed, spec.seed + spec.seeds)),
        "features": network and {"id": network.id, "digest": network.digest, "resizing": None},
    }


def _explained(kept: "Figures", values: Mapping[str, float]) -> str:
    """Return the table of figures for people, without the columns that would be empty, and what those are."""
    columns = {
        "metric": list(values),
        "value": [f"{value:.4g}" if math.isfinite(value) else "not finite" for value in values.values()],
        "95 % interval": [_between(kept.intervals.get(key)) for key in values],
        "floor": [f"{kept.floors[key]:.4g}" if key in kept.floors else "" for key in values],
        "n": [f"{kept.counts[key]:,}" for key in values],
        "what it is": [known[1] if (known := of_key(key)) else "" for key in values],
    }
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    rows = list(zip(*filled.values(), strict=True))
    lines = [table(list(filled), rows, right=range(1, len(filled) - 1), width=screen_width())]
    lines += [_NOTES[name] for name in filled if name in _NOTES]
    return "\n".join(lines)


def _between(interval: "Interval | None") -> str:
    return f"{interval.low:.4g} to {interval.high:.4g}" if interval else ""


def _write_card(info: ModelInfo, kept: "Figures") -> None:
    from models.checkpoints import update_card

    first, last = kept.spec.seed, kept.spec.seed + kept.spec.seeds - 1
    drawn = f"seed {first}" if first == last else f"mean of seeds {first} to {last}"
    judged = f", judged by {kept.classifier.name}" if kept.classifier else ""
    protocol = f"{_PROTOCOL} {kept.spec.dataset}, {drawn}{judged}"
    update_card(
        info.path,
        {key: {"value": v, "n": kept.counts[key], "protocol": protocol} for key, v in kept.values.items()},
    )


def _write_directions(info: ModelInfo) -> bool:
    """Complete the checkpoint of a generator with what the app would else make people wait for."""
    if not info.can("picture"):
        return False

    from models import attributes, checkpoints
    from models.core import LatentModel
    from models.directions import Origin

    line = ProgressLine()
    try:
        return attributes.ship(
            cast(LatentModel, checkpoints.load(info)),
            Origin(info.dataset, info.digest, info.path),
            lambda share: line.show(f"{share:.0%} directions"),
        )
    finally:
        line.close()
