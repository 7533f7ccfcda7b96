"""ONNX files of decoders: what is in them, and whether it may be opened.

A file is parsed, never run, until it has passed: its size, where its weights lie, and that all its operators are of
the ONNX standard (others would need a library of their author's). Weights that lie in files beside it are taken into
one file, if they lie in its folder.

Needs the packages of the extra `export`.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError, reason

if TYPE_CHECKING:
    import onnx

LARGEST = 512 * 2**20  # bytes of a file with all its weights
_STANDARD = ("", "ai.onnx")  # domains of operators
_SHAPING = ("Reshape", "Unsqueeze", "Squeeze", "Flatten", "Cast", "Identity")
_EXTRA = "Install the packages for it: pip install 'latent-explorer[export]'."


@dataclass(frozen=True)
class Port:
    """An input or an output.

    Args:
        name: In the graph.
        kind: Its numpy type, such as "float32".
        shape: A number, or None where any is possible, for each dimension.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} ({sizes})"


@dataclass(frozen=True)
class Graph:
    """What an ONNX file holds.

    Args:
        inputs: That have no value of their own.
        outputs: In their order.
        parameters: Numbers in its weights.
        metadata: Notes that its maker left in it.
        content: The whole of it, weights included.
        first: The affine map that the first input meets first, shape (out, D); None where there is no such layer.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    metadata: dict[str, str]
    content: bytes
    first: NDArray[np.float32] | None


def library(name: str) -> Any:
    """Import `onnx` or `onnxruntime`; raises UserError where it is not installed."""
    try:
        return __import__(name)
    except ImportError as error:
        problem = f"The package '{name}', which ONNX files need, is not installed."
        raise UserError("no-onnx", problem, _EXTRA) from error


def read(path: Path) -> Graph:
    """Read an ONNX file.

    Raises:
        UserError: It is none, damaged, too large, has weights outside its folder or operators that are not of the
            standard; or the package `onnx` is not installed.
    """
    _check_size(path.name, path.stat().st_size)
    onnx = library("onnx")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception as error:  # of protobuf, whose classes vary
        raise _unreadable(path.name) from error
    if not model.HasField("graph") or not model.graph.node:
        raise _unreadable(path.name)
    _check_operators(path.name, model)
    _gather(path, model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        problem = f"{path.name} is not a valid ONNX model: {reason(error)}"
        raise UserError("bad-onnx", problem, "Export it again.") from error
    return _graph(model)


def parse(name: str, content: bytes) -> Graph:
    """Read the content of an ONNX file that has its weights in itself; raises UserError as `read` does."""
    _check_size(name, len(content))
    onnx = library("onnx")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # of protobuf, whose classes vary
        raise _unreadable(name) from error
    _check_operators(name, model)
    if any(_elsewhere(tensor) for tensor in _tensors(model)):
        problem = f"{name} wants to read weights from other files."
        raise UserError("outside-weights", problem, "Import the original file again.")
    return _graph(model)


def _elsewhere(tensor: "onnx.TensorProto") -> bool:
    return bool(library("onnx.external_data_helper").external_data_helper.uses_external_data(tensor))


def _unreadable(name: str) -> UserError:
    return UserError("bad-onnx", f"{name} is not an ONNX file, or damaged.", "Export or copy it again.")


def _check_size(name: str, size: int) -> None:
    if size > LARGEST:
        problem = (
            f"{name} has {size / 2**20:,.0f} MB with its weights; {LARGEST // 2**20} MB are taken at most."
        )
        raise UserError("too-large", problem, "Export a smaller decoder, for example in half precision.")


def _check_operators(name: str, model: "onnx.ModelProto") -> None:
    own = {(function.domain, function.name) for function in model.functions}
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    if model.graph.sparse_initializer:
        problem = f"{name} has sparse weights, which are not taken."
        raise UserError("bad-onnx", problem, "Export it with dense weights.")
    used = {(node.domain, node.op_type) for body in bodies for node in _nodes(body)}
    foreign = sorted(f"{domain}.{kind}" for domain, kind in used - own if domain not in _STANDARD)
    if foreign:
        problem = f"{name} has operators that are not of the ONNX standard: {', '.join(foreign)}."
        raise UserError("custom-operators", problem, "Export it with standard operators only.")


def _nodes(nodes: "Iterable[onnx.NodeProto]") -> "Iterator[onnx.NodeProto]":
    """Yield nodes and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner.node)


def _gather(path: Path, model: "onnx.ModelProto") -> None:
    """Take weights that lie in other files into the model; raises UserError if they are too large or elsewhere."""
    helper = library("onnx.external_data_helper").external_data_helper
    tensors = [tensor for tensor in _tensors(model) if _elsewhere(tensor)]
    size = path.stat().st_size
    folder = path.parent.resolve()
    for tensor in tensors:
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = folder / place
        if not place or file.is_symlink() or not file.resolve().is_relative_to(folder):
            problem = f"{path.name} wants to read weights from outside its folder: '{place}'."
            raise UserError("outside-weights", problem, "Save it again with its weights in one file.")
        if not file.is_file():
            problem = f"{path.name} has its weights in '{place}', which is not there."
            raise UserError("no-weights", problem, f"Copy '{place}' into the same folder.")
        length = next((entry.value for entry in tensor.external_data if entry.key == "length"), "")
        size += int(length) if length.isdecimal() else file.stat().st_size  # several may share a file
    _check_size(path.name, size)
    for tensor in tensors:
        try:
            helper.load_external_data_for_tensor(tensor, str(folder))
        except Exception as error:  # of a length or an offset that does not fit the file
            raise _unreadable(path.name) from error
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]


def _tensors(model: "onnx.ModelProto") -> "Iterator[onnx.TensorProto]":
    """Yield all weights and constants, those of graphs inside nodes too."""
    yield from model.graph.initializer
    for body in (model.graph.node, *(function.node for function in model.functions)):
        for node in _nodes(body):
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t
                for inner in (attribute.g, *attribute.graphs):
                    yield from inner.initializer


def _graph(model: "onnx.ModelProto") -> Graph:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    inputs = tuple(_port(one) for one in model.graph.input if one.name not in constants)
    return Graph(
        inputs,
        tuple(_port(one) for one in model.graph.output),
        sum(math.prod(tensor.dims) for tensor in _tensors(model)),
        {entry.key: entry.value for entry in model.metadata_props},
        model.SerializeToString(),
        _first_layer(model, inputs[0].name if inputs else "", constants),
    )


def _port(value: "onnx.ValueInfoProto") -> Port:
    onnx = library("onnx")
    kind = value.type.tensor_type
    sizes = [
        size.dim_value if size.dim_value > 0 else None for size in kind.shape.dim
    ]  # some write -1 for any
    try:
        name = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    except (KeyError, TypeError, ValueError):
        name = "unknown"
    return Port(value.name, name, tuple(sizes))


def _first_layer(
    model: "onnx.ModelProto", name: str, constants: "dict[str, onnx.TensorProto]"
) -> NDArray[np.float32] | None:
    """Follow the latent through what only shapes it to the layer that it meets first, and return its weight."""
    for _step in range(len(model.graph.node)):
        users = [node for node in model.graph.node if name in node.input]
        if len(users) != 1:
            return None
        (node,) = users
        if node.op_type not in _SHAPING:
            return _weight(node, name, constants)
        name = node.output[0]
    return None


def _weight(
    node: "onnx.NodeProto", name: str, constants: "dict[str, onnx.TensorProto]"
) -> NDArray[np.float32] | None:
    if node.input[0] != name or len(node.input) < 2 or node.input[1] not in constants:
        return None
    onnx = library("onnx")
    weight = cast(NDArray[Any], onnx.numpy_helper.to_array(constants[node.input[1]])).astype(np.float32)
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    match node.op_type:
        case "Gemm":
            return weight if flags.get("transB") else np.ascontiguousarray(weight.T)
        case "MatMul" if weight.ndim == 2:
            return np.ascontiguousarray(weight.T)
        case "ConvTranspose" if not any(a.name == "group" and a.i != 1 for a in node.attribute):
            return np.ascontiguousarray(weight.reshape(len(weight), -1).T)
        case _:
            return None


def described(ports: Sequence[Port]) -> str:
    """Return inputs or outputs for people."""
    return ", ".join(map(str, ports)) or "none"
