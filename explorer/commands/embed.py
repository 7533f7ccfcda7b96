"""`embed`: the map of a model in a file."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.commands.console import Json, Model, ProgressLine, emit, note, only_results, sleeping_threads
from explorer.commands.train import Device
from models import catalog
from models.catalog import ModelInfo
from models.datasets import DATASETS
from models.embedding.spec import MapSpec, Method, Metric, Of
from models.errors import UserError
from models.values import MAX_SEED, parse

if TYPE_CHECKING:
    from models.embedding.maps import EmbeddingMap


def embed(
    model: Model,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Whose images are shown: one of {', '.join(DATASETS)}, folder:<path> or own:<name>; 'none': samples "
            "alone. By default the model's own where it has an encoder, else none.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="How the plane is found. By default umap, but pca where latents have two dimensions.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--n", min=3, max=1_000_000, metavar="INTEGER", help="Points, as far as there are.")
    ] = 10_000,
    of: Annotated[
        Of | None,
        typer.Option(
            help="What is near to what: posterior means (of a GAN: first features), features of the data set's "
            "classifier, or pixels. By default latents where there is an encoder that is not told the class, else "
            "features if there are.",
            show_default=False,
        ),
    ] = None,
    generated: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="INTEGER",
            help="How many of the points are samples. By default none where there is an encoder, else half.",
            show_default=False,
        ),
    ] = None,
    neighbours: Annotated[
        int,
        typer.Option(
            min=2, max=200, metavar="INTEGER", help="Points that count as near; of t-SNE the perplexity."
        ),
    ] = 15,
    min_dist: Annotated[
        float, typer.Option(min=0, max=1, metavar="NUMBER", help="How close UMAP may pack points.")
    ] = 0.1,
    metric: Annotated[Metric, typer.Option(help="Of distances in the space that is mapped.")] = "euclidean",
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, metavar="INTEGER", help="Same seed, same map.")
    ] = 0,
    device: Device = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Arrays (.npz), or a map as the app keeps it (.safetensors).",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Lay out what a model knows in the plane.

    The app shows the same map at once when it is asked for: it is kept with what can be computed again.
    """
    kind = _kind(out) if out else ""
    info = catalog.find(model)
    if not info.can("decode"):
        problem = f"'{info.id}' makes no images: it is a {info.family}."
        raise UserError("cannot-decode", problem, "Choose a VAE or a GAN.")
    fields: dict[str, Any] = {"count": count, "neighbours": neighbours, "min_dist": min_dist}
    fields |= {"metric": metric, "seed": seed, **({"method": method} if method else {})}
    spec = _spec(info, dataset, of, generated, fields)
    started = time.perf_counter()
    found = _obtained(info, spec, device)
    seconds = time.perf_counter() - started
    if out:
        _write(found, out, kind)
    if as_json:
        emit(_summary(info, found, seconds, out))
        return
    print(f"{info.id}: {len(found):,} points in {seconds:.1f} s" + (f": {out}" if out else ""))
    for name, value in found.quality.items():
        print(f"{_WORDS[name]}: {value:.4f}")


_WORDS = {
    "trustworthiness": "trustworthiness (k = 15)",
    "knn_map": "15-nearest-neighbour accuracy in the map",
    "knn_space": "... in the space that is mapped",
    "knn_pixels": "... in pixels",
    "coverage": "share of real neighbourhoods that samples reach (k = 5)",
}


def _kind(out: Path) -> str:
    from models import media

    return media.kind(out, (".npz", ".safetensors"))


def _spec(
    info: ModelInfo, dataset: str | None, of: Of | None, generated: int | None, fields: dict[str, Any]
) -> MapSpec:
    """Return the default map of a model with what was asked for instead."""
    from models.embedding.library import default_spec

    standard = default_spec(info)
    count = fields["count"]
    fields = {**standard.model_dump(), **fields}
    if dataset is not None:
        fields["dataset"] = "" if dataset == "none" else dataset
    fields |= {"of": of} if of else {}
    if generated is not None:
        fields["generated"] = generated
    elif not fields["dataset"]:
        fields["generated"] = count
    elif not info.can("encode"):
        fields["generated"] = count // 2
    return parse(MapSpec, fields, what="The map")


def _obtained(info: ModelInfo, spec: MapSpec, device: Device) -> "EmbeddingMap":
    sleeping_threads()
    line = ProgressLine()
    with only_results():
        from models.embedding import library

        found = library.find(spec, info)
        if found is not None:
            note("There already: not computed again.")
            return found
        from models.embedding import compute
        from models.training.session import device as choose

        try:
            return compute.obtain(
                spec,
                info,
                device=choose(device).type,
                fetch=True,
                progress=lambda share: line.show(f"{share:.0%} of the map"),
            )
        finally:
            line.close()


def _write(found: "EmbeddingMap", out: Path, kind: str) -> None:
    if kind == ".safetensors":
        from models.embedding import files

        files.write(out, found)
        return
    import numpy as np

    from models import media

    arrays: dict[str, Any] = {f"value_{name}": one for name, one in found.values.items()}
    for name, one in found.categories.items():
        arrays |= {f"category_{name}": one.codes, f"names_{name}": np.array(one.names, np.str_)}
    media.save_npz(
        out,
        positions=found.positions,
        latents=found.latents,
        sources=found.sources,
        indices=found.indices,
        spec=np.array(found.spec.model_dump_json()),
        **arrays,
    )


def _summary(info: ModelInfo, found: "EmbeddingMap", seconds: float, out: Path | None) -> dict[str, Any]:
    spec = found.spec.model_dump(mode="json", exclude={"model", "count", "generated"})
    return {
        "model": info.id,
        **spec,
        "n": len(found),
        "generated": int((found.sources == 2).sum()),
        "seconds": round(seconds, 3),
        "quality": dict(found.quality),
        "out": out and str(out),
    }
