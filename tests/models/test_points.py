"""Points in the plane: the data, the networks over them, training, samples, and who must not see them."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog, checkpoints, media, render
from models.config import Budget, GanConfig, RunConfig
from models.datasets import DATASETS, ImageData, load
from models.datasets.points import GRID25
from models.errors import UserError
from models.metrics.points import energy_distance, mode_coverage, of_points
from models.networks import Encoder
from models.requests import RenderRequest, Sample
from models.training import session

TOYS = [name for name, info in DATASETS.items() if info.points]
TINY = {"width": "4", "batch_size": "16"}


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny(
    family: str, dataset: str = "toy:grid25", steps: int = 6, options: dict[str, str] | None = None
) -> RunConfig:
    given = {**TINY, **(options or {})}
    return session.configure(dataset, family, budget=Budget(steps=steps), options=given, where="cpu")


# Data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_points_are_scaled_labelled_and_the_same_each_time(name: str) -> None:
    train, test = load(name, "train"), load(name, "test")
    assert train.info.sample_shape == (2,) and (len(train), len(test)) == (20_000, 2_000)
    assert train.images.dtype == torch.float32 and train.images.shape == (20_000, 2)
    assert 0.7 < float(train.images.abs().max()) <= 1
    assert torch.equal(train.floats(slice(0, 9)), train.images[:9])
    assert torch.equal(load(name, "test").images, test.images)
    assert not torch.equal(train.images[:2000], test.images)
    if train.info.classes:
        shares = torch.bincount(train.labels_at(slice(None))) / 20_000
        assert len(shares) == len(train.info.classes) and shares.min() > 0.8 / len(shares)
    else:
        assert train.labels is None


@pytest.mark.parametrize(("name", "count", "radius"), [("toy:grid25", 25, None), ("toy:ring8", 8, 2.0)])
def test_mixtures_are_what_they_say(name: str, count: int, radius: float | None) -> None:
    data = load(name)
    known = data.info.points
    assert known and len(known.modes) == count
    modes = torch.tensor(known.modes)
    offsets = data.images * known.scale - modes[data.labels_at(slice(None))]
    assert float(offsets.std()) == pytest.approx(known.sigma, rel=0.02)
    assert torch.cdist(modes, modes).fill_diagonal_(9).min() > 20 * known.sigma
    if radius:
        assert torch.allclose(modes.norm(dim=1), torch.tensor(radius))
    assert mode_coverage(data.images * known.scale, modes, known.sigma)[0] == count


def test_curves_are_what_they_say() -> None:
    line = load("toy:line").images * 1.25
    assert float((line[:, 1] - 0.5 * line[:, 0]).std()) == pytest.approx(0.03 * math.sqrt(1.25), rel=0.03)
    moons = load("toy:moons")
    centres = torch.tensor([[-0.5, -0.25], [0.5, 0.25]])[moons.labels_at(slice(None))]
    radii = (moons.images * 1.75 - centres).norm(dim=1)
    assert float(radii.mean()) == pytest.approx(1, abs=0.01) and float(radii.std()) < 0.04
    spirals = load("toy:spirals")
    points, labels = spirals.images * 2.25, spirals.labels_at(slice(None))
    far = points.norm(dim=1) > 0.5
    turn = torch.atan2(points[:, 1], points[:, 0]) - 3 * math.pi * points.norm(dim=1) / 2 - math.pi * labels
    assert float(turn[far].cos().mean()) > 0.95


# Metrics ---------------------------------------------------------------------------------------------------


def test_modes_count_where_enough_samples_are_near() -> None:
    modes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    many = modes[:1].repeat(60, 1) + 0.01 * normal(60, 2)
    few = modes[1:2].repeat(24, 1)
    away = modes[2:3].repeat(16, 1) + torch.tensor([0.31, 0.0])
    x = torch.cat([many, few, away])
    assert mode_coverage(x, modes, 0.1, hits=25) == (1, 0.84)
    assert mode_coverage(x, modes, 0.1, hits=24) == (2, 0.84)
    assert mode_coverage(x, modes, 0.104, hits=1) == (3, 1.0), "what is within three sigma is near"


def test_the_share_of_a_gaussian_within_three_sigma() -> None:
    covered, share = mode_coverage(GRID25.sigma * normal(50_000, 2), torch.zeros(1, 2), GRID25.sigma)
    assert covered == 1 and share == pytest.approx(1 - math.exp(-4.5), abs=0.002)


def test_the_energy_distance_of_points_on_a_line_is_known() -> None:
    x, y = (torch.zeros(3, 2), torch.tensor([[1.0, 0.0]] * 3))
    assert energy_distance(x, y) == pytest.approx(2)
    one, other = normal(4000, 2), normal(4000, 2, seed=1)
    assert abs(energy_distance(one, other)) < 0.005
    assert energy_distance(one, other + 1) > 0.5


def test_real_points_are_the_best_samples() -> None:
    train, test = load("toy:grid25"), load("toy:grid25", "test")
    assert train.info.points and train.info.points.modes
    found = of_points(train.images, test.images, train.info.points)
    assert found["modes_covered"] == 25 and found["high_quality_share"] > 0.98
    assert abs(found["energy_distance"]) < 0.02
    assert set(of_points(train.images, test.images, dataclasses.replace(GRID25, modes=()))) == {
        "energy_distance"
    }


# Models ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"size": 0, "channels": 3}, {"size": 16, "channels": 2}])
def test_impossible_shapes_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="does not go with"):
        GanConfig.model_validate({"network": "mlp", **options})


def test_a_network_of_points_sees_fine_detail_from_the_start() -> None:
    torch.manual_seed(0)
    config = GanConfig.model_validate({"size": 0, "channels": 2, "network": "mlp", "width": 16})
    encoder = Encoder(config)
    line = torch.linspace(-1, 1, 400)
    features = encoder(torch.stack([line, torch.zeros(400)], 1)).detach()
    assert features.shape == (400, 128)
    here, near, far = features[200], features[204], features[300]
    assert 0.05 < float((here - near).norm() / (here - far).norm()) < 0.6
    assert float(features.square().mean()) == pytest.approx(0.5, abs=0.35), "and keeps their scale"


@pytest.mark.parametrize("family", ["ae", "vae", "cvae", "gan", "cgan"])
def test_every_family_of_generators_learns_points(family: str, tmp_path: Path) -> None:
    run = session.new_run(tiny(family), tmp_path / "run")
    assert session.new_run(tiny(family), None).folder.name.startswith(f"toy-grid25-{family}-")
    data = load("toy:grid25"), load("toy:grid25", "test")
    outcome = session.train(run, data=data)
    assert outcome.steps == 6 and outcome.metrics and all(map(math.isfinite, outcome.metrics.values()))
    info = catalog.read(outcome.checkpoint)
    assert info.id == f"toy-grid25-{family}" and info.sample_shape == (2,) and info.latent_dim == 2
    assert info.can("decode") and not info.can("picture")
    assert info.sheet and any(run.samples.glob("*.png"))
    z = render.points(render.admit(info), Sample(count=40, seed=3))
    assert z[0].shape == (40, 2) and np.abs(z[0]).max() <= 1 and z[1].shape == (40, 2)


def test_an_autoencoder_learns_the_line(tmp_path: Path) -> None:
    config = tiny("ae", "toy:line", 300, {"latent_dim": "1", "width": "8", "batch_size": "64"})
    run = session.new_run(config, tmp_path / "run")
    data = load("toy:line"), load("toy:line", "test")
    assert session.train(run, data=data).metrics["psnr_db"] > 32, "an error of a few hundredths"


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("classifier", {}, "looks at images, and 'toy:grid25' holds points"),
        ("gan", {"network": "conv"}, "points take network=mlp"),
        ("cgan", {"size": "32"}, "points, which have no size"),
    ],
)
def test_what_points_cannot_do(family: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny(family, options=options)


def test_names_of_toys_are_suggested() -> None:
    with pytest.raises(UserError, match=r"Did you mean 'toy:grid25'\?"):
        load("toy:grid")
    with pytest.raises(UserError, match="has none"):
        tiny("cgan", "toy:line")


# Pictures --------------------------------------------------------------------------------------------------


def test_pictures_of_points_are_refused_and_points_of_pictures(zoo: Path, tmp_path: Path) -> None:
    run = session.new_run(tiny("gan", steps=1), tmp_path / "run")
    info = catalog.read(session.train(run, data=(load("toy:line"), load("toy:line", "test"))).checkpoint)
    digest = render.admit(info)
    for ask in (
        lambda: render.render(RenderRequest(model=digest, op=Sample())),
        lambda: render.decoder(digest),
    ):
        with pytest.raises(UserError, match="makes points, not pictures"):
            ask()
    with pytest.raises(UserError, match="makes pictures, not points"):
        render.points(render.admit(catalog.find("tiny-gan")), Sample())


def test_a_scatter_plot_shows_where_points_are() -> None:
    points = np.array([[1.0, 1.0], [np.nan, 0.0], [5.0, 0.0]])
    drawn = media.scatter(points, np.array([[-1.0, -1.0]]), side=440)
    assert drawn.shape == (440, 440, 3) and drawn.dtype == np.uint8
    assert drawn[20, 420].tolist() == [31, 97, 180] and drawn[420, 20].tolist() == [190, 190, 190]
    assert 4 <= (drawn.min(2) < 150).sum() <= 16, "one that is no number and one outside are not seen"
    assert media.scatter(np.empty((0, 2))).min() == 232


def test_a_sheet_of_points_shows_data_behind() -> None:
    data = ImageData(DATASETS["toy:line"], torch.tensor([[-0.9, -0.9]]))
    alone, both = (checkpoints.as_sheet(torch.tensor([[0.9, 0.9]]), d) for d in (None, data))
    assert alone.shape == both.shape == (512, 512, 3)
    assert (alone != both).any(2).sum() in range(3, 60)
