"""Checkpoints and the catalog: what is damaged is named, with what to do, and harms nothing else."""

import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import catalog, checkpoints
from models.catalog import Card, CheckpointConfig
from models.config import AutoencoderConfig
from models.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small VAE among the user's models, alone in the catalog."""
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path / "none"))
    config = AutoencoderConfig(size=16, channels=1, network="mlp", width=4, latent_dim=3)
    record = CheckpointConfig(id="small-vae", model=config.model_dump(mode="json"), dataset="digits")
    return checkpoints.save(
        tmp_path / "models" / "small-vae", checkpoints.build(config).eval(), record, Card()
    )


def edit(path: Path, **changes: object) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, **changes}))


def test_it_is_found_by_id_digest_and_folder(folder: Path) -> None:
    info = catalog.find("small-vae")
    assert info.latent_dim == 3 and info.sample_shape == (1, 16, 16) and not info.shipped
    assert catalog.find(info.digest).path == catalog.find(str(folder)).path == folder
    assert [m.id for m in catalog.models()] == ["small-vae"]
    assert info.can("encode") and not info.can("score")


def test_an_unknown_id_gets_the_nearest(folder: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'small-vae'"):
        catalog.find("smal-vae")
    with pytest.raises(UserError, match="There is no checkpoint in"):
        catalog.find(str(folder.parent / "nowhere"))


def test_missing_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no model.safetensors"):
        checkpoints.load(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_truncated_weights(folder: Path, share: float) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match="truncated"):
        checkpoints.load(folder)


def test_tampered_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="changed or replaced") as caught:
        checkpoints.load(folder)
    assert caught.value.code == "digest-mismatch"


@pytest.mark.parametrize("name", ["model.pt", "MODEL.PT"])
def test_pickled_weights_are_refused_unopened(name: str, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(UserError, match="can run any program") as caught:
        checkpoints.load(folder)
    assert caught.value.code == "pickle-refused"
    with pytest.raises(UserError, match="is a pickle"):
        catalog.read(folder / name)


def test_an_unknown_field_is_named_with_the_nearest(folder: Path) -> None:
    edit(folder / "config.json", datset="digits")
    with pytest.raises(UserError, match=r"unknown field 'datset'.*Did you mean 'dataset'"):
        catalog.read(folder)


def test_an_unknown_field_of_the_model_is_named(folder: Path) -> None:
    model = json.loads((folder / "config.json").read_text())["model"]
    edit(folder / "config.json", model={**model, "heigth": 3})
    with pytest.raises(UserError, match="unknown field 'heigth'"):
        catalog.read(folder)
    edit(folder / "config.json", model={**model, "family": "vea"})
    with pytest.raises(UserError, match="Did you mean 'vae'"):
        catalog.read(folder)


def test_a_latent_dimension_that_does_not_fit_the_weights(folder: Path) -> None:
    model = json.loads((folder / "config.json").read_text())["model"]
    edit(folder / "config.json", model={**model, "latent_dim": 4})
    with pytest.raises(UserError, match=r"is \[\d+.*the config says"):
        checkpoints.load(folder)


def test_missing_and_extra_keys_are_counted_and_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    state = load_file(path)
    state["surplus"] = state.pop("log_sigma")
    save_file(state, path)
    edit(folder / "config.json", weights_sha256=checkpoints.digest(path))
    with pytest.raises(UserError, match=r"1 missing \(log_sigma.*1 not expected \(surplus"):
        checkpoints.load(folder)


DAMAGED = ["", "{", "[]", "null", '"text"', "{}", "\udcff", "[" * 100_000, "1" * 5000]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_config_is_named_and_the_catalog_goes_on(folder: Path, content: str) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="other"):
        catalog.read(other)
    found, errors = catalog.scan()
    assert [m.id for m in found] == ["small-vae"] and len(errors) == 1


def test_a_newer_format_asks_for_an_update(folder: Path) -> None:
    edit(folder / "config.json", format=99, a_field_of_the_future=1)
    with pytest.raises(UserError, match="Update Latent Explorer"):
        catalog.read(folder)


@pytest.mark.parametrize("identity", ["", "../up", "a b", ".hidden", "x" * 101])
def test_ids_that_could_leave_the_folder_are_refused(folder: Path, identity: str) -> None:
    edit(folder / "config.json", id=identity)
    with pytest.raises(UserError, match="'id'"):
        catalog.read(folder)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_failed_save_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    info = catalog.read(folder)
    model = checkpoints.load(info)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(
            number, "No space left on device" if number == errno.ENOSPC else "Read-only file system"
        )

    monkeypatch.setattr(checkpoints, "save_file", fail)
    with pytest.raises(UserError, match="disk is full" if number == errno.ENOSPC else "Read-only"):
        checkpoints.save(folder, model, info.config, info.card)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["small-vae"]


def test_a_copied_run_is_named_by_its_folder_and_ids_are_unique(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, folder.parent / "mine")
    found, errors = catalog.scan()
    assert [m.id for m in found] == ["mine", "small-vae"] and not errors
    assert catalog.find("mine").path == folder.parent / "mine"
    shutil.copytree(folder, tmp_path / "assets" / "checkpoints" / "mine")
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path / "assets"))
    found, errors = catalog.scan()
    assert [(m.id, m.shipped) for m in found] == [("mine", True), ("small-vae", False)]
    assert "Rename this folder" in str(errors[0]) and catalog.find("mine").shipped


@pytest.mark.parametrize("digest", ["", "../up", "1" * 63])
def test_a_digest_that_is_none_is_refused(folder: Path, digest: str) -> None:
    edit(folder / "config.json", weights_sha256=digest)
    with pytest.raises(UserError, match="small-vae"):
        catalog.read(folder)


def test_a_failed_replacement_keeps_the_old_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info, model = catalog.read(folder), checkpoints.load(folder)
    plain = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == folder and not self.name.endswith("-old"):
            raise OSError(errno.EIO, "Input/output error")
        return plain(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UserError, match="Input/output error"):
        checkpoints.save(folder, model, info.config, info.card)
    assert catalog.read(folder).digest == info.digest
    assert [p.name for p in folder.parent.iterdir()] == ["small-vae"]


def test_values_beyond_half_precision_survive(folder: Path) -> None:
    info = catalog.read(folder)
    model = checkpoints.build(info.model).eval()
    with torch.no_grad():
        next(model.parameters()).fill_(1e5)
    loaded = checkpoints.load(checkpoints.save(folder, model, info.config, info.card))
    assert torch.equal(next(loaded.parameters()), next(model.parameters()))


def test_the_card_keeps_what_is_measured(folder: Path) -> None:
    checkpoints.update_card(folder, {"psnr_db": {"value": 21.5, "n": 100, "protocol": "test images"}})
    checkpoints.update_card(folder, {"ssim": {"value": 0.8}})
    metrics = catalog.read(folder).card.metrics
    assert metrics["psnr_db"].value == 21.5 and metrics["psnr_db"].n == 100 and metrics["ssim"].value == 0.8


def test_a_sheet_puts_images_in_rows_of_eight() -> None:
    grey = torch.linspace(-1, 1, 12)[:, None, None, None].expand(12, 1, 2, 2)
    sheet = checkpoints.as_sheet(grey)
    assert sheet.shape == (4, 16, 1)
    expected = [round(255 * i / 11) for i in range(12)]
    assert sheet[0, ::2, 0] == pytest.approx(expected[:8], abs=1)
    assert sheet[2, ::2, 0] == pytest.approx([*expected[8:], 0, 0, 0, 0], abs=1)
