"""A decoder in an ONNX file as a `LatentModel`, run by ONNX Runtime.

It has no gradient, so images cannot be inverted by it. SeFa takes the weight of its first layer where that is an
affine one, else the Jacobian of its pixels at the origin; GANSpace takes its pixels for features.
"""

from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from models.catalog import ModelInfo
from models.core import LatentModel
from models.errors import UserError, reason
from models.foreign.configs import OnnxConfig
from models.foreign.conventions import to_images, to_prior
from models.foreign.onnx_files import library, parse

_STEP = 0.1  # prior standard deviations, of the differences that make a Jacobian


class Runner:
    """An ONNX model as a function of arrays.

    Args:
        content: The file, with its weights.

    Raises:
        UserError: ONNX Runtime cannot run it, or is not installed.
    """

    def __init__(self, content: bytes) -> None:
        runtime = library("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of ONNX Runtime, which has a class for each reason
            raise _failed(error) from error
        self._inputs = [(one.name, _numpy_type(one.name, one.type)) for one in self._session.get_inputs()]

    def __call__(self, *arrays: NDArray[Any]) -> NDArray[np.float32]:
        """Return its first output for its inputs, which are converted to the types that it takes."""
        feed = {name: array.astype(kind) for (name, kind), array in zip(self._inputs, arrays, strict=True)}
        try:
            output = self._session.run(None, feed)[0]
        except Exception as error:  # of ONNX Runtime, which has a class for each reason
            raise _failed(error) from error
        return np.asarray(output, np.float32)


class OnnxDecoder(LatentModel):
    """A decoder.

    Args:
        config: How to call it.
        content: The file, with its weights.
        first: Weight that latents meet first, shape (out, D); None: the Jacobian at the origin is taken.

    Raises:
        UserError: ONNX Runtime cannot run it, or its output is not what the config says.
    """

    def __init__(self, config: OnnxConfig, content: bytes, first: NDArray[np.float32] | None = None) -> None:
        super().__init__(config)
        self._how = config
        self._runner = Runner(content)
        self._first = None if first is None else torch.tensor(first)
        self.eval()
        self.raw(torch.zeros(1, self.latent_dim), torch.zeros(1, dtype=torch.long))

    def decode(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Decode latents in prior standard deviations to images in [-1, 1]."""
        return to_images(self._how, self.raw(z, labels))

    def raw(self, z: Tensor, labels: Tensor | None = None) -> Float[Tensor, "batch channels height width"]:
        """Return the values that the decoder itself gives to pixels, for latents in prior standard deviations."""
        if self.classes and labels is None:
            raise ValueError("a conditional decoder needs labels")
        at_once = self._how.batch or max(1, len(z))
        made = [torch.empty(0, *self.sample_shape)]
        for start in range(0, len(z), at_once):
            part = slice(start, start + at_once)
            made.append(self._run(z[part], None if labels is None else labels[part]))
        return torch.cat(made).to(z.device)

    def first_layer(self) -> Float[Tensor, "out dim"]:
        """Return the weight that latents meet first, or the Jacobian of the pixels at the origin."""
        if self._first is None:
            steps = _STEP * torch.eye(self.latent_dim)
            labels = torch.zeros(self.latent_dim, dtype=torch.long)
            change = self.decode(steps, labels) - self.decode(-steps, labels)
            self._first = change.flatten(1).T / (2 * _STEP)
        return self._first

    def hidden(
        self, z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch features"]:
        """Return the pixels, shape (B, C * H * W): features between the layers are not to be had."""
        return self.decode(z, labels).flatten(1)

    def _run(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Decode at most a batch; one of a fixed size is filled up."""
        missing = max(0, self._how.batch - len(z))
        filled = torch.cat([z, z.new_zeros(missing, self.latent_dim)])
        given: list[NDArray[Any]] = [to_prior(self._how, filled).cpu().numpy()]
        if self.classes and labels is not None:
            given.append(self._labels(torch.cat([labels, labels.new_zeros(missing)])))
        return self._images(torch.as_tensor(self._runner(*given))[: len(z)])

    def _labels(self, labels: Tensor) -> NDArray[np.int64]:
        one_hot = self._how.label == "one-hot"
        return (torch.nn.functional.one_hot(labels, self.classes) if one_hot else labels).cpu().numpy()

    def _images(self, x: Tensor) -> Tensor:
        channels, height, width = self.sample_shape
        expected = {
            "chw": (channels, height, width),
            "hwc": (height, width, channels),
            "hw": (height, width),
            "flat": (channels * height * width,),
        }[self._how.layout]
        if tuple(x.shape[1:]) != expected:
            sizes = ", ".join(map(str, expected))
            problem = f"The decoder's output has the shape {tuple(x.shape)}, not (B, {sizes})."
            raise UserError("bad-output", problem, "Correct its description, and import it again.")
        if not x.isfinite().all():
            remedy = "Check the description of its prior and of its values, or export it again."
            raise UserError("bad-output", "The decoder's output has values that are no numbers.", remedy)
        return x.permute(0, 3, 1, 2) if self._how.layout == "hwc" else x.reshape(-1, channels, height, width)


def _numpy_type(name: str, described: str) -> Any:
    """Return the numpy type of ONNX Runtime's word for it, such as `tensor(float)`."""
    kind = described.removeprefix("tensor(").removesuffix(")")
    try:
        return np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    except TypeError as error:
        problem = f"The input '{name}' is of a type that is not taken: {described}."
        raise UserError("bad-onnx", problem, "Export it for inputs in single precision.") from error


def _failed(error: Exception) -> UserError:
    problem = f"ONNX Runtime cannot run the decoder: {reason(error)}"
    return UserError(
        "bad-onnx", problem, "Export it again, or check what its description says of its inputs."
    )


def open_checkpoint(info: ModelInfo, content: bytes) -> OnnxDecoder:
    """Open an imported decoder whose file has been verified."""
    return OnnxDecoder(cast(OnnxConfig, info.model), content, parse(info.id, content).first)
