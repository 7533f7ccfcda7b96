"""A worker that waits for its job does it as one would that was started for it, and stays no longer than the app."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.jobs import Job, Jobs, JobSpec, Kind, machine, records, standby
from models.tables import Table
from models.values import Value

# What the workers of these tests do: a module that they import, as they would one of the project.
KINDS_MODULE = """
import os, time
from models.errors import UserError

def nap(folder, spec, report, stop):
    (folder / "process.txt").write_text(str(os.getpid()))
    print("napping")
    end = time.monotonic() + spec.arguments["seconds"]
    while time.monotonic() < end and not stop():
        time.sleep(0.01)
    return {}

def fail(folder, spec, report, stop):
    raise UserError("diverged", "It diverged.", "Try a smaller learning rate.")
"""


class Nap(Value):
    seconds: float = 0.0


KINDS = Table[Kind]("kind of job", {name: Kind(f"standby_kinds:{name}", Nap) for name in ("nap", "fail")})
Make = Callable[..., Jobs]
Until = Callable[..., Job]


@pytest.fixture
def make(tmp_path: Path, job_code: Callable[[str, str], None], until: Until) -> Iterator[Make]:
    """Give a function that makes `Jobs` on one folder; whatever waits or runs at the end is ended."""
    job_code("standby_kinds", KINDS_MODULE)
    jobs = Jobs(tmp_path / "runs", limits={"cpu": 2}, kinds=KINDS, niceness=0)
    yield lambda **options: Jobs(
        tmp_path / "runs", **{"limits": {"cpu": 2}, "kinds": KINDS, "niceness": 0, **options}
    )
    for one in standby._ready:
        standby._end(one)
    standby._ready.clear()
    for job in jobs.all():
        jobs.cancel(job.id)
        until(jobs, job.id, "done", "stopped", "cancelled", "failed", "died")


def spec(kind: str = "nap", seconds: float = 60.0) -> JobSpec:
    return JobSpec(kind=kind, arguments={"seconds": seconds}, device="cpu")


def begun(jobs: Jobs, id: str) -> int:
    """Wait until the work of a job has begun; return its process."""
    path = jobs.folder(id) / "process.txt"
    end = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end, jobs.get(id)
        jobs.tick()
        time.sleep(0.02)
    return int(path.read_text())


def pid() -> int:
    """Return the process that waits."""
    assert len(standby._ready) == 1
    return standby._ready[0].process.pid


def test_a_job_begins_in_the_process_that_waits_for_it(make: Make, until: Until) -> None:
    jobs = make()
    jobs.prepare("nap", "cpu")
    waiting = pid()
    jobs.prepare("nap", "cpu")
    assert pid() == waiting
    first, second = jobs.submit(spec(seconds=0.5)), jobs.submit(spec(seconds=0))
    until(jobs, first.id, "done")
    assert begun(jobs, first.id) == waiting
    assert "napping" in (jobs.folder(first.id) / records.LOG).read_text()
    until(jobs, second.id, "done")
    assert begun(jobs, second.id) != waiting


def test_a_job_of_a_worker_that_waited_is_known_by_its_locks(make: Make, until: Until) -> None:
    jobs = make(limits={"cpu": 1})
    jobs.prepare("nap", "cpu")
    waiting = pid()
    job, other = jobs.submit(spec()), jobs.submit(spec())
    until(jobs, job.id, "running")
    assert begun(jobs, job.id) == waiting
    jobs.tick()
    assert jobs.get(other.id).state == "queued"  # the place on the device is taken
    jobs.prepare("nap", "cpu")
    assert not standby._ready  # it could not begin at once
    os.kill(waiting, signal.SIGKILL)
    assert until(jobs, job.id, "died")
    assert until(jobs, other.id, "running")


def test_what_is_not_fit_for_a_job_is_not_taken_for_it(make: Make, until: Until) -> None:
    jobs = make()
    jobs.prepare("fail", "cpu")
    waiting = pid()
    job = jobs.submit(spec(seconds=0))
    until(jobs, job.id, "done")
    assert begun(jobs, job.id) != waiting
    assert pid() == waiting

    os.kill(waiting, signal.SIGKILL)
    standby._ready[0].process.wait()
    failed = jobs.submit(spec("fail"))
    assert until(jobs, failed.id, "failed").code == "diverged"
    jobs.prepare("nap", "cpu")
    assert pid() != waiting


def test_a_worker_that_waits_ends_with_the_app(make: Make) -> None:
    make().prepare("nap", "cpu")
    one = standby._ready[0]
    assert one.process.pid == pid()
    one.line.close()
    assert one.process.wait(30) == 0


def test_nothing_waits_without_memory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "FREE_MEMORY", 10**9)
    make().prepare("nap", "cpu")
    assert not standby._ready


def test_there_is_memory_for_a_job_of_another_kind_beside_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "FREE_MEMORY", 700)
    for free, count in ((1399, 0), (1400, 1)):
        monkeypatch.setattr(machine, "_free_memory", lambda free=free: free)
        make().prepare("nap", "cpu")
        assert len(standby._ready) == count


def test_people_who_want_different_ones_do_not_end_each_others(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make()
    jobs.prepare("nap", "cpu")
    first = pid()
    jobs.prepare("fail", "cpu")
    assert pid() == first
    monkeypatch.setattr(standby, "_YOUNG", 0.0)
    jobs.prepare("fail", "cpu")
    assert pid() != first
