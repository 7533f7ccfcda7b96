"""Commands over data that are no list of pictures: a person's own folder, points in the plane."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets import uploads

Run = Callable[..., tuple[int, str, str]]
TINY = (
    "--set",
    "width=4",
    "--set",
    "batch_size=4",
    "--budget",
    "3-steps",
    "--threads",
    "1",
    "--device",
    "cpu",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Run) -> Run:
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path / "no-assets"))
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Twenty small images in two classes."""
    root = tmp_path / "my pets"
    for i in range(20):
        folder = root / ("cats" if i % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).integers(0, 256, (24, 24, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")
    return root


def test_a_folder_is_listed(run: Run, pets: Path) -> None:
    code, out, _ = run("datasets", "folder:my pets", "--json")
    (row,) = json.loads(out)["datasets"]
    assert code == 0 and row["id"] == f"folder:{pets}" and row["classes"] == ["cats", "dogs"]
    assert row["train"] + row["test"] == 20 and row["available"] and row["sample_shape"] == [3, 64, 64]
    assert "2 classes" in run("datasets", "folder:my pets", "digits")[1]


def test_training_and_evaluation_from_any_working_directory(
    run: Run, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(
        "train", "--dataset", "folder:my pets", "--model", "cvae", "--set", "size=16", *TINY, "--json"
    )
    assert code == 0, err
    result = json.loads(out)
    assert Path(result["run"]).name.startswith("my-pets-cvae-")
    config = json.loads((Path(result["checkpoint"]) / "config.json").read_text())
    assert config["id"] == "my-pets-cvae" and config["dataset"] == f"folder:{pets}?size=16"
    assert (config["model"]["size"], config["model"]["channels"], config["model"]["classes"]) == (16, 3, 2)
    command = json.loads((Path(result["checkpoint"]) / "card.json").read_text())["command"]
    assert f"'folder:{pets}?size=16'" in command and "--set size" not in command
    monkeypatch.chdir("/")
    code, out, err = run("evaluate", result["checkpoint"], "--n", "10", "--json")
    assert code == 0 and json.loads(out)["metrics"]["sharpness_ratio"] > 0, err
    code, out, err = run(
        "evaluate", result["checkpoint"], "--dataset", f"folder:{pets}", "--n", "10", "--json"
    )
    assert code == 0 and json.loads(out)["dataset"] == f"folder:{pets}?size=16", err
    code, out, _ = run(
        "sample", result["checkpoint"], "-n", "2", "--label", "dogs", "-o", str(tmp_path / "a.png")
    )
    assert code == 0


def test_a_set_of_ones_own_is_listed_trained_on_and_measured(run: Run, pets: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(pets.rglob("*.png")):
            archive.write(path, path.relative_to(pets.parent))
    uploads.take_in(buffer.getvalue(), "My pets.zip")
    listed = json.loads(run("datasets", "--json")[1])["datasets"]
    assert listed[-1]["id"] == "own:my-pets" and listed[-1]["title"] == "My pets" and listed[-1]["available"]
    assert listed[-1]["classes"] == ["cats", "dogs"] and "own:my-pets" in run("datasets")[1]
    code, out, err = run(
        "train", "--dataset", "own:my-pets", "--model", "vae", "--set", "size=16", *TINY, "--json"
    )
    assert code == 0, err
    result = json.loads(out)
    assert Path(result["run"]).name.startswith("my-pets-vae-")
    code, out, err = run("evaluate", result["checkpoint"], "--dataset", "own:my-pets", "--n", "10", "--json")
    assert code == 0 and json.loads(out)["dataset"] == "own:my-pets?size=16", err
    uploads.delete("my-pets")
    code, out, err = run("train", "--resume", result["run"], "--budget", "5-steps")
    assert code == 1 and "no data set 'own:my-pets'" in err and "Traceback" not in err


def test_a_folder_that_is_gone_is_named(run: Run, pets: Path) -> None:
    code, out, _ = run("train", "--dataset", "folder:my pets", "--model", "gan", *TINY, "--json")
    assert code == 0
    shutil.rmtree(pets)
    made = json.loads(out)
    code, _, err = run("evaluate", made["checkpoint"], "--n", "10")
    assert code == 1 and "There is no folder" in err and "Traceback" not in err
    code, _, err = run("train", "--resume", made["run"], "--budget", "5-steps")
    assert code == 1 and "There is no folder" in err
    assert run("models")[0] == 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--dataset", "folder:nowhere"), ("There is no folder", "folder:<path>")),
        (("--dataset", "my pets"), ("no data set 'my pets'", "folder:my pets")),
        (("--dataset", "folder:my pets", "--set", "size=48"), ("'48'", "16, 32, 64")),
        (("--dataset", "digits", "--set", "size=32"), ("16 pixels", "folder")),
    ],
)
def test_mistakes(run: Run, pets: Path, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    code, out, err = run("train", *words, "--model", "gan", *TINY)
    assert code == 1 and not out and all(part in err for part in parts), err
    assert not Path("home/runs").exists()


# Points ----------------------------------------------------------------------------------------------------


@pytest.fixture
def points(run: Run, tmp_path: Path) -> str:
    """A model over points, in the catalog."""
    code, _, err = run("train", "--dataset", "toy:grid25", "--model", "cgan", *TINY, "--out", "made")
    assert code == 0, err
    shutil.copytree("made/checkpoint", tmp_path / "home" / "models" / "grid")
    return "grid"


def test_samples_of_points_are_a_scatter_plot_or_arrays(run: Run, points: str) -> None:
    assert run("sample", points, "-n", "30", "-o", "a.png")[0] == 0
    with Image.open("a.png") as image:
        assert image.size == (512, 512) and image.mode == "RGB"
        assert len(image.getcolors(10**6) or []) > 10
    assert run("sample", points, "-n", "30", "--label", "3", "-o", "a.npz")[0] == 0
    with np.load("a.npz") as arrays:
        assert sorted(arrays) == ["labels", "latents", "points", "seeds"]
        assert arrays["points"].shape == (30, 2) and set(arrays["labels"]) == {3}


def test_points_are_listed_and_measured(run: Run, points: str) -> None:
    (row,) = json.loads(run("models", "--json")[1])["models"]
    assert row["sample_shape"] == [2] and "picture" not in row["capabilities"]
    assert "points" in run("models")[1]
    data = {row["id"]: row for row in json.loads(run("datasets", "--json")[1])["datasets"]}
    assert data["toy:ring8"]["sample_shape"] == [2] and data["toy:ring8"]["available"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("interpolate", "grid", "--seeds", "1,2", "-o", "a.gif"), ("makes points, not pictures",)),
        (("evaluate", "grid", "--dataset", "digits", "--n", "10"), ("points",)),
        (("evaluate", "grid", "--metrics", "sharpness", "--n", "10"), ("'sharpness' needs", "images")),
        (("train", "--dataset", "toy:grid", "--model", "gan"), ("Did you mean 'toy:grid25'?",)),
        (("train", "--dataset", "toy:line", "--model", "classifier"), ("holds points", "--model")),
    ],
)
def test_what_cannot_be_done_with_points(
    run: Run, points: str, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    code, out, err = run(*words)
    assert code == 1 and not out and all(part in err for part in parts), err
    assert "Traceback" not in err
