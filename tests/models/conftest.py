"""A model whose answers are known in closed form, a cache folder of each test's own, jobs, two processes at once."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from models.jobs import Job, Jobs, machine

if TYPE_CHECKING:
    from models.core import LatentModel


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def linear() -> Callable[..., "LatentModel"]:
    """The class of a model whose pictures are a linear map of the latent, so that answers are known."""
    import torch
    from torch import Tensor

    from models.config import GanConfig
    from models.core import LatentModel

    class Linear(LatentModel):
        """Pictures are a linear map of the latent with orthogonal rows of length `gain`, plus an offset by class."""

        def __init__(self, latent_dim: int = 6, classes: int = 0, gain: float = 2.0) -> None:
            family = "cgan" if classes else "gan"
            fields = {
                "family": family,
                "size": 16,
                "channels": 1,
                "latent_dim": latent_dim,
                "classes": classes,
            }
            super().__init__(GanConfig.model_validate(fields))
            noise = torch.randn(256, latent_dim, generator=torch.Generator().manual_seed(0))
            self.rows = gain * torch.linalg.qr(noise).Q.T
            self.offsets = torch.linspace(-0.5, 0.5, classes) if classes else torch.zeros(1)

        def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
            offset = self.offsets[labels] if labels is not None else self.offsets[:1]
            return (z @ self.rows + offset[:, None]).clamp(-1, 1).reshape(-1, 1, 16, 16)

        def first_layer(self) -> Tensor:
            return self.rows.T

        def hidden(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
            return z @ self.rows

    return Linear


@pytest.fixture
def two_at_once() -> Callable[[str, str], list[str]]:
    """Return a function that runs a program, given an argument, in two processes at once; returns what each printed."""

    def run(code: str, argument: str) -> list[str]:
        words = [sys.executable, "-c", code, argument]
        both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        return [one.communicate(timeout=120)[0].strip() for one in both]

    return run


@pytest.fixture
def job_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that writes a module for workers to import, and lets jobs start however little is free."""

    def write(name: str, code: str) -> None:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(machine, "FREE_MEMORY", 0)
        monkeypatch.setattr(machine, "FREE_DISK", 0)

    return write


@pytest.fixture
def until() -> Callable[..., Job]:
    """Return a function that ticks until a job is in one of some states."""

    def wait(jobs: Jobs, id: str, *states: str, seconds: float = 60.0) -> Job:
        end = time.monotonic() + seconds
        while (job := jobs.get(id)).state not in states:
            assert time.monotonic() < end, f"{job.state}: {job.problem}"
            jobs.tick()
            time.sleep(0.02)
        return job

    return wait
