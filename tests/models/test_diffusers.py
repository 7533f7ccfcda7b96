"""Folders of diffusers, opened by the library itself, with tiny untrained networks."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import catalog, checkpoints
from models.core import Encodes, LatentModel
from models.directions import DIRECTIONS
from models.errors import UserError
from models.foreign import diffusers_model
from models.foreign.diffusers_model import DiffusersAutoencoder
from models.foreign.importing import bring_in, recognise
from models.latent import prior

pytest.importorskip("diffusers")
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def kl(**settings: Any) -> Any:
    """Return an AutoencoderKL that halves the side of a picture."""
    torch.manual_seed(0)
    usual = {
        "block_out_channels": (4, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 2,
        "sample_size": 16,
    }
    return diffusers_model.network_class("AutoencoderKL")(**(usual | settings)).eval()


def tiny(stages: int = 4, **settings: Any) -> Any:
    """Return an AutoencoderTiny that halves the side of a picture once less than it has stages."""
    torch.manual_seed(0)
    usual = {
        "encoder_block_out_channels": (4,) * stages,
        "decoder_block_out_channels": (4,) * stages,
        "num_encoder_blocks": (1,) * stages,
        "num_decoder_blocks": (1,) * stages,
    }
    return diffusers_model.network_class("AutoencoderTiny")(**(usual | settings)).eval()


def put(net: Any, folder: Path, said: object = None) -> Path:
    net.save_pretrained(folder)
    if said is not None:
        (folder / "model.json").write_text(json.dumps(said))
    return folder


@torch.no_grad()
def test_a_kl_autoencoder_decodes_and_encodes_identically(tmp_path: Path) -> None:
    net = kl(scaling_factor=0.5, shift_factor=0.25)
    folder = bring_in(recognise(put(net, tmp_path / "pipeline" / "vae", {"licence": "CC0"})))
    shutil.rmtree(tmp_path / "pipeline")  # nothing of it is needed any more
    info = catalog.find("pipeline")
    assert info.path == folder and info.card.licence == "CC0" and info.sample_shape == (3, 16, 16)
    assert info.latent_dim == 4 * 8 * 8 and {"decode", "encode", "invert", "picture"} <= info.capabilities
    assert str(tmp_path) not in (folder / "config.json").read_text()
    model = checkpoints.load(info)
    assert isinstance(model, LatentModel) and isinstance(model, Encodes)
    z = prior(range(9), 256)
    expected = net.decode(z.reshape(9, 4, 8, 8) / 0.5 + 0.25).sample.clamp(-1, 1)
    torch.testing.assert_close(model.decode(z), expected, atol=1e-5, rtol=0)
    x = torch.rand(9, 3, 16, 16) * 2 - 1
    found, latent = model.encode(x), net.encode(x).latent_dist
    torch.testing.assert_close(found.mean, ((latent.mean - 0.25) * 0.5).flatten(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.logvar.exp(), (latent.var * 0.25).flatten(1), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_tiny_autoencoder_decodes_and_encodes_identically(tmp_path: Path) -> None:
    net = tiny()
    candidate = recognise(put(net, tmp_path / "taesd"))
    assert candidate.config.size == 128 and "show texture" in candidate.findings[-1]
    model = checkpoints.load(bring_in(candidate))
    assert isinstance(model, LatentModel) and isinstance(model, Encodes)
    z = prior(range(2), 1024)
    expected = net.decode(z.reshape(2, 4, 16, 16)).sample.clamp(-1, 1)
    torch.testing.assert_close(model.decode(z), expected, atol=1e-5, rtol=0)
    x = torch.rand(2, 3, 128, 128) * 2 - 1
    torch.testing.assert_close(model.encode(x).mean, net.encode(x).latents.flatten(1), atol=1e-5, rtol=0)
    assert bool((model.encode(x).logvar == -torch.inf).all())


def test_means_and_deviations_of_channels(tmp_path: Path) -> None:
    net = kl(latents_mean=(0.0, 1.0, 2.0, 3.0), latents_std=(1.0, 2.0, 3.0, 4.0), scaling_factor=2.0)
    model = recognise(put(net, tmp_path)).model
    z = prior([3], 256).reshape(1, 4, 8, 8)
    mean, deviation = torch.arange(4.0)[:, None, None], torch.arange(1.0, 5.0)[:, None, None]
    with torch.no_grad():
        expected = net.decode(z * deviation / 2 + mean).sample.clamp(-1, 1)
        torch.testing.assert_close(model.decode(z.flatten(1)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [kl, lambda: kl(use_post_quant_conv=False), lambda: tiny(2)])
def test_the_first_layer_amplifies_as_its_jacobian_does(make: Callable[[], Any], tmp_path: Path) -> None:
    model = recognise(put(make(), tmp_path, {"size": 8})).model
    assert isinstance(model, DiffusersAutoencoder)

    def entered(z: torch.Tensor) -> torch.Tensor:
        x = model._spatial(z)
        for layer in model._entrance():
            x = layer(x)
        return x.flatten()

    jacobian = torch.func.jacrev(entered)(torch.zeros(64))
    first = model.first_layer()
    torch.testing.assert_close(first.T @ first, jacobian.T @ jacobian, atol=1e-4, rtol=1e-4)
    assert model.hidden(prior(range(3), 64)).shape[0] == 3
    for axes in ("sefa", "pca"):
        assert DIRECTIONS[axes](model).vectors.shape[1] == 64


def test_pictures_have_a_gradient(tmp_path: Path) -> None:
    model = recognise(put(kl(), tmp_path)).model
    z = prior([0], 256).requires_grad_()
    model.decode(z).square().sum().backward()
    assert z.grad is not None and float(z.grad.norm()) > 0


@pytest.mark.parametrize(
    ("make", "size", "expected"),
    [
        (lambda: kl(sample_size=512), 8, 8),
        (lambda: kl(sample_size=32), None, 32),
        (lambda: tiny(), 64, 64),
        (lambda: tiny(5), None, 256),
        (lambda: kl(latent_channels=1, sample_size=512), None, 64),
    ],
)
def test_the_size_of_pictures_is_chosen(
    make: Callable[[], Any], size: int | None, expected: int, tmp_path: Path
) -> None:
    found = recognise(put(make(), tmp_path, {} if size is None else {"size": size}))
    assert found.config.size == expected and found.config.latent_dim <= 1024


@pytest.mark.parametrize(
    ("make", "said", "message"),
    [
        (lambda: kl(sample_size=512), {}, r"At 64x64 pixels.*1,024 at most.*\"size\": 32"),
        (kl, {"size": 64}, r"latents .* 4 x \(64 / 2\)\^2 dimensions.*\"size\": 32"),
        (kl, {"size": 15}, "must be whole"),
        (kl, {"labels": 2}, "takes no labels"),
        (kl, {"prior": "sphere"}, "not from the prior 'sphere'"),
        (kl, {"latent_dim": 4}, "says 4"),
        (kl, {"sice": 8}, "Did you mean 'size'"),
        (lambda: kl(out_channels=2), {}, "not square pictures"),
        (lambda: kl(in_channels=1), {}, "does not take the pictures"),
    ],
)
def test_what_does_not_fit_is_explained(
    make: Callable[[], Any], said: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        recognise(put(make(), tmp_path, said))


def test_configs_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    folder = put(kl(), tmp_path / "vae")
    config = json.loads((folder / "config.json").read_text())
    for text, message in (
        ("{", "cannot be read"),
        ("[1]", "class 'None'"),
        (json.dumps(config | {"_class_name": "UNet2DModel"}), "class 'UNet2DModel' of diffusers"),
        (json.dumps(config | {"block_out_channels": [4, 16]}), "cannot open"),
        (json.dumps(config | {"up_block_types": ["Evil", "Evil"]}), "cannot open"),
    ):
        (folder / "config.json").write_text(text)
        with pytest.raises(UserError, match=message):
            recognise(folder)


def test_weights_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    folder = put(kl(), tmp_path / "vae")
    file = folder / WEIGHTS
    state = load_file(file)
    save_file({key: value for key, value in state.items() if key != "decoder.conv_in.bias"}, file)
    with pytest.raises(UserError, match=r"Missing: decoder\.conv_in\.bias"):
        recognise(folder)
    save_file({**state, "decoder.more": torch.zeros(1)}, file)
    with pytest.raises(UserError, match=r"Not expected: decoder\.more"):
        recognise(folder)
    save_file(state, file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="cannot open"):
        recognise(folder)
    file.rename(folder / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match=r"no diffusion_pytorch_model\.safetensors, but .*\.bin"):
        recognise(folder)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(kl(), tmp_path / "vae")
    made = bring_in(recognise(folder), "mine")
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UserError, match=r"pip install 'latent-explorer\[diffusers\]'"):
        recognise(folder)
    assert catalog.find("mine").can("encode")  # it is listed all the same
    with pytest.raises(UserError, match=r"pip install 'latent-explorer\[diffusers\]'"):
        checkpoints.load(made)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Pipeline"}, "not valid in 'kind'"),
        ({"latent_dim": 200}, "no square with these channels"),
        ({"spread": [0, 1, 1, 1]}, "positive standard deviation"),
        ({"settings": {"evil": 1}}, "cannot build this AutoencoderKL"),
        ({"settings": {}}, "do not fit its config"),
        ({"size": 32}, "do not fit its config"),
    ],
)
def test_a_config_that_was_tampered_with_is_explained(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made = bring_in(recognise(put(kl(), tmp_path / "vae")), "mine")
    config = json.loads((made / "config.json").read_text())
    config["model"] |= change
    (made / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=message):
        checkpoints.load(made)


def test_a_config_allocates_nothing_before_the_file_is_known_to_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(kl(), tmp_path / "vae")
    made = bring_in(recognise(folder), "mine")
    wide = {"block_out_channels": [256, 512]}
    for file, path in ((made / "config.json", ("model", "settings")), (folder / "config.json", ())):
        config = settings = json.loads(file.read_text())
        for key in path:
            settings = settings[key]
        settings |= wide
        file.write_text(json.dumps(config))

    def draw(weight: torch.Tensor, **how: object) -> torch.Tensor:
        assert weight.is_meta
        return weight

    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", draw)
    with pytest.raises(UserError, match="do not fit its config"):
        checkpoints.load(made)
    with pytest.raises(UserError, match="more numbers than its file has bytes"):
        recognise(folder)
