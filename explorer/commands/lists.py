"""`models` and `datasets`: what there is. Neither imports torch."""

from typing import Annotated

import typer

from explorer.commands.console import Json, emit, note, table
from models import catalog
from models.catalog import ModelInfo
from models.datasets import DATASETS, DatasetInfo, available, info as info_of


def models(as_json: Json = False) -> None:
    """List the models that are here, shipped ones and your own."""
    found, broken = catalog.scan()
    for error in broken:
        note(f"Left out: {error}")
    if as_json:
        emit({"models": [info.summary() for info in found]})
    elif found:
        header = ("id", "family", "data set", "latent", "image", "parameters", "size")
        print(table(header, [_row(info) for info in found], right=(3, 5, 6)))
    else:
        print("No models yet. Train one: latent-explorer train --dataset digits --model vae")


def _row(info: ModelInfo) -> tuple[str, ...]:
    latent = "-" if info.latent_dim is None else str(info.latent_dim)
    size = sum(path.stat().st_size for path in info.path.iterdir() if path.is_file())
    shape = _shape(info.sample_shape)
    return info.id, info.family, info.dataset, latent, shape, f"{info.parameters:,}", f"{size / 1e6:.1f} MB"


def _shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return "points"
    channels, height, width = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'RGB'}"


def datasets(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Only these; also a folder of images of your own, as folder:<path>.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the data sets, your own among them, and which are on this machine."""
    chosen = [info_of(name) for name in names] if names else [*DATASETS.values(), *_own()]
    if as_json:
        emit({"datasets": [_summary(info) for info in chosen]})
        return
    header = ("id", "title", "image", "train", "test", "known of each image", "here")
    print(table(header, [_dataset_row(info) for info in chosen], right=(3, 4)))


def _own() -> list[DatasetInfo]:
    from models.datasets import uploads  # only here: it reads images, which the other lists need not

    return [info_of(found.id) for found in uploads.own()]


def _summary(info: DatasetInfo) -> dict[str, object]:
    return {
        "id": info.name,
        "title": info.title,
        "sample_shape": list(info.sample_shape),
        "train": info.train,
        "test": info.test,
        "classes": list(info.classes),
        "factors": [factor.name for factor in info.factors],
        "available": available(info.name),
        "licence": info.licence,
        "source": info.source,
    }


def _dataset_row(info: DatasetInfo) -> tuple[str, ...]:
    known = [f"{len(info.classes)} classes"] if info.classes else []
    known += [f"{len(info.factors)} attributes"] if info.factors else []
    here = "yes" if available(info.name) else "no: train and evaluate download it"
    shape = _shape(info.sample_shape)
    return info.name, info.title, shape, f"{info.train:,}", f"{info.test:,}", ", ".join(known) or "-", here
