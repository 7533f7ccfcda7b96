"""Validated values: what a model is, how it is trained, what is asked of it. Torch-free.

Everything here is frozen; models, trainings and requests are hashable too, so that one can be a cache key, a test
case and (without private data) a link.
"""

import math
import re
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from models.errors import UserError
from models.values import Value, parse as parse

Size = Literal[16, 32, 64]
Channels = Literal[1, 3]
Network = Literal["mlp", "conv"]


# Models ----------------------------------------------------------------------------------------------------


class ModelConfig(Value):
    """What every network needs to know of the images that it reads or makes."""

    family: str
    size: Size
    channels: Channels
    network: Network = Field(default="conv", description="Dense (mlp) or convolutional (conv) layers")
    width: int = Field(
        default=32, ge=4, le=512, description="Channels of the highest-resolution layer of each network"
    )

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        return (self.channels, self.size, self.size)


class GeneratorConfig(ModelConfig):
    """A model with a latent space: it decodes latents to images."""

    latent_dim: int = Field(default=32, ge=1, le=1024, description="Dimensions of the latent space")
    classes: int = Field(
        default=0, ge=0, le=1000, description="Labels that it is conditioned on; 0: unconditional"
    )

    detail: int = Field(
        default=16,
        ge=0,
        le=256,
        description="Channels at full resolution; 0: pixels straight from the layer below",
    )

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if self.family.startswith("c") != (self.classes > 0):
            raise ValueError(f"family '{self.family}' does not go with {self.classes} classes")
        return self


class AutoencoderConfig(GeneratorConfig):
    """An autoencoder or a VAE, conditional (`cvae`) or not."""

    family: Literal["ae", "vae", "cvae"] = "vae"  # pyright: ignore[reportIncompatibleVariableOverride]
    likelihood: str = Field(
        default="gaussian-optimal", description="p(x|z): how a decoded mean is compared to an image"
    )


class GanConfig(GeneratorConfig):
    """A GAN, conditional (`cgan`) or not."""

    family: Literal["gan", "cgan"] = "gan"  # pyright: ignore[reportIncompatibleVariableOverride]
    latent_dim: int = Field(default=64, ge=1, le=1024, description="Dimensions of the latent space")


class Head(Value):
    """One thing that a classifier predicts: a categorical attribute, or a continuous one in [low, high]."""

    name: str
    values: tuple[str, ...] = Field(
        default=(), description="Names of the categories; empty for a continuous attribute"
    )
    low: float = 0.0
    high: float = 1.0


class ClassifierConfig(ModelConfig):
    """A small classifier, with one output head for each attribute; its features serve the metrics."""

    family: Literal["classifier"] = "classifier"  # pyright: ignore[reportIncompatibleVariableOverride]
    network: Literal["conv"] = "conv"  # pyright: ignore[reportIncompatibleVariableOverride]
    heads: tuple[Head, ...] = Field(min_length=1)
    feature_dim: int = Field(default=128, ge=8, le=1024, description="Length of the feature vector")


# Training --------------------------------------------------------------------------------------------------


def _names(value: object) -> object:
    """Read names given as text, separated by commas, as `--set` gives them."""
    return (
        tuple(name for name in value.split(",") if name and name != "none")
        if isinstance(value, str)
        else value
    )


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class TrainingConfig(Value):
    """What every training recipe needs."""

    batch_size: int = Field(default=64, ge=2, le=4096, description="Images a step")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Adam's step size at the start")
    final_learning_rate: float = Field(
        default=0.25, ge=0, le=1, description="Share of it that is left at the end (cosine)"
    )
    ema_images: float = Field(
        default=40_000, ge=0, description="Half-life of the averaged weights, in images; 0: none"
    )


class AutoencoderTraining(TrainingConfig):
    """How an autoencoder is trained."""

    batch_size: int = Field(default=128, ge=2, le=4096, description="Images a step")
    objective: str = Field(default="elbo", description="What is minimised")
    beta: float = Field(
        default=4.0, ge=0, le=1000, description="Weight of the KL term, where the objective is beta"
    )
    warmup: float = Field(
        default=0.05, ge=0, le=1, description="Share of the training over which the KL term fades in"
    )

    @model_validator(mode="before")
    @classmethod
    def _beta_means_beta(cls, data: Any) -> Any:
        # Who sets beta wants it to count: alone it would be ignored by the plain ELBO.
        if isinstance(data, dict) and "beta" in data and "objective" not in data:
            return {**cast(dict[str, Any], data), "objective": "beta"}
        return cast(Any, data)


class GanTraining(TrainingConfig):
    """How a GAN is trained."""

    batch_size: int = Field(default=32, ge=2, le=4096, description="Images a step")
    learning_rate: float = Field(default=6e-4, gt=0, le=1, description="Adam's step size at the start")
    beta1: float = Field(default=0.0, ge=0, lt=1, description="Adam's first decay rate")
    beta2: float = Field(default=0.99, gt=0, lt=1, description="Adam's second decay rate")
    loss: str = Field(default="relativistic", description="What generator and discriminator play for")
    penalty: str = Field(
        default="r1r2", description="Zero-centred gradient penalty on real (r1) and fake (r2) images"
    )
    gamma: float | None = Field(
        default=None, ge=0, description="Weight of the penalty; none: 1 for each 1,024 pixel values"
    )
    final_gamma: float = Field(
        default=0.3, gt=0, le=1, description="Share of gamma that is left at the end (geometric)"
    )
    penalty_interval: int = Field(
        default=4, ge=1, le=64, description="Steps between penalties, weighted accordingly"
    )
    penalty_dense_steps: int = Field(default=300, ge=0, description="Steps at the start with a penalty each")
    augment: Names = Field(default=(), description="DiffAugment operations on what the discriminator sees")


class ClassifierTraining(TrainingConfig):
    """How a classifier is trained."""

    batch_size: int = Field(default=128, ge=2, le=4096, description="Images a step")
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="Adam's step size at the start")
    final_learning_rate: float = Field(
        default=0.01, ge=0, le=1, description="Share of it that is left at the end (cosine)"
    )
    ema_images: float = Field(
        default=20_000, ge=0, description="Half-life of the averaged weights, in images; 0: none"
    )
    shift: int = Field(
        default=2, ge=0, le=8, description="Random shifts of the training images, in pixels each way"
    )
    flip: bool = Field(default=False, description="Random mirror images, left to right")
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the target spread over all classes"
    )
    weight_decay: float = Field(default=0.02, ge=0, le=1, description="AdamW's decoupled weight decay")


class Budget(Value):
    """How long to train: a number of seconds or of steps."""

    seconds: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.seconds is None) == (self.steps is None):
            raise ValueError("a budget is either seconds or steps")
        return self

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read `90s`, `5m`, `2h`, `5000-steps` or `20k-steps`; raises UserError."""
        match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)(s|m|h|-steps|k-steps|M-steps)", text.strip())
        if not match or not float(match[1]):
            raise UserError(
                "bad-budget",
                f"'{text}' is not a training budget.",
                "Give a time or a number of steps above zero, such as 90s, 5m, 2h or 20k-steps.",
            )
        unit = {"s": 1, "m": 60, "h": 3600, "-steps": 1, "k-steps": 1000, "M-steps": 1_000_000}[match[2]]
        amount = float(match[1]) * unit
        return cls(seconds=amount) if match[2] in "smh" else cls(steps=max(1, round(amount)))

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the budget that is used, in [0, 1]."""
        used = step / self.steps if self.steps else seconds / (self.seconds or math.inf)
        return min(1.0, used)

    def __str__(self) -> str:
        return f"{self.steps}-steps" if self.steps else f"{self.seconds:g}s"


class RunConfig(Value):
    """Everything that defines a training run: with a step budget on a CPU, the same weights each time."""

    model: dict[str, Any]
    training: dict[str, Any]
    dataset: str
    name: str = Field(
        default="",
        max_length=100,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$",
        description="Id of the checkpoint; empty: the data set and the family",
    )
    preset: str = "quick"
    seed: int = Field(default=0, ge=0, lt=2**31)
    budget: Budget
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    @model_validator(mode="after")
    def _names_a_family(self) -> Self:
        if not isinstance(self.model.get("family"), str):
            raise ValueError("the model names no family")
        return self


# Requests --------------------------------------------------------------------------------------------------

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Truncation = Annotated[float, Field(ge=0, le=2)]
Coordinate = Annotated[float, Field(ge=-100, le=100)]
MAX_NEIGHBOURS = 20_000  # real images in the answer to one request


def default_label(seed: int, classes: int) -> int:
    """Return the label that a seed gets where none is chosen: one class for each run of eight seeds.

    A sheet of eight columns that starts at seed 0 then shows one class a row.
    """
    return seed // 8 % classes


class Point(Value):
    """A place in latent space: what a seed draws from the prior, with some coordinates then set by hand.

    Args:
        seed: Draws z from the prior.
        latent: z itself, where no seed draws it: an encoded image, a sum of points; empty otherwise.
        truncation: psi, scales z towards the mean.
        axes: The directions along which `edits` are meant, a name in `models.directions.DIRECTIONS`.
        edits: (direction, coordinate) pairs; a coordinate is in prior standard deviations.
        label: Class, for conditional models.
    """

    seed: Seed = 0
    latent: tuple[Coordinate, ...] = Field(default=(), max_length=1024)
    truncation: Truncation = 1.0
    axes: str = "raw"
    edits: tuple[tuple[Annotated[int, Field(ge=0)], Coordinate], ...] = ()
    label: Annotated[int, Field(ge=0)] | None = None


class Sample(Value):
    """Samples of the prior: the points of `count` seeds from `seed` on."""

    op: Literal["sample"] = "sample"
    seed: Seed = 0
    count: int = Field(default=64, ge=1, le=100_000)
    truncation: Truncation = 1.0
    label: Annotated[int, Field(ge=0)] | None = None


class Decode(Value):
    """The pictures of some points; gives their coordinates along the axes too."""

    op: Literal["decode"] = "decode"
    points: tuple[Point, ...] = Field(min_length=1, max_length=4096)


class Traverse(Value):
    """Walks through a point along single directions: one row for each direction, `steps` pictures in each."""

    op: Literal["traverse"] = "traverse"
    point: Point
    directions: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=64)
    steps: int = Field(default=9, ge=2, le=64)
    span: float = Field(default=3.0, gt=0, le=10, description="Coordinates run from -span to span")


class Interpolate(Value):
    """A path through points, in `frames` pictures."""

    op: Literal["interpolate"] = "interpolate"
    points: tuple[Point, ...] = Field(min_length=2, max_length=64)
    frames: int = Field(default=60, ge=2, le=2000)
    method: str = Field(default="slerp", description="A name in `models.plans.ROUTES`")


class Grid(Value):
    """The plane of two directions through a point: `steps` x `steps` pictures, row by row, the top row first.

    Columns are coordinates of the first direction, growing to the right; rows are those of the second, growing
    upwards. Both run from -span to span: in equal steps, or in equal shares of the prior's probability.
    """

    op: Literal["grid"] = "grid"
    point: Point = Point()
    directions: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 1)
    steps: int = Field(default=15, ge=2, le=64)
    span: float = Field(default=3.0, gt=0, le=10)
    spacing: Literal["linear", "quantile"] = "linear"

    @model_validator(mode="after")
    def _spans_a_plane(self) -> Self:
        if self.directions[0] == self.directions[1]:
            raise ValueError("a plane needs two different directions")
        return self


class Analogy(Value):
    """Arithmetic on points: a - b + c, approached from a; the picture has the class of a.

    `strength` is the share of the way from a to a - b + c: 0 stays at a, 1 is the sum, more goes beyond it.
    """

    op: Literal["analogy"] = "analogy"
    a: Point
    b: Point
    c: Point
    strength: float = Field(default=1.0, ge=-2, le=2)
    method: Literal["lerp", "slerp"] = "lerp"


class Directions(Value):
    """The directions of a model: unit vectors, what each accounts for and, of attributes, names and scores."""

    op: Literal["directions"] = "directions"
    axes: str


BlobRef = Annotated[str, Field(pattern=r"^blob:[0-9a-f]{64}$")]  # see models.blobs; never part of a link
Label = Annotated[int, Field(ge=0)]


class Encode(Value):
    """What an encoder makes of an image: input, reconstruction, difference; the latent is the posterior mean."""

    op: Literal["encode"] = "encode"
    image: BlobRef
    label: Label | None = Field(default=None, description="None: the class that reconstructs it best")


class Invert(Value):
    """The latent whose picture comes nearest to an image, found by optimisation; pictures as for `Encode`."""

    op: Literal["invert"] = "invert"
    image: BlobRef
    steps: int = Field(default=150, ge=1, le=5000)
    restarts: int = Field(default=8, ge=1, le=64)
    seed: Seed = 0
    label: Label | None = Field(default=None, description="None: the class that comes nearest")


class Nearest(Value):
    """The k nearest training images of each picture of another operation."""

    op: Literal["nearest"] = "nearest"
    of: Annotated[Decode | Sample | Interpolate, Field(discriminator="op")]
    k: int = Field(default=1, ge=1, le=16)
    space: Literal["features", "pixels", "latent"] = "features"

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.pictures * self.k > MAX_NEIGHBOURS:
            raise ValueError(f"at most {MAX_NEIGHBOURS:,} neighbours can be asked for at once")
        return self

    @property
    def pictures(self) -> int:
        """Number of pictures whose neighbours are asked for."""
        match self.of:
            case Decode():
                return len(self.of.points)
            case Sample():
                return self.of.count
            case Interpolate():
                return self.of.frames


class Codes(Value):
    """Where the encoder puts some training images: their posterior means, with labels."""

    op: Literal["codes"] = "codes"
    count: int = Field(default=2000, ge=1, le=100_000)


Operation = Annotated[
    Sample
    | Decode
    | Traverse
    | Interpolate
    | Grid
    | Analogy
    | Directions
    | Encode
    | Invert
    | Nearest
    | Codes,
    Field(discriminator="op"),
]


class RenderRequest(Value):
    """What is asked of a model, named by the digest of its weights."""

    model: str = Field(pattern=r"^[0-9a-f]{64}$")
    op: Operation
