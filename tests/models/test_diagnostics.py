"""What a run writes for people to watch: losses and diagnostics, speed, pictures; and the lessons that they show."""

import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from explorer.commands.train import epilog
from models.checkpoints import as_pairs
from models.choices import ADVERSARIAL_LOSSES
from models.config import Budget, RunConfig
from models.core import to_pixels
from models.datasets import DATASETS, ImageData, load
from models.families import FAMILIES, lessons
from models.latent import generator
from models.metrics import of_key
from models.metrics.samples import of_samples
from models.training import loop, session
from models.training.recipe import HeldOut
from models.training.runs import Run
from models.training.speed import Mark, between, peak_memory

COMMON = {"kind", "step", "images", "seconds", "progress"}
SPEED = {"images_per_s", "idle_share", "memory_mb"}
PARTS = {"loss", "reconstruction_nats"}
GAME = {"discriminator_loss", "generator_loss", "margin", "penalty"}
SEEN = {"classes_covered", "smallest_class_share", "mean_confidence"}
SAMPLED = {"sharpness_ratio", "pairwise_distance_ratio", *SEEN}
SAMPLES = {*SAMPLED, "margin"}
CODES = {"psnr_db", "kl_nats", "active_units"}
KEYS: dict[str, tuple[set[str], set[str]]] = {
    "ae": (PARTS, PARTS | {"psnr_db"}),
    "vae": (PARTS | {"kl_nats"}, PARTS | CODES),
    "cvae": (PARTS | {"kl_nats"}, PARTS | CODES),
    "gan": (GAME, SAMPLES),
    "cgan": (GAME, SAMPLES),
    "vaegan": (GAME | {"feature_reconstruction_nats", "kl_nats"}, SAMPLES | CODES),
    "classifier": ({"loss"}, {"loss", "accuracy"}),
}


def tiny(
    family: str, steps: int = 12, *, dataset: str = "digits", preset: str = "quick", **options: str
) -> RunConfig:
    given = {"width": "4", "batch_size": "16", **options}
    return session.configure(
        dataset, family, preset_name=preset, budget=Budget(steps=steps), options=given, where="cpu"
    )


@pytest.fixture(scope="module")
def digits() -> tuple[ImageData, ImageData]:
    return load("digits", "train"), load("digits", "test")


def trained(folder: Path, config: RunConfig, data: tuple[ImageData, ImageData]) -> list[dict[str, Any]]:
    run = session.new_run(config, folder)
    session.train(run, data=data)
    return list(run.events())


# Events ----------------------------------------------------------------------------------------------------


def test_every_family_has_its_diagnostics() -> None:
    assert KEYS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", list(KEYS))
def test_events_of_a_family(family: str, tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    events = trained(
        tmp_path / "run", tiny(family, penalty_interval="5") if "gan" in family else tiny(family), digits
    )
    train, validation = KEYS[family]
    last = {kind: [e for e in events if e["kind"] == kind][-1] for kind in ("train", "validation")}
    assert last["train"].keys() == COMMON | SPEED | train
    assert last["validation"].keys() == COMMON | validation
    assert 0 <= last["train"]["idle_share"] <= 1 and last["train"]["memory_mb"] > 50
    assert [e["step"] for e in events] == sorted(e["step"] for e in events)


def test_a_vae_is_validated_by_the_loss_that_it_learns_by(
    tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    config = tiny("vae", 40, objective="beta", beta="3", warmup="0")
    last = trained(tmp_path / "run", config, digits)[-1]
    assert last["loss"] == pytest.approx(last["reconstruction_nats"] + 3 * last["kl_nats"], rel=1e-4)


@pytest.mark.parametrize("objective", ["iwae", "btc", "wae-mmd", "capacity", "free-bits"])
def test_every_objective_can_be_validated_on_few_images(
    objective: str, digits: tuple[ImageData, ImageData]
) -> None:
    recipe = session.recipe_for(tiny("vae", objective=objective))
    for count in (2, 17, 33):
        held = HeldOut(digits[1].take(torch.arange(count)), 0.5, len(digits[0]), 0)
        one, two = recipe.validate(held), recipe.validate(held)
        assert one == two and np.isfinite(list(one.values())).all()


@pytest.mark.parametrize("options", [{}, {"spectral_norm": "true", "packing": "2", "augment": "translation"}])
def test_watching_changes_no_weight(
    options: dict[str, str],
    tmp_path: Path,
    digits: tuple[ImageData, ImageData],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def state(folder: Path) -> dict[str, Tensor]:
        found = Run(folder).load_state()
        assert found
        return found[0]

    events = trained(tmp_path / "watched", tiny("gan", 12, **options), digits)
    monkeypatch.setattr(loop, "VALIDATE_AT", ())
    monkeypatch.setattr(loop.Trainer, "snapshot", lambda self: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    alone = trained(tmp_path / "alone", tiny("gan", 12, **options), digits)
    assert sum(e["kind"] == "validation" for e in events) > 5
    assert sum(e["kind"] == "validation" for e in alone) == 1
    one, two = state(tmp_path / "watched"), state(tmp_path / "alone")
    assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def test_validations_come_early(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    events = trained(tmp_path / "run", tiny("ae", 200), digits)
    steps = [e["step"] for e in events if e["kind"] == "validation"]
    assert steps == [2, 4, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200]


@pytest.mark.parametrize("name", list(ADVERSARIAL_LOSSES))
def test_a_logit_alone_is_shown_where_the_loss_gives_it_a_scale(name: str) -> None:
    loss = ADVERSARIAL_LOSSES[name]
    real, fake = torch.randn(2, 50, generator=generator(0)).unbind()
    absolute = not torch.isclose(loss.discriminator(real, fake), loss.discriminator(real + 3, fake + 3))
    assert (loss.reading is not None) == absolute
    if name in ("minmax", "nonsaturating"):
        assert loss.reading is not None
        assert loss.reading(torch.tensor([-50.0, 0.0, 50.0])).tolist() == pytest.approx([0, 0.5, 1])


def test_readings_are_in_the_events(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    event = next(
        e for e in trained(tmp_path / "run", tiny("gan", loss="minmax"), digits) if e["kind"] == "train"
    )
    assert 0 < event["d_real"] < 1 and 0 < event["d_fake"] < 1
    assert (event["margin"] > 0) == (event["d_real"] > event["d_fake"])


def test_the_card_keeps_what_is_a_metric(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    from models import catalog

    run = session.new_run(tiny("gan"), tmp_path / "run")
    outcome = session.train(run, data=digits)
    assert "margin" in outcome.metrics and outcome.memory_mb and 0 <= outcome.idle_share <= 1
    metrics = catalog.read(outcome.checkpoint).card.metrics
    assert metrics.keys() == SAMPLED and all(map(of_key, metrics))


# Classes ---------------------------------------------------------------------------------------------------


class Judge:
    """Sees the class of an image in its mean brightness."""

    def classify(self, x: Tensor) -> dict[str, Tensor]:
        index = ((x.mean((1, 2, 3)) + 1) * 5).long().clamp(0, 9)
        return {"label": torch.nn.functional.one_hot(index, 10).float() * 0.8}


def test_classes_of_samples_are_counted() -> None:
    shades = torch.linspace(-0.9, 0.9, 10)[:, None, None, None].expand(10, 1, 16, 16)
    labels = torch.arange(10).repeat(5)
    real = ImageData(DATASETS["digits"], to_pixels(shades).repeat(5, 1, 1, 1), labels)
    every = of_samples(shades.repeat(20, 1, 1, 1), real, Judge())
    few = of_samples(shades[:3].repeat(60, 1, 1, 1), real, Judge())
    assert (every["classes_covered"], few["classes_covered"]) == (10, 3)
    assert every["mean_confidence"] == pytest.approx(0.8) and few["smallest_class_share"] == 0
    assert few["pairwise_distance_ratio"] < 0.6 < every["pairwise_distance_ratio"]
    assert "classes_covered" not in of_samples(shades, real)


def test_the_classifier_of_the_data_set_judges() -> None:
    fashion = DATASETS["fashion_mnist"]
    gan, vae = (session.recipe_for(tiny(family, dataset="fashion_mnist")) for family in ("gan", "vae"))
    judge = session.judge_of(fashion, gan)
    assert judge is not None and judge.heads[0].values == fashion.classes
    assert session.judge_of(fashion, vae) is None
    assert session.judge_of(DATASETS["avatars"], gan) is None, "it names no classes"


# Speed -----------------------------------------------------------------------------------------------------


def test_speed_is_what_the_clocks_say() -> None:
    speed = between(Mark(10, 100, 5, 4), Mark(20, 700, 11, 9.5), torch.device("cpu"))
    assert speed.images_per_s == pytest.approx(100) and speed.idle_share == pytest.approx(0.45)
    assert speed.rounded().keys() == SPEED
    still = Mark(1, 0, 0, 0)
    assert between(still, still, torch.device("cpu"))[:2] == (0, 0)


def test_memory_is_that_of_the_peak() -> None:
    peak = peak_memory(torch.device("cpu"))
    most = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    )
    assert peak is not None and 50 < peak < 1.05 * most, "the system may count that of the parent in"
    block = torch.ones(25_000_000)
    after = peak_memory(torch.device("cpu"))
    assert after is not None and after > 0.99 * max(peak, block.nbytes / 1e6)


# Pictures --------------------------------------------------------------------------------------------------


def test_reconstructions_lie_under_their_images() -> None:
    x = torch.linspace(-1, 1, 19)[:, None, None, None].expand(19, 1, 4, 4)
    sheet = as_pairs(x, -x)
    assert sheet.shape == (4 * 4, 8 * 4, 1)
    cells = sheet[::4, ::4, 0]
    assert (cells[0] == to_pixels(x[:8, 0, 0, 0]).numpy()).all()
    assert (cells[2] == to_pixels(x[8:16, 0, 0, 0]).numpy()).all()
    assert (abs(cells[[0, 2]].astype(int) + cells[[1, 3]].astype(int) - 255) <= 1).all()
    assert as_pairs(x[:3], x[:3]).shape == (8, 12, 1)
    assert as_pairs(torch.zeros(5, 2), torch.ones(5, 2)).shape == (512, 512, 3)


@pytest.mark.parametrize("family", ["vae", "cvae", "vaegan", "gan", "classifier"])
def test_pictures_of_reconstructions(
    family: str, tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    run = session.new_run(tiny(family), tmp_path / "run")
    session.train(run, data=digits)
    names = sorted(p.name for p in run.reconstructions.glob("*.png"))
    if "encode" not in FAMILIES[family].capabilities:
        assert not run.reconstructions.exists()
        return
    assert names == sorted(p.name for p in run.samples.glob("*.png")) and names[-1] == "00000012.png"
    first, last = (np.asarray(Image.open(run.reconstructions / name)) for name in (names[0], names[-1]))
    assert first.shape == (4 * 16, 8 * 16)
    rows = first.reshape(4, 16, 128), last.reshape(4, 16, 128)
    assert (rows[0][::2] == rows[1][::2]).all(), "the images stay"
    assert (rows[0][1::2] != rows[1][1::2]).any(), "and their reconstructions change"


# Lessons ---------------------------------------------------------------------------------------------------


def test_lessons_are_in_the_help() -> None:
    assert {name: families for name, (_, families) in lessons().items()} == {
        "posterior-collapse": ("vae", "cvae"),
        "free-bits": ("vae", "cvae"),
        "collapse": ("gan", "cgan"),
        "cure": ("gan", "cgan"),
    }
    assert "--preset posterior-collapse (vae, cvae): Posterior collapse" in epilog()


def test_posterior_collapse_and_its_cure_show_in_active_units(
    tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    def units(preset: str) -> float:
        config = tiny("vae", 60, preset=preset, network="mlp", batch_size="64", latent_dim="16")
        return trained(tmp_path / preset, config, digits)[-1]["active_units"]

    assert units("posterior-collapse") == 0 and units("free-bits") >= 12


@pytest.mark.parametrize(
    ("preset", "loss", "penalty"), [("collapse", "nonsaturating", "none"), ("cure", "relativistic", "r1r2")]
)
def test_lessons_suit_images_and_points(preset: str, loss: str, penalty: str) -> None:
    memories: dict[str, float] = {}
    for dataset in ("digits", "toy:grid25"):
        config = session.configure(dataset, "gan", preset_name=preset, where="cpu")
        assert (config.training["loss"], config.training["penalty"]) == (loss, penalty)
        assert config.budget == Budget(seconds=60)
        memories[dataset] = config.training["beta2"]
    assert memories == {"digits": 0.99, "toy:grid25": 0.9}


def test_modes_covered_tells_collapse_from_its_cure() -> None:
    real = load("toy:grid25", "test")
    points = real.info.points
    assert points is not None
    x = real.floats(slice(None))
    distance = torch.cdist(x * points.scale, torch.tensor(points.modes))
    collapsed = x[(distance.argmin(1) < 3)]
    few, every = of_samples(collapsed, real), of_samples(x, real)
    assert few["modes_covered"] == 3 and every["modes_covered"] == 25
    assert few["high_quality_share"] > 0.97 and every["high_quality_share"] > 0.97, "quality does not tell"
