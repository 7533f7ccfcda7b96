"""The networks that come with pythae, recognised by the names and the shapes of their tensors.

Chadebec, Vincent & Allassonniere (2022), arXiv:2206.08309, and the networks' descriptions in the documentation of
`pythae.models.nn`: the default perceptron, and the convolutional and residual networks for MNIST (28x28), CIFAR (32x32)
and CelebA (64x64). Names tell the layers and their order, shapes the channels and kernels; strides and paddings, which
leave no trace in tensors, stand here. So networks of the same layers with other numbers of channels are taken as well.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.foreign.configs import Layer
from models.foreign.state_dicts import State, refuse_names

_LIKE = 0.5  # share of a network's names from which on tensors are taken for a damaged copy of it


class Step(NamedTuple):
    """A layer of a network: the name of its tensors, and what they do not tell.

    Args:
        name: Of the layer; empty if it has no tensors.
        layer: Without its inputs and outputs.
    """

    name: str
    layer: Layer


Network = tuple[Step, ...]


def _linear(name: str) -> Step:
    return Step(name, Layer(kind="linear"))


def _down(name: str, kernel: int = 4, stride: int = 2) -> Step:
    return Step(name, Layer(kind="conv", kernel=kernel, stride=stride, padding=1))


def _up(name: str, kernel: int, padding: int = 1, more: int = 0, stride: int = 2) -> Step:
    layer = Layer(kind="conv-transpose", kernel=kernel, stride=stride, padding=padding, output_padding=more)
    return Step(name, layer)


def _view(side: int) -> Step:
    return Step("", Layer(kind="view", kernel=side))


def _normalised(name: str, step: Step) -> Network:
    """Return a convolution, batch normalisation and ReLU, as one sequence."""
    return step, Step(f"{name}.1", Layer(kind="batch-norm")), _RELU


def _block(name: str) -> Step:
    """Return a residual block: ReLU, 3x3, ReLU, 1x1, plus its input."""
    wide, narrow = Layer(kind="conv", kernel=3, padding=1), Layer(kind="conv")
    return Step(f"{name}.conv_block", Layer(kind="residual", inner=(_RELU.layer, wide, _RELU.layer, narrow)))


_RELU, _SIGMOID = Step("", Layer(kind="relu")), Step("", Layer(kind="sigmoid"))
_FLAT = Step("", Layer(kind="flatten"))

PERCEPTRON = "the default perceptron"

_DECODERS: Mapping[str, Network] = {
    "the convolutional network for MNIST": (
        _linear("layers.0"), _view(4),
        *_normalised("layers.1", _up("layers.1.0", 3)),
        *_normalised("layers.2", _up("layers.2.0", 3, more=1)),
        _up("layers.3.0", 3, more=1), _SIGMOID,
    ),
    "the convolutional network for CIFAR": (
        _linear("layers.0"), _view(8),
        *_normalised("layers.1", _up("layers.1.0", 4)),
        *_normalised("layers.2", _up("layers.2.0", 4, more=1)),
        _up("layers.3.0", 4, padding=2, stride=1), _SIGMOID,
    ),
    "the convolutional network for CelebA": (
        _linear("layers.0.0"), _view(8),
        *_normalised("layers.1", _up("layers.1.0", 5, padding=2)),
        *_normalised("layers.2", _up("layers.2.0", 5)),
        *_normalised("layers.3", _up("layers.3.0", 5, padding=2, more=1)),
        _up("layers.4.0", 5, stride=1), _SIGMOID,
    ),
    "the residual network for MNIST": (
        _linear("layers.0"), _view(4), _up("layers.1", 3),
        _block("layers.2.0"), _block("layers.2.1"), _RELU,
        _up("layers.3.0", 3, more=1), _RELU,
        _up("layers.4.0", 3, more=1), _SIGMOID,
    ),
    "the residual network for CIFAR": (
        _linear("layers.0"), _view(8), _block("layers.1.0"), _block("layers.1.1"),
        _up("layers.2.0", 4), _up("layers.3.0", 4), _SIGMOID,
    ),
    "the residual network for CelebA": (
        _linear("layers.0"), _view(4), _up("layers.1", 3), _block("layers.2.0"), _block("layers.2.1"),
        _up("layers.3.0", 5), _SIGMOID,
        _up("layers.4.0", 5, more=1), _up("layers.5.0", 4), _SIGMOID,
    ),
}  # fmt: skip

_CONVOLUTIONS = tuple(
    step for place in range(4) for step in _normalised(f"layers.{place}", _down(f"layers.{place}.0"))
)
# Their last layers, `embedding` and `log_var`, are left out: those are the same in all.
ENCODERS: Mapping[str, Network] = {
    PERCEPTRON: (_FLAT, _linear("layers.0.0"), _RELU),
    "the convolutional network": (*_CONVOLUTIONS, _FLAT),
    "the residual network for MNIST": (
        _down("layers.0.0"), _down("layers.1.0"), _down("layers.2.0", 3),
        _block("layers.3.0"), _block("layers.3.1"), _FLAT,
    ),
    "the residual network for CIFAR": (
        _down("layers.0.0"), _down("layers.1.0"), _down("layers.2.0", 3, stride=1),
        _block("layers.3.0"), _block("layers.3.1"), _FLAT,
    ),
    "the residual network for CelebA": (
        _down("layers.0.0"), _down("layers.1.0"), _down("layers.2.0", 3), _down("layers.3.0", 3),
        _block("layers.4.0"), _block("layers.4.1"), _FLAT,
    ),
}  # fmt: skip


def decoders(side: int) -> Mapping[str, Network]:
    """Return the decoders by their titles.

    Args:
        side: Of the pictures that the perceptron makes, which its tensors do not tell; 0: unknown, so it is left out.
    """
    if not side:
        return _DECODERS
    dense = (_linear("layers.0.0"), _RELU, _linear("layers.1.0"), _SIGMOID, _view(side))
    return {PERCEPTRON: dense, **_DECODERS}


def recognised(
    what: str, networks: Mapping[str, Network], state: State, heads: Sequence[str] = ()
) -> list[str]:
    """Return the titles of the networks that tensors may be of, several where those differ in strides alone.

    Args:
        what: Whose tensors they are, for messages.
        networks: By their titles.
        state: The tensors, by their names inside the network.
        heads: Names of tensors that follow each network.

    Returns:
        Titles; none if it is no network of these.

    Raises:
        UserError: The tensors are nearly those of one, but names are missing or too many.
    """
    fitting = {title: network for title, network in networks.items() if _kernels_fit(network, state)}
    wanted = {title: [*names(network), *heads] for title, network in fitting.items()}
    found = [title for title in fitting if set(wanted[title]) == state.keys()]
    if found or not fitting:
        return found
    alike = {title: len(state.keys() & of) / len(state.keys() | of) for title, of in wanted.items()}
    title = max(alike, key=lambda one: alike[one])
    if alike[title] >= _LIKE:
        missing = [name for name in wanted[title] if name not in state]
        extra = sorted(state.keys() - set(wanted[title]))
        refuse_names(f"{what} looks like {title} of pythae", missing, extra, "Save the model again.")
    return []


def names(network: Network) -> list[str]:
    """Return the names of a network's tensors, in the order of its layers."""
    return [name for step in network for name in _tensors(step)]


def layers(network: Network, state: State) -> list[Layer]:
    """Return a network's layers with the inputs and outputs that its tensors have."""
    made: list[Layer] = []
    width = 0
    for step in network:
        made.append(_filled(step, state, width))
        width = made[-1].outputs or width
    return made


def _tensors(step: Step) -> list[str]:
    if not step.name:
        return []
    if step.layer.kind == "batch-norm":
        return [f"{step.name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    weighted = [f"{step.name}.{place}" for place, _ in _inner(step)] or [step.name]
    return [f"{name}.{part}" for name in weighted for part in ("weight", "bias")]


def _inner(step: Step) -> list[tuple[int, Layer]]:
    """Return the convolutions inside a block, with their places in it."""
    return [(place, layer) for place, layer in enumerate(step.layer.inner) if layer.kind == "conv"]


def _kernels_fit(network: Network, state: State) -> bool:
    """Tell whether the tensors that are there have the dimensions and kernels of a network's."""
    parts = [
        part
        for step in network
        if step.name
        for part in ([Step(f"{step.name}.{place}", one) for place, one in _inner(step)] or [step])
    ]
    return all(
        weight.shape[2:] == _kernel(part.layer) and weight.ndim == _rank(part.layer)
        for part in parts
        if (weight := state.get(f"{part.name}.weight")) is not None
    )


def _rank(layer: Layer) -> int:
    return {"linear": 2, "batch-norm": 1}.get(layer.kind, 4)


def _kernel(layer: Layer) -> tuple[int, ...]:
    return (layer.kernel, layer.kernel) if _rank(layer) == 4 else ()


def _filled(step: Step, state: State, width: int) -> Layer:
    layer = step.layer
    if layer.kind == "view":
        return layer.model_copy(update={"outputs": width // layer.kernel**2})
    if layer.kind == "residual":
        inner = [
            _filled(Step(f"{step.name}.{place}" if one.kind == "conv" else "", one), state, 0)
            for place, one in enumerate(layer.inner)
        ]
        return layer.model_copy(update={"inner": tuple(inner)})
    if not step.name:
        return layer
    shape = state[f"{step.name}.weight"].shape
    if layer.kind == "batch-norm":
        return layer.model_copy(update={"outputs": shape[0]})
    inputs, outputs = shape[:2] if layer.kind == "conv-transpose" else (shape[1], shape[0])
    return layer.model_copy(update={"inputs": inputs, "outputs": outputs})
