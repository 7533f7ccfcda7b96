"""Folders of pythae, with its networks written here in plain torch, narrower than it has them."""

import itertools
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import catalog, checkpoints, images
from models.core import Encodes, LatentModel
from models.errors import UserError
from models.foreign.importing import bring_in, recognise
from models.latent import prior
from models.render import render
from models.requests import Encode, Invert, RenderRequest

DIM = 5


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


class Block(nn.Module):
    """The sum of its input and of two convolutions of it."""

    def __init__(self, wide: int = 8, narrow: int = 4) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReLU(), nn.Conv2d(wide, narrow, 3, padding=1), nn.ReLU(), nn.Conv2d(narrow, wide, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Decoder(nn.Module):
    """Layers in a list; the output of the first, or of the last, takes a shape."""

    def __init__(self, layers: Sequence[nn.Module], shape: tuple[int, ...], last: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.shape, self.place = shape, len(layers) - 1 if last else 0

    def forward(self, x: Tensor) -> Tensor:
        for place, layer in enumerate(self.layers):
            x = layer(x)
            x = x.reshape(-1, *self.shape) if place == self.place else x
        return x


class Encoder(nn.Module):
    """Layers in a list, and what gives the mean and, perhaps, the log variance of a code."""

    def __init__(self, layers: Sequence[nn.Module], shape: tuple[int, ...], variance: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.flat = isinstance(layers[0], nn.Sequential) and isinstance(layers[0][0], nn.Linear)
        features = self.features(torch.zeros(2, *shape)).shape[1]
        self.embedding = nn.Linear(features, DIM)
        if variance:
            self.log_var = nn.Linear(features, DIM)

    def features(self, x: Tensor) -> Tensor:
        x = x.flatten(1) if self.flat else x
        for layer in self.layers:
            x = layer(x)
        return x.flatten(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.features(x)
        return self.embedding(h), self.log_var(h)


@dataclass(frozen=True)
class Pair:
    """Networks for pictures of a shape."""

    shape: tuple[int, int, int]
    decoder: Callable[[], Decoder]
    encoder: Callable[..., Encoder]


def up(
    inputs: int, outputs: int, kernel: int, stride: int, padding: int, more: int = 0, last: bool = False
) -> nn.Sequential:
    """Return a transposed convolution and what follows it."""
    after = [nn.Sigmoid()] if last else [nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, more), *after)


def down(inputs: int, outputs: int, kernel: int = 4, stride: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, 1))


def convolutions(shape: tuple[int, int, int], variance: bool = True) -> Encoder:
    widths = (shape[0], 4, 4, 8, 8)
    pairs = itertools.pairwise(widths)
    layers = [nn.Sequential(*down(i, o), nn.BatchNorm2d(o), nn.ReLU()) for i, o in pairs]
    return Encoder(layers, shape, variance)


def perceptron(shape: tuple[int, int, int]) -> Pair:
    size = shape[0] * shape[1] * shape[2]
    return Pair(
        shape,
        lambda: Decoder(
            [nn.Sequential(nn.Linear(DIM, 12), nn.ReLU()), nn.Sequential(nn.Linear(12, size), nn.Sigmoid())],
            shape,
            last=True,
        ),
        lambda **how: Encoder([nn.Sequential(nn.Linear(size, 12), nn.ReLU())], shape, **how),
    )


def convolutional(shape: tuple[int, int, int], decoder: Callable[[], Decoder]) -> Pair:
    return Pair(shape, decoder, lambda **how: convolutions(shape, **how))


GREY, SMALL, LARGE = (1, 28, 28), (3, 32, 32), (3, 64, 64)
NETWORKS = {
    "default perceptron": perceptron(GREY),
    "convolutional network for MNIST": convolutional(
        GREY,
        lambda: Decoder(
            [
                nn.Linear(DIM, 8 * 16), up(8, 6, 3, 2, 1), up(6, 4, 3, 2, 1, 1), up(4, 1, 3, 2, 1, 1, last=True)
            ],
            (8, 4, 4),
        ),
    ),
    "convolutional network for CIFAR": convolutional(
        SMALL,
        lambda: Decoder(
            [
                nn.Linear(DIM, 8 * 64), up(8, 6, 4, 2, 1), up(6, 4, 4, 2, 1, 1), up(4, 3, 4, 1, 2, last=True)
            ],
            (8, 8, 8),
        ),
    ),
    "convolutional network for CelebA": convolutional(
        LARGE,
        lambda: Decoder(
            [
                nn.Sequential(nn.Linear(DIM, 8 * 64)), up(8, 6, 5, 2, 2), up(6, 4, 5, 2, 1),
                up(4, 4, 5, 2, 2, 1), up(4, 3, 5, 1, 1, last=True),
            ],
            (8, 8, 8),
        ),
    ),
    "residual network for MNIST": Pair(
        GREY,
        lambda: Decoder(
            [
                nn.Linear(DIM, 8 * 16), nn.ConvTranspose2d(8, 8, 3, 2, 1),
                nn.Sequential(Block(), Block(), nn.ReLU()),
                nn.Sequential(nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.ReLU()), up(4, 1, 3, 2, 1, 1, last=True),
            ],
            (8, 4, 4),
        ),
        lambda: Encoder(
            [down(1, 4), down(4, 8), down(8, 8, 3), nn.Sequential(Block(), Block())], GREY
        ),
    ),
    "residual network for CIFAR": Pair(
        SMALL,
        lambda: Decoder(
            [
                nn.Linear(DIM, 8 * 64), nn.Sequential(Block(), Block()),
                nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1)), up(4, 3, 4, 2, 1, last=True),
            ],
            (8, 8, 8),
        ),
        lambda: Encoder(
            [down(3, 4), down(4, 8), down(8, 8, 3, 1), nn.Sequential(Block(), Block())], SMALL
        ),
    ),
    "residual network for CelebA": Pair(
        LARGE,
        lambda: Decoder(
            [
                nn.Linear(DIM, 8 * 16), nn.ConvTranspose2d(8, 8, 3, 2, 1), nn.Sequential(Block(), Block()),
                nn.Sequential(nn.ConvTranspose2d(8, 8, 5, 2, 1), nn.Sigmoid()),
                nn.Sequential(nn.ConvTranspose2d(8, 4, 5, 2, 1, 1)), up(4, 3, 4, 2, 1, last=True),
            ],
            (8, 4, 4),
        ),
        lambda: Encoder(
            [down(3, 4), down(4, 8), down(8, 8, 3), down(8, 8, 3), nn.Sequential(Block(), Block())], LARGE
        ),
    ),
}  # fmt: skip


class Model(nn.Module):
    """What pythae saves: both networks, and perhaps others beside them."""

    def __init__(self, pair: Pair, **how: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.decoder, self.encoder = pair.decoder(), pair.encoder(**how)
        self.shape = pair.shape
        with torch.no_grad():  # so that batch normalisation has seen something
            self.encoder.features(torch.rand(8, *pair.shape))
            assert self.decoder(torch.randn(8, DIM)).shape[1:] == pair.shape
        self.eval()


def put(model: Model, folder: Path, state: dict[str, Any] | None = None, **config: Any) -> Path:
    """Save a model as pythae does; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {"name": "VAEConfig", "input_dim": model.shape, "latent_dim": DIM, "reconstruction_loss": "mse"}
    (folder / "model_config.json").write_text(json.dumps(known | config))
    (folder / "environment.json").write_text('{"name": "EnvironmentConfig", "python_version": "3.8"}')
    torch.save({"model_state_dict": model.state_dict() if state is None else state}, folder / "model.pt")
    return folder


@pytest.fixture(scope="module")
def small() -> Model:
    return Model(NETWORKS["default perceptron"])


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_samples_and_codes_are_identical(name: str, tmp_path: Path) -> None:
    model = Model(NETWORKS[name])
    found = recognise(put(model, tmp_path / "VAE_training" / "final_model"))
    assert name in found.findings[0] and found.name == "VAE_training"
    info = catalog.find(bring_in(found).name)
    assert info.sample_shape == model.shape and {"decode", "encode", "invert"} <= info.capabilities
    assert set(info.card.parameters) == {"decoder", "encoder"}
    loaded = checkpoints.load(info)
    assert isinstance(loaded, LatentModel) and isinstance(loaded, Encodes)
    z = prior(range(6), DIM)
    x = loaded.decode(z)
    torch.testing.assert_close(x, model.decoder(z) * 2 - 1, atol=1e-5, rtol=0)
    pictures = torch.rand(4, *model.shape)
    mean, logvar = model.encoder(pictures)
    posterior = loaded.encode(pictures * 2 - 1)
    torch.testing.assert_close(posterior.mean, mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(posterior.logvar, logvar, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("cache")
def test_a_picture_is_encoded_and_searched_for(small: Model, tmp_path: Path) -> None:
    bring_in(recognise(put(small, tmp_path)), "mine")
    digest = catalog.find("mine").digest
    with torch.no_grad():
        x = small.decoder(prior([2], DIM))[0]
        mean, _ = small.encoder(x[None])
    reference = images.keep(x.mul(255).round().byte().permute(1, 2, 0).numpy())
    encoded = render(RenderRequest(model=digest, op=Encode(image=reference)))
    assert abs(encoded.latents - mean.numpy()).max() < 0.01
    searched = render(RenderRequest(model=digest, op=Invert(image=reference, steps=50, restarts=1)))
    assert float(searched.values["psnr_db"][0]) > float(encoded.values["psnr_db"][0])


@pytest.mark.parametrize("name", ["AEConfig", "RAE_L2_Config", "WAE_MMD_Config"])
def test_an_encoder_without_variance(name: str, tmp_path: Path) -> None:
    model = Model(NETWORKS["convolutional network for MNIST"], variance=False)
    found = recognise(put(model, tmp_path, name=name))
    assert isinstance(found.model, Encodes)
    posterior = found.model.encode(torch.zeros(2, 1, 28, 28))
    assert posterior.mean.shape == (2, DIM) and bool((posterior.logvar == -torch.inf).all())
    assert any("without a prior" in finding for finding in found.findings) == (name != "WAE_MMD_Config")


def test_networks_that_only_training_needs_are_left_out(small: Model, tmp_path: Path) -> None:
    state = {**small.state_dict(), "discriminator.layers.0.0.weight": torch.zeros(2, 2)}
    found = recognise(put(small, tmp_path, state, name="FactorVAEConfig"))
    assert isinstance(found.model, Encodes) and sum(found.card.parameters.values()) < 40_000


def test_an_encoder_with_a_flow_is_left_out(small: Model, tmp_path: Path) -> None:
    state = {**small.state_dict(), "iaf_flow.net.0.weight": torch.zeros(2, 2)}
    found = recognise(put(small, tmp_path, state, name="VAE_IAF_Config"))
    assert not isinstance(found.model, Encodes) and "flow" in " ".join(found.findings)
    assert not catalog.find(bring_in(found, "mine").name).can("encode")


class Evil:
    """Would make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_pickles_are_not_opened(small: Model, tmp_path: Path) -> None:
    trap = tmp_path / "touched"
    folder = put(small, tmp_path / "ours", uses_default_encoder=False, uses_default_decoder=False)
    for name in ("encoder.pkl", "decoder.pkl"):
        (folder / name).write_bytes(pickle.dumps(Evil(trap)))
    assert "decoder.pkl and encoder.pkl were not opened" in " ".join(recognise(folder).findings)

    theirs = {key.replace("layers", "net"): value for key, value in small.state_dict().items()}
    folder = put(small, tmp_path / "theirs", theirs)
    (folder / "decoder.pkl").write_bytes(pickle.dumps(Evil(trap)))
    with pytest.raises(UserError, match=r"decoder\.pkl would have to be opened.*ONNX"):
        recognise(folder)
    torch.save({"model_state_dict": {"decoder.x": Evil(trap)}}, folder / "model.pt")
    with pytest.raises(UserError, match="a program in it would have to be run"):
        recognise(folder)
    assert not trap.exists()


def test_somebodys_own_encoder_is_left_out(small: Model, tmp_path: Path) -> None:
    state = {key.replace("encoder.layers", "encoder.net.0.1"): v for key, v in small.state_dict().items()}
    state = {key.replace("encoder.embedding", "encoder.head"): value for key, value in state.items()}
    found = recognise(put(small, tmp_path, state))
    assert not isinstance(found.model, Encodes) and "only decodes" in " ".join(found.findings)
    whole, z = recognise(put(small, tmp_path)), prior([1], DIM)
    assert torch.equal(found.model.decode(z), whole.model.decode(z))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "MyVAEConfig"}, r"not taken, 'MyVAEConfig'; these are: VAEConfig"),
        ({"name": "VAMPConfig"}, "is a VAMP, whose prior is a mixture of posteriors"),
        ({"name": "VQVAEConfig"}, "code book"),
        ({"name": 3}, "not valid in 'name'"),
        ({"latent_dim": None}, "not valid in 'latent_dim'"),
        ({"latent_dim": 7}, "has latent_dim 7 in its config, and its decoder takes 5"),
        ({"input_dim": [1, 28, 32]}, r"\(1, 28, 32\), not square pictures"),
        ({"input_dim": [784]}, r"\(784,\), not square pictures"),
        ({"input_dim": [2, 8, 8]}, "not square pictures"),
        ({"input_dim": [1, 14, 14]}, r"input_dim \(1, 14, 14\) in its config|channels, not pictures"),
        ({"input_dim": None}, "no network that comes with pythae"),
    ],
)
def test_configs_that_do_not_fit_are_explained(
    config: dict[str, Any], message: str, small: Model, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        recognise(put(small, tmp_path, **config))


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_a_config_that_is_none_is_explained(text: str, small: Model, tmp_path: Path) -> None:
    put(small, tmp_path)
    (tmp_path / "model_config.json").write_text(text)
    with pytest.raises(UserError, match=r"model_config\.json of .* (cannot be read|is not valid)"):
        recognise(tmp_path)


def test_missing_and_extra_names_are_listed(tmp_path: Path) -> None:
    model = Model(NETWORKS["residual network for CIFAR"])
    state = model.state_dict()
    lost = {key: value for key, value in state.items() if key != "decoder.layers.1.0.conv_block.3.bias"}
    with pytest.raises(
        UserError, match=r"residual network for CIFAR.*Missing: layers\.1\.0\.conv_block\.3\.bias"
    ):
        recognise(put(model, tmp_path, lost))
    with pytest.raises(UserError, match=r"The encoder of .*Not expected: layers\.9\.weight"):
        recognise(put(model, tmp_path, {**state, "encoder.layers.9.weight": torch.zeros(1)}))
    with pytest.raises(UserError, match=r"Not expected: prior\.mean"):
        recognise(put(model, tmp_path, {**state, "prior.mean": torch.zeros(1)}))


def test_tensors_of_other_shapes_are_explained(tmp_path: Path) -> None:
    model = Model(NETWORKS["convolutional network for MNIST"])
    state = {**model.state_dict(), "decoder.layers.2.1.bias": torch.zeros(9)}
    with pytest.raises(UserError, match="other shapes"):
        recognise(put(model, tmp_path, state))
    state = {**model.state_dict(), "decoder.layers.2.0.weight": torch.zeros(5, 4, 3, 3)}
    with pytest.raises(UserError, match="do not fit each other"):
        recognise(put(model, tmp_path, state))


def test_layers_that_a_config_cannot_name_are_explained(tmp_path: Path) -> None:
    side, hidden = 512, torch.zeros(1)  # a model of them would be saved, and then not be opened again
    pixels = 3 * side * side
    state = {
        "decoder.layers.0.0.weight": torch.zeros(1, DIM), "decoder.layers.0.0.bias": hidden,
        "decoder.layers.1.0.weight": torch.zeros(pixels, 1), "decoder.layers.1.0.bias": torch.zeros(pixels),
    }  # fmt: skip
    folder = put(Model(NETWORKS["default perceptron"]), tmp_path, state, input_dim=(3, side, side))
    with pytest.raises(UserError, match=r"not valid in 'layers\.2\.outputs'"):
        recognise(folder)


def test_a_folder_without_its_weights_or_with_damaged_ones(small: Model, tmp_path: Path) -> None:
    file = put(small, tmp_path) / "model.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read as weights"):
        recognise(tmp_path)
    file.unlink()
    with pytest.raises(UserError, match=r"has no model\.pt"):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"labels": 3}, "takes no labels"),
        ({"prior": "uniform"}, r"takes latents from N\(0, I\)"),
        ({"size": 32}, "says 32"),
        ({"latent_dim": 4}, "says 4"),
    ],
)
def test_a_description_that_contradicts_is_explained(
    said: dict[str, Any], message: str, small: Model, tmp_path: Path
) -> None:
    (put(small, tmp_path) / "model.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match=message):
        recognise(tmp_path)


def test_a_description_is_heard(small: Model, tmp_path: Path) -> None:
    said = {"title": "Mine", "range": [-1, 1], "dataset": "mnist"}
    (put(small, tmp_path) / "model.json").write_text(json.dumps(said))
    found = recognise(tmp_path)
    assert found.card.title == "Mine" and (found.config.low, found.dataset) == (-1, "mnist")
    with torch.no_grad():
        assert torch.equal(found.model.decode(prior([1], DIM)), small.decoder(prior([1], DIM)))
