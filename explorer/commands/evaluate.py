"""`evaluate`: measure a model on held-out images."""

from typing import Annotated, cast

import typer

from explorer.commands.console import Json, Model, ProgressLine, emit, note, only_results, table
from explorer.commands.train import Device
from models import catalog
from models.catalog import ModelInfo
from models.datasets import DATASETS, info as info_of, sized_for
from models.errors import UserError
from models.metrics import METRICS, count_of, of_key
from models.values import MAX_SEED


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
            metavar="NAMES", help=f"'all' that apply, or some of {', '.join(METRICS)}, with commas."
        ),
    ] = "all",
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, metavar="INTEGER", help="Of the samples.")] = 0,
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
    chosen = None if metrics == "all" else [word.strip() for word in metrics.split(",")]
    for word in chosen or ():
        METRICS[word]  # an unknown one shows before any image is loaded
    written: list[str] = []
    with only_results():
        where, values, judge = _measure(info, name, chosen, count, device, seed)
        counts = {key: count_of(key, count, data) for key in values}
        if write_card:
            _write_card(info, values, counts, name, seed, judge)
            written = [catalog.CARD, *([catalog.DIRECTIONS] if _write_directions(info) else [])]
    if as_json:
        result = {"model": info.id, "dataset": name, "n": count, "device": where, "metrics": values}
        emit({**result, "counts": counts, "seed": seed, "classifier": judge and judge.id})
    else:
        print(f"{info.id} on {name}, {where}")
        print(table(("metric", "value", "n", "what it is"), _rows(values, counts), right=(1, 2)))
    if written:
        note(f"Written to {info.path}: {', '.join(written)}")


def _measure(
    info: ModelInfo, dataset: str, metrics: list[str] | None, count: int, device: Device, seed: int
) -> tuple[str, dict[str, float], ModelInfo | None]:
    judge = catalog.classifier_for(dataset, info.sample_shape) if info.can("picture") else None

    from models import checkpoints, datasets
    from models.classifier import Classifier
    from models.metrics.evaluation import evaluate as measure
    from models.training.session import device as choose

    where = choose(device)
    line = ProgressLine(seconds=0)
    try:
        values = measure(
            checkpoints.load(info),
            datasets.load(dataset, "test"),
            metrics=metrics,
            n=count,
            classifier=cast(Classifier, checkpoints.load(judge)) if judge else None,
            device=where,
            seed=seed,
            progress=lambda name, done, total: line.show(f"{done}/{total} {name}".rstrip()),
        )
    finally:
        line.close()
    return where.type, values, judge


def _rows(values: dict[str, float], counts: dict[str, int]) -> list[tuple[str, str, str, str]]:
    explained = {key: found[1] for key in values if (found := of_key(key))}
    return [
        (key, f"{value:.4g}", f"{counts[key]:,}", explained.get(key, "")) for key, value in values.items()
    ]


def _write_card(
    info: ModelInfo,
    values: dict[str, float],
    counts: dict[str, int],
    dataset: str,
    seed: int,
    judge: ModelInfo | None,
) -> None:
    from models.checkpoints import update_card

    protocol = f"{_PROTOCOL} {dataset}, seed {seed}" + (f", judged by {judge.id}" if judge else "")
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


_PROTOCOL = "latent-explorer evaluate, held-out images of"
