"""The checkpoint of a run in the runs folder: found by the run's name, whatever state it is in."""

import shutil
from pathlib import Path

import pytest
import torch

from models import catalog, checkpoints, paths, render
from models.config import Budget
from models.core import LatentModel
from models.directions import Origin, raw
from models.errors import UserError
from models.requests import Decode, Point, RenderRequest
from models.training import session
from models.training.runs import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = session.configure("digits", "vae", budget=Budget(steps=6), options={"width": 4}, where="cpu")
    run = session.new_run(config, tmp_path_factory.mktemp("trained") / "run")
    session.train(run)
    return run.folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run in a runs folder of the test's own."""
    monkeypatch.setenv("EXPLORER_RUNS_DIR", str(tmp_path / "runs"))
    return Path(shutil.copytree(trained, paths.runs() / "train-1"))


def test_a_run_is_found_by_its_name_and_draws(run: Path) -> None:
    info = catalog.of_run(run.name)
    assert info and info.id == run.name and info.run and info.path == run / "checkpoint"
    digest = render.admit(info)
    shutil.rmtree(run / "checkpoint")  # as if it were just replaced: what was loaded stays
    request = RenderRequest(model=digest, op=Decode(points=(Point(seed=1),)))
    assert render.render(request).images.shape == (1, 16, 16, 1)


@pytest.mark.parametrize("name", ["train-2", "..", "../runs/train-1", "", "train-1/checkpoint"])
def test_other_names_are_no_runs(run: Path, name: str) -> None:
    assert catalog.of_run(name) is None


def test_it_is_none_of_the_models(run: Path) -> None:
    assert run.name not in [info.id for info in catalog.models()]
    with pytest.raises(UserError, match="no model"):
        catalog.find(run.name)


def test_while_it_trains_the_newest_counts(run: Path) -> None:
    (run / "checkpoint").rename(run / "live")
    info = catalog.of_run(run.name)
    assert info and info.path == run / "live"
    Run(run).forget_live()
    assert catalog.of_run(run.name) is None


def test_one_that_is_half_there_is_named(run: Path) -> None:
    (run / "checkpoint" / "config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        catalog.of_run(run.name)


def test_raw_axes_of_a_model_that_learns_keep_their_order(run: Path) -> None:
    model = checkpoints.load(run / "checkpoint")
    assert isinstance(model, LatentModel)
    learning = raw(model, origin=Origin("digits", learning=True))
    assert torch.equal(learning.vectors, torch.eye(model.latent_dim))
    done = raw(model)
    assert torch.equal(done.vectors.argmax(1).sort().values, torch.arange(len(done.vectors)))
    assert torch.allclose(learning.shares[done.vectors.argmax(1)], done.shares)
