"""Folders that pythae saves its models in (`final_model`), as models of this program.

Such a folder has `model_config.json`, `model.pt` with the tensors of both networks and, where those are not pythae's
default ones, the pickles `encoder.pkl` and `decoder.pkl`, code and all. These are never opened: to read one is to run
it. `model.pt` alone is enough wherever its tensors are those of a network that comes with pythae
(`models.foreign.pythae_networks`); whoever trains with its networks for MNIST, CIFAR or CelebA gets pickles of just
these. What leaves no tensors (activations, strides) is then that of pythae's network; somebody's own network of the
very same tensors would be taken for it, so a finding says what was assumed, and samples show whether it holds.

Chadebec, Vincent & Allassonniere (2022), arXiv:2206.08309.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ConfigDict
from torch import Tensor

from models.errors import UserError
from models.foreign import folders, layered, pythae_networks, state_dicts
from models.foreign.candidates import Candidate, Description, card, read_description, read_json, told
from models.foreign.configs import Layer, LayeredAutoencoderConfig, LayersConfig
from models.foreign.folders import PYTHAE_CONFIG, PYTHAE_WEIGHTS
from models.foreign.layers import sequence, to_bytes
from models.foreign.state_dicts import State
from models.values import Value, parse

_VALUES = (0.0, 1.0)  # of black and white pixels, by pythae's convention
_LARGEST_SIDE = 512
_ONNX = "Export its decoder as ONNX, which is taken from any framework."
_UNIT = ""  # its prior is N(0, I), and nothing needs to be said of it
_NO_PRIOR = (
    "It was trained without a prior: latents drawn from N(0, I) may lie where no picture has its code."
)
_FLOW = "Its encoder goes through a flow, which is left out, so it only decodes."

# Kinds of models whose decoder takes latents from N(0, I), or that have no prior, with what people should know.
KINDS: Mapping[str, str] = {
    "VAEConfig": _UNIT,
    "BetaVAEConfig": _UNIT,
    "DisentangledBetaVAEConfig": _UNIT,
    "BetaTCVAEConfig": _UNIT,
    "FactorVAEConfig": _UNIT,
    "IWAEConfig": _UNIT,
    "CIWAEConfig": _UNIT,
    "MIWAEConfig": _UNIT,
    "PIWAEConfig": _UNIT,
    "MSSSIM_VAEConfig": _UNIT,
    "INFOVAE_MMD_Config": _UNIT,
    "WAE_MMD_Config": _UNIT,
    "Adversarial_AE_Config": _UNIT,
    "VAEGANConfig": _UNIT,
    "VAE_LinNF_Config": _FLOW,
    "VAE_IAF_Config": _FLOW,
    "AEConfig": _NO_PRIOR,
    "RAE_GP_Config": _NO_PRIOR,
    "RAE_L2_Config": _NO_PRIOR,
}
_OTHER_PRIORS = {
    "VAMPConfig": "a mixture of posteriors",
    "SVAEConfig": "uniform on a sphere",
    "PoincareVAEConfig": "a normal distribution in hyperbolic space",
    "VQVAEConfig": "over entries of a code book",
    "HRQVAEConfig": "over entries of a code book",
}
# Networks beside encoder and decoder, which only training needs, or which are left out with the encoder.
_BESIDE = ("discriminator.", "net.", "iaf_flow.")


class _Config(Value):
    """What counts in `model_config.json`."""

    model_config = ConfigDict(extra="ignore")

    name: str
    latent_dim: int
    input_dim: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _Encoder:
    """An encoder that was recognised: its title, layers, and tensors with those of its heads, mean first."""

    title: str
    layers: Sequence[Layer]
    features: int
    deterministic: bool
    tensors: Sequence[Tensor]


def candidate(folder: Path) -> Candidate:
    """Look at a folder of pythae.

    Args:
        folder: With `model_config.json` and `model.pt`, and perhaps `model.json`.

    Raises:
        UserError: A file is missing or damaged; its kind of model has another prior or is not known; its networks are
            not pythae's; names of tensors are missing or too many; or its pictures are not square.
    """
    name = folders.title(folder)
    known = _config(folder, name)
    side = _side(name, known.input_dim)
    state = _state(folder)
    said = read_description(folder)
    if said.prior != "normal":
        problem = f"{name} takes latents from N(0, I), not from the prior '{said.prior}'."
        raise UserError("bad-description", problem, "Leave 'prior' out of model.json.")
    title, layers, tensors = _decoder(folder, name, side, _part(state, "decoder."))
    config = layered.measured(name, layers, said, _VALUES)
    _check(name, known, config)
    encoder = None if KINDS[known.name] == _FLOW else _encoder(name, config, _part(state, "encoder."))
    count = sum(tensor.numel() for tensor in tensors)
    parameters = {"decoder": count}
    if encoder is not None:
        config = _with(config, encoder, name)
        tensors = [*tensors, *encoder.tensors]
        parameters["encoder"] = sum(tensor.numel() for tensor in encoder.tensors)
    model = layered.filled(name, title, config, tensors)
    return Candidate(
        name, config, card(name, said, parameters), _findings(folder, known, config, title, encoder, said),
        to_bytes(model), model, said.dataset,
    )  # fmt: skip


def _config(folder: Path, name: str) -> _Config:
    what = f"{PYTHAE_CONFIG} of {name}"
    known = parse(_Config, read_json(folder / PYTHAE_CONFIG, what, "bad-config"), what=what)
    if known.name in _OTHER_PRIORS:
        kind = known.name.removesuffix("Config").rstrip("_")
        problem = f"{name} is a {kind}, whose prior is {_OTHER_PRIORS[known.name]}."
        raise UserError(
            "other-prior", problem, "Only models with the prior N(0, I), or without one, are taken."
        )
    if known.name not in KINDS:
        problem = f"{name} is of a kind that is not taken, '{known.name}'; these are: {', '.join(KINDS)}."
        raise UserError("not-recognised", problem, _ONNX)
    return known


def _side(name: str, shape: tuple[int, ...] | None) -> int:
    """Return the side of the pictures; 0 where the config does not say."""
    if shape is None:
        return 0
    if (
        len(shape) != 3
        or shape[0] not in (1, 3)
        or shape[1] != shape[2]
        or not 4 <= shape[1] <= _LARGEST_SIDE
    ):
        problem = (
            f"{name} is of arrays of the shape {shape}, not square pictures, grey or RGB, of 4 to 512 pixels."
        )
        raise UserError("no-decoder", problem, "Train it on square pictures, channels first.")
    return shape[1]


def _state(folder: Path) -> State:
    file = folder / PYTHAE_WEIGHTS
    if not file.is_file():
        problem = f"{folder.name} has no {PYTHAE_WEIGHTS}, where pythae saves a model's weights."
        raise UserError("no-weights", problem, "Copy the whole folder.")
    state = state_dicts.read(file)
    odd = [key for key in state if not key.startswith(("encoder.", "decoder.", *_BESIDE))]
    if odd:
        problem = f"{PYTHAE_WEIGHTS} has tensors of neither an encoder nor a decoder. Not expected: {', '.join(odd)}."
        raise UserError("weights-do-not-fit", problem, "Save the model again.")
    return {key: value for key, value in state.items() if not key.endswith(state_dicts.COUNTER)}


def _part(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _decoder(folder: Path, name: str, side: int, state: State) -> tuple[str, list[Layer], list[Tensor]]:
    """Return what a decoder is, its layers and tensors; raises UserError if it is not one of pythae's."""
    networks = pythae_networks.decoders(side)
    titles = pythae_networks.recognised(f"The decoder of {name}", networks, state)
    if titles:
        network = networks[titles[0]]
        return titles[0], pythae_networks.layers(network, state), _tensors(network, state)
    if (folder / "decoder.pkl").is_file():
        problem = (
            f"The decoder of {name} is somebody's own network: decoder.pkl would have to be opened, and that runs the "
            "code in it."
        )
        raise UserError("pickle-refused", problem, _ONNX)
    problem = f"The decoder of {name} is no network that comes with pythae; these are: {', '.join(networks)}."
    raise UserError("not-recognised", problem, _ONNX)


def _tensors(network: pythae_networks.Network, state: State) -> list[Tensor]:
    return [state[key] for key in pythae_networks.names(network)]


def _check(name: str, known: _Config, config: LayersConfig) -> None:
    """Raise UserError if a decoder is not what the config beside it says."""
    if known.latent_dim != config.latent_dim:
        problem = f"{name} has latent_dim {known.latent_dim} in its config, and its decoder takes {config.latent_dim}."
        raise UserError("weights-do-not-fit", problem, "Copy config and weights of the same model.")
    if known.input_dim not in (None, config.sample_shape):
        problem = f"{name} has input_dim {known.input_dim} in its config, and its decoder makes {config.sample_shape}."
        raise UserError("weights-do-not-fit", problem, "Copy config and weights of the same model.")


def _encoder(name: str, config: LayersConfig, state: State) -> _Encoder | None:
    """Return the encoder if it is one of pythae's that fits the pictures and the latents, else None."""
    parts = ["embedding", *(["log_var"] if "log_var.weight" in state else [])]
    heads = [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")]
    titles = pythae_networks.recognised(f"The encoder of {name}", pythae_networks.ENCODERS, state, heads)
    for title in titles:
        network = pythae_networks.ENCODERS[title]
        layers = pythae_networks.layers(network, state)
        features = _features(layers, config)
        if all(state[f"{part}.weight"].shape == (config.latent_dim, features) for part in parts):
            tensors = [*_tensors(network, state), *(state[key] for key in heads)]
            return _Encoder(title, layers, features, len(parts) == 1, tensors)
    return None


@torch.inference_mode()
def _features(layers: Sequence[Layer], config: LayersConfig) -> int:
    """Return how many numbers an encoder's layers make of a picture; 0 where they do not fit."""
    try:
        return sequence(layers).eval()(torch.zeros(1, *config.sample_shape)).shape[1]
    except RuntimeError:
        return 0


def _with(config: LayersConfig, encoder: _Encoder, name: str) -> LayeredAutoencoderConfig:
    fields = config.model_dump() | {
        "family": "layered-autoencoder",
        "encoder": tuple(encoder.layers),
        "features": encoder.features,
        "deterministic": encoder.deterministic,
    }
    return parse(LayeredAutoencoderConfig, fields, what=f"The autoencoder {name}", code="no-decoder")


def _findings(
    folder: Path,
    known: _Config,
    config: LayersConfig,
    title: str,
    encoder: _Encoder | None,
    said: Description,
) -> tuple[str, ...]:
    both = f"decoder: {title}; encoder: {encoder.title if encoder else 'left out'}"
    found = [
        f"A folder of pythae, {known.name}; {both}.",
        *told(config),
        f"Its values are {'given' if said.range else 'taken'} as [{config.low:g}, {config.high:g}].",
    ]
    if KINDS[known.name]:
        found.append(KINDS[known.name])
    if encoder is None and KINDS[known.name] != _FLOW:
        found.append("Its encoder is not one of pythae's for such pictures, so it only decodes.")
    if pickles := sorted(path.name for path in folder.glob("*.pkl")):
        found.append(
            f"{' and '.join(pickles)} {'was' if len(pickles) == 1 else 'were'} not opened, for that would run code: by "
            "their tensors the networks are pythae's, so its activations and strides were taken."
        )
    return tuple(found)
