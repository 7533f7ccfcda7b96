"""Training does without torch's compiler, and optimizers do what they would do with it."""

import subprocess
import sys

import pytest
import torch

from models.training import compiler

TRAIN = """
import sys
from pathlib import Path
from models.config import Budget
from models.training import session
config = session.configure("digits", sys.argv[1], budget=Budget(steps=2), options={"width": 4}, where="cpu")
session.train(session.new_run(config, Path(sys.argv[2])))
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""


@pytest.mark.parametrize("family", ["vae", "gan", "classifier"])
def test_a_training_does_not_load_it(family: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp(family) / "run"
    command = [sys.executable, "-c", TRAIN, family, str(folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_a_step_is_that_of_the_optimizer(kind: type[torch.optim.Optimizer]) -> None:
    found: list[torch.Tensor] = []
    for own in (True, False):
        weights = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = kind([weights], lr=0.1, weight_decay=0.01, fused=True)  # pyright: ignore[reportCallIssue]
        for _ in range(3):
            optimizer.zero_grad()
            weights.pow(3).sum().backward()  # pyright: ignore[reportUnknownMemberType]
            compiler.step(optimizer) if own else optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        found.append(weights.detach())
    assert torch.equal(*found) and not torch.equal(found[0], torch.linspace(-1, 1, 7))
