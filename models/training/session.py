"""From what a person asks for (data set, family, preset, options) to a run, and from a run to a checkpoint."""

import math
import os
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import torch

from models import catalog, checkpoints, hub, paths
from models.catalog import Card, CheckpointConfig, Metric
from models.classifier import Classifier, heads_of
from models.config import NEEDS_START, Budget, ModelConfig, RunConfig, Start, TrainingConfig, parse
from models.core import parameter_count
from models.datasets import DatasetInfo, ImageData, begin as begin_data, info as info_of, load, resized, slug
from models.errors import UserError
from models.families import FAMILIES, POINT_OPTIONS, preset, split_options
from models.jobs import machine
from models.metrics import of_key as metric_of
from models.tables import Table
from models.training import augmentation
from models.training.loop import Progress, Trainer
from models.training.recipe import Recipe
from models.training.runs import Run
from models.training.speed import between

Device = Literal["auto", "cpu", "cuda", "mps"]

_FEW = 256  # images that a model which still trains is fitted to

# What a model has from the one that its training begins with.
_SHAPE = {"network", "width", "latent_dim", "detail", "depth", "palette", "mapping", "output", "feature_dim"}


@dataclass(frozen=True)
class Outcome:
    """What a training run came to.

    Args:
        run: Its folder.
        checkpoint: The folder of the model.
        steps: Taken in all.
        images: Seen in all, repeats counted.
        seconds: Spent on batches and steps in all.
        metrics: On held-out images.
        idle_share: See `models.training.speed.Speed`; of the time since the training began or was resumed.
        memory_mb: See there.
    """

    run: Path
    checkpoint: Path
    steps: int
    images: int
    seconds: float
    metrics: Mapping[str, float]
    idle_share: float
    memory_mb: float | None

    @property
    def images_per_s(self) -> float:
        """Images a second, over the time spent in steps."""
        return self.images / self.seconds if self.seconds else 0.0


def device(name: Device) -> torch.device:
    """Choose a device; raises UserError if the one that was asked for is not there."""
    here = devices()
    if name == "auto":
        return torch.device(next(iter(here)))
    if name not in here:
        raise UserError(
            "no-device", f"There is no '{name}' device here.", "Use --device auto or --device cpu."
        )
    return torch.device(name)


def devices() -> dict[str, str]:
    """Return the devices that are here, the fastest first: name -> what it is, with its memory."""
    found: dict[str, str] = {}
    if torch.cuda.is_available():
        memory = int(cast(Any, torch.cuda).get_device_properties(0).total_memory) / 2**30
        found["cuda"] = f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return {**found, "cpu": f"CPU, {machine.cores()} cores"}


def _defaults(info: DatasetInfo, family: str, preset_name: str) -> tuple[Budget, Mapping[str, Any]]:
    """Return the budget and the options of a preset for a data set."""
    if info.points and family not in POINT_OPTIONS:
        problem = f"'{family}' looks at images, and '{info.name}' holds points."
        raise UserError("no-images", problem, f"Use --model {' or '.join(POINT_OPTIONS)}.")
    return preset(family, preset_name, info.size)


def configure(
    dataset: str | DatasetInfo,
    family: str,
    *,
    preset_name: str = "quick",
    budget: Budget | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    where: Device = "auto",
    name: str = "",
    start: str = "",
) -> RunConfig:
    """Turn a request into a validated config, so that mistakes show before any image is loaded.

    Args:
        dataset: A name that `models.datasets.info` knows, or what it said of it.
        family: A name in `FAMILIES`.
        preset_name: Gives budget and options, which the arguments override.
        budget: When to stop.
        options: Values by name, of the model or of its training; strings are converted. `size` is that of the
            images where the data set leaves it open, as a folder does.
        seed: Of weights, order and steps.
        where: Device.
        name: Id of the checkpoint; by default the data set and the family.
        start: Id, folder or name on the Hub of a checkpoint whose weights the training begins with, and whose shape
            the model then has; empty: random weights.

    Raises:
        UserError: Something is unknown or does not go together.
    """
    asked = dict(options or {})
    size = asked.pop("size", None)
    named = resized(dataset, size) if isinstance(dataset, str) and size is not None else dataset
    info = info_of(named) if isinstance(named, str) else named
    entry = FAMILIES[family]
    standard, defaults = _defaults(info, family, preset_name)
    fields = entry.config.model_fields
    first = catalog.find(start) if start else None
    same = _SHAPE & fields.keys()
    shape = {name: getattr(first.model, name) for name in same if hasattr(first.model, name)} if first else {}
    given, training = split_options(family, {**defaults, **shape, **asked})
    fixed: dict[str, Any] = {"family": family, "size": info.size, "channels": info.channels}
    if entry.conditional:
        if not info.classes:
            problem = f"'{family}' learns from labels, but the data set '{info.name}' has none."
            raise UserError("no-labels", problem, f"Use --model {family.removeprefix('c')}.")
        fixed["classes"] = len(info.classes)
    if "likelihood" in fields:
        fixed["likelihood"] = info.likelihood
    if "heads" in fields:
        fixed["heads"] = [head.model_dump() for head in heads_of(info)]
    what = "The option set"
    model = parse(entry.config, {**fixed, **given}, what=what, code="bad-option")
    predicts = "heads" in fields
    if predicts and any("shift" in factor.moved_by for factor in info.factors):
        training = {"shift": 0, **training}  # the default would move what is to be predicted
    recipe = parse(entry.training, training, what=what, code="bad-option")
    augmentation.check(recipe, info, predicts)
    if not first:
        _check_needs(recipe)
    return RunConfig(
        model=model.model_dump(mode="json"),
        training=recipe.model_dump(mode="json"),
        dataset=info.name,
        name=name,
        preset=preset_name,
        seed=seed,
        start=Start(model=_lasting(start, first), digest=first.digest) if first else None,
        budget=budget or standard,
        device=where,
    )


def _lasting(name: str, found: catalog.ModelInfo) -> str:
    """Return the name of a model that also means it in another working directory, and later."""
    if name.startswith(hub.PREFIX):
        return str(hub.pinned(hub.address(name), found.path))
    return name if found.id == name else str(found.path.resolve())


def recipe_for(config: RunConfig) -> Recipe:
    """Build the recipe of a run, with weights drawn from its seed."""
    family = str(config.model["family"])
    entry = FAMILIES[family]
    model = parse(entry.config, config.model, what="The run's model")
    training = parse(entry.training, config.training, what="The run's training")
    kind = Table[Callable[[ModelConfig, TrainingConfig, torch.device], Recipe]](
        "recipe", {family: entry.recipe}
    )
    target = device(config.device)
    # torch's initialisers draw from the global generator: it is seeded for this block only.
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.manual_seed(config.seed)  # pyright: ignore[reportUnknownMemberType]
        try:
            return kind[family](model, training, target)
        except UserError:
            raise
        except torch.OutOfMemoryError as error:
            raise out_of_memory(config) from error


def begin(recipe: Recipe, config: RunConfig) -> None:
    """Give a recipe the weights that its run starts from, if it does; raises UserError if they do not fit."""
    if not config.start:
        _check_needs(recipe.config)
        return
    info = catalog.find(config.start.model)
    if info.digest != config.start.digest:
        problem = f"'{config.start.model}' is not what it was when this training was set up."
        raise UserError("start-changed", problem, "Set up a new one, or bring the former checkpoint back.")
    recipe.adopt(checkpoints.load(info))


def _check_needs(training: TrainingConfig) -> None:
    """Raise UserError if a training that starts from random weights has an option that means those of a model."""
    for name, field in type(training).model_fields.items():
        if field.json_schema_extra == NEEDS_START and getattr(training, name):
            problem = (
                f"The option '{name}' means the model that a training starts from, and this starts from none."
            )
            raise UserError("bad-option", problem, "Add --start MODEL, or leave the option out.")


def out_of_memory(config: RunConfig) -> UserError:
    """Word that a run does not fit into the GPU's memory, with half of its batch and width as a suggestion."""
    given = {**config.model, **config.training}
    halves = [f"{name}={given[name] // 2}" for name in ("batch_size", "width") if given.get(name, 0) >= 16]
    smaller = " and ".join(halves) or "a smaller model"
    problem = "The GPU has not enough free memory for this."
    return UserError("out-of-memory", problem, f"Try {smaller}, or train on the CPU.")


def new_run(config: RunConfig, out: Path | None) -> Run:
    """Make the folder of a new run: the given one, or a new one in the runs folder."""
    name = f"{slug(config.dataset)}-{config.model['family']}"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Run.create(out or paths.runs() / f"{name}-{stamp}-{os.getpid()}", config)


def data_of(config: RunConfig) -> tuple[ImageData, ImageData]:
    """Load what a training needs: training images, and some of them held out to validate on.

    The test images stay unseen, so that `evaluate` measures what no choice was made by. On the CPU, images that are
    drawn for the first time are drawn as they are used; elsewhere all lie on the device from the start.
    """
    where = begin_data if device(config.device).type == "cpu" else load
    return where(config.dataset, "train").split()


def train(
    run: Run,
    *,
    budget: Budget | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    data: tuple[ImageData, ImageData] | None = None,
) -> Outcome:
    """Train a run from where it stands to the end of its budget and write its checkpoint.

    Args:
        run: A new one, or one that was interrupted.
        budget: Overrides the run's.
        report: Called about once a second.
        stop: Asked after every step; True ends the training early, with a checkpoint.
        data: Training images and those to validate on, if they are loaded already; see `data_of`.
    """
    config = run.config()
    if budget:
        config = config.model_copy(update={"budget": budget})
        run.write_config(config)
    recipe = recipe_for(config)
    images, held_out = data or data_of(config)
    try:
        judge = judge_of(images.info, recipe)
        trainer = Trainer(recipe, images, held_out, run, config.budget, config.seed, judge)
        trainer.load()
        if not trainer.step:
            begin(recipe, config)
        start = trainer.mark()
        metrics = trainer.fit(report, stop, partial(_publish, trainer, config))
        speed = between(start, trainer.mark(), recipe.device)
        export(trainer, config, metrics)
        run.forget_live()
        images.finish(rest=trainer.share >= 1)
    except torch.OutOfMemoryError as error:
        raise out_of_memory(config) from error
    finally:
        images.finish(rest=False)
    return Outcome(
        run.folder, run.checkpoint, trainer.step, trainer.images, trainer.seconds, metrics,
        speed.idle_share, speed.memory_mb,
    )  # fmt: skip


def judge_of(data: DatasetInfo, recipe: Recipe) -> Classifier | None:
    """Load the classifier that names the classes of a recipe's samples; None if it makes none, or there is none."""
    if not recipe.judged or not data.classes:
        return None
    found = catalog.classifier_for(data.name, data.sample_shape)
    try:
        model = checkpoints.load(found) if found else None
    except UserError:
        return None  # whoever trains did not ask for it
    if not isinstance(model, Classifier) or model.heads != heads_of(data) or model.heads[0].name != "label":
        return None
    return model.to(recipe.device)


def _publish(trainer: Trainer, config: RunConfig) -> None:
    """Show others the model as it is; where that cannot be written, the training goes on all the same."""
    if trainer.run.folder.is_dir():  # it may have been removed, and must not come back
        with suppress(UserError):
            export(trainer, config)


def export(trainer: Trainer, config: RunConfig, metrics: Mapping[str, float] | None = None) -> Path:
    """Write the checkpoint of a run.

    Args:
        trainer: What was trained.
        config: Of the run.
        metrics: That were measured at the end; None: it goes on, the place is `live`, and what takes long is left
            out.

    Returns:
        Where it lies.
    """
    family = str(config.model["family"])
    over = metrics is not None
    images = trainer.data if over else trainer.data.take(torch.arange(min(_FEW, len(trainer.data))))
    model = trainer.recipe.export(images.to(torch.device("cpu")), brief=not over)
    checkpoints.round_as_stored(model)
    identity = config.name or f"{slug(config.dataset)}-{family}"
    data = trainer.data.info  # as it was loaded: a folder may be another by now
    where = _device_name(trainer.recipe.device)
    card = Card(
        title=config.name or f"{data.title} {FAMILIES[family].title}",
        description=f"{FAMILIES[family].title}, trained on {data.title}.",
        capabilities=tuple(sorted(FAMILIES[family].capabilities)),
        parameters={role: parameter_count(part) for role, part in model.parts().items()},
        steps=trainer.step,
        images=trainer.images,
        seconds=round(trainer.seconds, 1),
        device=where,
        command=command(config, data),
        metrics={
            k: Metric(value=v, protocol="training images that were held out, at the end of training")
            for k, v in (metrics or {}).items()
            if math.isfinite(v) and metric_of(k)
        },
    )
    checkpoint = CheckpointConfig(
        id=identity,
        model=config.model,
        training=config.training,
        dataset=config.dataset,
        labels=data.classes if config.model.get("classes") else (),
        preset=config.preset,
        budget=str(config.budget),
        seed=config.seed,
        start=config.start,
    )
    sheet = checkpoints.sheet_of(model, trainer.held_out) if over else None
    folder = trainer.run.checkpoint if over else trainer.run.live
    return checkpoints.save(folder, model, checkpoint, card, sheet)


def _device_name(where: torch.device) -> str:
    if where.type == "cuda":
        return torch.cuda.get_device_name(where)
    threads = torch.get_num_threads()
    return f"{where.type.upper()}, {threads} thread{'s' if threads > 1 else ''}"


def command(config: RunConfig, data: DatasetInfo | None = None) -> str:
    """Return the command that trains a run again, given its data set if that is known already."""
    family = str(config.model["family"])
    entry = FAMILIES[family]
    fresh = configure(data or config.dataset, family, preset_name=config.preset)
    defaults = {**fresh.model, **fresh.training}
    given = {**config.model, **config.training}
    known = {**entry.config.model_fields, **entry.training.model_fields}
    changed = {k: v for k, v in given.items() if k in known and v != defaults.get(k)}
    words = ["latent-explorer", "train", "--dataset", config.dataset, "--model", family]
    words += ["--preset", config.preset, "--budget", str(config.budget), "--seed", str(config.seed)]
    words += ["--start", config.start.model] if config.start else []
    words += ["--name", config.name] if config.name else []
    words += ["--device", config.device] if config.device != "auto" else []
    for key, value in changed.items():
        text = ",".join(map(str, cast(list[Any], value))) if isinstance(value, list) else str(value)
        words += ["--set", f"{key}={text}"]
    return shlex.join(words)
