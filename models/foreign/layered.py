"""State dicts as decoders: the layers that were recognised are measured, filled with their weights, and described."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from models.errors import UserError, reason
from models.foreign import state_dicts
from models.foreign.candidates import (
    Candidate,
    Description,
    card,
    check_latent_dim,
    check_size,
    read_description,
    refuse_labels,
    told,
)
from models.foreign.configs import Layer, LayersConfig
from models.foreign.layers import LayeredDecoder, build, fill, to_bytes
from models.values import parse


def candidate(source: Path) -> Candidate:
    """Look at a state dict in a file.

    Raises:
        UserError: It may not be opened, is of no decoder of square pictures that is known, or contradicts what its
            description says.
    """
    title, layers, tensors = state_dicts.recognise(source.name, state_dicts.read(source))
    said = read_description(source.parent)
    config = measured(source.name, layers, said)
    model = filled(source.name, title, config, tensors)
    count = sum(tensor.numel() for tensor in tensors)
    findings = (f"The state dict of {title}, with {count:,} numbers.", *told(config))
    shown = card(source.stem, said, {"decoder": count}, source.name)
    return Candidate(source.stem, config, shown, findings, to_bytes(model), model, said.dataset)


def measured(
    name: str, layers: Sequence[Layer], said: Description, usual: tuple[float, float] = (-1.0, 1.0)
) -> LayersConfig:
    """Return the config of a decoder, with the side of the pictures that its layers make.

    Args:
        name: Of the decoder, for messages.
        layers: The first is that which latents meet.
        said: Its description.
        usual: Values of black and white pixels where the description gives none.

    Raises:
        UserError: The layers do not fit each other, make no square pictures, or contradict the description.
    """
    refuse_labels(name, said)
    check_latent_dim(name, layers[0].inputs, said)
    low, high = said.range or usual
    fields: dict[str, Any] = {
        "latent_dim": layers[0].inputs,
        "prior": said.prior,
        "latent_rank": 4 if layers[0].kind == "conv-transpose" else 2,
        "layers": tuple(layers),
        "channels": _channels(name, layers),
        "low": low,
        "high": high,
    }
    what = f"The decoder {name}"
    with torch.device("meta"):  # a few doublings more, and the picture would not fit into memory
        draft = LayeredDecoder(parse(LayersConfig, fields | {"size": 4}, what=what, code="no-decoder"))
    side = _decoded(name, draft.eval(), "meta")[-1]
    config = parse(LayersConfig, fields | {"size": side}, what=what, code="no-decoder")
    check_size(name, config.size, said)
    return config


def filled(name: str, title: str, config: LayersConfig, tensors: Sequence[Tensor]) -> LayeredDecoder:
    """Return the model of a config with its weights, ready for use.

    Args:
        name: Of the decoder, for messages.
        title: What was recognised.
        config: Its layers.
        tensors: Its weights, in the order of the layers.

    Raises:
        UserError: The tensors have other shapes than the layers, or these do not fit each other.
    """
    with torch.device("meta"):
        model = build(config)
    left = iter(tensors)
    counter = torch.tensor(0)
    state = {key: counter if key.endswith(state_dicts.COUNTER) else next(left) for key in model.state_dict()}
    try:
        fill(model, state)
    except ValueError as error:
        problem = f"The tensors of {name} have other shapes than those of {title}."
        raise UserError("weights-do-not-fit", problem, "Export it as ONNX instead.") from error
    _decoded(name, model.eval())
    return model.requires_grad_(False)


def _channels(name: str, layers: Sequence[Layer]) -> Literal[1, 3]:
    last = next(layer for layer in reversed(layers) if layer.outputs)
    if last.outputs == 1 or last.outputs == 3:
        return last.outputs
    problem = f"{name} makes arrays of {last.outputs} channels, not pictures, grey or RGB."
    raise UserError("no-decoder", problem, "Export a decoder of pictures.")


@torch.inference_mode()
def _decoded(name: str, model: LayeredDecoder, device: str = "cpu") -> torch.Size:
    """Return the shape of what layers make of one latent; raises UserError where they do not fit each other."""
    try:
        return model.decode(torch.zeros(1, model.latent_dim, device=device)).shape
    except (RuntimeError, ValueError) as error:
        problem = f"The layers of {name} do not fit each other: {reason(error)}"
        raise UserError("weights-do-not-fit", problem, "Save the generator's state dict again.") from error
