"""Weights of a run, kept for a map of them while the training replaces its own."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models import catalog, paths
from models.embedding import weights
from models.embedding.job import embed
from models.embedding.library import cached
from models.embedding.maps import MapSpec
from models.errors import UserError
from models.jobs import JobSpec


@pytest.fixture
def run(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalog.ModelInfo:
    """A model that still trains."""
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("EXPLORER_RUNS_DIR", str(tmp_path / "runs"))
    shutil.copytree(zoo / "tiny-vae", paths.runs() / "train-1" / "live")
    found = catalog.of_run("train-1")
    assert found is not None
    return found


def test_kept_weights_stay_when_the_training_goes_on(run: catalog.ModelInfo, tmp_path: Path) -> None:
    assert weights.kept(run.digest) is None
    weights.keep(run)
    weights.keep(run)
    shutil.rmtree(run.path)
    kept = weights.kept(run.digest, run.id)
    assert kept is not None and (kept.id, kept.digest, kept.run) == ("train-1", run.digest, True)
    assert kept.weights.is_file() and weights.find(run.digest).digest == run.digest


def test_a_job_maps_the_weights_that_were_kept(run: catalog.ModelInfo, tmp_path: Path) -> None:
    spec = MapSpec(model=run.digest, dataset="digits", method="pca", count=40)
    job = JobSpec(kind="embed", arguments=spec.model_dump(mode="json"))
    with pytest.raises(UserError) as caught:
        embed(tmp_path, job, lambda share: None, lambda: False)
    assert caught.value.code == "unknown-model"
    weights.keep(run)
    shutil.rmtree(run.path)
    assert embed(tmp_path, job, lambda share: None, lambda: False)["points"] == 40
    kept = weights.kept(run.digest)
    assert kept is not None and cached(spec, kept) is not None


@pytest.mark.parametrize("damage", ["other", "gone"])
def test_weights_that_were_replaced_are_not_kept(run: catalog.ModelInfo, damage: str) -> None:
    run.weights.write_bytes(b"newer") if damage == "other" else shutil.rmtree(run.path)
    with pytest.raises(UserError) as caught:
        weights.keep(run)
    assert caught.value.code == "stale-model" and weights.kept(run.digest) is None


def test_what_nothing_replaces_is_not_copied(run: catalog.ModelInfo) -> None:
    weights.keep(replace(run, run=False))
    assert not weights.folder().exists()


def test_the_oldest_go(run: catalog.ModelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_MOST", 2)
    for name in ("a", "b", "c"):
        (weights.folder() / name).mkdir(parents=True)
    weights.keep(run)
    assert len(list(weights.folder().iterdir())) == 2 and weights.kept(run.digest) is not None
