"""State dicts of other people's generators, from training loops written here as they write them."""

import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models import catalog, checkpoints, library, render
from models.core import LatentModel
from models.datasets import load
from models.directions import DIRECTIONS
from models.errors import UserError
from models.foreign.importing import bring_in, recognise, sheet
from models.latent import prior
from models.requests import RenderRequest, Sample


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


class DcganGenerator(nn.Module):
    """A generator of 64x64 pictures after Radford et al. (2015), as a module with one sequence, `main`."""

    def __init__(self, dim: int = 10, width: int = 4, channels: int = 3) -> None:
        super().__init__()
        sizes = [8 * width, 4 * width, 2 * width, width]
        layers: list[nn.Module] = [nn.ConvTranspose2d(dim, sizes[0], 4, 1, 0, bias=False)]
        for inputs, outputs in zip(sizes, [*sizes[1:], channels], strict=True):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)


class ResidualBlock(nn.Module):
    """Normalise, ReLU, enlarge, convolve, twice; beside a convolved shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(inputs, outputs, 3, 1, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.b1, self.b2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.c_sc = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        h = self.c1(up(self.b1(x).relu()))
        return self.c2(self.b2(h).relu()) + self.c_sc(up(x))


class ResidualGenerator(nn.Module):
    """A generator of 32x32 pictures with three residual blocks."""

    def __init__(self, dim: int = 12, width: int = 8) -> None:
        super().__init__()
        self.l1 = nn.Linear(dim, 16 * width)
        self.block2, self.block3 = ResidualBlock(width, width), ResidualBlock(width, width // 2)
        self.block4 = ResidualBlock(width // 2, width // 2)
        self.b5, self.c5 = nn.BatchNorm2d(width // 2), nn.Conv2d(width // 2, 3, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.l1(z).view(len(z), -1, 4, 4)
        h = self.block4(self.block3(self.block2(h)))
        return torch.tanh(self.c5(self.b5(h).relu()))


def trained(generator: nn.Module, latents: Callable[[int], Tensor]) -> nn.Module:
    """Train a generator for a few steps against a small discriminator, with the usual loop of a GAN."""
    real = load("avatars", "test").floats(slice(0, 32))
    side = generator(latents(2)).shape[-1]
    real = nn.functional.interpolate(real, side)
    judge = nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1))
    judge(real)
    steps = [torch.optim.Adam(net.parameters(), 2e-3, (0.5, 0.999)) for net in (judge, generator)]
    loss = nn.BCEWithLogitsLoss()
    for _ in range(3):
        fake = generator(latents(16))
        for net, pairs in ((judge, ((real[:16], 1.0), (fake.detach(), 0.0))), (generator, ((fake, 1.0),))):
            net.zero_grad()
            error = sum(loss(judge(x), torch.full((len(x), 1), target)) for x, target in pairs)
            assert isinstance(error, Tensor)
            error.backward()
            steps[net is generator].step()
    return generator.eval()


@pytest.fixture(scope="module")
def dcgan() -> nn.Module:
    torch.manual_seed(0)
    return trained(DcganGenerator(), lambda n: torch.randn(n, 10, 1, 1))


@pytest.fixture(scope="module")
def residual() -> nn.Module:
    torch.manual_seed(0)
    return trained(ResidualGenerator(), lambda n: torch.randn(n, 12))


def put(state: Any, folder: Path, name: str = "netG.pth") -> Path:
    file = folder / name
    torch.save(state, file)
    return file


@torch.no_grad()
def test_a_dcgan_generator_samples_identically(dcgan: nn.Module, tmp_path: Path) -> None:
    file = put(dcgan.state_dict(), tmp_path)
    found = recognise(file)
    assert found.model.sample_shape == (3, 64, 64) and found.config.latent_dim == 10
    assert "DCGAN" in found.findings[0]
    info = catalog.find(bring_in(found, "mine").name)
    model = checkpoints.load(info)
    assert isinstance(model, LatentModel) and info.can("invert")
    z = prior(range(6), 10)
    assert torch.equal(model.decode(z), dcgan(z[:, :, None, None]))
    shown = render.render(RenderRequest(model=info.digest, op=Sample(seed=0, count=6))).images
    expected = dcgan(z[:, :, None, None]).add(1).mul(127.5).round().permute(0, 2, 3, 1).numpy()
    assert abs(shown - expected).max() <= 1
    for axes in ("raw", "pca", "sefa"):
        assert DIRECTIONS[axes](model).vectors.shape[1] == 10


@torch.no_grad()
def test_a_residual_generator_samples_identically(residual: nn.Module, tmp_path: Path) -> None:
    found = recognise(put({"model_state_dict": residual.state_dict(), "global_step": 3}, tmp_path))
    assert found.model.sample_shape == (3, 32, 32) and "residual" in found.findings[0]
    z = prior(range(6), 12)
    torch.testing.assert_close(found.model.decode(z), residual(z), atol=1e-6, rtol=0)
    assert found.model.first_layer().shape == (128, 12) and found.model.hidden(z).shape == (6, 128)


def test_wrappers_prefixes_and_formats(dcgan: nn.Module, tmp_path: Path) -> None:
    state = dcgan.state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "g.safetensors")
    parallel = put({"module." + key: value for key, value in state.items()}, tmp_path, "parallel.pt")
    bare = put({key.removeprefix("main."): value for key, value in state.items()}, tmp_path, "bare.bin")
    wrapped = put({"netG": state, "epoch": 3}, tmp_path, "wrapped.ckpt")
    grey = put(DcganGenerator(channels=1).state_dict(), tmp_path, "grey.pth")
    z = prior([1], 10)
    expected = recognise(tmp_path / "g.safetensors").model.decode(z)
    for file in (parallel, bare, wrapped):
        assert torch.equal(recognise(file).model.decode(z), expected)
    assert recognise(grey).model.sample_shape == (1, 64, 64)


def test_of_two_imports_of_one_name_the_first_stays(
    dcgan: nn.Module, residual: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (recognise(put(net.state_dict(), tmp_path)) for net in (dcgan, residual))
    folder = bring_in(first, "mine")
    with pytest.raises(UserError, match=r"a model 'mine' already\. Choose another name\.$") as error:
        bring_in(second, "mine")
    assert error.value.code == "id-in-use"
    monkeypatch.setattr(library, "free", lambda name: folder)  # both looked before either wrote
    with pytest.raises(UserError, match="There is a 'mine' already") as error:
        bring_in(second, "mine")
    assert error.value.code == "id-in-use" and catalog.find("mine").sample_shape == (3, 64, 64)
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("million", "side", "count"), [(0.1, 64, 64), (3.6, 64, 64), (20, 128, 8), (7, 128, 40), (49.5, 128, 8)]
)
def test_a_sheet_of_what_takes_long_has_fewer_pictures(
    million: float, side: int, count: int, dcgan: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = recognise(put(dcgan.state_dict(), tmp_path))
    assert "sheet" not in " ".join(found.findings) and sheet(found).shape == (512, 512, 3)
    slow = replace(
        found,
        config=found.config.model_copy(update={"size": side}),
        card=found.card.model_copy(update={"parameters": {"decoder": int(million * 1e6)}}),
    )
    assert sheet(slow).shape == (8 * count, 512, 3) and sheet(slow, 16).shape[0] <= 128
    monkeypatch.setattr("models.foreign.layered.candidate", lambda file: slow)
    said = recognise(tmp_path / "netG.pth").findings[-1]
    assert (f"has {count} of them, not 64" in said) == (count < 64)


@pytest.mark.parametrize("name", ["NETG.PTH", "G.SAFETENSORS"])
def test_endings_in_capitals(name: str, dcgan: nn.Module, tmp_path: Path) -> None:
    state = {key: value.contiguous() for key, value in dcgan.state_dict().items()}
    (save_file if name.endswith("SAFETENSORS") else torch.save)(state, tmp_path / name)
    assert recognise(tmp_path).model.sample_shape == (3, 64, 64)


def test_missing_and_extra_keys_are_listed(dcgan: nn.Module, residual: nn.Module, tmp_path: Path) -> None:
    state = dcgan.state_dict()
    del state["main.1.running_mean"], state["main.4.bias"]
    state["main.1.extra"] = torch.zeros(1)
    with pytest.raises(UserError) as error:
        recognise(put(state, tmp_path))
    text = str(error.value)
    assert "main.1.running_mean, main.4.bias" in text.lower() and "not expected: main.1.extra" in text.lower()
    partial = {key: value for key, value in residual.state_dict().items() if not key.startswith("c5")}
    with pytest.raises(UserError, match=r"c5\.weight"):
        recognise(put(partial, tmp_path))


def test_a_generator_cut_out_of_its_middle_is_explained(dcgan: nn.Module, tmp_path: Path) -> None:
    cut = {
        key: value for key, value in dcgan.state_dict().items() if not key.startswith(("main.3.", "main.4."))
    }
    with pytest.raises(UserError, match="do not fit each other"):
        recognise(put(cut, tmp_path))


class Evil:
    """Would make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_pickle_that_runs_code_is_refused(dcgan: nn.Module, tmp_path: Path) -> None:
    trap = tmp_path / "touched"
    for content in ({"state_dict": Evil(trap)}, Evil(trap)):
        with pytest.raises(UserError, match="a program in it would have to be run"):
            recognise(put(content, tmp_path))
    (tmp_path / "x.pth").write_bytes(pickle.dumps(Evil(trap)))
    with pytest.raises(UserError, match="a program in it would have to be run"):
        recognise(tmp_path / "x.pth")
    with pytest.raises(UserError, match="a program in it"):
        recognise(put(dcgan, tmp_path, "whole.pth"))
    assert not trap.exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"w": torch.zeros(3)}, "no decoder that is known"),
        ({"0.weight": torch.zeros(3, 4)}, "no decoder that is known"),
        ({}, "no state dict"),
        ([torch.zeros(3)], "no state dict"),
        ({"w": 3}, "no state dict"),
        ({"main.0.weight": torch.zeros(5, 2, 4, 4)}, "2 channels, not pictures"),
        ({"main.0.weight": torch.zeros(5, 3, 5, 5)}, "no decoder that is known"),
        ({"0.weight": torch.zeros(1, 262_145, 4, 4, dtype=torch.uint8)}, "too large to be taken"),
        ({"01.weight": torch.zeros(2, 3, 4, 4)}, "no decoder that is known"),
        ({f"{'9' * 5000}.weight": torch.zeros(2, 3, 4, 4)}, "no decoder that is known"),
        ({"0.weight": torch.zeros(0, 3, 4, 4)}, "no state dict"),
        ({"0.weight": torch.zeros(2, 3, 4, 4, dtype=torch.complex64)}, "no state dict"),
        ({"0.weight": torch.zeros(2, 3, 4, 4).to_sparse()}, "no state dict"),
        ({"l1.weight": torch.zeros(8), "block2.c1.weight": torch.zeros(2, 2, 3, 3)}, "Missing: l1"),
        (
            {"l1.weight": torch.zeros(8, 2), "block2.c1.weight": torch.zeros(3), "block.x": torch.zeros(1)},
            "Missing: l1",
        ),
    ],
)
def test_other_tensors_are_explained(state: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        recognise(put(state, tmp_path))


def test_a_compressed_file_is_refused_before_it_is_unpacked(
    dcgan: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = put({"w": torch.zeros(2**22)}, tmp_path, "stored.pt")
    file = tmp_path / "bomb.pth"
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert file.stat().st_size < 2**16
    monkeypatch.setattr("torch.load", lambda *args, **kwargs: pytest.fail("it was unpacked"))
    with pytest.raises(UserError, match=r"bomb\.pth is compressed") as error:
        recognise(file)
    assert error.value.code == "too-large"


def test_an_expanded_tensor_is_refused(tmp_path: Path) -> None:
    file = put({"main.0.weight": torch.zeros(1).expand(1000, 1000, 4, 4)}, tmp_path)
    assert file.stat().st_size < 4096
    with pytest.raises(UserError, match="more numbers than it has bytes"):
        recognise(file)


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
@pytest.mark.parametrize("content", [b"PK\x03\x04 not really", b"<!DOCTYPE html><html></html>", b""])
def test_what_is_no_file_of_weights_is_not_called_a_program(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as weights") as error:
        recognise(tmp_path / name)
    assert error.value.code == "bad-weights"


def changed(content: bytes, chance: random.Random) -> bytes:
    """Cut a file off, or change some of its bytes, mostly near its start, where what is no number stands."""
    if chance.random() < 0.25:
        return content[: chance.randrange(len(content))]
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 2, 5))):
        damaged[chance.randrange(min(len(content), chance.choice((1000, 10**9))))] = chance.randrange(256)
    return bytes(damaged)


@pytest.mark.parametrize("kind", ["zip", "pickle-in-zip", "legacy", "safetensors"])
def test_any_damage_is_explained(kind: str, tmp_path: Path) -> None:
    state = {
        "0.weight": torch.randn(3, 2, 4, 4),
        **{f"1.{part}": torch.rand(2) for part in ("weight", "bias", "running_mean", "running_var")},
        "3.weight": torch.randn(2, 1, 4, 4),
    }
    file = put(state, tmp_path, "x.pth")
    if kind == "safetensors":
        file = tmp_path / "x.safetensors"
        save_file(state, file)
    elif kind == "legacy":
        torch.save(state, file, _use_new_zipfile_serialization=False)
    whole, chance, codes = file.read_bytes(), random.Random(0), set[str]()
    for _ in range(100):
        if kind == "pickle-in-zip":  # whose checksum would tell, so it is made anew
            with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(file, "w") as new:
                for name in old.namelist():
                    part = old.read(name)
                    new.writestr(name, changed(part, chance) if name.endswith(".pkl") else part)
        else:
            file.write_bytes(changed(whole, chance))
        try:
            recognise(file)
        except UserError as error:
            codes.add(error.code)
    assert "bad-weights" in codes


def test_a_description_that_contradicts_is_explained(dcgan: nn.Module, tmp_path: Path) -> None:
    put(dcgan.state_dict(), tmp_path)
    for text, message in (('{"latent_dim": 11}', "says 11"), ('{"labels": 3}', "takes no labels")):
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(UserError, match=message):
            recognise(tmp_path)
    (tmp_path / "model.json").write_text('{"title": "Mine", "prior": "uniform"}')
    found = recognise(tmp_path)
    assert found.card.title == "Mine" and found.config.prior == "uniform"


def test_a_config_that_was_tampered_with_is_explained(dcgan: nn.Module, tmp_path: Path) -> None:
    folder = bring_in(recognise(put(dcgan.state_dict(), tmp_path)), "mine")
    config = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"kernel": -1}, "greater than or equal to 1"),
        ({"kind": "exec"}, "not valid in"),
        ({"outputs": 7}, "do not fit its layers"),
    ):
        layers = [{**config["model"]["layers"][0], **change}, *config["model"]["layers"][1:]]
        changed = {**config, "model": {**config["model"], "layers": layers}}
        (folder / "config.json").write_text(json.dumps(changed))
        with pytest.raises(UserError, match=message):
            checkpoints.load(folder)


def test_a_config_allocates_nothing_before_the_file_is_known_to_fit(
    dcgan: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bring_in(recognise(put(dcgan.state_dict(), tmp_path)), "mine")
    config = json.loads((folder / "config.json").read_text())
    config["model"]["layers"][-2] |= {"inputs": 4096, "kernel": 8}
    (folder / "config.json").write_text(json.dumps(config))

    def draw(weight: Tensor, **how: object) -> Tensor:
        assert weight.is_meta
        return weight

    monkeypatch.setattr(nn.init, "kaiming_uniform_", draw)
    with pytest.raises(UserError, match="do not fit its layers"):
        checkpoints.load(folder)


def test_layers_that_make_a_huge_picture_are_refused_before_they_make_it(tmp_path: Path) -> None:
    state = {f"{place}.weight": torch.zeros(1, 1, 4, 4) for place in range(16)}  # a side of 131,072
    with pytest.raises(UserError, match="not valid in 'size'"):
        recognise(put(state, tmp_path))
