"""Background jobs: one process each, found again, never lost, never twice, never longer than they may."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.config import Budget, RunConfig
from models.errors import UserError
from models.jobs import Job, Jobs, JobSpec, Kind, keep, machine, records, training
from models.tables import Table
from models.values import Value

# What the workers of these tests do: a module that they import, as they would one of the project.
KINDS_MODULE = """
import os, signal, time
from models.errors import UserError

def nap(folder, spec, report, stop):
    with (folder / "starts.txt").open("a") as file:
        file.write(f"{os.getpid()} {os.nice(0)} {os.environ['OMP_NUM_THREADS']}\\n")
    seconds = spec.arguments["seconds"]
    start = time.monotonic()
    print("napping")
    while (slept := time.monotonic() - start) < seconds and (spec.arguments["deaf"] or not stop()):
        report(slept / seconds)
        time.sleep(0.01)
    return {"slept": slept}

def fail(folder, spec, report, stop):
    raise UserError("diverged", "It diverged.", "Try a smaller learning rate.")

def crash(folder, spec, report, stop):
    raise ValueError("a secret of the program")

def leave(folder, spec, report, stop):
    print("the last words")
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Nap(Value):
    seconds: float = 0.0
    deaf: bool = False


KINDS = Table[Kind](
    "kind of job", {name: Kind(f"job_kinds:{name}", Nap) for name in ("nap", "fail", "crash", "leave")}
)
Make = Callable[..., Jobs]
Until = Callable[..., Job]


@pytest.fixture
def make(tmp_path: Path, job_code: Callable[[str, str], None]) -> Iterator[Make]:
    """Give a function that makes `Jobs` on one folder; whatever still runs at the end is killed."""
    job_code("job_kinds", KINDS_MODULE)

    def new(**options: object) -> Jobs:
        return Jobs(tmp_path / "runs", **{"limits": {"cpu": 2}, "kinds": KINDS, "niceness": 0, **options})  # pyright: ignore

    yield new
    for starts in (tmp_path / "runs").glob("*/starts.txt"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(starts.read_text().split()[-3]), signal.SIGKILL)


def spec(kind: str = "nap", seconds: float = 60.0, **options: object) -> JobSpec:
    given = {"deaf": options.pop("deaf", False), "seconds": seconds}
    return JobSpec(kind=kind, arguments=given, device="cpu", **options)  # pyright: ignore


def started(jobs: Jobs, id: str, times: int = 1) -> list[int]:
    """Wait until a job's work began for the nth time; return its processes so far."""
    path = jobs.folder(id) / "starts.txt"
    end = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < times:
        assert time.monotonic() < end, jobs.get(id)
        jobs.tick()
        time.sleep(0.02)
    return [int(line.split()[0]) for line in path.read_text().splitlines()]


def gone(process: int) -> bool:
    """Wait until a process is no more, or is only waited for."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rsplit(")")[-1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_job_runs_in_a_process_of_its_own_and_tells_how_it_went(make: Make, until: Until) -> None:
    jobs = make(threads=3, niceness=5)
    job = jobs.submit(spec(seconds=0.7, title="A nap", owner="ann"))
    assert job.state == "queued" and not job.over and job.ahead == 0
    assert until(jobs, job.id, "running").started
    job = until(jobs, job.id, "done")
    assert job.share == 1 and job.outcome["slept"] >= 0.7 and job.over
    assert job.ended and job.started and job.ended > job.started >= job.created
    process, nice, threads = (jobs.folder(job.id) / "starts.txt").read_text().split()
    assert int(process) != os.getpid() and int(nice) == min(19, os.nice(0) + 5) and threads == "3"
    assert "napping" in (jobs.folder(job.id) / "log.txt").read_text()


def test_the_queue_is_in_order_and_keeps_to_its_limit_in_two_apps(make: Make, until: Until) -> None:
    one, two = make(limits={"cpu": 1}), make(limits={"cpu": 1})
    first, second, third = (one.submit(spec(), id=f"job-{n}").id for n in range(3))
    assert [job.ahead for job in one.all()] == [2, 1, 0]
    started(one, first)
    for _ in range(5):
        one.tick()
        two.tick()
    assert [two.get(id).state for id in (first, second, third)] == ["running", "queued", "queued"]
    os.kill(started(one, first)[0], signal.SIGKILL)
    assert until(two, first, "died").code == "died"
    started(two, second)
    assert one.get(third).state == "queued"


def test_stopping_is_graceful_and_stopping_twice_is_stopping_once(make: Make, until: Until) -> None:
    jobs = make()
    id = jobs.submit(spec()).id
    started(jobs, id)
    assert jobs.stop(id).state == "stopping"
    assert jobs.stop(id).state in ("stopping", "stopped")
    job = until(jobs, id, "stopped")
    assert job.outcome["slept"] < 60 and job.problem == ""
    assert jobs.stop(id).state == "stopped" and jobs.cancel(id).state == "stopped"


def test_a_job_that_waits_is_cancelled_and_can_be_resumed(make: Make, until: Until) -> None:
    jobs = make(limits={"cpu": 1})
    id = jobs.submit(spec()).id
    assert jobs.stop(id).state == "cancelled"
    jobs.tick()
    assert not (jobs.folder(id) / "starts.txt").exists()
    assert jobs.resume(id, arguments={"seconds": 0.0}).state == "queued"
    assert until(jobs, id, "done").spec.arguments["seconds"] == 0


def test_cancelling_kills_at_once_even_what_is_deaf(make: Make) -> None:
    jobs = make()
    id = jobs.submit(spec(deaf=True)).id
    (process,) = started(jobs, id)
    jobs.cancel(id)
    assert gone(process)
    assert jobs.get(id).state == "cancelled" and jobs.get(id).over


def test_a_killed_worker_is_found_dead_with_its_last_words(make: Make, until: Until) -> None:
    jobs = make()
    id = jobs.submit(spec("leave")).id
    job = until(jobs, id, "died")
    assert job.log[-1] == "the last words" and "Resume" in job.remedy
    assert jobs.resume(id).state == "queued"


def test_errors_are_sentences_and_the_trace_stays_in_the_log(make: Make, until: Until) -> None:
    jobs = make()
    ours, theirs = jobs.submit(spec("fail")).id, jobs.submit(spec("crash")).id
    job = until(jobs, ours, "failed")
    assert (job.code, job.remedy) == ("diverged", "Try a smaller learning rate.")
    job = until(jobs, theirs, "failed")
    assert job.code == "job-failed" and not job.log
    assert "secret" not in job.problem + job.remedy
    assert "a secret of the program" in (jobs.folder(theirs) / "log.txt").read_text()


@pytest.mark.parametrize(("deaf", "state"), [(False, "stopped"), (True, "failed")])
def test_nothing_takes_longer_than_it_may(make: Make, deaf: bool, state: str) -> None:
    jobs = make(grace=0.3)
    id = jobs.submit(spec(deaf=deaf, timeout=0.3)).id
    (process,) = started(jobs, id)
    # Nobody ticks: the worker sees to it alone.
    assert gone(process)
    job = jobs.get(id)
    assert job.state == state and job.code == "timed-out"


def test_a_worker_outlives_the_app_and_is_found_again(make: Make, tmp_path: Path, until: Until) -> None:
    app = f"""
import time
from pathlib import Path
from models.jobs import Jobs, machine, keep
from models.values import Value
machine.FREE_MEMORY = machine.FREE_DISK = 0
import sys; sys.path[:0] = [{str(tmp_path / "code")!r}, {str(Path(__file__).parent)!r}]
from test_jobs import KINDS
keep(Jobs(Path({str(tmp_path / "runs")!r}), {{"cpu": 1}}, kinds=KINDS), 0.05)
time.sleep(60)
"""
    jobs = make(limits={"cpu": 1})
    id, other = jobs.submit(spec(seconds=1.0), id="one").id, jobs.submit(spec(seconds=0.0), id="two").id
    with subprocess.Popen([sys.executable, "-c", app]) as process:
        end = time.monotonic() + 60
        while jobs.get(id).state == "queued" and time.monotonic() < end:
            time.sleep(0.005)
        process.kill()  # as soon as it is said to run: at worst before there is a worker
    again = make(limits={"cpu": 1})
    assert again.get(id).state in ("running", "queued") and again.get(other).state == "queued"
    assert until(again, id, "done").outcome["slept"] >= 1
    assert len(started(again, id)) == 1
    assert until(again, other, "done").share == 1


def test_a_job_that_was_never_started_waits_again(make: Make, until: Until) -> None:
    jobs = make(limits={"cpu": 1})
    id = jobs.submit(spec(seconds=0.0), id="one").id
    folder = jobs.folder(id)
    status = records.read(folder).status.model_copy(update={"state": "running", "started": time.time()})
    records.write_status(folder, status)  # as an app does that is then killed, before it starts the worker
    assert jobs.get(id).state == "queued"
    assert until(jobs, id, "done").share == 1
    records.write_status(folder, status)  # but where there was a worker, it died
    assert until(jobs, id, "died").state == "died"


def test_the_same_request_twice_is_one_job_and_one_process(make: Make, until: Until) -> None:
    apps = [make(limits={"cpu": 2}) for _ in range(4)]
    outcomes: list[Job] = []

    def at_once(action: Callable[[Jobs], Job]) -> None:
        barrier = threading.Barrier(len(apps))

        def go(jobs: Jobs) -> None:
            barrier.wait()
            outcomes.append(action(jobs))
            jobs.tick()

        threads = [threading.Thread(target=go, args=(jobs,)) for jobs in apps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    at_once(lambda jobs: jobs.submit(spec(), id="twice"))
    assert {job.id for job in outcomes} == {"twice"} and len(apps[0].all()) == 1
    (process,) = started(apps[0], "twice")
    os.kill(process, signal.SIGKILL)
    until(apps[1], "twice", "died")
    at_once(lambda jobs: jobs.resume("twice"))
    assert len(started(apps[2], "twice", 2)) == 2
    assert apps[3].resume("twice").state == "running"
    with pytest.raises(UserError, match="There is a 'twice' already"):
        apps[0].submit(spec(seconds=1.0), id="twice")


def test_a_job_whose_folder_is_deleted_ends_and_frees_its_place(make: Make, until: Until) -> None:
    jobs = make(limits={"cpu": 1})
    id = jobs.submit(spec(deaf=True)).id
    (process,) = started(jobs, id)
    shutil.rmtree(jobs.folder(id), ignore_errors=True)
    assert gone(process)
    with pytest.raises(UserError, match="no job"):
        jobs.get(id)
    assert jobs.all() == []
    next_one = jobs.submit(spec(seconds=0.0)).id
    assert until(jobs, next_one, "done").share == 1


def test_removing(make: Make, tmp_path: Path, until: Until) -> None:
    jobs = make()
    running, waiting = jobs.submit(spec()).id, jobs.submit(spec()).id
    started(jobs, running)
    with pytest.raises(UserError, match="Stop it or cancel it"):
        jobs.remove(running)
    jobs.cancel(waiting)
    until(jobs, waiting, "cancelled")
    jobs.remove(waiting)
    with pytest.raises(UserError, match="no job"):
        jobs.remove(waiting)
    assert [job.id for job in jobs.all()] == [running]
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name.startswith(".removed")]


def test_owners_see_and_touch_what_is_theirs(make: Make) -> None:
    jobs = make()
    hers, his = (jobs.submit(spec(owner=owner)).id for owner in ("ann", "bob"))
    assert [job.id for job in jobs.all("ann")] == [hers]
    assert {job.id for job in jobs.all()} == {hers, his}
    for action in (jobs.get, jobs.stop, jobs.cancel, jobs.resume, jobs.remove):
        with pytest.raises(UserError, match="no job"):
            action(his, "ann")
    assert jobs.get(his, "bob").state == "queued"


@pytest.mark.parametrize("id", ["..", "../x", "/etc", "", ".places", "a/b", "a\n", "x" * 101, "nul\0"])
def test_ids_lead_nowhere_else(make: Make, id: str) -> None:
    jobs = make()
    for action in (jobs.get, jobs.folder, jobs.stop, jobs.cancel, jobs.resume, jobs.remove):
        with pytest.raises(UserError, match="no job"):
            action(id)
    with pytest.raises(UserError, match="cannot be the id"):
        jobs.submit(spec(), id=id)


def test_what_cannot_be_done_is_said_before_it_waits(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = make(longest=60.0)
    wrong = {
        "no kind of job 'nab'": spec("nab"),
        "unknown field 'sekonds'": JobSpec(kind="nap", arguments={"sekonds": 1}, device="cpu"),
        "No jobs run on 'cuda'": spec().model_copy(update={"device": "cuda"}),
        "at most|may take 60 s, not 61 s": spec(timeout=61.0),
    }
    for message, one in wrong.items():
        with pytest.raises(UserError, match=message):
            jobs.submit(one)
    monkeypatch.setattr(machine, "FREE_DISK", 10**12)
    with pytest.raises(UserError, match="free on the disk") as caught:
        jobs.submit(spec(timeout=1.0))
    assert caught.value.code == "disk-full" and jobs.all() == []


def test_a_job_waits_for_memory_and_says_so(
    make: Make, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    jobs = make()
    id = jobs.submit(spec(seconds=0.0)).id
    monkeypatch.setattr(machine, "_free_memory", lambda: 100)
    monkeypatch.setattr(machine, "FREE_MEMORY", 700)
    jobs.tick()
    job = jobs.get(id)
    assert (job.state, job.code) == ("queued", "memory-full") and "100 MB" in job.problem
    monkeypatch.setattr(machine, "_free_memory", lambda: 800)
    assert until(jobs, id, "done").code == ""


def test_a_full_disk_keeps_no_job_from_telling_how_it_ended(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make()
    folder = jobs.folder(jobs.submit(spec()).id)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    error = UserError("disk-full", "The disk is full.", "Free some space.")
    records.write_status(folder, records.Status().told(error, state="failed"))
    assert jobs.get(folder.name).code == "disk-full"
    with pytest.raises(UserError, match="disk is full"):
        jobs.submit(spec())
    assert len(list(folder.parent.glob("*/job.json"))) == 1
    assert not list(folder.parent.glob(".new-*"))


def test_a_damaged_job_stops_no_other(make: Make, until: Until) -> None:
    jobs = make()
    bad, good = jobs.submit(spec(), id="bad"), jobs.submit(spec(seconds=0.0), id="good")
    (jobs.folder(bad.id) / "job.json").write_text("{")
    (jobs.folder(good.id).parent / "a-run-of-the-command-line").mkdir()
    with pytest.raises(UserError, match="damaged"):
        jobs.get("bad")
    assert until(jobs, "good", "done").share == 1
    assert [job.id for job in jobs.all()] == ["good"]


def test_a_keeper_starts_jobs_by_itself_until_it_is_ended(make: Make) -> None:
    jobs = make()
    end = keep(jobs, 0.02)
    id = jobs.submit(spec(seconds=0.0)).id
    limit = time.monotonic() + 60
    while not jobs.get(id).over and time.monotonic() < limit:
        time.sleep(0.02)
    end()
    assert jobs.get(id).state == "done"


def test_gpus_are_shared_out_and_kept_from_jobs_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-5")
    assert machine.gpus() == ("2", "GPU-5") and machine.limits()["cuda"] == 2
    assert machine.queue_of("auto") == "cuda" and machine.queue_of("cpu") == "cpu"
    assert machine.environment("cuda", 1, 2)["CUDA_VISIBLE_DEVICES"] == "GPU-5"
    assert machine.environment("cpu", 0, 2)["CUDA_VISIBLE_DEVICES"] == ""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.gpus() == () and machine.limits()["cpu"] == 1


def test_the_spec_of_a_training_has_its_budget_and_more_as_its_time() -> None:
    config = RunConfig(
        model={"family": "vae"}, training={}, dataset="digits", budget=Budget(seconds=60), device="cpu"
    )
    job = training(config, owner="ann")
    assert (job.kind, job.owner, job.device, job.title) == ("train", "ann", "cpu", "digits vae")
    assert job.timeout == 60 + records.OVERHEAD
    assert RunConfig.model_validate(job.arguments) == config
