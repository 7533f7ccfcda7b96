"""A model whose answers are known in closed form, a cache folder of each test's own, two processes at once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
