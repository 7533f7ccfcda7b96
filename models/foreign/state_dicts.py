"""State dicts of decoders that people have, recognised by their names and shapes alone.

- DCGAN's generator as the PyTorch examples write it (Radford et al., 2015, arXiv:1511.06434): a sequence of transposed
  convolutions with batch normalisation and ReLU between them, tanh at the end.
- The residual generators of mimicry (Lee & Town, 2020, arXiv:2005.02494), which are those of SNGAN (Miyato et al.,
  2018, arXiv:1802.05957, table 3).

A file is opened with `weights_only`, so a pickle cannot run anything; one that would have to is refused. So is one
that would become larger in memory than on the disk.
"""

import itertools
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import ValidationError
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from models.errors import UserError
from models.foreign.configs import Layer
from models.tables import Table

ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
_LARGEST = 2 * 2**30  # bytes
# What torch's reader says of a class or a function that it would have to run, or of a pickle that no `torch.save` wrote
# (149: the frame that those of newer protocols begin with). A file that is damaged gets other words.
_PROGRAM = re.compile(r"GLOBAL |unrecognized function|add_safe_globals|Unsupported operand 149\b")
_WRAPPERS = ("state_dict", "model_state_dict", "generator", "netG", "ema", "model")
COUNTER = "num_batches_tracked"

State = dict[str, Tensor]
# A recogniser returns the layers of a decoder and the names of its tensors in their order, or None.
Recogniser = Callable[[State], "tuple[list[Layer], list[str]] | None"]


def read(path: Path) -> State:
    """Read the tensors of a file by their names, in single precision.

    Raises:
        UserError: It is none, damaged, too large here or in memory, or a pickle that would have to run code.
    """
    check_size(path)
    try:
        loaded: Any = load_file(path) if path.suffix.lower() == ".safetensors" else _load(path)
        return {key: value.float() for key, value in _unwrapped(path, loaded).items()}
    except UserError:
        raise
    except Exception as error:  # of pickle, torch and safetensors, whose classes vary
        if isinstance(error, pickle.UnpicklingError) and _PROGRAM.search(str(error)):
            problem = (
                f"{path.name} holds more than tensors: to open it, a program in it would have to be run."
            )
            remedy = "Save the state dict alone: torch.save(net.state_dict(), ...)."
            raise UserError("pickle-refused", problem, remedy) from error
        problem = f"{path.name} cannot be read as weights."
        raise UserError(
            "bad-weights", problem, "It is damaged or of another format: copy it again."
        ) from error


def check_size(path: Path) -> None:
    """Raise UserError if a file is too large to be opened."""
    if path.stat().st_size > _LARGEST:
        problem = (
            f"{path.name} has {path.stat().st_size / 2**30:.1f} GB; {_LARGEST // 2**30} GB are taken at most."
        )
        raise UserError("too-large", problem, "Save the generator alone.")


def _load(path: Path) -> object:
    if zipfile.is_zipfile(path):
        _check_stored(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unusual pickles, which are refused or not
        return torch.load(path, map_location="cpu", weights_only=True)


def _check_stored(path: Path) -> None:
    """Raise UserError if a zip unpacks to more than its size, which torch would do: `torch.save` never compresses."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        problem = f"{path.name} is compressed, so it may become much larger when it is opened."
        raise UserError("too-large", problem, "Save it with torch.save(net.state_dict(), ...).")


def _unwrapped(path: Path, loaded: Any) -> State:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):  # pyright: ignore
            loaded = cast(Any, loaded)[wrapper]
            break
    items = cast(Mapping[Any, Any], loaded if isinstance(loaded, Mapping) else {})
    state = {str(key): value for key, value in items.items() if _is_plain(value)}
    if not state or len(state) < len(items):
        raise UserError(
            "no-state-dict",
            f"{path.name} is no state dict.",
            "Save it so: torch.save(net.state_dict(), ...).",
        )
    # A tensor may show the same few bytes again and again (a stride of 0), and be copied in full later.
    if sum(tensor.numel() for tensor in state.values()) > path.stat().st_size:
        problem = f"{path.name} has tensors with more numbers than it has bytes."
        raise UserError("too-large", problem, "Save contiguous tensors: value.clone() of each.")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _is_plain(value: Any) -> bool:
    """Tell whether something is a tensor of real numbers in memory, and has some."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_complex()
        and value.numel() > 0
    )


def recognise(name: str, state: State) -> tuple[str, list[Layer], list[Tensor]]:
    """Return what a state dict is of, its layers, and its tensors in their order.

    Raises:
        UserError: It is of nothing that is known; or names are missing or too many, which are listed.
    """
    kept = {key: value for key, value in state.items() if not key.endswith(COUNTER)}
    for title, recogniser in RECOGNISERS.items():
        try:
            found = recogniser(kept)
        except ValidationError as error:
            problem = f"{name} looks like {title}, but has a layer that is too large to be taken."
            raise UserError(
                "no-decoder", problem, "Export it as ONNX, which is taken from any framework."
            ) from error
        if found is None:
            continue
        layers, names = found
        missing, extra = [key for key in names if key not in kept], sorted(kept.keys() - set(names))
        remedy = "Save the generator's whole state dict, and it alone."
        refuse_names(f"{name} looks like {title}", missing, extra, remedy)
        return title, layers, [kept[key] for key in names]
    known = ", ".join(RECOGNISERS)
    problem = f"{name} is of no decoder that is known by its tensors' names; these are: {known}."
    raise UserError("not-recognised", problem, "Export it as ONNX, which is taken from any framework.")


def refuse_names(what: str, missing: Sequence[str], extra: Sequence[str], remedy: str) -> None:
    """Raise UserError with a list of the names that a state dict lacks, and has too many, if there are any."""
    if missing or extra:
        told = [f"Missing: {', '.join(missing)}."] if missing else []
        told += [f"Not expected: {', '.join(extra)}."] if extra else []
        problem = f"{what}, but its tensors do not fit. {' '.join(told)}"
        raise UserError("weights-do-not-fit", problem, remedy)


def _dcgan(state: State) -> tuple[list[Layer], list[str]] | None:
    pattern = re.compile(r"(?P<prefix>(?:.*\D)?)(?P<index>0|[1-9][0-9]{0,3})\.weight")
    matches = [match for key in state if (match := pattern.fullmatch(key))]
    if not matches or len({match["prefix"] for match in matches}) > 1:
        return None
    prefix = matches[0]["prefix"]
    places = sorted(int(match["index"]) for match in matches)
    weights = {place: state[f"{prefix}{place}.weight"] for place in places}
    if weights[places[0]].ndim != 4 or any(w.ndim != 1 and w.shape[2:] != (4, 4) for w in weights.values()):
        return None
    layers: list[Layer] = []
    names: list[str] = []
    for place, following in itertools.zip_longest(places, places[1:]):
        weight, here = weights[place], f"{prefix}{place}"
        if weight.ndim == 4:
            bias = f"{here}.bias" in state
            first = not layers
            layers.append(
                Layer(
                    kind="conv-transpose", inputs=weight.shape[0], outputs=weight.shape[1],
                    kernel=weight.shape[2], stride=1 if first else 2, padding=0 if first else 1, bias=bias,
                )
            )  # fmt: skip
            names += [f"{here}.weight", *([f"{here}.bias"] if bias else [])]
        else:
            layers.append(Layer(kind="batch-norm", outputs=len(weight)))
            names += [f"{here}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        if following is None:
            layers.append(Layer(kind="tanh"))
        elif weights[following].ndim == 4:
            layers.append(Layer(kind="relu"))
    return layers, names


def _mimicry(state: State) -> tuple[list[Layer], list[str]] | None:
    if "l1.weight" not in state or "block2.c1.weight" not in state:
        return None
    numbers = sorted(
        {int(match[1]) for key in state if (match := re.match(r"block([1-9][0-9]{0,3})\.", key))}
    )
    blocks = [f"block{number}" for number in numbers]
    last = f"{numbers[-1] + 1}"
    wide = max(1, _shape(state, "block2.c1.weight")[1])
    features, dim = _shape(state, "l1.weight")
    side = max(1, round((features / wide) ** 0.5))
    layers = [
        Layer(kind="linear", inputs=dim, outputs=features),
        Layer(kind="view", outputs=wide, kernel=side),
    ]
    names = ["l1.weight", "l1.bias"]
    for block in blocks:
        layer, own = _residual(block, state)
        layers.append(layer)
        names += own
    if f"c{last}.weight" not in state:
        return layers, [*names, f"c{last}.weight"]
    channels, width = _shape(state, f"c{last}.weight")
    layers += [
        Layer(kind="batch-norm", outputs=width),
        Layer(kind="relu"),
        Layer(kind="conv", inputs=width, outputs=channels, kernel=3, padding=1),
        Layer(kind="tanh"),
    ]
    return layers, [*names, *_normal(f"b{last}"), f"c{last}.weight", f"c{last}.bias"]


def _residual(block: str, state: State) -> tuple[Layer, list[str]]:
    """Return a block that doubles the side: both ways are enlarged before they are convolved."""
    outputs, inputs = _shape(state, f"{block}.c1.weight")
    own = Layer(
        kind="residual",
        inner=(
            Layer(kind="batch-norm", outputs=inputs),
            Layer(kind="relu"),
            Layer(kind="upsample"),
            Layer(kind="conv", inputs=inputs, outputs=outputs, kernel=3, padding=1),
            Layer(kind="batch-norm", outputs=outputs),
            Layer(kind="relu"),
            Layer(kind="conv", inputs=outputs, outputs=outputs, kernel=3, padding=1),
        ),
        shortcut=(Layer(kind="upsample"), Layer(kind="conv", inputs=inputs, outputs=outputs)),
    )
    names = [
        *_normal(f"{block}.b1"),
        *_biased(f"{block}.c1"),
        *_normal(f"{block}.b2"),
        *_biased(f"{block}.c2"),
        *_biased(f"{block}.c_sc"),
    ]
    return own, names


def _shape(state: State, name: str) -> tuple[int, int]:
    weight = state.get(name)
    return (1, 1) if weight is None or weight.ndim < 2 else (weight.shape[0], weight.shape[1])


def _biased(name: str) -> Iterator[str]:
    yield from (f"{name}.weight", f"{name}.bias")


def _normal(name: str) -> Iterator[str]:
    yield from (f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))


RECOGNISERS = Table[Recogniser](
    "state dict", {"a DCGAN generator": _dcgan, "a residual generator of mimicry": _mimicry}
)
