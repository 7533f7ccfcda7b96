"""The queue: jobs that wait, start, are asked to end, and are found again. Torch-free."""

import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from models.errors import UserError, reason, write_error
from models.jobs import locks, machine, records
from models.jobs.launch import launch, prepare, reap
from models.jobs.records import GRACE, KINDS, Job, JobSpec, Kind, Order, Record, State, Status, ended
from models.tables import Table
from models.values import parse

LONGEST = 24 * 3600.0  # seconds that a job may take, unless the app says otherwise
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PLACES = ".places"  # locks of the places on each device
_PATIENCE = 3.0  # seconds for another app, or a process that is ending, to let go of a job
_CANCEL = 5.0  # seconds for a worker to end itself
_log = logging.getLogger(__name__)


class Jobs:
    """All jobs below a folder. Safe for threads, and for several apps on the same folder.

    Args:
        root: The folder of all jobs' folders; `models.paths.runs()` in the app.
        limits: How many run at a time, by device; by default one on each GPU and one on the CPU.
        kinds: What can be asked for.
        longest: Seconds that a job may ask for at most.
        threads: CPU threads of a job; by default all cores but one, shared by those that run on the CPU at a time.
        grace: Seconds that a job has to end well in, once its time is up.
        niceness: How far the priority of a job is below that of the app, which should stay quick beside it.

    Raises:
        UserError: This system cannot run jobs.
    """

    def __init__(
        self,
        root: Path,
        limits: Mapping[str, int] | None = None,
        *,
        kinds: Table[Kind] = KINDS,
        longest: float = LONGEST,
        threads: int | None = None,
        grace: float = GRACE,
        niceness: int = 10,
    ) -> None:
        locks.check()
        self._root = root
        self._limits = dict(limits if limits is not None else machine.limits())
        self._kinds = kinds
        self._longest = longest
        self._threads = threads or max(1, (machine.cores() - 1) // max(1, self._limits.get("cpu", 1)))
        self._grace = grace
        self._niceness = niceness
        self._asked = threading.Event()

    # What there is ----------------------------------------------------------------------------------------

    def all(self, owner: str | None = None) -> list[Job]:
        """Return the jobs of an owner, or of everyone (None), the newest first."""
        jobs = [_job(record) for record in self._records()]
        waiting = sorted((job for job in jobs if job.state == "queued"), key=lambda job: job.queued)
        before: dict[str, int] = {}
        ahead: dict[str, int] = {}
        for job in waiting:
            queue = machine.queue_of(job.spec.device)
            ahead[job.id] = before.get(queue, 0)
            before[queue] = ahead[job.id] + 1
        mine = [job for job in jobs if owner is None or job.spec.owner == owner]
        return [
            replace(job, ahead=ahead.get(job.id, 0)) for job in sorted(mine, key=lambda job: -job.created)
        ]

    def get(self, id: str, owner: str | None = None) -> Job:
        """Return one job; raises UserError ("no-job") if there is none, or none of this owner."""
        job = _job(self._record(id, owner))
        return next((one for one in self.all() if one.id == id), job) if job.state == "queued" else job

    def folder(self, id: str, owner: str | None = None) -> Path:
        """Return where the files of a job are: the one part of all this that is of this machine; raises UserError."""
        return self._record(id, owner).folder

    def _records(self) -> Iterator[Record]:
        try:
            names = sorted(entry.name for entry in os.scandir(self._root) if _ID.fullmatch(entry.name))
        except OSError:
            return
        for name in names:
            with contextlib.suppress(UserError):  # a run that is no job, or one that is just removed
                yield records.read(self._root / name)

    def _record(self, id: str, owner: str | None) -> Record:
        nobody = UserError("no-job", f"There is no job '{id[:100]}'.", "Look at the list of jobs.")
        if not _ID.fullmatch(id):
            raise nobody
        record = records.read(self._root / id)
        if owner is not None and record.order.spec.owner != owner:
            raise nobody
        return record

    # What can be asked for --------------------------------------------------------------------------------

    def submit(self, spec: JobSpec, id: str | None = None) -> Job:
        """Put a job into the queue.

        Args:
            spec: What is to be done.
            id: Its id, so that the same request made twice is one job; by default a new one.

        Raises:
            UserError: It cannot be done, or not here, or there is too little memory or room for it, or there is
                another job of this id.
        """
        self._check(spec)
        name = (
            id if id is not None else f"{spec.kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        )
        if not _ID.fullmatch(name):
            remedy = "Take letters, digits, dots, hyphens and underscores, at most 100."
            raise UserError("bad-id", f"'{name[:100]}' cannot be the id of a job.", remedy)
        now = time.time()
        order = Order(spec=spec, created=now, queued=now)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            machine.check_room(self._root)
            made = self._made(name, order)
        except OSError as error:
            raise write_error(self._root / name, error) from error
        self._asked.set()
        return made

    def _made(self, id: str, order: Order) -> Job:
        """Make the folder of a job, at once with all that is in it."""
        target, temporary = self._root / id, self._root / f".new-{secrets.token_hex(6)}"
        temporary.mkdir()
        try:
            (temporary / records.LOCK).touch()
            records.write_order(temporary, order)
            records.write_status(temporary, Status())
            temporary.rename(target)
        except OSError as error:
            with contextlib.suppress(UserError):
                if records.read(target).order.spec == order.spec:
                    return self.get(id)
            raise write_error(target, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return self.get(id)

    def _check(self, spec: JobSpec) -> None:
        kind = self._kinds[spec.kind]
        parse(kind.arguments, spec.arguments, what="The job")
        if not self._limits.get(machine.queue_of(spec.device)):
            problem = f"No jobs run on '{machine.queue_of(spec.device)}' here."
            known = ", ".join(f"'{name}'" for name, limit in self._limits.items() if limit)
            raise UserError("no-device", problem, f"Choose one of: {known}.")
        if spec.timeout > self._longest:
            problem = f"A job may take {self._longest:g} s, not {spec.timeout:g} s."
            raise UserError("too-long", problem, "Ask for less time.")

    def stop(self, id: str, owner: str | None = None) -> Job:
        """Ask a job to end well, with what it has so far; one that waits is cancelled, one that is over stays so."""
        return self._end(id, owner, "stop")

    def cancel(self, id: str, owner: str | None = None) -> Job:
        """End a job at once; what it saved last is kept."""
        return self._end(id, owner, "cancel")

    def _end(self, id: str, owner: str | None, end: Literal["stop", "cancel"]) -> Job:
        record = self._record(id, owner)
        if not _job(record).over:
            try:
                records.wish(record.folder, end)
            except OSError as error:
                raise write_error(record.folder, error) from error
            self._settle(record.folder)
        return self.get(id)

    def resume(
        self,
        id: str,
        owner: str | None = None,
        *,
        arguments: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Put a job that is over into the queue again; it goes on from what it saved last.

        One that waits or runs already is left as it is, so that asking twice is asking once.

        Args:
            id: Which.
            owner: Whose it must be; None: anyone's.
            arguments: Values that replace those of its spec, by name: for a training `{"budget": ...}`.
            timeout: Seconds, from its new start; by default as before.

        Raises:
            UserError: There is no such job; it is just stopping; the new values do not fit; there is too little
                memory or room.
        """
        if not _job(self._record(id, owner)).over:
            return self._going(id)
        with self._alone(id) as record:
            if record is None:  # somebody else was first, and it runs by now
                return self._going(id)
            if ended(record).state != "queued":
                self._queue(record, arguments, timeout)
        self._asked.set()
        return self.get(id)

    def _going(self, id: str) -> Job:
        job = self.get(id)
        if job.state not in ("queued", "running"):
            raise UserError("job-stopping", f"'{id}' is just stopping.", "Try again in a moment.")
        return job

    def _queue(self, record: Record, arguments: Mapping[str, Any] | None, timeout: float | None) -> None:
        former = record.order.spec
        data = {**former.arguments, **(arguments or {})}
        changed = {**former.model_dump(), "arguments": data, "timeout": timeout or former.timeout}
        spec = parse(JobSpec, changed, what="The job")
        self._check(spec)
        machine.check_room(record.folder)
        kept = Status(share=record.status.share, outcome=record.status.outcome)
        try:
            order = record.order.model_copy(update={"spec": spec, "queued": time.time()})
            records.write_order(record.folder, order)
            records.forget_wishes(record.folder)
            records.write_status(record.folder, kept)
        except OSError as error:
            raise write_error(record.folder, error) from error

    def remove(self, id: str, owner: str | None = None) -> None:
        """Delete a job that waits or is over, with all its files; raises UserError if it runs."""
        runs = UserError("job-runs", f"'{id}' is running.", "Stop it or cancel it first.")
        if _job(self._record(id, owner)).state in ("running", "stopping"):
            raise runs
        with self._alone(id) as record:
            if not record:
                raise runs
            away = self._root / f".removed-{secrets.token_hex(6)}"
            try:
                record.folder.rename(away)
            except OSError as error:
                raise UserError("cannot-remove", f"'{id}' cannot be removed.", f"{reason(error)}.") from error
        shutil.rmtree(away, ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self, id: str) -> Generator[Record | None, None, None]:
        """Hold the lock of a job on which nobody works; another app may have it for a moment, or who just ends."""
        folder = self._root / id
        try:
            with locks.locked(folder / records.LOCK, _PATIENCE) as lock:
                yield records.read(folder) if lock is not None else None
        except FileNotFoundError:
            raise UserError("no-job", f"There is no job '{id}'.", "It was removed.") from None

    def prepare(self, kind: str, device: str) -> None:
        """Have a worker ready, so that the next job begins sooner; does nothing where it could not begin at once.

        Args:
            kind: Of that job, a name in KINDS.
            device: "auto", "cpu", "cuda" or "mps".
        """
        where = machine.queue_of(device)
        places = range(self._limits.get(where, 0))
        free = [
            number for number in places if not locks.held(self._root / _PLACES / _place_file(where, number))
        ]
        if not free:
            return
        # Where memory is short, or there are no more processes, it was an offer.
        with contextlib.suppress(UserError, OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            machine.check_room(self._root, jobs=2)  # it may be one of another kind that is asked for
            prepare(self._kinds[kind].work, machine.environment(where, free[0], self._threads))

    # What happens by itself -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Note who died, end what does not end itself, start what may start. To be called some times a second."""
        reap()
        found = list(self._records())
        running = [record for record in found if record.status.state == "running"]
        waiting = [record for record in found if record.status.state == "queued"]
        waiting.sort(key=lambda record: record.order.queued)
        for several, otherwise in ((running, self._enforce), (waiting, self._try)):
            for record in several:
                with contextlib.suppress(OSError, UserError):  # a full disk, or its folder was just removed
                    if not self._settle(record.folder):
                        otherwise(record)

    def wait(self, seconds: float) -> None:
        """Wait until a job is asked for, a time at most."""
        self._asked.wait(seconds)
        self._asked.clear()

    def _settle(self, folder: Path) -> bool:
        """Write down that a job has ended without saying so, or was wished away while it waited."""
        with contextlib.suppress(OSError), locks.locked(folder / records.LOCK) as lock:
            if lock is None:
                return False
            record = records.read(folder)
            status = ended(record)
            if status != record.status:
                records.write_status(folder, status)
                return True
        return False

    def _enforce(self, record: Record) -> None:
        """End a worker that ignores its wishes: so deep in a library that it does not even look at them."""
        status, folder = record.status, record.folder
        late = time.time() - (status.started or time.time()) - record.order.spec.timeout
        if late > self._grace:
            records.wish(folder, "time")
        wish = records.wish_of(folder)
        if wish is None or wish == "stop":
            return
        patience = _CANCEL if wish == "cancel" else self._grace
        if time.time() - records.wished(folder, wish) > patience and status.process:
            # It holds the lock still, and wrote this number when it had it: the number is of no other.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(status.process, signal.SIGKILL)

    def _try(self, record: Record) -> None:
        """Start a job that waits if there is a place on its device and nobody else does."""
        device = machine.queue_of(record.order.spec.device)
        with contextlib.ExitStack() as stack:
            for number in range(self._limits.get(device, 0)):
                place = stack.enter_context(self._place(device, number))
                if place is not None:
                    break
            else:
                return
            lock = stack.enter_context(locks.locked(record.folder / records.LOCK))
            if lock is not None:
                record = records.read(record.folder)
                if record.status.state == "queued" and not record.wish:
                    self._start(record, device, number, lock, place)

    def _place(self, device: str, number: int) -> contextlib.AbstractContextManager[int | None]:
        folder = self._root / _PLACES
        folder.mkdir(exist_ok=True)
        return locks.locked(folder / _place_file(device, number))

    def _start(self, record: Record, device: str, number: int, lock: int, place: int) -> None:
        """Start the worker of a job, if there is room for it."""
        folder, before = record.folder, record.status
        try:
            machine.check_room(folder)
        except UserError as error:
            if error.code != before.code:
                _log.warning("%s waits: %s", folder.name, error.problem)
                records.write_status(folder, before.told(error))
            return
        words = {"code": "", "problem": "", "remedy": ""}
        status = before.model_copy(update={**words, "state": "running", "started": time.time()})
        records.write_status(folder, status)
        work = self._kinds[record.order.spec.kind].work
        environment = machine.environment(device, number, self._threads)
        try:
            launch(
                folder,
                work,
                lock=lock,
                place=place,
                grace=self._grace,
                niceness=self._niceness,
                environment=environment,
            )
        except OSError as error:
            failure = UserError("cannot-start", f"It could not be started ({reason(error)}).", "Try again.")
            records.write_status(folder, status.told(failure, state="failed", ended=time.time()))


def _place_file(device: str, number: int) -> str:
    """Return the name of the lock of a place on a device."""
    return f"{device}-{number}.lock"


def _job(record: Record) -> Job:
    """Return what a page sees: what the files say, unless the process that wrote them is no more."""
    record = _current(record)
    status, order = record.status, record.order
    state: State = "stopping" if status.state == "running" and record.wish else status.state
    return Job(
        id=record.folder.name,
        spec=order.spec,
        state=state,
        share=status.share,
        code=status.code,
        problem=status.problem,
        remedy=status.remedy,
        created=order.created,
        queued=order.queued,
        started=status.started,
        ended=status.ended,
        outcome=status.outcome,
        log=status.log,
        ahead=0,
    )


def _current(record: Record) -> Record:
    """Return what is true of a job: what the files say, unless who wrote them is no more."""
    while record.status.state == "running":
        if locks.held(record.folder / records.LOCK):
            return record
        former, record = (
            record,
            records.read(record.folder),
        )  # the worker may have ended well between the two looks
        if record.status == former.status:
            break
    return replace(record, status=ended(record))


def keep(jobs: Jobs, seconds: float = 0.25) -> Callable[[], None]:
    """Call `tick` again and again, and when a job is asked for, in a thread; return what ends that, not the jobs."""
    end = threading.Event()

    def go() -> None:
        while not end.is_set():
            try:
                jobs.tick()
            except Exception:  # one bad moment must not end the queue
                _log.exception("The queue of jobs missed a turn")
            jobs.wait(seconds)

    threading.Thread(target=go, daemon=True, name="jobs").start()
    return end.set
