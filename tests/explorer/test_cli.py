"""The command line: what it prints, what it writes, how it ends."""

import json
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer import cli

DIGITS = (
    "--dataset",
    "digits",
    "--budget",
    "20-steps",
    "--set",
    "width=8",
    "--threads",
    "1",
    "--device",
    "cpu",
)


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home with tiny models, trained by the command itself."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_HOME", str(folder))
        for family in ("vae", "cgan", "classifier"):
            out = folder / "trained" / family
            words = ["train", "--model", family, *DIGITS, "--name", f"tiny-{family}", "--out", str(out)]
            assert cli.main(words) == 0
            shutil.copytree(out / "checkpoint", folder / "models" / f"tiny-{family}")
    return folder


@pytest.fixture
def run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]
) -> Cli:
    """Run a command in an empty folder, with the tiny models and no shipped ones."""
    for name in ("EXPLORER_MODELS_DIR", "EXPLORER_RUNS_DIR", "EXPLORER_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EXPLORER_HOME", str(home))
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path / "no-assets"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: Result(*command(*words))


def failed(result: Result, *parts: str) -> bool:
    """Check that a command failed with one line on stderr that holds all parts, and nothing on stdout."""
    lines = result.err.strip().splitlines()
    assert (result.code, result.out, len(lines)) == (1, "", 1), result
    assert all(part in lines[0] for part in parts), lines[0]
    return True


# Lists -----------------------------------------------------------------------------------------------------


def test_models_as_json(run: Cli) -> None:
    models = {row["id"]: row for row in run("models", "--json").json["models"]}
    assert set(models) == {"tiny-vae", "tiny-cgan", "tiny-classifier"}
    row = models["tiny-vae"]
    assert row["family"] == "vae" and row["dataset"] == "digits"
    assert row["latent_dim"] == 32 and row["sample_shape"] == [1, 16, 16]
    assert row["parameters"] == sum(row["parameters_by_network"].values()) > 1000
    assert row["metrics"]["psnr_db"] > 0
    assert models["tiny-classifier"]["latent_dim"] is None


def test_models_for_people(run: Cli) -> None:
    lines = run("models").out.splitlines()
    assert lines[0].split() == ["id", "family", "data", "set", "latent", "image", "parameters", "size"]
    assert any(line.startswith("tiny-vae") and "16x16 grey" in line and line.endswith("MB") for line in lines)


def test_a_broken_checkpoint_is_named_and_left_out(
    run: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home / "models", tmp_path / "models")
    (tmp_path / "models" / "tiny-vae" / "config.json").write_text("{")
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    result = run("models", "--json")
    assert result.code == 0
    assert {row["id"] for row in result.json["models"]} == {"tiny-cgan", "tiny-classifier"}
    assert "tiny-vae" in result.err and "cannot be read" in result.err


def test_no_models_is_said(run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "none"))
    assert run("models", "--json").json == {"models": []}
    assert "latent-explorer train" in run("models").out


def test_datasets(run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.paths._DEBIAN_DATASETS", tmp_path)
    monkeypatch.setenv("EXPLORER_DATA_DIR", str(tmp_path))
    rows = {row["id"]: row for row in run("datasets", "--json").json["datasets"]}
    assert rows["digits"]["available"] and not rows["mnist"]["available"]
    assert len(rows["fashion_mnist"]["classes"]) == 10 and len(rows["avatars"]["factors"]) >= 10
    assert "not here" not in run("datasets").out and "train and evaluate download it" in run("datasets").out


# Pictures --------------------------------------------------------------------------------------------------


def test_a_contact_sheet_has_eight_columns(run: Cli) -> None:
    result = run("sample", "tiny-vae", "-n", "20", "-o", "new/folder/out.png")
    assert (result.code, result.out) == (0, "")
    with Image.open("new/folder/out.png") as image:
        assert image.size == (8 * 16, 3 * 16) and image.mode == "L"


def test_sample_i_is_that_of_seed_plus_i(run: Cli) -> None:
    run("sample", "tiny-vae", "-n", "4", "--seed", "3", "-o", "a.npz")
    run("sample", "tiny-vae", "-n", "1", "--seed", "5", "-o", "b.npz")
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert a["images"].shape == (4, 16, 16, 1) and a["images"].dtype == np.uint8
        assert a["latents"].shape == (4, 32) and a["latents"].dtype == np.float32
        assert a["seeds"].tolist() == [3, 4, 5, 6] and a["labels"].tolist() == [-1] * 4
        np.testing.assert_array_equal(a["latents"][2], b["latents"][0])
        np.testing.assert_array_equal(a["images"][2], b["images"][0])


def test_truncation_scales_latents(run: Cli) -> None:
    run("sample", "tiny-vae", "-n", "2", "-o", "a.npz")
    run("sample", "tiny-vae", "-n", "2", "--truncation", "0.5", "-o", "b.npz")
    with np.load("a.npz") as a, np.load("b.npz") as b:
        np.testing.assert_allclose(b["latents"], 0.5 * a["latents"], rtol=1e-6)


def test_labels_by_name_by_index_and_by_seed(run: Cli) -> None:
    assert run("sample", "tiny-cgan", "-n", "2", "--label", "7", "-o", "a.npz").code == 0
    assert run("sample", "tiny-cgan", "-n", "12", "-o", "b.npz").code == 0
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert a["labels"].tolist() == [7, 7]
        assert b["labels"].tolist() == [0] * 8 + [1] * 4


def test_a_checkpoint_folder_is_a_model(run: Cli, home: Path) -> None:
    folder = str(home / "trained" / "vae" / "checkpoint")
    assert run("sample", folder, "-n", "2", "-o", "a.npz").code == 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("tiny-vea", "-o", "a.png"), ("no model 'tiny-vea'", "Did you mean 'tiny-vae'?")),
        (("tiny-vae", "-o", "a.jpg"), ("a.jpg", ".png or .npz")),
        (("tiny-vae", "-o", "a.png", "--label", "3"), ("takes no label",)),
        (("tiny-cgan", "-o", "a.png", "--label", "dog"), ("no label 'dog'",)),
        (("tiny-cgan", "-o", "a.png", "--label", "10"), ("no label '10'",)),
        (("tiny-classifier", "-o", "a.png"), ("makes no images", "tiny-cgan")),
        (("no/such/folder", "-o", "a.png"), ("no checkpoint", "folder")),
    ],
)
def test_bad_requests_for_samples(run: Cli, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert failed(run("sample", *words), *parts)
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("words", "option", "bound"),
    [
        (("sample", "tiny-vae", "-o", "a.png", "-n", "0"), "-n", "1"),
        (("sample", "tiny-vae", "-o", "a.png", "--seed", "-1"), "--seed", "0"),
        (("sample", "tiny-vae", "-o", "a.png", "--truncation", "3"), "--truncation", "2"),
        (("sample", "tiny-vae", "-o", "a.png", "--truncation", "nan"), "--truncation", "2"),
        (("interpolate", "tiny-vae", "--seeds", "1,2", "-o", "a.gif", "--frames", "1"), "--frames", "2"),
    ],
)
def test_a_number_beyond_its_range_is_wrong_usage(
    run: Cli, words: tuple[str, ...], option: str, bound: str
) -> None:
    result = run(*words)
    assert result.code == 2 and option in result.err and not list(Path().glob("a.*"))
    assert bound in result.err.splitlines()[-1]


def test_a_sheet_may_be_enlarged(run: Cli) -> None:
    run("sample", "tiny-vae", "-n", "3", "-o", "a.png")
    assert run("sample", "tiny-vae", "-n", "3", "--scale", "3", "-o", "b.png").code == 0
    with Image.open("a.png") as a, Image.open("b.png") as b:
        assert b.size == (3 * a.width, 3 * a.height)
        np.testing.assert_array_equal(np.asarray(b)[1::3, 1::3], np.asarray(a))


def test_a_film_of_one_class(run: Cli) -> None:
    for number in (3, 4):
        words = ("--seeds", "1,2", "--frames", "2", "--label", str(number), "-o", f"{number}.gif")
        assert run("interpolate", "tiny-cgan", *words).code == 0
    with Image.open("3.gif") as one, Image.open("4.gif") as other:
        assert np.asarray(one.convert("L")).tolist() != np.asarray(other.convert("L")).tolist()
    assert failed(
        run("interpolate", "tiny-vae", "--seeds", "1,2", "--label", "3", "-o", "a.gif"), "takes no label"
    )


def test_a_tampered_checkpoint_is_refused(
    run: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import render

    monkeypatch.setattr(render, "_cache", render._Cache(1))  # the intact weights of the same digest are in it
    folder = tmp_path / "tampered"
    shutil.copytree(home / "models" / "tiny-vae", folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert failed(run("sample", str(folder), "-o", "a.png"), "tiny-vae", "changed or replaced")


def test_a_place_that_cannot_be_written(run: Cli) -> None:
    Path("file").write_text("")
    assert failed(run("sample", "tiny-vae", "-n", "1", "-o", "file/a.png"), "file/a.png", "--out")
    assert failed(
        run("interpolate", "tiny-vae", "--seeds", "1,2", "--frames", "2", "-o", "file/a.gif"), "a.gif"
    )


def test_a_full_disk_leaves_nothing_half_written(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Image.Image, path: Path, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert failed(run("sample", "tiny-vae", "-n", "1", "-o", "a.png"), "disk is full", "a.png")
    assert list(Path.cwd().iterdir()) == []


def test_interpolation_as_gif(run: Cli) -> None:
    assert run("interpolate", "tiny-vae", "--seeds", "1,2,3", "--frames", "7", "-o", "a.gif").code == 0
    with Image.open("a.gif") as animation:
        assert animation.size == (256, 256)
        assert animation.info["duration"] == 50 and animation.info["loop"] == 0
        assert getattr(animation, "n_frames", 1) == 7


def test_interpolation_as_mp4(run: Cli) -> None:
    import imageio_ffmpeg

    words = ("--frames", "12", "--method", "lerp", "--fps", "6", "-o", "a.mp4")
    assert run("interpolate", "tiny-cgan", "--seeds", "1, 2", *words).code == 0
    frames, seconds = imageio_ffmpeg.count_frames_and_secs("a.mp4")
    assert frames == 12 and seconds == pytest.approx(2.0, abs=0.1)


def test_an_animation_through_the_data(run: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    words = ("--frames", "5", "--method", "data", "-o", "a.gif")
    assert run("interpolate", "tiny-cgan", "--seeds", "1,2", *words).code == 0
    with Image.open("a.gif") as animation:
        assert getattr(animation, "n_frames", 1) > 1


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--seeds", "1,x", "-o", "a.gif"), ("'1,x'", "1,2,3")),
        (("--seeds", "1", "-o", "a.gif"), ("two seeds",)),
        (("--seeds", "1,-2", "-o", "a.gif"), ("seed",)),
        (("--seeds", "1,2", "-o", "a.avi"), (".gif or .mp4",)),
        (("--seeds", "1,2", "--method", "slrep", "-o", "a.gif"), ("slrep", "Did you mean 'slerp'?")),
    ],
)
def test_bad_requests_for_interpolations(run: Cli, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert failed(run("interpolate", "tiny-vae", *words), *parts)


# Evaluation ------------------------------------------------------------------------------------------------


def test_evaluate_prints_and_writes_the_card(run: Cli, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(home / "models" / "tiny-vae", folder)
    words = ("evaluate", str(folder), "--dataset", "digits", "--n", "400", "--device", "cpu")
    result = run(*words, "--metrics", "sharpness,reconstruction", "--write-card", "--json")
    assert result.code == 0
    measured = result.json
    expected = {"model": "tiny-vae", "dataset": "digits", "n": 400, "device": "cpu"}
    assert {key: measured[key] for key in expected} == expected
    assert measured["metrics"]["sharpness_ratio"] > 0 and measured["metrics"]["psnr_db"] > 0
    metrics = json.loads((folder / "card.json").read_text())["metrics"]
    stored = metrics["sharpness_ratio"]
    assert stored["value"] == measured["metrics"]["sharpness_ratio"]
    assert "held-out images of digits, seed 0" in stored["protocol"]
    counts = {"sharpness_ratio": 400, "sharpness_real": 359, "psnr_db": 359}  # of which there are no more
    assert {key: metrics[key]["n"] for key in counts} == counts
    assert {key: measured["counts"][key] for key in counts} == counts
    assert (folder / "directions.npz").is_file() and "card.json, directions.npz" in result.err


def test_evaluate_for_people_explains(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = run("evaluate", "tiny-classifier", "--n", "400").out.splitlines()
    assert lines[0].startswith("tiny-classifier on digits")
    assert lines[1].split() == ["metric", "value", "n"]  # nothing has an interval or a floor
    where = next(i for i, line in enumerate(lines) if line.startswith("accuracy ") and line.endswith(" 359"))
    assert lines[where + 1].startswith("    Share of right predictions")
    assert max(map(len, lines)) <= 60 and not any(line.startswith("Floor:") for line in lines)


def test_evaluate_tells_intervals_floors_and_the_network_beside_figures(run: Cli) -> None:
    words = ("evaluate", "tiny-vae", "--n", "300", "--metrics", "fd,prdc,reconstruction", "--seeds", "3")
    found = run(*words, "--json").json
    compared = {"fd_tiny-classifier", "precision", "recall", "density", "coverage"}
    assert found["floors"].keys() == compared and found["seeds"] == [0, 1, 2]
    assert found["floors"]["fd_tiny-classifier"] < found["metrics"]["fd_tiny-classifier"]
    assert {key: found["intervals"][key]["over"] for key in compared} == dict.fromkeys(compared, "seeds")
    assert found["intervals"]["psnr_db"]["over"] == "images"
    network = found["features"]
    assert (network["id"], len(network["digest"]), network["resizing"]) == ("tiny-classifier", 64, None)
    lines = run(*words).out.splitlines()
    assert f"judged by tiny-classifier@{network['digest'][:8]}" in lines[0]
    assert any(line.startswith("precision ") and " to " in line and " 300" in line for line in lines)
    assert [line.split(":")[0] for line in lines[-2:]] == ["Interval", "Floor"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--metrics", "fid"), ("'fid' needs the Inception network",)),
        (("--metrics", "sharpnes"), ("no metric 'sharpnes'", "Did you mean 'sharpness'?")),
        (("--metrics", "latent,factors", "--dataset", "digits", "--n", "4"), ("'factors' needs",)),
        (("--dataset", "avatar"), ("no data set 'avatar'", "Did you mean 'avatars'?")),
    ],
)
def test_bad_requests_for_evaluation(run: Cli, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    result = run("evaluate", "tiny-vae", *words)
    assert result.code == 1 and all(part in result.err.splitlines()[-1] for part in parts), result.err


# How it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("modelz",),
        ("models", "--jsn"),
        ("sample", "tiny-vae"),
        ("interpolate", "tiny-vae", "-o", "a.gif"),
        ("run", "--port", "70000"),
        ("evaluate", "tiny-vae", "--n", "1"),
        ("train", "--device", "tpu"),
        ("bench", "decod"),
    ],
)
def test_wrong_usage_ends_with_2(run: Cli, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.code, result.out) == (2, "")
    assert "Error" in result.err and "Traceback" not in result.err


@pytest.mark.parametrize("words", [(), ("--port", "9001", "--no-browser"), ("run", "--host", "::1")])
def test_run_is_the_default(run: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    served: list[tuple[str, int, bool]] = []
    app = types.ModuleType("explorer.app")
    app.__dict__["serve"] = lambda host, port, browser: served.append((host, port, browser))
    monkeypatch.setitem(sys.modules, "explorer.app", app)
    monkeypatch.setenv("EXPLORER_PORT", "8600")
    assert run(*words).code == 0
    expected = {0: ("127.0.0.1", 8600, True), 3: ("127.0.0.1", 9001, False)}
    assert served == [("::1", 8600, True) if words[:1] == ("run",) else expected[len(words)]]


def test_help_lists_what_the_tables_hold(run: Cli) -> None:
    text = " ".join(run("train", "--help").out.split())
    for name in (
        "digits",
        "fashion_mnist",
        "cgan",
        "classifier",
        "standard",
        "penalty_interval=4",
        "beta1=0.0",
    ):
        assert name in text
    assert "hf://owner/name" in run("sample", "--help").out
    assert run("--help").code == 0 and "latent-explorer" in run("-h").out


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("odd"), 1, "RuntimeError: odd"),
        (OSError(28, "No space left on device"), 1, "disk is full"),
        (PermissionError(13, "Permission denied", "/x"), 1, "Permission denied: /x"),
        (MemoryError(), 1, "not enough memory"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_no_error_shows_a_stack_trace(
    run: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr("models.catalog.scan", broken)
    result = run("models")
    assert result.code == code and words in result.err and "Traceback" not in result.err
    assert len(result.err.splitlines()) == (1 if words else 0)


def test_debug_shows_where(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_DEBUG", "1")
    with pytest.raises(Exception, match="no model 'nothing'"):
        run("sample", "nothing", "-o", "a.png")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_noticed(home: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "explorer", "datasets", "--json"]
        root = Path(cli.__file__).parent.parent
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=root, check=False
        )
    assert result.returncode == 1
    assert result.stderr == "latent-explorer: The disk is full. Free some space and try again.\n"
