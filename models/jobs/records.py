"""What a job is: the order, the status and the wishes in its folder, and what a page sees of them. Torch-free."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field

from models.config import RunConfig
from models.embedding.spec import MapSpec
from models.errors import UserError
from models.metrics.spec import Measurement, Measurements
from models.tables import Table
from models.values import Value, parse

Device = Literal["auto", "cpu", "cuda", "mps"]
# That a job is to end: at once, because its time is up, or when it has written what it has; the strongest first.
Wish = Literal["cancel", "time", "stop"]
Ended = Literal["done", "stopped", "cancelled", "failed", "died"]
State = Literal["queued", "running", "stopping", Ended]
Report = Callable[..., None]  # report(share in [0, 1], line for the log = "")
Stop = Callable[[], bool]
OVERHEAD = 600.0  # seconds that a training may take beside its steps: to load data, to validate, to write
LOCK, LOG = "worker.lock", "log.txt"
GRACE = 30.0  # seconds to end well in, once the time is up
_ORDER, _STATUS = "job.json", "status.json"
_LOG_LINES, _LOG_BYTES = 20, 4096

V = TypeVar("V", bound=Value)


class JobSpec(Value):
    """What is asked for."""

    kind: str = Field(description="A name in KINDS")
    arguments: dict[str, Any] = Field(
        description="What the kind takes: of 'train' a RunConfig, of 'embed' a MapSpec, of 'evaluate' Measurements"
    )
    title: str = Field(default="", max_length=200)
    owner: str = Field(default="", max_length=200, description="Whose it is: the id of a browser")
    device: Device = "auto"
    timeout: float = Field(default=3600.0, gt=0, description="Seconds after which it is ended")


def training(config: RunConfig, *, owner: str = "", title: str = "", timeout: float | None = None) -> JobSpec:
    """Return the spec of a job that trains.

    Args:
        config: The run; its device is the job's.
        owner: Whose it is.
        title: What a page calls it; by default the data set and the family.
        timeout: Seconds; by default those of the budget and some for the rest, or an hour.
    """
    standard = config.budget.seconds + OVERHEAD if config.budget.seconds else 3600.0
    return JobSpec(
        kind="train",
        arguments=config.model_dump(mode="json"),
        title=title or f"{config.dataset} {config.model['family']}",
        owner=owner,
        device=config.device,
        timeout=timeout or standard,
    )


def embedding(spec: MapSpec, *, owner: str = "", title: str = "", timeout: float = 3600.0) -> JobSpec:
    """Return the spec of a job that computes a map.

    Args:
        spec: The map.
        owner: Whose it is.
        title: What a page calls it.
        timeout: Seconds.
    """
    arguments = spec.model_dump(mode="json")
    return JobSpec(kind="embed", arguments=arguments, title=title or "map", owner=owner, timeout=timeout)


def evaluation(
    specs: Sequence[Measurement], *, owner: str = "", title: str = "", timeout: float = 3600.0
) -> JobSpec:
    """Return the spec of a job that measures models.

    Args:
        specs: What is to be measured, one after the other.
        owner: Whose it is.
        title: What a page calls it.
        timeout: Seconds.
    """
    arguments = Measurements(of=tuple(specs)).model_dump(mode="json")
    return JobSpec(
        kind="evaluate", arguments=arguments, title=title or "figures", owner=owner, timeout=timeout
    )


Work = Callable[[Path, JobSpec, Report, Stop], Mapping[str, Any]]


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Args:
        work: "module:function", a `Work`: does the job in its folder and returns what came of it, as JSON. It is
            imported in the job's process only. It tells `report` how far it is, and ends soon and well, with all
            that is worth keeping written, once `stop()` is true. Called again in the same folder, it goes on.
        arguments: What its arguments are.
    """

    work: str
    arguments: type[Value]


KINDS = Table[Kind](
    "kind of job",
    {
        "train": Kind("models.training.job:train", RunConfig),
        "embed": Kind("models.embedding.job:embed", MapSpec),
        "evaluate": Kind("models.metrics.job:evaluate", Measurements),
    },
)


class Order(Value):
    """job.json."""

    spec: JobSpec
    created: float
    queued: float = Field(description="When it was last asked for; the queue is in this order")


class Status(Value):
    """status.json. Times are seconds since 1970."""

    state: Literal["queued", "running", Ended] = "queued"
    share: float = 0.0
    code: str = ""
    problem: str = ""
    remedy: str = ""
    started: float | None = None
    ended: float | None = None
    process: int | None = Field(default=None, description="Leader of the group of processes that works on it")
    outcome: dict[str, Any] = Field(default_factory=dict)
    log: tuple[str, ...] = ()

    def told(self, error: UserError, **changes: Any) -> "Status":
        """Return it with the words of an error and other changes."""
        words = {"code": error.code, "problem": error.problem, "remedy": error.remedy}
        return self.model_copy(update={**words, **changes})


@dataclass(frozen=True)
class Job:
    """What a page sees of a job. Times are seconds since 1970."""

    id: str
    spec: JobSpec
    state: State
    share: float  # that is done, in [0, 1]
    code: str  # of the UserError that ended it, or that keeps it waiting
    problem: str
    remedy: str
    created: float
    queued: float  # when it was last put into the queue
    started: float | None
    ended: float | None
    outcome: Mapping[str, Any]  # what its kind returned, of the last time that it ended well
    log: tuple[str, ...]  # the last lines of one that died
    ahead: int  # how many wait for the same device before it

    @property
    def over(self) -> bool:
        """Whether it has ended, and can be resumed or removed."""
        return self.state not in ("queued", "running", "stopping")


@dataclass(frozen=True)
class Record:
    """What the folder of a job holds."""

    folder: Path
    order: Order
    status: Status
    wish: Wish | None
    touched: float  # when its status was last written


def _write(path: Path, value: Value) -> None:
    """Replace a file of a folder that must be there; raises OSError, and then the old one is still there."""
    # Not `disk.replacing`, which would bring back the folder of a job that was deleted.
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    try:
        temporary.write_bytes(_bytes(value))
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _bytes(value: Value) -> bytes:
    return value.model_dump_json(indent=2).encode() + b"\n"


def write_order(folder: Path, order: Order) -> None:
    """Write what is to be done; raises OSError."""
    _write(folder / _ORDER, order)


def write_status(folder: Path, status: Status) -> None:
    """Write how far a job is; only for who holds its lock; raises OSError."""
    path = folder / _STATUS
    try:
        _write(path, status)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        # On a full disk there is room where the former status is, and this one may have to tell of the full disk.
        with path.open("r+b") as file:
            file.write(_bytes(status))
            file.truncate()


def wish(folder: Path, wish: Wish) -> None:
    """Wish that a job ends; raises OSError. An empty file, so that it works on a full disk too."""
    with contextlib.suppress(FileExistsError):
        _wish_path(folder, wish).touch(exist_ok=False)


def _wish_path(folder: Path, wish: Wish) -> Path:
    return folder / f"wish-{wish}"


def wish_of(folder: Path) -> Wish | None:
    """Return the strongest wish."""
    return next((wish for wish in get_args(Wish) if _wish_path(folder, wish).exists()), None)


def wished(folder: Path, wish: Wish) -> float:
    """Return when a wish was made first."""
    return _wish_path(folder, wish).stat().st_mtime


def forget_wishes(folder: Path) -> None:
    """Begin anew, without wishes."""
    for wish in get_args(Wish):
        _wish_path(folder, wish).unlink(missing_ok=True)


def read(folder: Path) -> Record:
    """Return what the folder of a job holds; raises UserError if it is none."""
    path = folder / _STATUS
    try:
        touched = path.stat().st_mtime
        order, status = _read(folder / _ORDER, Order), _read(path, Status)
        open_ = status.state in ("queued", "running")
        return Record(folder, order, status, wish_of(folder) if open_ else None, touched)
    except (FileNotFoundError, NotADirectoryError):
        remedy = "It may have been removed: look at the list of jobs."
        raise UserError("no-job", f"There is no job '{folder.name}'.", remedy) from None
    except OSError as error:
        problem = f"The job '{folder.name}' cannot be read ({error.strerror})."
        raise UserError("bad-job", problem, "Make its folder readable, or delete it.") from error


def _read(path: Path, kind: type[V]) -> V:
    found = path.stat()
    return _parsed(path, kind, (found.st_ino, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=4096)
def _parsed(path: Path, kind: type[V], version: tuple[int, int, int]) -> V:
    """Read a file that is only ever replaced, once for each version of it."""
    del version
    try:
        data = json.loads(path.read_bytes())
    except ValueError:
        raise UserError("bad-job", f"'{path}' is damaged.", "Delete its folder.") from None
    return parse(kind, data, what=f"'{path}'", code="bad-job")


def last_lines(folder: Path) -> tuple[str, ...]:
    """Return the last lines of a job's log."""
    try:
        with (folder / LOG).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())[-_LOG_LINES:]


def time_is_up(seconds: float) -> UserError:
    """Word that a job took all the time that it may."""
    problem = f"It was ended because its time of {seconds:g} s was up."
    return UserError("timed-out", problem, "Resume it to go on, with more time if need be.")


def ended(record: Record) -> Status:
    """Return the status of a job on which nobody works, whatever it says: who worked on it may have been killed."""
    status, wish = record.status, record.wish
    over = {"ended": record.touched, "process": None}
    if status.state == "queued":
        return status.model_copy(update={**over, "state": "cancelled"}) if wish else status
    if status.state != "running":
        return status
    if wish == "cancel":
        return status.model_copy(update={**over, "state": "cancelled"})
    if wish == "time":
        return status.told(time_is_up(record.order.spec.timeout), **over, state="failed")
    if status.process is None and not (record.folder / LOG).exists():
        # Who was just going to start it was killed: it still waits.
        return status.model_copy(update={"state": "queued", "started": None})
    state: Ended = "died"
    problem = "Its process was killed, or the machine went down or ran out of memory."
    error = UserError("died", problem, "Resume it to go on from what it saved last.")
    return status.told(error, **over, state=state, log=last_lines(record.folder))
