"""Validated values: what a model is, and how it is trained. Torch-free, frozen and hashable."""

import math
import re
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from models.errors import UserError
from models.values import MAX_SEED, Value, parse as parse

Size = Literal[0, 16, 32, 64]
Channels = Literal[1, 2, 3]
Network = Literal["mlp", "conv"]


# Models ----------------------------------------------------------------------------------------------------


class ModelConfig(Value):
    """What every network needs to know of the images that it reads or makes, or of the points."""

    family: str
    size: Size = Field(description="Height and width of an image, in pixels; 0: no image but a point")
    channels: Channels = Field(description="Colours of a pixel, 1 or 3; of a point its two coordinates")
    network: Network = Field(default="conv", description="Dense (mlp) or convolutional (conv) layers")
    width: int = Field(
        default=32, ge=4, le=512, description="Channels of the highest-resolution layer of each network"
    )

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        if (self.size == 0) != (self.channels == 2):
            raise ValueError(f"size {self.size} does not go with {self.channels} channels")
        if not self.size and self.network != "mlp":
            raise ValueError(f"network '{self.network}' is for images; points take network=mlp")
        return self

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Channels, height, width of one image; (2,) of a point."""
        return (self.channels, self.size, self.size) if self.size else (self.channels,)


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
    depth: int = Field(
        default=0,
        ge=0,
        le=8,
        description="Residual layers at each resolution of the decoder below the full one",
    )
    palette: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Colours that the decoder mixes a picture from, besides making it pixel by pixel",
    )

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if self.family.startswith("c") != (self.classes > 0):
            raise ValueError(f"family '{self.family}' does not go with {self.classes} classes")
        return self

    @model_validator(mode="after")
    def _check_layers(self) -> Self:
        if (self.depth or self.palette) and self.network != "conv":
            raise ValueError(f"depth and palette go with network=conv, not {self.network}")
        if self.palette and not self.detail:
            raise ValueError("a palette needs channels at full resolution, detail above 0")
        return self


Output = Literal["pixels", "logits"]


class EncodedConfig(GeneratorConfig):
    """A model with an encoder, and perhaps a prior that is fitted to its codes."""

    prior_fit: str = Field(
        default="none", description="What is fitted to the codes after training, for better samples"
    )
    prior_components: int = Field(default=10, ge=1, le=200, description="Gaussians, where prior_fit is gmm")


class AutoencoderConfig(EncodedConfig):
    """An autoencoder or a VAE, conditional (`cvae`) or not."""

    family: Literal["ae", "vae", "cvae"] = "vae"  # pyright: ignore[reportIncompatibleVariableOverride]
    likelihood: str = Field(
        default="gaussian-optimal", description="p(x|z): how a decoded mean is compared to an image"
    )

    @property
    def output(self) -> Output:
        """What the decoder puts out."""
        return "logits" if self.likelihood == "bernoulli" else "pixels"


def _number(value: object) -> object:
    """Read a number given as text, as `--set` gives it."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Packing = Annotated[Literal[1, 2, 4], BeforeValidator(_number)]


class DiscriminatorConfig(GeneratorConfig):
    """A model with a discriminator."""

    packing: Packing = Field(default=1, description="Images that the discriminator judges together")
    spectral_norm: bool = Field(
        default=False, description="Keep the discriminator's layers from amplifying anything more than once"
    )


class GanConfig(DiscriminatorConfig):
    """A GAN, conditional (`cgan`) or not."""

    family: Literal["gan", "cgan"] = "gan"  # pyright: ignore[reportIncompatibleVariableOverride]
    latent_dim: int = Field(default=64, ge=1, le=1024, description="Dimensions of the latent space")
    output: Output = Field(
        default="pixels",
        description="What the generator puts out: pixels or, squashed by a sigmoid, their logits",
    )
    mapping: int = Field(
        default=0,
        ge=0,
        le=8,
        description="Residual layers that bend the latent first, so that less lies between modes",
    )


class VaeGanConfig(DiscriminatorConfig, EncodedConfig):
    """A VAE whose decoder answers to a discriminator."""

    family: Literal["vaegan"] = "vaegan"  # pyright: ignore[reportIncompatibleVariableOverride]
    latent_dim: int = Field(default=64, ge=1, le=1024, description="Dimensions of the latent space")
    likelihood: ClassVar[str] = "gaussian-optimal"
    output: ClassVar[Output] = "pixels"


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
    network: Literal["conv"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default="conv", description="Convolutional layers"
    )
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


NEEDS_START: dict[str, JsonValue] = {"needs": "start"}
"""Marks an option that is of no use in a training that starts from random weights."""


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
    shift: int = Field(
        default=0, ge=0, le=8, description="Random shifts of the training images, in pixels each way"
    )
    crop: float = Field(
        default=0.0, ge=0, le=0.5, description="Random crops of the training images, up to this share smaller"
    )
    flip: bool = Field(default=False, description="Random mirror images, left to right")


class EncodedTraining(TrainingConfig):
    """How a model with an encoder is trained."""

    warmup: float = Field(
        default=0.05, ge=0, le=1, description="Share of the training over which the KL term fades in"
    )
    prior_steps: int = Field(
        default=1000, ge=1, le=100_000, description="Steps after the training, where prior_fit is flow"
    )

    def kl_share(self, progress: float) -> float:
        """Return how much of the KL term counts, in [0, 1], after a share of the training: it fades in."""
        return min(1.0, progress / self.warmup) if self.warmup else 1.0


# The objective that an option is for, if none is named.
_OBJECTIVE_OF = {
    "beta": "beta",
    "capacity": "capacity",
    "free_bits": "free-bits",
    "importance_samples": "iwae",
    "mmd_weight": "wae-mmd",
}


class AutoencoderTraining(EncodedTraining):
    """How an autoencoder is trained."""

    batch_size: int = Field(default=128, ge=2, le=4096, description="Images a step")
    objective: str = Field(default="elbo", description="What is minimised")
    beta: float = Field(
        default=4.0,
        ge=0,
        le=1000,
        description="Weight of the KL term, where the objective is beta; of the total correlation, where it is btc",
    )
    binarise: bool = Field(
        default=False,
        description="Learn from black and white images, each pixel drawn once by its grey value",
    )
    capacity: float = Field(
        default=25.0,
        ge=0,
        le=1000,
        description="Nats of the KL term at the end, where the objective is capacity",
    )
    capacity_weight: float = Field(
        default=1000.0, ge=0, le=1e6, description="What a nat away from the capacity costs"
    )
    capacity_ramp: float = Field(
        default=0.8, gt=0, le=1, description="Share of the training over which the capacity grows from zero"
    )
    free_bits: float = Field(
        default=0.25,
        ge=0,
        le=100,
        description="Nats that each dimension uses at no cost, where the objective is free-bits",
    )
    importance_samples: int = Field(
        default=8, ge=1, le=1000, description="Samples of each posterior, where the objective is iwae"
    )
    mmd_weight: float = Field(
        default=100.0,
        ge=0,
        le=1e6,
        description="Weight of the codes' distance from the prior, where the objective is wae-mmd",
    )

    @model_validator(mode="before")
    @classmethod
    def _option_means_objective(cls, data: Any) -> Any:
        # Who sets beta wants it to count: alone it would be ignored by the plain ELBO.
        given = cast(dict[str, Any], data) if isinstance(data, dict) else {}
        meant = [objective for option, objective in _OBJECTIVE_OF.items() if option in given]
        return {**given, "objective": meant[0]} if meant and "objective" not in given else cast(Any, data)


class AdversarialTraining(TrainingConfig):
    """How networks are trained that a discriminator judges."""

    batch_size: int = Field(default=32, ge=2, le=4096, description="Images a step")
    learning_rate: float = Field(default=6e-4, gt=0, le=1, description="Adam's step size at the start")
    beta1: float = Field(default=0.0, ge=0, lt=1, description="Adam's first decay rate; SGD's momentum")
    beta2: float = Field(default=0.99, gt=0, lt=1, description="Adam's second decay rate")
    loss: str = Field(default="relativistic", description="What generator and discriminator play for")
    penalty: str = Field(
        default="r1r2",
        description="Gradient penalty: zero-centred on real (r1), fake (r2) or both; one-centred between them (gp)",
    )
    gamma: float | None = Field(
        default=None,
        ge=0,
        description="Weight of the penalty; none: 1 for each 1,024 pixel values, or 10 where it is gp",
    )
    final_gamma: float = Field(
        default=0.3, gt=0, le=1, description="Share of gamma that is left at the end (geometric)"
    )
    penalty_interval: int = Field(
        default=4, ge=1, le=64, description="Steps between penalties, weighted accordingly"
    )
    penalty_dense_steps: int = Field(default=300, ge=0, description="Steps at the start with a penalty each")
    optimizer: str = Field(default="adam", description="How the networks follow their gradients")
    weight_decay: float = Field(
        default=0.0, ge=0, le=1, description="Weight decay: Adam's is decoupled, SGD's is not"
    )
    discriminator_rate: float = Field(
        default=1.0, gt=0, le=100, description="Learning rate of the discriminator over that of the generator"
    )
    critic_steps: int = Field(
        default=1, ge=1, le=100, description="Steps of the discriminator for each of the generator"
    )
    head_start: int = Field(
        default=0, ge=0, description="Steps at the start in which only the discriminator learns"
    )
    augment: Names = Field(default=(), description="DiffAugment operations on what the discriminator sees")


class GanTraining(AdversarialTraining):
    """How a GAN is trained."""

    anchor: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="Weight of likeness, at 16 x 16 pixels, to what the start's decoder makes of the same latent",
        json_schema_extra=NEEDS_START,
    )


class VaeGanTraining(AdversarialTraining, EncodedTraining):
    """How a VAE-GAN is trained."""

    beta: float = Field(default=1.0, ge=0, le=1000, description="Weight of the KL term")
    feature_weight: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="What the decoder gives for likeness in the discriminator's features, next to deceiving it",
    )


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


class Start(Value):
    """The checkpoint whose weights a training begins with: its id, folder or commit on the Hub, and their digest."""

    model: str
    digest: str


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
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    start: Start | None = None
    budget: Budget
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    @model_validator(mode="after")
    def _names_a_family(self) -> Self:
        if not isinstance(self.model.get("family"), str):
            raise ValueError("the model names no family")
        return self
