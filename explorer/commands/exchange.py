"""`export` and `import`: models for other programs, and decoders of other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from explorer.commands.console import Json, Model, emit, note, only_results
from models import catalog, library


def export(
    model: Model,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The file to write.", show_default=False)
    ],
    form: Annotated[Literal["onnx"], typer.Option("--format", help="Of the file.")] = "onnx",
    as_json: Json = False,
) -> None:
    """Write a model's decoder as an ONNX file: latents (and labels) in, pictures out."""
    info = catalog.find(model)
    from models.exporting import export_onnx

    with only_results():
        difference = export_onnx(info, out)
    if as_json:
        emit({"model": info.id, "format": form, "file": str(out), "largest_difference": difference})
    else:
        note(f"The decoder of {info.id}: {out}. Largest difference of a pixel in [-1, 1]: {difference:.1g}")


def import_(
    where: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="An ONNX file or a state dict, or a folder with one and model.json, of pythae or of diffusers; or a "
            "checkpoint: its folder, a zip of it, or hf://owner/name.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str, typer.Option(metavar="ID", help="Of the model. By default the file's.", show_default=False)
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what was recognised, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """List a checkpoint among the models, or make one of a decoder from elsewhere; none of its author's code is run."""
    path = library.local(where)
    if path is None or (path.exists() and not library.is_foreign(where)):
        _take_in(where, path, name, dry_run, as_json)
        return

    from models.foreign.importing import bring_in, recognise

    with only_results():
        found = recognise(path)
    if not as_json:
        print("\n".join(found.findings), flush=True)
    with only_results():
        folder = None if dry_run else bring_in(found, name)
    if as_json:
        config = found.config.model_dump(mode="json")
        emit({"config": config, "findings": list(found.findings), "folder": folder and str(folder)})
    elif folder:
        print(f"It is a model now: {folder.name}, in {folder}")


def _take_in(where: str, path: Path | None, name: str, dry_run: bool, as_json: bool) -> None:
    """Copy a checkpoint among the user's models."""
    if dry_run and path is not None and library.is_zip(path):
        raise typer.BadParameter("--dry-run is for decoders and for folders, not for a zip.")
    info = catalog.find(str(path or where)) if dry_run else library.take_in(where, name)
    finding = f"A checkpoint of the family {info.family}, trained on {info.dataset or 'something unknown'}."
    if as_json:
        config = info.model.model_dump(mode="json")
        emit({"config": config, "findings": [finding], "folder": None if dry_run else str(info.path)})
        return
    print(finding)
    if not dry_run:
        print(f"It is a model now: {info.id}, in {info.path}")
