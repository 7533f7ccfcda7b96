"""Images held out of training, and random changes of those that are not."""

from pathlib import Path

import pytest
import torch

from models.config import Budget, ClassifierTraining, GanTraining, TrainingConfig
from models.datasets import DATASETS, ImageData, load
from models.errors import UserError
from models.families import FAMILIES
from models.training import loop, session
from models.training.augmentation import augmented, cropped, flipped, shifted

TINY = {"width": "4", "batch_size": "16"}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, 16, 16, generator=rng(9)) * 2 - 1


# The split -------------------------------------------------------------------------------------------------


def numbered(count: int) -> ImageData:
    x = torch.arange(count)[:, None, None, None].expand(-1, 1, 16, 16)
    return ImageData(DATASETS["digits"], x, torch.arange(count) % 10, torch.arange(count)[:, None].float())


@pytest.mark.parametrize(("count", "held_out"), [(4, 2), (40, 2), (1000, 50), (60_000, 2000)])
def test_a_part_of_the_images_is_held_out(count: int, held_out: int) -> None:
    rest, part = numbered(count).split()
    assert len(part) == held_out and len(rest) == count - held_out
    chosen = torch.cat([rest.images, part.images])[:, 0, 0, 0]
    assert torch.equal(chosen.sort().values, torch.arange(count)), "each image is on one side"
    for one in (rest, part):
        numbers = one.images[:, 0, 0, 0]
        assert torch.equal(one.labels_at(slice(None)), numbers % 10), "with its label"
        assert one.factors is not None and torch.equal(one.factors[:, 0].long(), numbers)
    assert torch.equal(rest.images, rest.images.sort(0).values)


def test_the_split_follows_its_seed() -> None:
    one, again, other = (numbered(1000).split(0.1, seed)[1].images for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other) and len(one) == 100


def test_too_few_images_cannot_be_parted() -> None:
    with pytest.raises(ValueError, match="3 images"):
        numbered(3).split()


def test_training_never_sees_the_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def loading(name: str, split: str = "train") -> ImageData:
        asked.append(split)
        return load(name, "train")

    monkeypatch.setattr(session, "begin_data", loading)
    config = session.configure("digits", "gan", budget=Budget(steps=2), options=TINY, where="cpu")
    outcome = session.train(session.new_run(config, tmp_path / "run"))
    assert asked == ["train"] and outcome.metrics["sharpness_ratio"] > 0
    assert len(load("digits").split()[1]) == round(0.05 * 1438)


# Changes ---------------------------------------------------------------------------------------------------


def test_a_shift_moves_each_image_on_its_own_and_repeats_the_border() -> None:
    x = images()
    moved = shifted(x, 2, rng())
    padded = torch.nn.functional.pad(x, (2,) * 4, mode="replicate")
    found: set[tuple[int, int]] = set()
    for before, after in zip(padded, moved, strict=True):
        places = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if torch.equal(before[:, dy : dy + 16, dx : dx + 16], after)
        ]
        assert len(places) == 1
        found |= set(places)
    assert len(found) > 15 and {place[0] for place in found} == set(range(5))


def test_half_of_the_images_are_mirrored() -> None:
    x = images(400)
    same = (flipped(x, rng()) == x).flatten(1).all(1)
    mirrored = (flipped(x, rng()) == x.flip(3)).flatten(1).all(1)
    assert torch.equal(same, ~mirrored) and 150 < int(mirrored.sum()) < 250


def test_a_crop_is_a_part_of_the_image_enlarged() -> None:
    torch.testing.assert_close(cropped(images(), 0.0, rng()), images(), atol=1e-5, rtol=0)
    ramp = torch.linspace(-1, 1, 16).expand(200, 1, 16, 16)
    slopes = (cropped(ramp, 0.5, rng())[:, 0, :, 1:] - cropped(ramp, 0.5, rng())[:, 0, :, :-1])[
        :, 8, 4:11
    ].mean(1)
    shares = slopes / (2 / 15)
    assert 0.5 - 1e-3 <= float(shares.min()) < 0.55 and 0.95 < float(shares.max()) <= 1.001
    assert cropped(ramp, 0.5, rng()).min() >= -1
    centres = cropped(ramp, 0.5, rng())[:, 0, 8, 8]
    assert centres.min() < -0.3 and centres.max() > 0.3, "anywhere in it"


def test_changes_follow_the_generator_and_none_draws_nothing() -> None:
    config = ClassifierTraining(shift=2, crop=0.2, flip=True)
    assert torch.equal(augmented(images(), config, rng(1)), augmented(images(), config, rng(1)))
    assert not torch.equal(augmented(images(), config, rng(1)), augmented(images(), config, rng(2)))
    untouched = rng(3)
    x = images()
    assert augmented(x, TrainingConfig(), untouched) is x
    assert torch.equal(untouched.get_state(), rng(3).get_state())


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_takes_them(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {**TINY, "shift": "1", "crop": "0.1", "flip": "true"}
    config = session.configure("digits", family, budget=Budget(steps=1), options=options, where="cpu")
    run = session.new_run(config, tmp_path / "run")
    data = load("digits").split()
    trainer = loop.Trainer(session.recipe_for(config), *data, run, Budget(steps=1))
    plain, seen = trainer.batch().x, []
    step = trainer.recipe.step
    monkeypatch.setattr(
        trainer.recipe, "step", lambda batch, *rest: (seen.append(batch.x), step(batch, *rest))[1]
    )
    trainer.advance()
    assert seen[0].shape == plain.shape and not torch.equal(seen[0], plain)
    words = session.command(config)
    assert "crop=0.1" in words and "flip=True" in words


def test_only_a_classifier_shifts_by_default() -> None:
    assert ClassifierTraining().shift == 2 and GanTraining().shift == 0 and not GanTraining().flip
    assert session.configure("digits", "classifier").training["shift"] == 2


def test_what_is_to_be_predicted_is_not_moved() -> None:
    assert session.configure("sprites", "classifier").training["shift"] == 0
    assert session.configure("avatars", "classifier").training["shift"] == 2
    assert session.configure("sprites", "vae", options={"shift": "3"}).training["shift"] == 3
    for dataset, option, moved in (
        ("sprites", {"shift": "1"}, "x, y"),
        ("sprites", {"crop": "0.2"}, "scale, x, y"),
        ("avatars", {"flip": "true"}, "gaze, turn, tilt"),
    ):
        with pytest.raises(UserError, match=f"changes what is to be predicted: {moved}"):
            session.configure(dataset, "classifier", options=option)


@pytest.mark.parametrize(
    ("dataset", "option", "message"),
    [
        ("toy:grid25", {"shift": "1"}, "'shift' changes images, and 'toy:grid25' holds points"),
        ("digits", {"shift": "9"}, "less than or equal to 8"),
        ("digits", {"crop": "0.9"}, "less than or equal to 0.5"),
        ("digits", {"crop": "-0.1"}, "greater than or equal to 0"),
        ("digits", {"flip": "perhaps"}, "flip"),
    ],
)
def test_impossible_changes_are_explained(dataset: str, option: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        session.configure(dataset, "gan", options=option)
