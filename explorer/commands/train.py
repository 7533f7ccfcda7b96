"""`train`: a new training run, or one that was interrupted."""

import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from explorer.commands.console import Json, ProgressLine, duration, emit, note, only_results
from models import catalog, library
from models.catalog import CheckpointConfig
from models.choices import OPTIONS
from models.config import Budget, parse
from models.datasets import DATASETS
from models.errors import UserError
from models.families import FAMILIES, PRESETS, lessons, options
from models.values import MAX_SEED

if TYPE_CHECKING:
    from models.training.loop import Progress
    from models.training.runs import Run
    from models.training.session import Outcome

Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where to compute.")]
_WITH_RESUME = {"resume", "budget", "as_json", "threads"}


def epilog() -> str:
    """Return the lessons and the options that `--set` takes, for `--help`; families with the same share a line."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for family in FAMILIES:
        lines = tuple(f"{k}={_default(info.default)}" for k, info in sorted(options(family).items()))
        shared.setdefault(lines, []).append(family)
    sets = [f"--set for {', '.join(names)}: {'  '.join(lines)}" for lines, names in shared.items()]
    named = [f"{option}: {', '.join(names)}" for option, names in OPTIONS.items()]
    shown = [
        f"--preset {name} ({', '.join(families)}): {preset.lesson}"
        for name, (preset, families) in lessons().items()
    ]
    return "\n\n".join([*shown, *sets, f"Names that they take: {'; '.join(named)}."])


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _names(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(names)


def train(
    context: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"One of {_names(DATASETS)}; for images of your own folder:<path> or own:<name> "
            "(--set size=16, 32 or 64).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FAMILY", help=f"One of {_names(FAMILIES)}.", show_default=False)
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            metavar="NAME", help=f"One of {_names(PRESETS)}: budget and options. Or a lesson, see below."
        ),
    ] = "quick",
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="BUDGET",
            help="When to stop: 90s, 5m, 2h, 20k-steps. By default the preset's.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="An option, see below; repeat for more.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run. By default a new one.", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Id of the checkpoint. By default DATASET-MODEL.", show_default=False
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Begin with the weights of this checkpoint, whose shape the model then has.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, metavar="INTEGER", help="Of weights, order and steps.")
    ] = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, metavar="INTEGER", help="CPU threads. By default all cores.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Go on with the run in this folder.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model. Ctrl-C stops early and keeps what was learned."""
    limit = Budget.parse(budget) if budget else None
    if resume:
        _check_alone(context)
    elif dataset is None or model is None:
        missing = "--dataset" if dataset is None else "--model"
        raise typer.BadParameter(f"{missing} is missing (or --resume, to go on with a run).")
    with only_results():
        outcome, stopped = (
            _go_on(resume, limit, threads)
            if resume
            else _start(
                str(dataset),
                str(model),
                preset,
                limit,
                _pairs(sets or []),
                seed,
                device,
                out,
                name,
                threads,
                start,
            )
        )
    _print(outcome, stopped, as_json)


def _check_alone(context: typer.Context) -> None:
    for parameter in context.command.params:
        key = parameter.name or ""
        source = context.get_parameter_source(key)
        if source is not None and source.name == "COMMANDLINE" and key not in _WITH_RESUME:
            allowed = "--budget, --threads and --json"
            raise typer.BadParameter(f"{parameter.opts[0]} does not go with --resume; only {allowed} do.")


def _pairs(words: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"'{word}' is not KEY=VALUE.", param_hint="--set")
        pairs[key.strip().replace("-", "_")] = value.strip()
    return pairs


def _start(
    dataset: str,
    family: str,
    preset: str,
    budget: Budget | None,
    pairs: Mapping[str, Any],
    seed: int,
    device: Literal["auto", "cpu", "cuda", "mps"],
    out: Path | None,
    name: str | None,
    threads: int | None,
    start: str | None,
) -> tuple["Outcome", bool]:
    if name is not None:
        parse(CheckpointConfig, {"id": name, "model": {}, "dataset": dataset}, what="--name", code="bad-name")
    session = _session(threads)
    config = session.configure(
        dataset,
        family,
        preset_name=preset,
        budget=budget,
        options=pairs,
        seed=seed,
        where=device,
        name=name or "",
        start=start or "",
    )
    # A mistake or a missing data set must not leave an empty folder behind that stands in the way next time.
    session.begin(session.recipe_for(config), config)
    data = session.data_of(config)
    run = session.new_run(config, out)
    return _train(
        run, config.budget, lambda report, stop: session.train(run, report=report, stop=stop, data=data)
    )


def _go_on(folder: Path, budget: Budget | None, threads: int | None) -> tuple["Outcome", bool]:
    session = _session(threads)
    from models.training.runs import Run

    run = Run(folder)
    given = budget or run.config().budget
    return _train(
        run, given, lambda report, stop: session.train(run, budget=budget, report=report, stop=stop)
    )


def _session(threads: int | None):
    import torch

    from models.training import session

    if threads:
        torch.set_num_threads(threads)
    return session


def _train(
    run: "Run", budget: Budget, go: Callable[[Callable[["Progress"], None], Callable[[], bool]], "Outcome"]
) -> tuple["Outcome", bool]:
    config = run.config()
    note(f"Training {config.model.get('family')} on {config.dataset} for {budget} in all, in {run.folder}")
    line = ProgressLine()
    try:
        with _stop_on_signal() as stop:
            return go(lambda progress: line.show(describe(progress)), stop), stop()
    except KeyboardInterrupt:
        line.close()
        note(f"Ended at once. To go on from the last save: latent-explorer train --resume {run.folder}")
        raise
    except UserError:
        line.close()
        note(f"The run is in {run.folder}.")
        raise
    finally:
        line.close()


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether SIGINT or SIGTERM came; after one, the next SIGINT ends at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def describe(progress: "Progress") -> str:
    """Write where a run stands on one line."""
    parts = [
        f"step {progress.step:,}",
        f"{progress.share:.0%}",
        f"{progress.images_per_s:,.0f} images/s",
        f"{duration(progress.seconds_left)} left",
        *(f"{name} {value:.4g}" for name, value in progress.scalars.items()),
    ]
    return "  ".join(parts)


def _print(outcome: "Outcome", stopped: bool, as_json: bool) -> None:
    if as_json:
        plain = {**asdict(outcome), "images_per_s": outcome.images_per_s, "metrics": dict(outcome.metrics)}
        emit(
            {
                **plain,
                "run": str(outcome.run),
                "checkpoint": str(outcome.checkpoint),
                "stopped_early": stopped,
            }
        )
        return
    if stopped:
        note(f"Stopped early. To go on: latent-explorer train --resume {outcome.run}")
    rate = f"{outcome.images:,} images in {duration(outcome.seconds)} ({outcome.images_per_s:,.0f} images/s)"
    print(f"{outcome.steps:,} steps, {rate}")
    print("  ".join(f"{name} {value:.4g}" for name, value in outcome.metrics.items()))
    print(f"Checkpoint: {outcome.checkpoint}")
    note(f"To list it among the models, in the app too: {_listing(outcome.checkpoint)}")


def _listing(checkpoint: Path) -> str:
    """Return the command that lists a checkpoint, under a name that is free."""
    own = catalog.read(checkpoint).id
    name = library.unused(own)
    words = ["latent-explorer", "import", str(checkpoint), *(["--name", name] if name != own else [])]
    return shlex.join(words)
