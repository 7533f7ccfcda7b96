"""Bring a decoder in: say what was recognised, then make a checkpoint folder of it."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from models import checkpoints, library
from models.catalog import CheckpointConfig
from models.errors import UserError, reason
from models.foreign import folders, layered, onnx_files, state_dicts
from models.foreign.candidates import (
    DESCRIPTION,
    Candidate,
    Description,
    card,
    check_latent_dim,
    check_size,
    read_description,
    told,
)
from models.foreign.configs import OnnxConfig
from models.foreign.onnx_decoder import OnnxDecoder, Runner
from models.foreign.onnx_files import Graph, Port, described
from models.latent import default_labels, prior
from models.media import Pixels, contact_sheet
from models.results import pictures
from models.tables import Table
from models.values import parse

METADATA = "latent_explorer"  # key of the description that an exported file carries in itself
SHEET = 64  # samples of seeds 0 to 63
_LARGEST_BATCH = 1024  # that a file may be fixed to
_PROBES = 16  # pictures that the range of values is read from
# Parameters times pixels that a sheet may take, about ten seconds on one core: a picture of the decoder of Stable
# Diffusion's autoencoder, 49.5 million parameters at 128x128 pixels, takes 1.7 s.
_SHEET_COST = 4.8e12
_SLACK = 0.05  # share of a range that values may be beyond it
_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))

# Libraries whose folders are known: a function of the folder.
MAKERS = Table[Callable[[Path], Candidate]](
    "library",
    {"pythae": "models.foreign.pythae:candidate", "diffusers": "models.foreign.diffusers_folders:candidate"},
)


def recognise(where: Path) -> Candidate:
    """Look at a decoder without keeping anything of it.

    Args:
        where: An ONNX file or a state dict, or a folder with one and, perhaps, `model.json`; or a folder of pythae
            or diffusers.

    Raises:
        UserError: There is none, it may not be opened, or it is no decoder of square pictures.
    """
    if maker := folders.maker(where):
        found = MAKERS[maker](where)
    else:
        source = _file(where)
        found = _onnx(source) if source.suffix.lower() == ".onnx" else layered.candidate(source)
    if (few := _affordable(found, SHEET)) == SHEET:
        return found
    note = f"Its pictures take long to draw, so its sheet of samples has {few} of them, not {SHEET}."
    return replace(found, findings=(*found.findings, note))


def _onnx(source: Path) -> Candidate:
    graph = onnx_files.read(source)
    said = read_description(source.parent, graph.metadata.get(METADATA, "{}"))
    latent, label = _inputs(source.name, graph)
    dim = _latent_dim(source.name, latent, said)
    config, notes = _probed(source.name, graph, latent, label, dim, said)
    check_size(source.name, config.size, said)
    first = "found" if graph.first is not None else "not affine, so SeFa takes the Jacobian at the origin"
    findings = (
        f"An ONNX file with {graph.parameters:,} numbers; inputs: {described(graph.inputs)}; "
        f"outputs: {described(graph.outputs)}.",
        *told(config),
        *notes,
        f"Its first layer was {first}.",
    )
    model = OnnxDecoder(config, graph.content, graph.first)
    shown = card(source.stem, said, {"decoder": graph.parameters}, source.name)
    return Candidate(source.stem, config, shown, findings, graph.content, model, said.dataset)


def bring_in(candidate: Candidate, name: str = "") -> Path:
    """Write a candidate as a checkpoint among the user's models; returns its folder.

    Args:
        candidate: What was recognised.
        name: Its id; empty: the name of its file.

    Raises:
        UserError: The id is taken or not possible, or the folder cannot be written.
    """
    folder = library.free(name or "".join(c if c.isalnum() or c in "._-" else "-" for c in candidate.name))
    config = parse(
        CheckpointConfig,
        {"id": folder.name, "model": candidate.config.model_dump(mode="json"), "dataset": candidate.dataset},
        what="The config of the model",
    )
    return checkpoints.save(
        folder,
        candidate.model,
        config,
        candidate.card,
        sheet(candidate),
        content=candidate.content,
        replace=False,
    )


@torch.inference_mode()
def sheet(candidate: Candidate, most: int = SHEET) -> Pixels:
    """Return pictures of the first seeds, eight a row, as one image (H, W, C); fewer where each takes long."""
    model, count = candidate.model, _affordable(candidate, most)
    labels = default_labels(range(count), model.classes) if model.classes else None
    return contact_sheet(pictures(model.decode(prior(range(count), model.latent_dim), labels)))


def _affordable(candidate: Candidate, most: int) -> int:
    """Return how many pictures are drawn for a sheet, whole rows of eight: a rule, and no clock, so always the same."""
    cost = candidate.card.parameters["decoder"] * candidate.config.size**2
    rows = int(_SHEET_COST / max(cost, 1)) // 8
    return min(most, 8 * max(rows, 1))


def _file(where: Path) -> Path:
    if where.is_file():
        return where
    if not where.is_dir():
        raise UserError(
            "no-file", f"There is nothing at {where}.", "Give an ONNX file or a state dict, or its folder."
        )
    # Beside an ONNX file, others may be the weights that belong to it.
    try:
        files = sorted(where.iterdir())
    except OSError as error:
        raise UserError(
            "no-file", f"{where} cannot be read ({reason(error)}).", "Give another path."
        ) from error
    found = [path for path in files if path.suffix.lower() == ".onnx"]
    found = found or [path for path in files if path.suffix.lower() in state_dicts.ENDINGS]
    if len(found) != 1:
        several = f"{len(found)} decoders ({', '.join(path.name for path in found[:3])})"
        names = several if found else "no ONNX file and no state dict"
        raise UserError("no-file", f"{where.name} holds {names}.", "Give the path of one.")
    return found[0]


def _inputs(name: str, graph: Graph) -> tuple[Port, Port | None]:
    ports = graph.inputs
    if len(ports) not in (1, 2) or not ports[0].kind.startswith("float"):
        problem = (
            f"{name} has these inputs: {described(ports)}. A decoder takes latents and, perhaps, labels."
        )
        raise UserError("no-decoder", problem, "Export the decoder alone.")
    return ports[0], ports[1] if len(ports) == 2 else None


def _latent_dim(name: str, latent: Port, said: Description) -> int:
    rank_fits = len(latent.shape) == 2 or (
        len(latent.shape) == 4 and latent.shape[2:] in ((1, 1), (None, None))
    )
    if not rank_fits:
        problem = f"The input of {name}, {latent}, is no batch of latents (B, D) or (B, D, 1, 1)."
        raise UserError("no-decoder", problem, "Export the decoder alone.")
    own = latent.shape[1]
    if own is None and said.latent_dim is None:
        problem = f"{name} does not say how many dimensions its latents have."
        raise UserError("no-latent-dim", problem, f'Write {{"latent_dim": 64}} into {DESCRIPTION} beside it.')
    if own is not None:
        check_latent_dim(name, own, said)
    return int(own or said.latent_dim or 0)


def _classes(
    name: str, label: Port | None, said: Description
) -> tuple[Literal["", "index", "one-hot"], tuple[str, ...]]:
    """Return how it takes labels, and their names."""
    if label is None:
        if said.names:
            problem = f"{DESCRIPTION} names labels, but {name} has one input only."
            raise UserError("bad-description", problem, "Leave them out.")
        return "", ()
    one_hot = len(label.shape) == 2
    count = label.shape[1] if one_hot else None
    names = said.names or tuple(map(str, range(count or 0)))
    if not names or (count and len(names) != count):
        problem = f"{name} takes labels, {label}, and it is not known which there are."
        raise UserError("no-labels", problem, f'Write {{"labels": 10}} or their names into {DESCRIPTION}.')
    return ("one-hot" if one_hot else "index"), names


def _probed(
    name: str, graph: Graph, latent: Port, label: Port | None, dim: int, said: Description
) -> tuple[OnnxConfig, list[str]]:
    """Run the decoder and return what its output tells, with a sentence on each thing that was guessed."""
    kind, names = _classes(name, label, said)
    fields: dict[str, Any] = {
        "latent_dim": dim,
        "prior": said.prior,
        "latent_rank": len(latent.shape),
        "batch": latent.shape[0] or 0,
        "label": kind,
        "labels": names,
        "classes": len(names),
    }
    if (latent.shape[0] or 1) > _LARGEST_BATCH:
        problem = f"{name} makes {latent.shape[0]:,} pictures at once."
        raise UserError("no-decoder", problem, "Export it for any number of latents.")
    one = np.zeros((latent.shape[0] or 1, dim, *[1] * (len(latent.shape) - 2)))
    first = np.zeros((len(one), len(names))[: 2 if kind == "one-hot" else 1])
    layout, channels, size = _layout(name, Runner(graph.content)(one, *([first] if names else [])).shape)
    fields |= {"layout": layout, "channels": channels, "size": size}
    config = parse(OnnxConfig, fields, what=f"The decoder {name}", code="no-decoder")
    values = _values(OnnxDecoder(config, graph.content, graph.first))
    low, high = said.range or _range(values)
    how = "given" if said.range else "taken"
    notes = [f"Its values are between {values[0]:.3g} and {values[-1]:.3g}, {how} as [{low:g}, {high:g}]."]
    if names:
        notes.append(
            f"It takes a label ({kind}): {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."
        )
    scaled = parse(OnnxConfig, fields | {"low": low, "high": high}, what=DESCRIPTION, code="bad-description")
    return scaled, notes


def _values(model: OnnxDecoder) -> torch.Tensor:
    """Return the values of the pixels of a few pictures, sorted."""
    labels = default_labels(range(_PROBES), model.classes) if model.classes else None
    return model.raw(prior(range(_PROBES), model.latent_dim), labels).flatten().sort().values


def _layout(name: str, shape: tuple[int, ...]) -> tuple[str, int, int]:
    """Return the order of an output's dimensions, its channels and the side of its pictures."""
    match shape[1:]:
        case (channels, height, width) if channels in (1, 3) and height == width:
            return "chw", channels, height
        case (height, width, channels) if channels in (1, 3) and height == width:
            return "hwc", channels, height
        case (height, width) if height == width:
            return "hw", 1, height
        case (length,):
            for channels in (1, 3):
                side = math.isqrt(length // channels)
                if side * side * channels == length:
                    return "flat", channels, side
        case _:
            pass
    problem = f"{name} makes arrays of the shape {shape}, not square pictures, grey or RGB."
    raise UserError("no-decoder", problem, "Export a decoder of pictures.")


def _range(values: torch.Tensor) -> tuple[float, float]:
    """Return the narrowest usual range that holds nearly all of some sorted values."""
    low, high = float(values[len(values) // 1000]), float(values[-1 - len(values) // 1000])
    for first, last in _RANGES:
        slack = _SLACK * (last - first)
        if first - slack <= low and high <= last + slack:
            return first, last
    return -1.0, 1.0
