"""The process of one job: it works, tells how far it is, and ends when it should, whatever becomes of the app."""

import argparse
import contextlib
import os
import pkgutil
import signal
import threading
import time
import traceback
from collections.abc import Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import cast

from models.errors import UserError, reason
from models.jobs import locks, records
from models.jobs.records import GRACE, KINDS, Record, Status, Work

_GLANCE = 0.2  # seconds between two looks at what is wished
_TELL = 0.5  # seconds between two writes of the status


def main(words: Sequence[str]) -> int:
    """Work on the job in a folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.jobs")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", help="module:function; by default that of the job's kind")
    parser.add_argument("--lock", type=int, help="descriptor of the job's lock, inherited")
    parser.add_argument(
        "--place", type=int, help="descriptor of the lock of a place on the device, inherited"
    )
    parser.add_argument("--grace", type=float, default=GRACE)
    parser.add_argument(
        "--nice", type=int, default=0, help="how far its priority is below that of who starts it"
    )
    given = parser.parse_args(words)
    with _lock(given.folder, given.lock) as lock:
        if lock is None:
            print("Another process works on it.")
            return 1
        if given.place is not None:
            os.set_inheritable(given.place, False)
        record = records.read(given.folder)
        work = given.work or KINDS[record.order.spec.kind].work
        return _Worker(record, lock, given.grace, given.nice).run(work)


@contextlib.contextmanager
def _lock(folder: Path, inherited: int | None) -> Generator[int | None, None, None]:
    if inherited is None:
        with locks.locked(folder / records.LOCK) as lock:
            yield lock
        return
    os.set_inheritable(inherited, False)  # a program that it starts must not keep the job alive
    yield inherited


class _Worker:
    """Works on one job.

    Args:
        record: The job.
        lock: Descriptor of its lock.
        grace: Seconds to end well in, once its time is up.
        niceness: How far the priority of the work is below that of who starts it.
    """

    def __init__(self, record: Record, lock: int, grace: float, niceness: int) -> None:
        self._folder = record.folder
        self._spec = record.order.spec
        self._status = record.status.model_copy(update={"state": "running", "process": os.getpid()})
        self._lock = lock
        self._grace = grace
        self._niceness = niceness
        self._ask = threading.Event()
        self._told = 0.0

    def run(self, work: str) -> int:
        """Do the work, and write how it ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        self._write()
        threading.Thread(target=self._watch, daemon=True, name="wishes").start()
        self._status = self._outcome(work).model_copy(update={"ended": time.time(), "process": None})
        self._write()
        return 0 if self._status.state in ("done", "stopped") else 1

    def _asked(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._ask.set()

    def _outcome(self, work: str) -> Status:
        try:
            begin = cast(Work, pkgutil.resolve_name(work))
            os.nice(self._niceness)  # not before: somebody waits for the first sign of life
            found = begin(self._folder, self._spec, self.report, self._ask.is_set)
        except UserError as error:
            print(f"{error.problem} {error.remedy}")
            return self._status.told(error, state="failed")
        except MemoryError:
            traceback.print_exc()
            remedy = "Close other programs, or ask for something smaller."
            return self._status.told(
                UserError("out-of-memory", "The memory ran out.", remedy), state="failed"
            )
        except Exception:
            traceback.print_exc()
            problem = "The job failed because of an error in the program."
            error = UserError("job-failed", problem, f"What happened is in its log, {records.LOG}.")
            return self._status.told(error, state="failed")
        return self._ended_well().model_copy(update={"outcome": dict(found)})

    def _ended_well(self) -> Status:
        if not self._ask.is_set() or self._status.share >= 1:
            return self._status.model_copy(update={"state": "done", "share": 1.0})
        if records.wish_of(self._folder) == "time":
            return self._status.told(records.time_is_up(self._spec.timeout), state="stopped")
        return self._status.model_copy(update={"state": "stopped"})

    def report(self, share: float, line: str = "") -> None:
        """Tell how far the job is, and write a line to the log."""
        self._status = self._status.model_copy(update={"share": min(1.0, max(0.0, share))})
        if line:
            print(f"{time.strftime('%H:%M:%S')}  {self._status.share:4.0%}  {line}")
        if time.monotonic() - self._told >= _TELL:
            self._write()

    def _write(self) -> None:
        self._told = time.monotonic()
        try:
            records.write_status(self._folder, self._status)
        except OSError as error:  # if the work can go on without, it should
            print(f"The status was not written: {reason(error)}")

    def _watch(self) -> None:
        """Look at what is wished and at the clock, beside the work."""
        end = time.monotonic() + self._spec.timeout
        while locks.same(self._lock, self._folder / records.LOCK):
            with contextlib.suppress(OSError):
                self._heed(end)
            if time.monotonic() > end + self._grace:
                break
            time.sleep(_GLANCE)
        _kill()  # nobody can find what it does any more, or it does not end

    def _heed(self, end: float) -> None:
        if time.monotonic() > end:
            self._ask.set()
            records.wish(self._folder, "time")
        wish = records.wish_of(self._folder)
        if wish == "cancel":
            _kill()
        if wish:
            self._ask.set()


def _kill() -> None:
    """End this process and those that it started, at once."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
