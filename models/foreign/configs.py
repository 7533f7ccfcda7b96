"""What is known of decoders that were made elsewhere. Torch-free."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.config import GeneratorConfig
from models.values import Value


class ForeignConfig(GeneratorConfig):
    """A decoder that was made elsewhere: how it takes latents, and what its values mean."""

    family: str  # pyright: ignore[reportIncompatibleVariableOverride]
    size: int = Field(ge=4, le=512)  # pyright: ignore[reportIncompatibleVariableOverride]
    prior: Literal["normal", "uniform", "sphere"] = Field(
        default="normal",
        description="What it expects: N(0, I), uniform in [-1, 1], or directions of length sqrt(D)",
    )
    low: float = Field(default=-1.0, description="Value of a black pixel")
    high: float = Field(default=1.0, description="Value of a white pixel")
    latent_rank: Literal[2, 4] = Field(default=2, description="Dimensions of its input; 4: (B, D, 1, 1)")
    labels: tuple[str, ...] = Field(default=(), description="Names of the classes that it takes")

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if len(self.labels) != self.classes:
            raise ValueError("every class needs a name")
        if not self.low < self.high:
            raise ValueError("the value of a black pixel must be below that of a white one")
        return self


class OnnxConfig(ForeignConfig):
    """A decoder in an ONNX file."""

    family: Literal["onnx"] = "onnx"  # pyright: ignore[reportIncompatibleVariableOverride]
    layout: Literal["chw", "hwc", "hw", "flat"] = Field(
        default="chw", description="Order of the output's dimensions after the batch"
    )
    batch: int = Field(default=0, ge=0, description="Images that it makes at once; 0: any number")
    label: Literal["", "index", "one-hot"] = Field(default="", description="How it takes a class")

    @model_validator(mode="after")
    def _check_label(self) -> Self:
        if bool(self.label) != (self.classes > 0):
            raise ValueError("a label input and classes go together")
        return self


class Layer(Value):
    """One layer of a decoder; what a kind does not need is left at its default.

    Kinds: linear, conv, conv-transpose, batch-norm, relu, leaky-relu, tanh, sigmoid, upsample (bilinear, by two),
    view (to `outputs` channels of `kernel` x `kernel`), residual (`inner` plus `shortcut` of the same input).
    """

    kind: Literal[
        "linear", "conv", "conv-transpose", "batch-norm", "relu", "leaky-relu", "tanh", "sigmoid", "upsample", "view",
        "residual",
    ]  # fmt: skip
    inputs: int = Field(default=0, ge=0, le=65_536)
    outputs: int = Field(default=0, ge=0, le=65_536)
    kernel: int = Field(default=1, ge=1, le=64)
    stride: int = Field(default=1, ge=1, le=8)
    padding: int = Field(default=0, ge=0, le=64)
    bias: bool = True
    inner: tuple["Layer", ...] = Field(default=(), max_length=32)
    shortcut: tuple["Layer", ...] = Field(default=(), max_length=32)


class LayersConfig(ForeignConfig):
    """A decoder whose layers stand in its config, with its weights in a safetensors file."""

    family: Literal["layers"] = "layers"  # pyright: ignore[reportIncompatibleVariableOverride]
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=128)
