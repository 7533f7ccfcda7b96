"""The families of models: one line each. Torch-free; networks and recipes are imported when they are needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pydantic.fields import FieldInfo

from models.config import (
    AutoencoderConfig,
    AutoencoderTraining,
    Budget,
    ClassifierConfig,
    ClassifierTraining,
    GanConfig,
    GanTraining,
    ModelConfig,
    TrainingConfig,
    VaeGanConfig,
    VaeGanTraining,
)
from models.errors import UserError
from models.foreign.configs import DiffusersConfig, LayeredAutoencoderConfig, LayersConfig, OnnxConfig
from models.tables import Table, nearest


@dataclass(frozen=True)
class Preset:
    """A named amount of training: a budget, and the options that go with it.

    Args:
        budget: As `Budget.parse` reads it.
        options: Values by name, where they are not the defaults.
        sizes: Further ones for images of some sizes.
        points: Those for points in the plane, in the place of `options`, besides `POINT_OPTIONS`.
        lesson: What it shows, one sentence, if it is there to show something and not to make the best model.
    """

    budget: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sizes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])
    points: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lesson: str = ""


@dataclass(frozen=True)
class Family:
    """A family of models.

    Args:
        title: Its name for people.
        config: What its networks can be.
        training: How it can be trained.
        model: `"module:attribute"`, a function of the config that builds the model.
        recipe: `"module:attribute"`, a class that trains it (`models.training.recipe.Recipe`).
        capabilities: What its models can do; see `models.core`. `invert`: they have a gradient to follow to an image.
        presets: Amounts of training by name.
        conditional: Whether it learns from labels and takes one when it decodes.
    """

    title: str
    config: type[ModelConfig]
    training: type[TrainingConfig]
    model: str
    recipe: str
    capabilities: frozenset[str]
    presets: Mapping[str, Preset]
    conditional: bool = False


@dataclass(frozen=True)
class Imported:
    """A kind of decoder that was made elsewhere.

    Args:
        title: Its name for people.
        config: What is known of it.
        open: `"module:attribute"`, a function of the catalog's entry and the file's content that returns the model.
        file: Name of the file with its weights in a checkpoint folder.
        capabilities: As those of a family.
    """

    title: str
    config: type[ModelConfig]
    open: str
    file: str
    capabilities: frozenset[str]


PRESETS = ("quick", "standard", "best")


def _lesson(base: Preset, options: Mapping[str, Any], sentence: str) -> Preset:
    """Return a preset with further options, for points too, that is there to show something."""
    return replace(base, options={**base.options, **options}, points=options, lesson=sentence)


# In a minute there are a few thousand steps where they are small: a narrow network and small batches, at a large rate.
# (Fashion-MNIST after a minute on one thread: 20.5 dB and 249 nats, against 19.4 dB and 260 with the other defaults.)
_QUICK_AE = Preset(
    "60s",
    {
        "width": 16, "detail": 8, "batch_size": 32, "learning_rate": 3e-3, "final_learning_rate": 0.05,
        "ema_images": 10_000,
    },
)  # fmt: skip
_AE_PRESETS = {"quick": _QUICK_AE, "standard": Preset("15k-steps"), "best": Preset("60k-steps")}
_VAE_PRESETS = {
    **_AE_PRESETS,
    "posterior-collapse": _lesson(
        Preset("60s"), {"objective": "beta", "beta": 1000.0, "warmup": 0.0},
        "Posterior collapse: the KL term weighs so much from the first step that latents say nothing of an image, "
        "and every reconstruction is the mean image (active_units falls to 0).",
    ),
    "free-bits": _lesson(
        Preset("60s"), {"objective": "free-bits", "free_bits": 0.25},
        "Its cure: every latent dimension may use a quarter of a nat at no cost, and all of them do (active_units).",
    ),
}  # fmt: skip
# In a minute there are a few thousand steps: they are large, and the network is narrow, at 64 pixels still more so, so
# that there are enough of them.
_QUICK_GAN = Preset(
    "60s",
    {
        "width": 24,
        "learning_rate": 2e-3,
        "penalty_dense_steps": 100,
        "penalty_interval": 8,
        "ema_images": 5000,
    },
    {64: {"learning_rate": 1e-3, "width": 16}},
)
_VAEGAN_PRESETS = {"quick": _QUICK_GAN, "standard": Preset("20k-steps"), "best": Preset("100k-steps")}
_GAN_PRESETS = {
    **_VAEGAN_PRESETS,
    "collapse": _lesson(
        _QUICK_GAN, {"loss": "nonsaturating", "penalty": "none"},
        "Mode collapse: the non-saturating loss without a gradient penalty; on toy:grid25 the samples sit on a "
        "few of its 25 modes (modes_covered).",
    ),
    "cure": _lesson(
        _QUICK_GAN, {"loss": "relativistic", "penalty": "r1r2"},
        "Its cure: real and fake images are judged in pairs, with gradient penalties on both; on toy:grid25 the "
        "samples reach most modes within a minute (modes_covered).",
    ),
}  # fmt: skip
_CLASSIFIER_PRESETS = {"quick": Preset("60s"), "standard": Preset("4k-steps"), "best": Preset("20k-steps")}

# Options that suit points in the plane, in the place of those of a preset, which suit images.
_POINT_MODEL = {"network": "mlp", "width": 8, "latent_dim": 2}
_POINT_GAN = {
    **_POINT_MODEL, "batch_size": 128, "learning_rate": 2e-3, "final_learning_rate": 0.05, "beta2": 0.9,
    "final_gamma": 0.1, "penalty_interval": 8,
}  # fmt: skip
POINT_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "ae": _POINT_MODEL, "vae": _POINT_MODEL, "cvae": _POINT_MODEL, "gan": _POINT_GAN, "cgan": _POINT_GAN,
}  # fmt: skip

FAMILIES = Table[Family](
    "family",
    {
        "ae": Family(
            "Autoencoder", AutoencoderConfig, AutoencoderTraining, "models.vae:Autoencoder",
            "models.vae:AutoencoderRecipe", frozenset({"decode", "encode", "invert"}), _AE_PRESETS,
        ),
        "vae": Family(
            "VAE", AutoencoderConfig, AutoencoderTraining, "models.vae:Autoencoder",
            "models.vae:AutoencoderRecipe", frozenset({"decode", "encode", "invert"}), _VAE_PRESETS,
        ),
        "cvae": Family(
            "Conditional VAE", AutoencoderConfig, AutoencoderTraining, "models.vae:Autoencoder",
            "models.vae:AutoencoderRecipe", frozenset({"decode", "encode", "invert", "label"}), _VAE_PRESETS, True,
        ),
        "gan": Family(
            "GAN", GanConfig, GanTraining, "models.gan:Gan", "models.gan:GanRecipe",
            frozenset({"decode", "invert", "score"}), _GAN_PRESETS,
        ),
        "cgan": Family(
            "Conditional GAN", GanConfig, GanTraining, "models.gan:Gan", "models.gan:GanRecipe",
            frozenset({"decode", "invert", "score", "label"}), _GAN_PRESETS, True,
        ),
        "vaegan": Family(
            "VAE-GAN", VaeGanConfig, VaeGanTraining, "models.vaegan:VaeGan", "models.vaegan:VaeGanRecipe",
            frozenset({"decode", "encode", "invert", "score"}), _VAEGAN_PRESETS,
        ),
        "classifier": Family(
            "Classifier", ClassifierConfig, ClassifierTraining, "models.classifier:Classifier",
            "models.classifier:ClassifierRecipe", frozenset({"classify", "features"}), _CLASSIFIER_PRESETS,
        ),
    },
)  # fmt: skip


IMPORTED = Table[Imported](
    "imported family",
    {
        "onnx": Imported(
            "ONNX decoder", OnnxConfig, "models.foreign.onnx_decoder:open_checkpoint", "model.onnx",
            frozenset({"decode"}),
        ),
        "layers": Imported(
            "Decoder of others", LayersConfig, "models.foreign.layers:open_checkpoint", "model.safetensors",
            frozenset({"decode", "invert"}),
        ),
        "layered-autoencoder": Imported(
            "Autoencoder of others", LayeredAutoencoderConfig, "models.foreign.layers:open_checkpoint",
            "model.safetensors", frozenset({"decode", "encode", "invert"}),
        ),
        "diffusers": Imported(
            "Autoencoder of diffusers", DiffusersConfig, "models.foreign.diffusers_model:open_checkpoint",
            "model.safetensors", frozenset({"decode", "encode", "invert"}),
        ),
    },
)  # fmt: skip


def kind_of(name: str) -> Family | Imported:
    """Return what is known of a family, one that trains here or one that comes from elsewhere; raises UserError."""
    return IMPORTED[name] if name in IMPORTED else FAMILIES[name]


def options(family: str) -> dict[str, FieldInfo]:
    """Return the options that `--set` takes for a family: name -> pydantic field."""
    entry = FAMILIES[family]
    fixed = {"family", "size", "channels", "classes", "heads"}  # given by the family and the data set
    fields = {**entry.config.model_fields, **entry.training.model_fields}
    return {name: info for name, info in fields.items() if name not in fixed}


def split_options(family: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort options into those of the model and those of its training; `none` is None where a field allows it.

    Raises:
        UserError: An option is unknown; the message suggests the nearest.
    """
    known = options(family)
    for name in given:
        if name not in known:
            raise UserError("unknown-option", f"'{family}' has no option '{name}'.", nearest(name, known))
    values = {name: _value(value, known[name].annotation) for name, value in given.items()}
    model = {k: v for k, v in values.items() if k in FAMILIES[family].config.model_fields}
    return model, {k: v for k, v in values.items() if k not in model}


def _value(value: Any, annotation: Any) -> Any:
    is_none = isinstance(value, str) and value.lower() == "none"
    return None if is_none and type(None) in get_args(annotation) else value


def preset(family: str, name: str, size: int) -> tuple[Budget, Mapping[str, Any]]:
    """Return the budget and the options of a family's preset; raises UserError if it has none.

    Args:
        family: A name in `FAMILIES`; for points one in `POINT_OPTIONS`.
        name: Of the preset.
        size: Of the images in pixels; 0 for points.
    """
    found = Table[Preset]("preset", dict(FAMILIES[family].presets))[name]
    if not size:
        return Budget.parse(found.budget), {**POINT_OPTIONS[family], **found.points}
    return Budget.parse(found.budget), {**found.options, **found.sizes.get(size, {})}


def lessons() -> dict[str, tuple[Preset, tuple[str, ...]]]:
    """Return the presets that are there to show something, by name, each with the families that have it."""
    found: dict[str, tuple[Preset, tuple[str, ...]]] = {}
    for family, entry in FAMILIES.items():
        for name, one in entry.presets.items():
            if one.lesson:
                found[name] = (one, (*found.get(name, (one, ()))[1], family))
    return found
