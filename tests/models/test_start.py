"""Trainings that begin with the weights of a checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoints
from models.config import Budget, RunConfig
from models.core import LatentModel
from models.datasets import ImageData, load
from models.errors import UserError
from models.gan import GanRecipe
from models.latent import prior
from models.training import session
from models.training.runs import Run

TINY = {"width": "4", "batch_size": "16", "latent_dim": "6", "detail": "4"}


@pytest.fixture(scope="module")
def digits() -> tuple[ImageData, ImageData]:
    return load("digits", "train"), load("digits", "test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, digits: tuple[ImageData, ImageData]) -> dict[str, Path]:
    """Train one model of each family; returns their checkpoints."""
    folder = tmp_path_factory.mktemp("start")
    found: dict[str, Path] = {}
    for family in ("ae", "vae", "cvae", "gan"):
        config = session.configure(
            "digits",
            family,
            budget=Budget(steps=8),
            options={**TINY, **({} if family == "gan" else {"likelihood": "gaussian"})},
            where="cpu",
            name=f"my-{family}",
        )
        found[family] = session.train(session.new_run(config, folder / family), data=digits).checkpoint
    return found


def configure(family: str, start: Path, steps: int = 4, **options: str) -> RunConfig:
    return session.configure(
        "digits",
        family,
        budget=Budget(steps=steps),
        options={"batch_size": "16", **options},
        where="cpu",
        start=str(start),
    )


@pytest.mark.parametrize(
    ("family", "start"), [("gan", "vae"), ("gan", "ae"), ("gan", "gan"), ("vae", "vae"), ("cvae", "cvae")]
)
def test_the_model_begins_as_the_other_one(family: str, start: str, trained: dict[str, Path]) -> None:
    options: dict[str, Any] = {} if family == "gan" else {"likelihood": "gaussian"}
    config = configure(family, trained[start], **options)
    assert config.model["latent_dim"] == 6 and config.model["detail"] == 4, "the shape is the other's"
    recipe = session.recipe_for(config)
    session.begin(recipe, config)
    other = checkpoints.load(trained[start])
    assert isinstance(other, LatentModel)
    z, labels = prior(range(5), 6), torch.arange(5) if other.classes else None
    shown = recipe.preview(z, labels)
    assert shown is not None
    if family != "cvae":
        torch.testing.assert_close(shown, other.decode(z, labels), atol=1e-4, rtol=0)
    expected = other.state_dict()
    if family == start:
        mine = recipe.modules["model"].state_dict()
        assert all(torch.equal(mine[key], value) for key, value in expected.items())


@pytest.mark.parametrize("start", ["gan", "vae"])
def test_a_mapping_is_put_before_a_trained_decoder(start: str, trained: dict[str, Path]) -> None:
    config = configure("gan", trained[start], mapping="2")
    recipe = session.recipe_for(config)
    session.begin(recipe, config)
    other = checkpoints.load(trained[start])
    assert isinstance(other, LatentModel)
    z = prior(range(5), 6)
    shown = recipe.preview(z, None)
    assert shown is not None
    torch.testing.assert_close(shown, other.decode(z), atol=1e-4, rtol=0)


def test_a_mapping_is_kept_and_not_exchanged(
    trained: dict[str, Path], tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    run = session.new_run(configure("gan", trained["gan"], mapping="2"), tmp_path / "run")
    bent = session.train(run, data=digits).checkpoint
    assert configure("gan", bent).model["mapping"] == 2, "the shape is the other's"
    config = configure("gan", bent, mapping="1")
    with pytest.raises(UserError, match="mapping is 2, here it is 1") as caught:
        session.begin(session.recipe_for(config), config)
    assert caught.value.code == "start-does-not-fit"


def test_only_the_discriminator_learns_in_its_head_start(
    trained: dict[str, Path], tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    config = configure("gan", trained["vae"], head_start="4")
    outcome = session.train(session.new_run(config, tmp_path / "run"), data=digits)
    model, other = checkpoints.load(outcome.checkpoint), checkpoints.load(trained["vae"])
    assert isinstance(model, LatentModel) and isinstance(other, LatentModel)
    z = prior(range(5), 6)
    torch.testing.assert_close(model.decode(z), other.decode(z), atol=1e-4, rtol=0)
    fresh = session.recipe_for(config).modules["model"].state_dict()
    moved = [
        k for k, v in model.state_dict().items() if "discriminator" in k and not torch.equal(v, fresh[k])
    ]
    assert moved


@pytest.mark.parametrize("options", [{}, {"anchor": "4"}])
def test_a_run_that_was_interrupted_does_not_start_again(
    options: dict[str, str], trained: dict[str, Path], tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    whole = session.new_run(configure("gan", trained["vae"], 8, **options), tmp_path / "whole")
    session.train(whole, data=digits)
    parts = session.new_run(configure("gan", trained["vae"], 8, **options), tmp_path / "parts")
    asked = iter([False] * 3 + [True])
    assert session.train(parts, data=digits, stop=lambda: next(asked)).steps == 3
    session.train(Run(tmp_path / "parts"), data=digits)
    one, two = (checkpoints.load(run.checkpoint).state_dict() for run in (whole, parts))
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_an_anchor_keeps_what_belongs_to_a_latent(
    trained: dict[str, Path], tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    other, z = checkpoints.load(trained["vae"]), prior(range(50), 6)
    assert isinstance(other, LatentModel)
    moved: dict[str, float] = {}
    for anchor in ("0", "50"):
        config = configure("gan", trained["vae"], 60, anchor=anchor)
        model = checkpoints.load(
            session.train(session.new_run(config, tmp_path / anchor), data=digits).checkpoint
        )
        assert isinstance(model, LatentModel)
        moved[anchor] = float((model.decode(z) - other.decode(z)).abs().mean())
    assert 0 < moved["50"] < 0.5 * moved["0"]


def test_an_anchor_leaves_details_to_the_discriminator() -> None:
    config = session.configure("avatars", "gan", start="avatars-vae", options={"anchor": 1}, where="cpu")
    recipe = session.recipe_for(config)
    session.begin(recipe, config)
    assert isinstance(recipe, GanRecipe)
    z = prior(range(2), config.model["latent_dim"])
    fake = recipe.generate(z, None).detach().clamp(-1, 1)
    stripes = torch.tensor([0.5, -0.5]).repeat(32)  # of a pixel each: four of them are one at 16 x 16
    drifts = [float(recipe.drift(z, None, x)) for x in (fake, fake + stripes, fake + 0.5)]
    assert drifts == pytest.approx([0, 0, 0.5], abs=1e-3)


def test_an_anchor_needs_a_start(trained: dict[str, Path]) -> None:
    config = configure("gan", trained["vae"], anchor="1").model_copy(update={"start": None})
    for act in (
        lambda: session.configure("digits", "gan", options={"anchor": "1"}),
        lambda: session.begin(session.recipe_for(config), config),
    ):
        with pytest.raises(UserError, match="'anchor' means the model") as caught:
            act()
        assert caught.value.code == "bad-option"


def test_card_and_config_name_the_start(
    trained: dict[str, Path], tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    config = configure("gan", trained["vae"])
    info = checkpoints.read(session.train(session.new_run(config, tmp_path / "run"), data=digits).checkpoint)
    assert f"--start {trained['vae']}" in info.card.command
    assert info.config.start and info.config.start.digest == checkpoints.read(trained["vae"]).digest


@pytest.mark.parametrize(
    ("family", "start", "options", "message"),
    [
        ("gan", "cvae", {}, "family is cvae, here it is gan"),
        ("vae", "gan", {}, "family is gan, here it is vae"),
        ("gan", "vae", {"width": "8"}, "width is 4, here it is 8"),
        ("gan", "gan", {"latent_dim": "5", "detail": "0"}, "detail is 4, here it is 0; latent_dim is 6"),
    ],
)
def test_weights_that_do_not_fit_are_explained(
    family: str, start: str, options: dict[str, Any], message: str, trained: dict[str, Path]
) -> None:
    config = configure(family, trained[start], **options)
    with pytest.raises(UserError, match=message):
        session.begin(session.recipe_for(config), config)


def test_a_start_that_is_not_there_or_another_one(trained: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model 'fashon-vae'"):
        configure("gan", Path("fashon-vae"))
    config = configure("gan", trained["vae"])
    assert config.start
    other = config.model_copy(update={"start": config.start.model_copy(update={"digest": "0" * 64})})
    with pytest.raises(UserError, match="not what it was"):
        session.begin(session.recipe_for(other), other)


def test_a_decoder_of_logits_is_squashed(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    config = session.configure(
        "digits", "vae", budget=Budget(steps=2), options={**TINY, "likelihood": "bernoulli"}, where="cpu"
    )
    made = session.train(session.new_run(config, tmp_path / "vae"), data=digits).checkpoint
    start = configure("gan", made, head_start="4")
    gan = checkpoints.load(session.train(session.new_run(start, tmp_path / "gan"), data=digits).checkpoint)
    vae = checkpoints.load(made)
    assert isinstance(gan, LatentModel) and isinstance(vae, LatentModel)
    torch.testing.assert_close(
        gan.decode(prior(range(5), 6)), vae.decode(prior(range(5), 6)), atol=1e-4, rtol=0
    )


def test_the_shape_of_the_start_counts_more_than_that_of_a_preset() -> None:
    config = session.configure("avatars", "gan", start="avatars-vae", preset_name="quick")
    assert config.model["width"] == 24 and config.model["output"] == "logits"
    recipe = session.recipe_for(config)
    session.begin(recipe, config)
    other, z = checkpoints.from_pretrained("avatars-vae"), prior(range(2), config.model["latent_dim"])
    shown = recipe.preview(z, None)
    assert isinstance(other, LatentModel) and shown is not None
    torch.testing.assert_close(shown, other.decode(z), atol=1e-4, rtol=0)
