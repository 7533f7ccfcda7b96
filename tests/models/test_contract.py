"""One contract for every family, network, size and number of channels."""

import itertools
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from models import catalog, checkpoints
from models.catalog import Card, CheckpointConfig
from models.config import (
    Budget,
    ClassifierConfig,
    GanConfig,
    GeneratorConfig,
    Head,
    ModelConfig,
    TrainingConfig,
)
from models.core import Classifies, Encodes, Features, ImageModel, LatentModel, Scores
from models.datasets import ImageData, load
from models.families import FAMILIES, Family, Preset, options
from models.latent import generator, prior
from models.metrics.sharpness import sharpness
from models.networks import Decoder, Enlarge, MappingNetwork
from models.training import session
from models.training.recipe import Batch, HeldOut, Recipe

SIZES, CHANNELS, NETWORKS = (16, 32, 64), (1, 3), ("mlp", "conv")
CASES = [
    case
    for case in itertools.product(FAMILIES, SIZES, CHANNELS, NETWORKS)
    if not (case[0] == "classifier" and case[3] == "mlp")  # it has convolutional layers only
]
GENERATORS = [family for family in FAMILIES if issubclass(FAMILIES[family].config, GeneratorConfig)]
CASES += [(family, 0, 2, "mlp") for family in GENERATORS]  # points in the plane
HEADS = (Head(name="shape", values=("round", "square", "long")), Head(name="angle", low=-1, high=1))


def config_of(family: str, size: int, channels: int, network: str, latent_dim: int = 5) -> ModelConfig:
    entry = FAMILIES[family]
    fields: dict[str, object] = {
        "family": family,
        "size": size,
        "channels": channels,
        "network": network,
        "width": 4,
    }
    if issubclass(entry.config, GeneratorConfig):
        fields |= {"latent_dim": latent_dim, "classes": 3 if entry.conditional else 0}
    if issubclass(entry.config, ClassifierConfig):
        fields |= {"heads": HEADS, "feature_dim": 8}
    return entry.config.model_validate(fields)


def build(config: ModelConfig, seed: int = 0) -> ImageModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return checkpoints.build(config).eval()


@pytest.mark.parametrize(("family", "size", "channels", "network"), CASES)
def test_shapes_ranges_and_gradients(family: str, size: int, channels: int, network: str) -> None:
    model = build(config_of(family, size, channels, network))
    shape = (channels, size, size) if size else (2,)
    assert model.sample_shape == shape
    labels = torch.tensor([0, 1, 2, 0]) if FAMILIES[family].conditional else None
    x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    if isinstance(model, LatentModel):
        z = prior(range(4), model.latent_dim)
        images = model.decode(z, labels)
        assert images.shape == (4, *shape)
        assert images.min() >= -1 and images.max() <= 1
        assert model.hidden(z, labels).shape == (4, model.first_layer().shape[0])
        assert model.first_layer().shape[1] == model.latent_dim
        images.square().sum().backward()
    outputs: list[torch.Tensor] = []
    if isinstance(model, Encodes):
        q = model.encode(x, labels)
        assert q.mean.shape == q.logvar.shape == (4, 5)
        outputs.append(q.mean)
    if isinstance(model, Scores):
        assert model.score(x, labels).shape == (4,)
        outputs.append(model.score(x, labels))
    if isinstance(model, Features):
        assert model.features(x).ndim == 2 and len(model.features(x)) == 4
    if isinstance(model, Classifies):
        found = model.classify(x)
        assert found["shape"].shape == (4, 3) and found["angle"].shape == (4,)
        torch.testing.assert_close(found["shape"].sum(1), torch.ones(4))
        outputs += list(found.values())
    torch.cat([out.square().flatten() for out in outputs]).sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert len(gradients) > 2
    assert all(g.isfinite().all() for g in gradients)


def has_gradient(model: ImageModel) -> bool:
    """Tell whether the pixels of a picture have a gradient by its latent."""
    assert isinstance(model, LatentModel)
    z = torch.randn(2, model.latent_dim).requires_grad_()
    x = model.eval().decode(z, torch.tensor([0, 1]) if model.classes else None)
    (gradient,) = torch.autograd.grad(x.square().sum(), z)
    return bool(gradient.isfinite().all()) and bool(gradient.any())


def test_every_family_that_decodes_inverts() -> None:
    decoding = {name for name, family in FAMILIES.items() if "decode" in family.capabilities}
    assert decoding == {name for name, family in FAMILIES.items() if "invert" in family.capabilities}
    assert all(info.can("invert") == info.can("decode") for info in catalog.models() if info.shipped)


@pytest.mark.parametrize(("family", "network"), sorted({(case[0], case[3]) for case in CASES}))
def test_capabilities_are_what_the_family_says(family: str, network: str) -> None:
    model = build(config_of(family, 16, 1, network))
    kinds = {
        "decode": LatentModel,
        "encode": Encodes,
        "score": Scores,
        "features": Features,
        "classify": Classifies,
    }
    has = {name for name, kind in kinds.items() if isinstance(model, kind)}
    assert has == FAMILIES[family].capabilities - {"label", "invert"}
    assert "invert" not in FAMILIES[family].capabilities or has_gradient(model)
    assert ("label" in FAMILIES[family].capabilities) == bool(getattr(model, "classes", 0))


@pytest.mark.parametrize(("family", "size", "channels", "network"), [c for c in CASES if c[1] in (0, 16)])
def test_same_seed_same_weights_and_save_load_equality(
    family: str, size: int, channels: int, network: str, tmp_path: Path
) -> None:
    config = config_of(family, size, channels, network)
    first, again, other = build(config, 3), build(config, 3), build(config, 4)
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])

    record = CheckpointConfig(id="contract", model=config.model_dump(mode="json"), dataset="digits")
    loaded = checkpoints.load(checkpoints.save(tmp_path / "one", first, record, Card()))
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    for name, value in first.state_dict().items():
        half = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], half), name
    twice = checkpoints.load(checkpoints.save(tmp_path / "two", loaded, record, Card()))
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in twice.state_dict().items())
    digests = [checkpoints.digest(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("family", GENERATORS)
@pytest.mark.parametrize("latent_dim", [1, 2, 100])
def test_any_latent_dimension(family: str, latent_dim: int) -> None:
    model = build(config_of(family, 16, 1, "conv", latent_dim))
    assert isinstance(model, LatentModel)
    labels = torch.zeros(3, dtype=torch.long) if model.classes else None
    images = model.decode(prior(range(3), latent_dim), labels)
    assert images.shape == (3, 1, 16, 16)
    assert not torch.equal(images[0], images[1])


@pytest.mark.parametrize("family", [f for f in FAMILIES if FAMILIES[f].conditional])
def test_labels_change_the_picture_and_are_required(family: str) -> None:
    model = build(config_of(family, 16, 1, "conv"))
    assert isinstance(model, LatentModel)
    z = prior([7], model.latent_dim).expand(3, -1)
    images = model.decode(z, torch.arange(3))
    assert (images[0] - images[1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="labels"):
        model.decode(z)


@pytest.mark.parametrize("detail", [0, 8])
def test_channels_at_full_resolution_are_an_option(detail: int) -> None:
    config = config_of("gan", 32, 3, "conv").model_copy(update={"detail": detail})
    model = build(config)
    assert isinstance(model, LatentModel)
    last = [layer for layer in model.parts()["generator"].modules() if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.in_channels for layer in last] == ([detail] if detail else [])
    assert model.decode(prior(range(2), model.latent_dim)).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_a_deeper_decoder_keeps_the_scale_of_a_shallow_one_and_learns(family: str) -> None:
    shallow = config_of(family, 32, 3, "conv")
    model, z = build(shallow.model_copy(update={"depth": 2})), prior(range(4), 5)
    assert isinstance(model, LatentModel)
    network = model.network()
    assert network is not None
    layers = [layer for layer in network.modules() if isinstance(layer, Enlarge)]
    assert [len(layer.refine) for layer in layers] == [2, 2, 0]
    images = model.decode(z)
    for layer in layers:
        layer.refine = nn.ModuleList()
    torch.testing.assert_close(model.decode(z), images, msg="at first the deeper layers add nothing")
    model = build(shallow.model_copy(update={"depth": 2}))
    assert isinstance(model, LatentModel)
    model.decode(z).square().sum().backward()
    added = [p.grad for name, p in model.named_parameters() if ".refine." in name]
    assert len(added) == 8
    assert all(grad is not None and grad.any() for grad in added)


@pytest.mark.parametrize("family", ["vae", "cgan"])
def test_a_palette_mixes_colours_of_its_own(family: str) -> None:
    config = config_of(family, 16, 3, "conv").model_copy(update={"palette": 5})
    model, z = build(config), prior(range(4), 5)
    assert isinstance(model, LatentModel)
    labels = torch.tensor([0, 1, 2, 0]) if model.classes else None
    network = model.network()
    assert isinstance(network, Decoder)
    assert network.palette is not None
    h = network.hidden(z, labels)
    mixed = network.palette(h, network.rest[:-1](h))
    colours = network.palette.colours(h).unflatten(1, (3, 5))
    assert mixed.shape == (4, 3, 16, 16)
    assert (mixed.flatten(2).amax(2) <= colours.amax(2) + 1e-6).all(), "a mixture is within its colours"
    assert (mixed.flatten(2).amin(2) >= colours.amin(2) - 1e-6).all()
    flat = build(config.model_copy(update={"palette": 0}))
    assert isinstance(flat, LatentModel)
    grain = [sharpness(one.decode(z, labels)).mean() for one in (model, flat)]
    assert grain[0] < 1.2 * grain[1], "it begins as flat as without a palette"
    network(z, labels).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.palette.parameters())


def test_a_mapping_bends_latents_and_is_fitted_by_a_linear_one() -> None:
    mapping = MappingNetwork(6, 2)
    z = torch.randn(4096, 6, generator=generator(4096))
    torch.testing.assert_close(mapping(z), z)
    torch.testing.assert_close(mapping.linear(), torch.eye(6), atol=1e-4, rtol=0)
    rng = generator(1)
    with torch.no_grad():
        for weight in mapping.parameters():
            weight.normal_(std=0.3, generator=rng)
        bent = mapping(z)
        left = bent - z @ mapping.linear().T
    left, z = left - left.mean(0), z - z.mean(0)
    assert left.var() > 0.01 * bent.var(), "it is not linear itself"
    torch.testing.assert_close(z.T @ left / len(z), torch.zeros(6, 6), atol=1e-4, rtol=0)


def test_what_a_dense_decoder_or_one_without_detail_cannot_have_is_refused() -> None:
    fields = {"family": "gan", "size": 16, "channels": 3}
    with pytest.raises(ValueError, match="network=conv, not mlp"):
        GanConfig.model_validate(fields | {"network": "mlp", "depth": 1})
    with pytest.raises(ValueError, match="detail above 0"):
        GanConfig.model_validate(fields | {"palette": 4, "detail": 0})
    assert GanConfig.model_validate(fields | {"palette": 4, "depth": 8}).palette == 4


def test_a_plain_autoencoder_whitens_its_codes() -> None:
    from models.vae import Autoencoder

    model = build(config_of("ae", 16, 1, "mlp"))
    assert isinstance(model, Autoencoder)
    model.latent_mean.copy_(torch.tensor([1.0, 2, 3, 4, 5]))
    model.latent_scale.copy_(torch.tril(torch.full((5, 5), 0.5)) + torch.eye(5))
    x = torch.rand(6, 1, 16, 16) * 2 - 1
    with torch.no_grad():
        z = model.encode(x).mean
        torch.testing.assert_close(model.codes(z), model.posterior(x, None).mean)


# A family of one's own -------------------------------------------------------------------------------------


class ToyConfig(GeneratorConfig):
    family: Literal["toy"] = "toy"  # pyright: ignore[reportIncompatibleVariableOverride]
    loudness: float = 1.0


class Toy(LatentModel):
    """A linear decoder."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.first = nn.Linear(config.latent_dim, 8)
        self.rest = nn.Linear(8, config.channels * config.size**2)
        self.loudness = config.loudness

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.rest(self.hidden(z)).view(-1, *self.sample_shape)
        return (self.loudness * x).clamp(-1, 1)

    def first_layer(self) -> Tensor:
        return self.first.weight

    def hidden(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.first(z).tanh()

    def score(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return (x.flatten(1) @ self.rest.weight).sum(1)


class ToyRecipe(Recipe):
    """Learns the mean image."""

    def __init__(self, model: ToyConfig, config: TrainingConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = Toy(model).to(device)
        self.modules = {"model": self.model}
        self.optimizers = {"model": torch.optim.SGD(self.model.parameters(), config.learning_rate)}

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        self.set_learning_rate(progress)
        z = torch.randn(len(batch.x), self.model.latent_dim, generator=rng, device=self.device)
        loss = (self.model.decode(z) - batch.x).square().mean()
        self.descend("model", loss)
        return {"loss": loss.detach()}

    @torch.no_grad()
    def preview(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.model.decode(z)

    def validate(self, held: HeldOut) -> Mapping[str, float]:
        return {"mean": float(held.data.floats(slice(0, 10)).mean())}

    def export(self, data: ImageData, brief: bool = False) -> Toy:
        return self.model.cpu().eval().requires_grad_(False)


def test_a_new_family_is_one_line_in_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("toy")
    module.__dict__.update(Toy=Toy, ToyRecipe=ToyRecipe)
    monkeypatch.setitem(sys.modules, "toy", module)
    capabilities, presets = frozenset({"decode", "score"}), {"quick": Preset("4-steps")}
    line = Family("Toy", ToyConfig, TrainingConfig, "toy:Toy", "toy:ToyRecipe", capabilities, presets)
    monkeypatch.setitem(FAMILIES._entries, "toy", line)

    test_shapes_ranges_and_gradients("toy", 32, 3, "conv")
    test_capabilities_are_what_the_family_says("toy", "conv")
    test_same_seed_same_weights_and_save_load_equality("toy", 16, 1, "conv", tmp_path / "contract")
    test_any_latent_dimension("toy", 2)
    assert {"loudness", "learning_rate", "width"} <= set(options("toy"))
    config = session.configure("digits", "toy", options={"loudness": "0.5"}, where="cpu")
    assert config.budget == Budget(steps=4)
    data = load("digits", "train"), load("digits", "test")
    outcome = session.train(session.new_run(config, tmp_path / "run"), data=data)
    assert outcome.steps == 4 and (outcome.checkpoint / "sheet.png").is_file()
    info = checkpoints.read(outcome.checkpoint)
    assert info.can("score") and not info.can("encode")
    assert "--model toy" in info.card.command and "loudness=0.5" in info.card.command
    loaded = checkpoints.load(info)
    assert isinstance(loaded, Toy) and loaded.loudness == 0.5
