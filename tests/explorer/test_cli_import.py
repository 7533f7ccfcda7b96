"""`import` of folders that libraries of others saved."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer import cli
from models import catalog, library


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pythae with its default networks, narrower, for 8x8 pictures."""
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    layers = {"decoder.layers.0.0": (3, 6), "decoder.layers.1.0": (6, 64), "encoder.layers.0.0": (64, 6)}
    layers |= {"encoder.embedding": (6, 3), "encoder.log_var": (6, 3)}
    state = {
        f"{name}.{key}": value
        for name, sizes in layers.items()
        for key, value in nn.Linear(*sizes).state_dict().items()
    }
    made = tmp_path / "mine" / "final_model"
    made.mkdir(parents=True)
    torch.save({"model_state_dict": state}, made / "model.pt")
    config = {"name": "BetaVAEConfig", "input_dim": [1, 8, 8], "latent_dim": 3, "beta": 4.0}
    (made / "model_config.json").write_text(json.dumps(config))
    return made


def test_a_folder_of_pythae(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import", str(folder), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "BetaVAEConfig; decoder: the default perceptron; encoder: the default perceptron" in said
    assert "8x8 pixels in grey" in said and not (tmp_path / "models").exists()
    assert cli.main(["import", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "models" / "mine")
    assert cli.main(["models", "--json"]) == 0
    listed = {model["id"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert "encode" in listed["mine"]["capabilities"] and listed["mine"]["latent_dim"] == 3
    assert cli.main(["sample", "mine", "-n", "4", "-o", str(tmp_path / "x.png")]) == 0


def test_evaluating_a_model_of_unknown_data(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["import", str(folder)]) == 0
    assert cli.main(["evaluate", "mine", "--n", "10"]) == 1
    assert "not known what 'mine' was trained on. Name a data set with --dataset." in capsys.readouterr().err


def test_a_folder_of_diffusers_without_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderTiny"}')
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    assert cli.main(["import", str(tmp_path), "--dry-run"]) == 1
    assert "pip install 'latent-explorer[diffusers]'" in capsys.readouterr().err


def test_a_checkpoint_is_listed_after_it_was_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_models = tmp_path / "models"
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(own_models))
    shipped = catalog.find("digits-vae")
    assert cli.main(["import", str(shipped.path), "--dry-run"]) == 0
    assert "family vae, trained on digits" in capsys.readouterr().out and not own_models.exists()
    assert cli.main(["import", str(shipped.path), "--name", "copy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(own_models / "copy")
    (tmp_path / "copy.ZIP").write_bytes(library.pack(catalog.find("copy")))
    assert cli.main(["import", str(tmp_path / "copy.ZIP"), "--dry-run"]) == 2
    assert "not for a zip" in capsys.readouterr().err
    assert cli.main(["import", str(tmp_path / "copy.ZIP")]) == 1
    assert "a model 'copy' already" in capsys.readouterr().err
    assert cli.main(["import", str(tmp_path / "copy.ZIP"), "--name", "again"]) == 0
    assert catalog.find("again").config.weights_sha256 == shipped.config.weights_sha256


def test_a_folder_counts_more_than_a_model_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    library.take_in("digits-gan", "mine")
    other = catalog.find("digits-vae")
    (tmp_path / "mine").symlink_to(other.path)
    assert cli.main(["import", "mine", "--name", "taken"]) == 0
    assert catalog.find("taken").config.weights_sha256 == other.config.weights_sha256
