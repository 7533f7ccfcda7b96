"""`latent-explorer train`: runs, mistakes, interruptions."""

import json
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.commands import train as command

BASE = (
    "train",
    "--dataset",
    "digits",
    "--model",
    "gan",
    "--set",
    "width=8",
    "--threads",
    "1",
    "--device",
    "cpu",
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Run) -> Run:
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EXPLORER_RUNS_DIR", raising=False)
    monkeypatch.delenv("EXPLORER_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return command


def test_a_run_and_its_json(run: Run) -> None:
    code, out, err = run(*BASE, "--budget", "8-steps", "--set", "augment=color,translation", "--json")
    result = json.loads(out)
    assert code == 0 and result["steps"] == 8 and result["images"] == 8 * 32
    assert {"run", "checkpoint", "steps", "images", "seconds", "images_per_s", "metrics"} <= set(result)
    assert Path(result["run"]).parent == Path.cwd() / "home" / "runs"
    assert not result["stopped_early"] and result["images_per_s"] > 0
    config = json.loads((Path(result["checkpoint"]) / "config.json").read_text())
    assert config["id"] == "digits-gan" and config["training"]["augment"] == ["color", "translation"]
    assert (
        "step 8" in err and "100%" in err and "images/s" in err and "left" in err and "generator_loss" in err
    )


def test_a_run_for_people(run: Run) -> None:
    code, out, _ = run(*BASE, "--budget", "4-steps", "--out", "mine", "--name", "my.gan")
    assert code == 0 and out.splitlines()[0].startswith("4 steps, 128 images")
    assert out.splitlines()[-1] == "Checkpoint: mine/checkpoint"
    assert json.loads(Path("mine/checkpoint/config.json").read_text())["id"] == "my.gan"


def test_the_command_at_the_end_lists_the_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(Path("models").resolve()))
    for name in ("digits-gan-2", "digits-gan-3"):  # there is a shipped digits-gan
        _code, _out, err = run(*BASE, "--budget", "2-steps", "--out", name)
        program, *words = shlex.split(err.splitlines()[-1].partition("app too: ")[2])
        assert program == "latent-explorer"
        assert run(*words)[0] == 0
        assert (Path("models") / name / "config.json").is_file()


def test_resume_goes_on(run: Run) -> None:
    run(*BASE, "--budget", "4-steps", "--out", "mine")
    code, out, _ = run("train", "--resume", "mine", "--budget", "10-steps", "--json")
    assert code == 0 and json.loads(out)["steps"] == 10


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--set", "widht=8"), ("no option 'widht'", "Did you mean 'width'?")),
        (("--set", "width=eight"), ("width", "integer")),
        (("--set", "augment=colour"), ("no augmentation 'colour'", "Did you mean 'color'?")),
        (("--set", "loss=hing"), ("no adversarial loss 'hing'", "Did you mean 'hinge'?")),
        (("--set", "gamma=-1"), ("gamma",)),
        (("--budget", "0s"), ("'0s'", "above zero")),
        (("--budget", "0-steps"), ("'0-steps'", "above zero")),
        (("--budget", "soon"), ("'soon'", "90s")),
        (("--preset", "quik"), ("no preset 'quik'", "Did you mean 'quick'?")),
        (("--dataset", "digit"), ("no data set 'digit'", "Did you mean 'digits'?")),
        (("--model", "gann"), ("no family 'gann'", "Did you mean")),
        (("--dataset", "avatars", "--model", "cgan"), ("learns from labels", "--model gan")),
        (("--name", "../evil"), ("--name", "id")),
    ],
)
def test_a_mistake_leaves_nothing_behind(run: Run, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    code, out, err = run(*BASE, "--budget", "4-steps", "--out", "mine", *words)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert all(part in err for part in parts), err
    assert not Path("mine").exists()


def test_a_data_set_that_is_not_here(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, torchvision_name: str) -> None:
        raise __import__("models.errors").errors.UserError("no-data", f"No '{name}'.", "Put it somewhere.")

    monkeypatch.setattr("models.paths._DEBIAN_DATASETS", tmp_path)
    monkeypatch.setattr("models.datasets.standard._download", unreachable)
    code, _, err = run(*BASE, "--dataset", "mnist", "--out", "mine")
    assert code == 1 and "No 'mnist'. Put it somewhere." in err
    assert not Path("mine").exists()


def test_folders_that_cannot_be_used(run: Run) -> None:
    Path("file").write_text("")
    code, _, err = run(*BASE, "--budget", "4-steps", "--out", "file/run")
    assert code == 1 and "file/run cannot be written" in err and "--out" in err
    Path("full").mkdir()
    Path("full/something").write_text("")
    code, _, err = run(*BASE, "--budget", "4-steps", "--out", "full")
    assert code == 1 and "full is not empty" in err and "--resume full" in err
    code, _, err = run("train", "--resume", "nowhere")
    assert code == 1 and "no training run in nowhere" in err


@pytest.mark.parametrize(
    "words",
    [
        ("train",),
        ("train", "--dataset", "digits"),
        ("train", "--resume", "mine", "--dataset", "digits"),
        ("train", "--resume", "mine", "--set", "width=8"),
        ("train", "--resume", "mine", "--seed", "0"),
        (*BASE, "--set", "width"),
        (*BASE, "--seed", "-1"),
        (*BASE, "--threads", "0"),
    ],
)
def test_wrong_usage(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "") and "Error" in err


def interrupt(monkeypatch: pytest.MonkeyPatch, number: int, times: int) -> None:
    """Send a signal, some times in a row, when the run reports for the first time."""
    plain, left = command.describe, [times]

    def describe(progress):
        for _ in range(left[0]):
            left[0] -= 1
            os.kill(os.getpid(), number)
        return plain(progress)

    monkeypatch.setattr(command, "describe", describe)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    interrupt(monkeypatch, number, 1)
    code, out, _ = run(*BASE, "--budget", "1M-steps", "--out", "mine", "--json")
    result = json.loads(out)
    assert code == 0 and result["stopped_early"] and 0 < result["steps"] < 1_000_000
    assert Path("mine/checkpoint/model.safetensors").is_file()
    assert signal.getsignal(number) == before


def test_a_second_interrupt_ends_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, signal.SIGINT, 2)
    code, out, err = run(*BASE, "--budget", "1M-steps", "--out", "mine", "--json")
    assert (code, out) == (130, "")
    assert "--resume mine" in err.splitlines()[-1] and not Path("mine/checkpoint").exists()


def test_a_full_disk_keeps_the_last_state(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.checkpoints.save_file", full)
    code, out, err = run(*BASE, "--budget", "4-steps", "--out", "mine")
    assert code == 1 and not out and "disk is full" in err and "Traceback" not in err
    assert [path.name for path in Path("mine").iterdir() if path.name.startswith(".")] == []
    monkeypatch.undo()
