"""Facts about the drawn shapes: the same everywhere, binary, whole, every factor visible, symmetries as said."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.datasets import DATASETS, load
from models.datasets.sprites import FACTORS, compose, draw, sample_factors

NAMES = [factor.name for factor in FACTORS]
SHAPES = FACTORS[0].values


def sprite(shape: str, scale: float = 1.0, turn: float = 0.0, x: float = 0.5, y: float = 0.5) -> np.ndarray:
    """Return one picture as a boolean (64, 64)."""
    return compose(np.array([[SHAPES.index(shape), scale, turn, x, y]]))[0, 0] > 0


def centre(picture: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(picture)
    return float(columns.mean() + 0.5), float(rows.mean() + 0.5)


@pytest.fixture(scope="module")
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    return draw(300, seed=7)


def test_pictures_are_binary_and_have_a_row_of_factors_each(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, factors = drawn
    assert images.dtype == torch.uint8 and images.shape == (300, 1, 64, 64)
    assert set(images.unique().tolist()) == {0, 255}
    assert factors.dtype == torch.float32 and factors.shape == (300, 5)


@pytest.mark.parametrize(("start", "count"), [(0, 1), (63, 3), (137, 130)])
def test_a_picture_does_not_depend_on_count_or_start(
    drawn: tuple[torch.Tensor, torch.Tensor], start: int, count: int
) -> None:
    images, factors = draw(count, seed=7, start=start)
    assert torch.equal(images, drawn[0][start : start + count])
    assert torch.equal(factors, drawn[1][start : start + count])
    assert torch.equal(torch.as_tensor(compose(factors.numpy())), images)


def test_factors_are_those_of_dsprites_and_cover_their_ranges() -> None:
    assert NAMES == ["shape", "scale", "orientation", "x", "y"]
    table = sample_factors(4000, seed=1)
    assert np.bincount(table[:, 0].astype(int)).min() > 1200
    for column, factor in enumerate(FACTORS[1:], start=1):
        width = factor.high - factor.low
        assert factor.low <= table[:, column].min() < factor.low + 0.01 * width
        assert factor.high - 0.01 * width < table[:, column].max() <= np.float32(factor.high)
    assert np.abs(np.corrcoef(table, rowvar=False) - np.eye(5)).max() < 0.06


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_whole_wherever_it_is(shape: str) -> None:
    whole = sprite(shape, turn=0.3).sum()
    for turn in np.linspace(0, 2 * math.pi, 24):
        for x, y in ((0, 0), (0, 1), (1, 0), (1, 1)):
            picture = sprite(shape, turn=turn, x=x, y=y)
            assert abs(int(picture.sum()) - whole) < 0.13 * whole
            assert not (picture[[0, -1]].any() or picture[:, [0, -1]].any())


@pytest.mark.parametrize("shape", SHAPES)
def test_scale_and_place_are_what_the_factors_say(shape: str) -> None:
    assert sprite(shape, 0.5, 0.3).sum() == pytest.approx(sprite(shape, 1, 0.3).sum() / 4, rel=0.1)
    here, right, below = (centre(sprite(shape, x=x, y=y)) for x, y in ((0.5, 0.5), (1, 0.5), (0.5, 1)))
    assert here == pytest.approx((32, 32), abs=1.7)  # a heart is heavier above
    assert right[0] - here[0] == pytest.approx(17.5, abs=0.5) and right[1] == pytest.approx(here[1], abs=0.5)
    assert below[1] - here[1] == pytest.approx(17.5, abs=0.5) and below[0] == pytest.approx(here[0], abs=0.5)


def test_orientation_is_ambiguous_for_symmetric_shapes_only() -> None:
    for shape, turn in (("square", math.pi / 2), ("ellipse", math.pi)):
        changed = (sprite(shape, turn=0.3) ^ sprite(shape, turn=0.3 + turn)).sum()
        assert changed <= 2, "but for pixels on the edge it looks the same"
    for turn in (math.pi / 2, math.pi, 3 * math.pi / 2):
        assert (sprite("heart", turn=0.3) ^ sprite("heart", turn=0.3 + turn)).sum() > 40
    assert (sprite("ellipse") ^ sprite("ellipse", turn=math.pi / 2)).sum() > 100


def test_a_heart_stands_upright_and_turns_clockwise() -> None:
    upright = sprite("heart")
    rows = np.flatnonzero(upright.any(1))
    assert upright[rows[0] + 2].sum() > 8 > upright[rows[-1]].sum(), "its tip is below"
    np.testing.assert_array_equal(upright, upright[:, ::-1])
    tip = np.argwhere(sprite("heart", turn=math.pi / 2))[:, 1].min()
    assert 32 - tip == pytest.approx(rows[-1] + 1 - 32, abs=1), "clockwise, the tip goes to the left"


def test_the_data_set_is_drawn_once_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    small = dataclasses.replace(DATASETS["sprites"], train=70, test=30)
    monkeypatch.setitem(DATASETS._entries, "sprites", small)
    train, test = load("sprites", "train"), load("sprites", "test")
    assert (len(train), len(test)) == (70, 30) and train.factors is not None and test.factors is not None
    assert not torch.equal(train.images[:30], test.images)
    assert len(list(cache.rglob("*.npz"))) == 2
    monkeypatch.setattr("models.datasets.sprites.draw", None)
    assert torch.equal(load("sprites", "train").images, train.images)
    for path in cache.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 0.7, 1, 0.5], "shape"),
        ([3, 0.7, 1, 0.5, 0.5], "shape must lie in"),
        ([0.5, 0.7, 1, 0.5, 0.5], "shape must be a whole number"),
        ([0, 0.4, 1, 0.5, 0.5], "scale"),
        ([0, 0.7, np.nan, 0.5, 0.5], "orientation"),
        ([0, 0.7, 1, 1.5, 0.5], "x must"),
    ],
)
def test_what_cannot_be_drawn_is_refused(row: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compose(np.array([row]))


def test_none_can_be_drawn_and_less_than_none_not() -> None:
    assert draw(0, seed=0)[0].shape == (0, 1, 64, 64)
    with pytest.raises(ValueError, match="negative"):
        draw(-1, seed=0)


def test_importing_the_factors_does_not_import_torch() -> None:
    code = "import models.datasets.sprites, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
