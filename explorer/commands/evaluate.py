"""`evaluate`: measure a model on held-out images."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from explorer.commands.console import Json, Model, ProgressLine, emit, note, only_results, screen_width, table
from explorer.commands.train import Device
from models import catalog
from models.catalog import ModelInfo
from models.datasets import DATASETS, info as info_of, sized_for
from models.errors import UserError
from models.metrics import METRICS, count_of, of_key
from models.metrics.spec import MOST_SEEDS, STANDARD, Measurement
from models.values import MAX_SEED

if TYPE_CHECKING:
    from models.metrics.intervals import Interval
    from models.metrics.measuring import Measured
    from models.metrics.repeats import Report

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
    as_json: Json = False,
) -> None:
    """Measure a model on held-out images of a data set."""
    info = catalog.find(model)
    if not (dataset or info.dataset):
        problem = f"It is not known what '{info.id}' was trained on."
        raise UserError("no-data", problem, "Name a data set with --dataset.")
    data = info_of(sized_for(dataset or info.dataset, info.model.size))
    name = data.name
    chosen = _chosen(metrics)
    for word in chosen:
        METRICS[word]  # an unknown one shows before any image is loaded
    spec = Measurement(model=info.digest, dataset=name, n=count, seeds=seeds, seed=seed, metrics=chosen)
    written: list[str] = []
    started = time.perf_counter()
    with only_results():
        measured = _measure(info, spec, metrics, device)
        found, judge, where = measured.report, measured.judge, measured.device
        if out:
            _write(out, spec, measured, time.perf_counter() - started)
        values = found.values
        counts = {key: count_of(key, count, data) for key in values}
        if write_card:
            _write_card(info, values, counts, name, found.seeds, judge)
            written = [catalog.CARD, *([catalog.DIRECTIONS] if _write_directions(info) else [])]
    if as_json:
        result = {"model": info.id, "dataset": name, "n": count, "device": where, "metrics": values}
        emit(
            {
                **result,
                "counts": counts,
                "seed": seed,
                "classifier": judge and judge.id,
                **_more(found, judge),
            }
        )
    else:
        print(f"{info.id} on {name}, {where}" + (f", judged by {_judged_by(judge)}" if judge else ""))
        print(_explained(found, counts))
    if written:
        note(f"Written to {info.path}: {', '.join(written)}")


def _chosen(metrics: str) -> tuple[str, ...]:
    """Return the names of the metrics; none stand for all."""
    if metrics == _ALL:
        return ()
    return STANDARD if metrics == _STANDARD else tuple(word.strip() for word in metrics.split(","))


def _measure(info: ModelInfo, spec: Measurement, metrics: str, device: Device) -> "Measured":
    from models.metrics.measuring import measure

    line = ProgressLine(seconds=0)
    try:
        return measure(
            info,
            spec.dataset,
            metrics=spec.metrics or None,
            lenient=metrics == _STANDARD,
            n=spec.n,
            device=device,
            seed=spec.seed,
            seeds=spec.seeds,
            progress=lambda name, done, total: line.show(f"{done}/{total} {name}".rstrip()),
        )
    finally:
        line.close()


def _write(out: Path, spec: Measurement, measured: "Measured", seconds: float) -> None:
    """Write all that was measured, series too, as the page Compare reads it from `assets/metrics`."""
    from models.metrics import figures
    from models.metrics.measuring import figures_of

    figures.write(out, figures_of(spec, measured, seconds))
    note(f"Written to {out}")


def _more(found: "Report", judge: ModelInfo | None) -> dict[str, Any]:
    """Return what else is told of figures: floors, intervals, and the network whose features they are of."""
    network = judge and {"id": judge.id, "digest": judge.digest, "resizing": None}
    return {
        "floors": found.floors,
        "intervals": {key: asdict(interval) for key, interval in found.intervals.items()},
        "seeds": list(found.seeds),
        "features": network,
    }


def _explained(found: "Report", counts: dict[str, int]) -> str:
    """Return the table of figures for people, without the columns that would be empty, and what those are."""
    columns = {
        "metric": list(found.values),
        "value": [f"{value:.4g}" for value in found.values.values()],
        "95 % interval": [_between(found.intervals.get(key)) for key in found.values],
        "floor": [f"{found.floors[key]:.4g}" if key in found.floors else "" for key in found.values],
        "n": [f"{counts[key]:,}" for key in found.values],
        "what it is": [known[1] if (known := of_key(key)) else "" for key in found.values],
    }
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    rows = list(zip(*filled.values(), strict=True))
    lines = [table(list(filled), rows, right=range(1, len(filled) - 1), width=screen_width())]
    lines += [_NOTES[name] for name in filled if name in _NOTES]
    return "\n".join(lines)


def _between(interval: "Interval | None") -> str:
    return f"{interval.low:.4g} to {interval.high:.4g}" if interval else ""


def _judged_by(judge: ModelInfo) -> str:
    return f"{judge.id}@{judge.digest[:8]}"


def _write_card(
    info: ModelInfo,
    values: dict[str, float],
    counts: dict[str, int],
    dataset: str,
    seeds: tuple[int, ...],
    judge: ModelInfo | None,
) -> None:
    from models.checkpoints import update_card

    drawn = f"seed {seeds[0]}" if len(seeds) == 1 else f"mean of seeds {seeds[0]} to {seeds[-1]}"
    protocol = f"{_PROTOCOL} {dataset}, {drawn}" + (f", judged by {_judged_by(judge)}" if judge else "")
    update_card(
        info.path, {key: {"value": v, "n": counts[key], "protocol": protocol} for key, v in values.items()}
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
