"""`export` and `import` on the command line."""

import json
from pathlib import Path

import pytest

from explorer import cli
from models import catalog

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def test_out_and_in_again(tmp_path: Path, capsys: pytest.CaptureFixture[str], own_models: Path) -> None:
    file = tmp_path / "digits.onnx"
    assert cli.main(["export", "digits-vae", "--format", "onnx", "-o", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["model"] == "digits-vae" and 0 <= said["largest_difference"] <= 1e-3 and file.is_file()

    assert cli.main(["import", str(file), "--dry-run"]) == 0
    assert "16x16 pixels in grey" in capsys.readouterr().out and not own_models.exists()

    assert cli.main(["import", str(file), "--name", "mine", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["folder"] == str(own_models / "mine") and said["config"]["latent_dim"] > 0
    assert cli.main(["sample", "mine", "-n", "4", "-o", str(tmp_path / "x.png")]) == 0
    assert cli.main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert next(m for m in listed if m["id"] == "mine")["family"] == "onnx"
    assert catalog.find("mine").title == catalog.find("digits-vae").title


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["export", "nothing", "-o", "x.onnx"], 1, "no model 'nothing'"),
        (["export", "digits-vae"], 2, "-o"),
        (["export", "digits-vae", "--format", "tflite", "-o", "x"], 2, "tflite"),
        (["import", "/nowhere"], 1, "nothing at"),
        (["import", "/nowhere.zip"], 1, "nothing at"),
        (["import", "~nobody-of-this-name/x"], 1, "cannot be read"),
    ],
)
def test_mistakes_are_explained(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == code
    assert message in capsys.readouterr().err
