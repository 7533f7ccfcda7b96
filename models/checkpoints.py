"""Checkpoints: a folder of config.json, model.safetensors, card.json and a sheet of samples.

Directions of attributes may lie in it as well (`models.attributes.ship`); what does not fit the weights is ignored.

Weights are stored in half precision and load from safetensors only. A folder is written under a temporary name
and renamed, so a reader never sees half of one. The digest (sha256 of the weights file) proves integrity, not
origin.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from models import disk
from models.catalog import (
    CARD,
    CONFIG,
    PICKLES,
    SHEET,
    WEIGHTS,
    Card,
    CheckpointConfig,
    ModelInfo,
    find,
    read,
)
from models.config import ModelConfig, parse
from models.core import ImageModel, LatentModel
from models.datasets import ImageData
from models.errors import UserError, write_error
from models.families import FAMILIES, IMPORTED
from models.latent import default_labels, prior
from models.media import Pixels, contact_sheet, save_png, scatter
from models.networks import channels_last
from models.results import pictures
from models.tables import Table

_COLUMNS = 8  # of the pictures of a sheet


def build(config: ModelConfig) -> ImageModel:
    """Build an untrained model from its validated config."""
    name = config.family
    return Table[Callable[[ModelConfig], ImageModel]]("model", {name: FAMILIES[name].model})[name](config)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the weights depend on."""
    result: dict[str, str] = {}
    for name in ("latent-explorer", "torch", "numpy"):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            result[name] = "source"
    return result


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(where: ModelInfo | Path | str) -> ImageModel:
    """Load a model, ready for use: on the CPU, float32, `eval()`, without gradients.

    Args:
        where: An entry of the catalog, or a checkpoint's folder.

    Raises:
        UserError: The folder, its config or its weights are missing, damaged, tampered with, or do not fit.
    """
    info = where if isinstance(where, ModelInfo) else read(Path(where))
    weights = info.weights
    if not weights.is_file():
        pickles = [p.name for p in info.path.iterdir() if p.suffix.lower() in PICKLES]
        if pickles:
            raise UserError(
                "pickle-refused",
                f"'{info.id}' has its weights in {pickles[0]}: such a file can run any program when it is opened.",
                "Convert it with safetensors.torch.save_file to model.safetensors.",
            )
        raise UserError(
            "no-weights", f"'{info.id}' has no {weights.name}.", "Copy the whole checkpoint folder."
        )
    if info.family in IMPORTED:
        return _open_imported(info)
    try:
        state = load_file(weights)
    except (SafetensorError, OSError, ValueError) as error:
        remedy = "It is truncated or of another format: copy it again."
        raise UserError(
            "bad-weights", f"The weights of '{info.id}' cannot be read ({error}).", remedy
        ) from error
    _verify(info, digest(weights))
    model = build(info.model)
    _fit(model, state, info.id)
    channels_last(model)
    return model.eval().requires_grad_(False)


def from_pretrained(name: str) -> ImageModel:
    """Load a model by its id, its folder, or its name on the Hub, `hf://owner/name[@revision]`; raises UserError."""
    return load(find(name))


def _open_imported(info: ModelInfo) -> ImageModel:
    try:
        content = info.weights.read_bytes()
    except OSError as error:
        problem = f"The weights of '{info.id}' cannot be read ({error})."
        raise UserError("bad-weights", problem, "Copy the checkpoint again.") from error
    _verify(info, hashlib.sha256(content).hexdigest())
    opened = {info.family: IMPORTED[info.family].open}
    open_it = Table[Callable[[ModelInfo, bytes], ImageModel]]("model", opened)[info.family]
    return open_it(info, content).eval().requires_grad_(False)


def _verify(info: ModelInfo, found: str) -> None:
    if found != info.config.weights_sha256:
        raise UserError(
            "digest-mismatch",
            f"The weights of '{info.id}' are not the ones its config names: the file was changed or replaced.",
            "Copy the checkpoint again from where it came from.",
        )


def _fit(model: ImageModel, state: dict[str, Tensor], name: str) -> None:
    expected = model.state_dict()
    missing, extra = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    wrong = [k for k in expected.keys() & state.keys() if expected[k].shape != state[k].shape]
    if missing or extra or wrong:
        parts = [f"{len(missing)} missing ({missing[0]}, ...)" if missing else ""]
        parts += [f"{len(extra)} not expected ({extra[0]}, ...)" if extra else ""]
        if wrong:
            k = min(wrong)
            parts += [f"{k} is {list(state[k].shape)}, the config says {list(expected[k].shape)}"]
        details = "; ".join(p for p in parts if p)
        remedy = "Restore the config that these weights were saved with."
        raise UserError(
            "weights-do-not-fit", f"The weights of '{name}' do not fit its config: {details}.", remedy
        )
    model.load_state_dict({k: v.to(expected[k].dtype) for k, v in state.items()})


def save(
    folder: Path,
    model: ImageModel,
    config: CheckpointConfig,
    card: Card,
    sheet: Pixels | None = None,
    *,
    content: bytes | None = None,
    replace: bool = True,
) -> Path:
    """Write a checkpoint folder.

    Args:
        folder: Where to; its parent is created.
        model: In eval mode.
        config: Its weights' digest and library versions are filled in.
        card: What people should know of it.
        sheet: Image (H, W, C), grey or RGB, pre-rendered samples for the first page.
        content: The file of a decoder that was made elsewhere; None: the weights are saved.
        replace: Whether it may take the place of a folder that is there already.

    Raises:
        UserError: The folder cannot be written, is there and may not be replaced, or the disk is full; nothing is
            left half-written.
    """
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        if content is None:
            weights = temporary / WEIGHTS
            state = {k: _half(v).contiguous() for k, v in model.state_dict().items()}
            save_file(state, weights, metadata={"format": "pt"})
            weights.chmod(0o644)  # safetensors makes files that only their owner can read
        else:
            weights = temporary / IMPORTED[model.config.family].file
            weights.write_bytes(content)
        config = config.model_copy(update={"weights_sha256": digest(weights), "versions": versions()})
        (temporary / CONFIG).write_text(config.model_dump_json(indent=2) + "\n")
        (temporary / CARD).write_text(card.model_dump_json(indent=2) + "\n")
        if sheet is not None:
            save_png(sheet, temporary / SHEET)
        temporary.chmod(0o755)
        if replace:
            _replace(folder, temporary)
        else:
            temporary.rename(folder)  # which fails where one is there, whoever made it since somebody looked
    except (OSError, SafetensorError) as error:
        raise write_error(folder, error) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _replace(folder: Path, by: Path) -> None:
    """Put a folder in the place of another, which is moved away whole and not deleted file by file."""
    old = by.with_name(f"{by.name}-old")
    if folder.exists():
        folder.rename(old)
    try:
        by.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _half(value: Tensor) -> Tensor:
    # A value beyond half precision's range would become infinite: such a tensor stays as it is.
    if not value.is_floating_point() or value.abs().max() > torch.finfo(torch.float16).max:
        return value
    return value.half()


def update_card(folder: Path, metrics: dict[str, dict[str, object]]) -> None:
    """Write measured metrics into a checkpoint's card, keeping the others."""
    info = read(folder)
    known = {name: metric.model_dump() for name, metric in info.card.metrics.items()}
    card = parse(Card, {**info.card.model_dump(), "metrics": {**known, **metrics}}, what="The card")
    disk.write(folder / CARD, card.model_dump_json(indent=2) + "\n")


def round_as_stored(model: ImageModel) -> None:
    """Round a model's weights to the precision that they are stored in, so that it is the one that will be loaded."""
    model.load_state_dict({k: _half(v).to(v.dtype) for k, v in model.state_dict().items()})


@torch.no_grad()
def sheet_of(model: ImageModel, data: ImageData | None = None) -> Pixels | None:
    """Return what the seeds of a sheet make, as one image (H, W, C); None for a model without a decoder.

    Args:
        model: In eval mode, on the CPU.
        data: What it learned from; points are drawn behind its own.
    """
    if not isinstance(model, LatentModel):
        return None
    seeds = sheet_seeds(len(model.sample_shape) == 1)
    labels = default_labels(seeds, model.classes) if model.classes else None
    return as_sheet(model.decode(prior(seeds, model.latent_dim), labels), data)


def sheet_seeds(points: bool) -> range:
    """Return the seeds that a sheet shows: as many as eight rows of pictures, or as make a cloud of points."""
    return range(1000 if points else 64)


def as_pairs(x: Tensor, rebuilt: Tensor) -> Pixels:
    """Return images over their reconstructions, as one image (H, W, C); of points, a scatter plot of both.

    Args:
        x: Images (N, C, H, W) in [-1, 1], eight a row, of which those that fill no row are left out; or points (N, 2),
            in grey.
        rebuilt: Same shape; a row below each row of images, or in blue.
    """
    if x.ndim != 4:
        return scatter(rebuilt.numpy(), x.numpy())
    columns = min(len(x), _COLUMNS)
    shape = (len(x) // columns, columns, *x.shape[1:])
    whole = shape[0] * columns
    rows = torch.cat([x[:whole].reshape(shape), rebuilt[:whole].reshape(shape)], 1)  # images, reconstructions
    return contact_sheet(pictures(rows.flatten(0, 1)), columns)


def as_sheet(x: Tensor, data: ImageData | None = None) -> Pixels:
    """Return a sheet (H, W, C) of images (N, C, H, W) in [-1, 1], eight a row; of points (N, 2) a scatter plot."""
    if x.ndim == 4:
        return contact_sheet(pictures(x), _COLUMNS)
    return scatter(x.numpy(), None if data is None else data.floats(slice(len(x))).numpy())
