"""Decoders as ONNX files: the same pictures, and what is said of them."""

import json
from pathlib import Path

import pytest
import torch

from models import catalog, checkpoints
from models.catalog import Card, CheckpointConfig
from models.core import LatentModel
from models.errors import UserError
from models.exporting import export_onnx
from models.foreign import onnx_files
from models.foreign.importing import METADATA, recognise
from models.latent import default_labels, prior

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.parametrize(
    "name", [info.id for info in catalog.models() if info.shipped and info.can("decode")]
)
def test_every_shipped_decoder_goes_out_and_comes_back_the_same(name: str, tmp_path: Path) -> None:
    info = catalog.find(name)
    file = tmp_path / f"{name}.onnx"
    assert export_onnx(info, file) <= 1e-3
    found = recognise(file)
    assert found.card.title == info.title and found.dataset == info.dataset
    assert found.model.sample_shape == info.sample_shape and found.config.labels == info.labels
    model = checkpoints.load(info)
    assert isinstance(model, LatentModel)
    z, labels = (
        prior(range(5), model.latent_dim),
        default_labels(range(5), model.classes) if model.classes else None,
    )
    torch.testing.assert_close(found.model.decode(z, labels), model.decode(z, labels), atol=1e-3, rtol=0)
    # From latents to codes, or by a mapping network: there is something before the decoder's first layer.
    mapped = getattr(model, "fitted", False) or getattr(model.config, "mapping", 0)
    if not model.classes and not mapped:  # a label enters by the first layer, which then is no single one
        assert found.findings[-1] == "Its first layer was found."
        torch.testing.assert_close(found.model.first_layer(), model.first_layer(), atol=1e-4, rtol=1e-3)


def test_the_description_travels_in_the_file(tmp_path: Path) -> None:
    export_onnx(catalog.find("digits-vae"), tmp_path / "x.onnx")
    said = json.loads(onnx_files.read(tmp_path / "x.onnx").metadata[METADATA])
    assert said["title"] == catalog.find("digits-vae").title and said["dataset"] == "digits"


def test_decoders_of_points_are_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"family": "gan", "size": 0, "channels": 2, "network": "mlp", "width": 4, "latent_dim": 2}
    model = checkpoints.build(catalog.model_config(fields, "points")).eval()
    record = CheckpointConfig(id="points", model=fields, dataset="toy:grid25")
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    checkpoints.save(tmp_path / "models" / "points", model, record, Card())
    with pytest.raises(UserError, match="makes points"):
        export_onnx(catalog.find("points"), tmp_path / "x.onnx")


@pytest.mark.parametrize(("prior", "remedy"), [("gmm", "prior_fit=gmm"), ("none", "Update torch")])
def test_what_the_exporter_cannot_follow_is_named(
    prior: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"family": "vae", "size": 16, "channels": 1, "network": "mlp", "width": 4, "latent_dim": 2}
    config = catalog.model_config({**fields, "prior_fit": prior}, "a VAE")
    record = CheckpointConfig(id="mine", model=config.model_dump(), dataset="")
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    checkpoints.save(tmp_path / "models" / "mine", checkpoints.build(config).eval(), record, Card())

    def fail(*args: object, **how: object) -> None:
        raise RuntimeError("How to report this.") from ValueError("No word for ndtri.\nAnd more.")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(UserError, match=r"exported: No word for ndtri\. ") as error:
        export_onnx(catalog.find("mine"), tmp_path / "x.onnx")
    assert remedy in error.value.remedy and not (tmp_path / "x.onnx").exists()
