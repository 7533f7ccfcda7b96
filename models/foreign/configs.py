"""What is known of decoders that were made elsewhere. Torch-free."""

import math
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from models.config import GeneratorConfig
from models.values import Value

LARGEST_LATENT = 1024  # dimensions; that of `GeneratorConfig`


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
    view (to `outputs` channels of `kernel` x `kernel`), flatten (to one dimension), residual (`inner` plus `shortcut`
    of the same input; without a shortcut, plus the input itself).
    """

    model_config = ConfigDict(revalidate_instances="always")  # sizes are filled in by `model_copy`

    kind: Literal[
        "linear", "conv", "conv-transpose", "batch-norm", "relu", "leaky-relu", "tanh", "sigmoid", "upsample", "view",
        "flatten", "residual",
    ]  # fmt: skip
    inputs: int = Field(default=0, ge=0, le=262_144)
    outputs: int = Field(default=0, ge=0, le=262_144)
    kernel: int = Field(default=1, ge=1, le=512)
    stride: int = Field(default=1, ge=1, le=8)
    padding: int = Field(default=0, ge=0, le=64)
    output_padding: int = Field(
        default=0, ge=0, le=7, description="Of conv-transpose: rows added on one side"
    )
    bias: bool = True
    inner: tuple["Layer", ...] = Field(default=(), max_length=32)
    shortcut: tuple["Layer", ...] = Field(default=(), max_length=32)


class LayersConfig(ForeignConfig):
    """A decoder whose layers stand in its config, with its weights in a safetensors file."""

    family: Literal["layers"] = "layers"  # pyright: ignore[reportIncompatibleVariableOverride]
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=128)


class LayeredAutoencoderConfig(LayersConfig):
    """A decoder and an encoder whose layers stand in its config; latents follow N(0, I)."""

    family: Literal["layered-autoencoder"] = "layered-autoencoder"  # pyright: ignore[reportIncompatibleVariableOverride]
    prior: Literal["normal"] = "normal"  # pyright: ignore[reportIncompatibleVariableOverride]
    encoder: tuple[Layer, ...] = Field(min_length=1, max_length=128)
    features: int = Field(ge=1, le=262_144, description="Numbers that the encoder's layers make of an image")
    deterministic: bool = Field(default=False, description="It gives a code and no variance of it")


class DiffusersConfig(ForeignConfig):
    """An autoencoder of the library diffusers; a latent is its spatial one (C, h, w), flattened and standardised."""

    family: Literal["diffusers"] = "diffusers"  # pyright: ignore[reportIncompatibleVariableOverride]
    kind: Literal["AutoencoderTiny", "AutoencoderKL"]
    settings: dict[str, Any] = Field(description="The arguments of its class")
    centre: tuple[float, ...] = Field(description="Mean of each channel of its latents")
    spread: tuple[float, ...] = Field(description="Standard deviation of each channel of its latents")

    @model_validator(mode="after")
    def _check_latent(self) -> Self:
        if not self.centre or len(self.centre) != len(self.spread) or min(self.spread) <= 0:
            raise ValueError("every channel of the latents needs a mean and a positive standard deviation")
        if math.prod(self.latent_shape) != self.latent_dim:
            raise ValueError("its latents are no square with these channels")
        return self

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of a latent."""
        channels = len(self.centre)
        side = math.isqrt(self.latent_dim // channels)
        return channels, side, side
