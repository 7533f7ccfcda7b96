"""Folders that diffusers saves its autoencoders in, as models of this program.

Such a folder has `config.json`, which names the class, and `diffusion_pytorch_model.safetensors`. The library itself
reads it, offline and from safetensors only. A latent is spatial, so its dimensions grow with the picture, and there may
be 1,024 at most. The side of the pictures is `size` in `model.json`; else the first that is possible of the one in the
config, 256, 128 and 64.
"""

import inspect
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from models.core import parameter_count
from models.errors import UserError, reason
from models.foreign import folders
from models.foreign.candidates import (
    DESCRIPTION,
    Candidate,
    Description,
    card,
    check_latent_dim,
    read_description,
    read_json,
    refuse_labels,
    told,
)
from models.foreign.configs import LARGEST_LATENT, DiffusersConfig
from models.foreign.diffusers_model import DiffusersAutoencoder, network_class, to_bytes
from models.foreign.folders import DIFFUSERS_CONFIG, DIFFUSERS_WEIGHTS
from models.foreign.state_dicts import check_size, refuse_names
from models.values import parse

KINDS = ("AutoencoderTiny", "AutoencoderKL")
_SIDES = (256, 128, 64)  # of pictures, in the order in which they are tried
_LEAST, _MOST = 4, 512
_PROBE = 4  # side of a latent that tells how much larger a picture is
_COPY = "Copy the whole folder again."


def candidate(folder: Path) -> Candidate:
    """Look at a folder of diffusers.

    Args:
        folder: With `config.json` and `diffusion_pytorch_model.safetensors`, and perhaps `model.json`.

    Raises:
        UserError: A file is missing or damaged, it is of another class, its latents are too large at any size, names of
            tensors are missing or too many, or diffusers is not installed.
    """
    name = folders.title(folder)
    kind = _kind(folder, name)
    said = read_description(folder)
    refuse_labels(name, said)
    if said.prior != "normal":
        problem = f"{name} takes standardised latents, not from the prior '{said.prior}'."
        raise UserError("bad-description", problem, f"Leave 'prior' out of {DESCRIPTION}.")
    net = _opened(folder, name, kind)
    config = _config(name, kind, net, said)
    check_latent_dim(name, config.latent_dim, said)
    model = DiffusersAutoencoder(config, net).eval().requires_grad_(False)
    _check(name, model)
    encoder = sum(parameter_count(part) for part in (net.encoder, getattr(net, "quant_conv", None)) if part)
    parameters = {"decoder": parameter_count(net) - encoder, "encoder": encoder}
    findings = _findings(config, parameter_count(net), net)
    return Candidate(
        name, config, card(name, said, parameters), findings, to_bytes(model), model, said.dataset
    )


def _kind(folder: Path, name: str) -> str:
    """Return the class of a folder; raises UserError if it is not taken, or its weights are not safetensors."""
    what = f"{DIFFUSERS_CONFIG} of {name}"
    data = read_json(folder / DIFFUSERS_CONFIG, what, "bad-config")
    kind = cast(dict[str, Any], data).get("_class_name") if isinstance(data, dict) else None
    if kind not in KINDS:
        problem = f"{name} is of the class '{kind}' of diffusers; {' and '.join(KINDS)} are taken."
        raise UserError(
            "not-recognised", problem, "Give the folder of an autoencoder, often 'vae' in a pipeline's."
        )
    weights = folder / DIFFUSERS_WEIGHTS
    if not weights.is_file():
        others = sorted(path.name for path in folder.glob("diffusion_pytorch_model*"))
        problem = f"{name} has no {DIFFUSERS_WEIGHTS}{f', but {others[0]}' if others else ''}."
        raise UserError("no-weights", problem, "Save it with save_pretrained(..., safe_serialization=True).")
    check_size(weights)
    return kind


def _opened(folder: Path, name: str, kind: str) -> Any:
    network = network_class(kind)
    try:
        with torch.device("meta"):
            described = network.from_config(network.load_config(str(folder), local_files_only=True))
        if parameter_count(described) > (folder / DIFFUSERS_WEIGHTS).stat().st_size:
            raise ValueError("its config describes more numbers than its file has bytes.")
        net, found = network.from_pretrained(
            str(folder),
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    except Exception as error:  # of diffusers, safetensors and torch, which have a class for each reason
        problem = f"diffusers cannot open {name}: {reason(error)}"
        raise UserError("bad-weights", problem, _COPY) from error
    missing, extra = sorted(found["missing_keys"]), sorted(found["unexpected_keys"])
    refuse_names(f"{name} is an {kind}", missing, extra, _COPY)
    return net.float()


def _config(name: str, kind: str, net: Any, said: Description) -> DiffusersConfig:
    own = cast(dict[str, Any], dict(net.config))
    channels, factor, colours = _measured(name, net, int(own["latent_channels"]))
    size = _size(name, own.get("sample_size"), said.size, channels, factor)
    low, high = said.range or (-1.0, 1.0)
    known = inspect.signature(type(net).__init__).parameters
    centre, spread = _moments(own, channels)
    fields: dict[str, Any] = {
        "kind": kind,
        "settings": {key: value for key, value in own.items() if key in known},
        "latent_dim": channels * (size // factor) ** 2,
        "size": size,
        "channels": colours,
        "centre": centre,
        "spread": spread,
        "low": low,
        "high": high,
    }
    return parse(DiffusersConfig, fields, what=f"The autoencoder {name}", code="no-decoder")


@torch.inference_mode()
def _measured(name: str, net: Any, channels: int) -> tuple[int, int, int]:
    """Return the channels of a latent, how much larger a picture's side is, and the picture's channels."""
    shape = cast(Tensor, net.eval().decode(torch.zeros(1, channels, _PROBE, _PROBE)).sample).shape
    if shape[1] not in (1, 3) or shape[2] != shape[3] or shape[2] % _PROBE:
        problem = f"{name} makes arrays of the shape {tuple(shape)}, not square pictures, grey or RGB."
        raise UserError("no-decoder", problem, "Give an autoencoder of pictures.")
    return channels, shape[2] // _PROBE, shape[1]


def _size(name: str, own: Any, said: int | None, channels: int, factor: int) -> int:
    """Return the side of the pictures; raises UserError if latents are too large for the one that is asked for."""

    def fits(side: Any) -> bool:
        whole = isinstance(side, int) and _LEAST <= side <= _MOST and side % factor == 0
        return whole and channels * (side // factor) ** 2 <= LARGEST_LATENT

    possible = [side for side in ([said] if said else [own, *_SIDES]) if fits(side)]
    if possible:
        return possible[0]
    most = max((side for side in range(factor, _MOST + 1, factor) if fits(side)), default=0)
    asked = said or _SIDES[-1]
    problem = (
        f"At {asked}x{asked} pixels, latents of {name} have {channels} x ({asked} / {factor})^2 dimensions; they must "
        f"be whole, and {LARGEST_LATENT:,} at most."
    )
    remedy = (
        f'Write {{"size": {most}}} into {DESCRIPTION} beside it.'
        if most
        else "Give one with smaller latents."
    )
    raise UserError("latents-too-large", problem, remedy)


def _moments(own: dict[str, Any], channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel of the latents, as diffusers' pipelines use them."""
    scale = float(own.get("scaling_factor") or 1)
    centre = tuple(own.get("latents_mean") or (own.get("shift_factor") or 0.0,) * channels)
    spread = tuple(own.get("latents_std") or (1.0,) * channels)
    return centre, tuple(value / scale for value in spread)


@torch.inference_mode()
def _check(name: str, model: DiffusersAutoencoder) -> None:
    """Raise UserError if the encoder makes other latents of a picture than the decoder takes."""
    try:
        found = model.encode(torch.zeros(1, *model.sample_shape)).mean.shape[1]
    except RuntimeError as error:
        problem = f"The encoder of {name} does not take the pictures that its decoder makes."
        raise UserError("no-decoder", problem, "Give an autoencoder of pictures.") from error
    if found != model.latent_dim:
        problem = (
            f"The encoder of {name} makes {found} numbers of a picture, its decoder takes {model.latent_dim}."
        )
        raise UserError("no-decoder", problem, "Give an autoencoder of pictures.")


def _findings(config: DiffusersConfig, count: int, net: Any) -> tuple[str, ...]:
    shape = "x".join(map(str, config.latent_shape))
    own = cast(dict[str, Any], dict(net.config)).get("sample_size")
    trained = f"; its config names {own} pixels" if own not in (None, config.size) else ""
    return (
        f"A folder of diffusers, {config.kind} with {count:,} numbers; latents: {shape}, flattened and standardised"
        f"{trained}.",
        *told(config),
        "Its latents are no samples of N(0, I) without a diffusion model: random ones show texture, encoded ones "
        "reconstruct.",
    )
