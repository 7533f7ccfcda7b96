"""Training as a background job: it survives kills, and says in a sentence what went wrong."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models import checkpoints
from models.config import Budget, RunConfig
from models.errors import UserError
from models.jobs import KINDS, Job, Jobs, JobSpec, Kind, training
from models.tables import Table
from models.training import job, session
from models.training.runs import Run

# The work of a training job, saving so often that a kill a moment later has something to go on from.
OFTEN = """
from models.training import loop
from models.training.job import train
loop.SAVE_SECONDS = 0.05
"""
Until = Callable[..., Job]


def config(family: str = "vae", steps: int = 6, **options: str) -> RunConfig:
    given = {"width": "4", "batch_size": "16", **options}
    return session.configure("digits", family, budget=Budget(steps=steps), options=given, seed=0, where="cpu")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoints.load(folder / "checkpoint").state_dict()


@pytest.mark.slow
def test_a_training_killed_at_a_random_moment_ends_with_the_weights_of_one_that_was_not(
    tmp_path: Path, job_code: Callable[[str, str], None], until: Until
) -> None:
    job_code("often", OFTEN)
    kinds = Table[Kind]("kind of job", {"train": Kind("often:train", KINDS["train"].arguments)})
    asked = config(steps=400, network="mlp")
    torch.set_num_threads(1)
    whole = session.new_run(asked, tmp_path / "whole")
    session.train(whole)

    def app() -> Jobs:
        return Jobs(tmp_path / "runs", {"cpu": 1}, kinds=kinds, threads=1, niceness=0)

    id = app().submit(training(asked)).id
    jobs = app()  # as after a restart of the app
    until(jobs, id, "running", seconds=120)
    run = Run(jobs.folder(id))
    state = run.folder / "state" / "state.safetensors"
    end = time.monotonic() + 120
    while not state.exists() and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(0.1 * random.random())
    status = json.loads((run.folder / "status.json").read_text())
    os.kill(status["process"], signal.SIGKILL)
    assert until(jobs, id, "died", seconds=120).code == "died"
    found = run.load_state()
    assert found is not None and 0 < found[1] < 400
    jobs.resume(id)
    done = until(jobs, id, "done", seconds=120)
    assert done.outcome["steps"] == 400 and done.share == 1
    one, two = weights(whole.folder), weights(run.folder)
    assert all(torch.equal(one[name], two[name]) for name in one)
    steps = [event["step"] for event in run.events()]
    assert steps == sorted(steps) and steps[-1] == 400
    assert list(run.samples.glob("*.png")) and "step 400" in (run.folder / "log.txt").read_text()


def test_a_training_goes_on_to_a_larger_budget(tmp_path: Path) -> None:
    told: list[float] = []

    def report(share: float, line: str = "") -> None:
        told.append(share)
        assert line.startswith("step ")

    first = job.train(tmp_path, training(config(steps=4)), report, lambda: False)
    assert first["steps"] == 4 and told[-1] == 1
    assert all(isinstance(value, float) for value in first["metrics"].values()) and first["metrics"]
    assert job.train(tmp_path, training(config(steps=7)), report, lambda: False)["steps"] == 7
    assert Run(tmp_path).config().budget.steps == 7


def test_a_training_that_is_stopped_has_a_checkpoint(tmp_path: Path) -> None:
    asked = iter([False] * 3 + [True] * 9)
    found = job.train(tmp_path, training(config(steps=50)), lambda share, line="": None, lambda: next(asked))
    assert found["steps"] == 3
    assert checkpoints.read(tmp_path / "checkpoint").card.steps == 3


def test_what_diverges_keeps_its_last_state_and_goes_on_with_a_smaller_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quiet(share: float, line: str = "") -> None:
        pass

    job.train(tmp_path, training(config("gan", 4)), quiet, lambda: False)
    before = (tmp_path / "state" / "state.safetensors").read_bytes()
    wild = config("gan", 40, learning_rate="1", optimizer="sgd", gamma="1000")
    with pytest.raises(UserError) as caught:
        job.train(tmp_path, training(wild), quiet, lambda: False)
    assert caught.value.code == "diverged" and "learning rate" in caught.value.remedy
    assert (tmp_path / "state" / "state.safetensors").read_bytes() == before
    assert job.train(tmp_path, training(config("gan", 8)), quiet, lambda: False)["steps"] == 8


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out-of-memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "out-of-memory"),
        (RuntimeError("CUDA error: device-side unspecified launch failure"), "device-lost"),
    ],
)
def test_a_device_that_is_full_or_gone_is_worded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: RuntimeError, code: str
) -> None:
    def failing(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("models.training.loop.Trainer.fit", failing)
    large = config(width="64", batch_size="128")
    with pytest.raises(UserError) as caught:
        job.train(tmp_path, training(large), lambda share, line="": None, lambda: False)
    assert caught.value.code == code
    suggested = "batch_size=64 and width=32" in caught.value.remedy
    assert suggested == (code == "out-of-memory")


def test_an_error_of_the_program_stays_one_and_memory_has_its_own(tmp_path: Path) -> None:
    bug = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert job.worded(bug, config()) is bug
    full = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    assert isinstance(job.worded(full, config()), MemoryError)


def test_a_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    spec = JobSpec(kind="train", arguments=config().model_dump(mode="json"), device="cuda")
    with pytest.raises(UserError, match="no 'cuda' device"):
        job.train(tmp_path, spec, lambda share, line="": None, lambda: False)
