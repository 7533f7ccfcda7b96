"""What a browser reports of the map: read as it was meant, or refused."""

import base64
from typing import Any

import numpy as np
import pytest

from explorer.components.map.reports import Chosen, chosen, selection
from explorer.components.map.scene import Shown


@pytest.fixture
def shown() -> Shown:
    """A map of 300 points."""
    return Shown(
        key="5" * 64,
        address="/api/maps/5",
        name="Map",
        model="0" * 64,
        count=300,
        dim=6,
        shape=(16, 16, 1),
        pictures="decoded",
        conditional=False,
        label="",
        colourings=(),
        colouring="",
    )


def bits(indices: list[int], count: int) -> str:
    """Write indices as the browser does."""
    flags = np.zeros(-(-count // 8) * 8, np.uint8)
    flags[indices] = 1
    return base64.b64encode(np.packbits(flags, bitorder="little").tobytes()).decode()


@pytest.mark.parametrize("indices", [[0], [299], [0, 7, 8, 15, 16, 255, 256, 299], list(range(300))])
def test_a_selection_is_read_as_it_was_made(shown: Shown, indices: list[int]) -> None:
    read = selection({"key": shown.key, "bits": bits(indices, 300), "count": 1}, shown)
    assert read is not None and read.tolist() == indices


@pytest.mark.parametrize(
    "value",
    [
        None,
        "A",
        {},
        {"bits": bits([1], 300)},
        {"key": "0" * 64, "bits": bits([1], 300)},
        {"key": "own", "bits": 7},
        {"key": "own", "bits": bits([], 300)},
        {"key": "own", "bits": bits([1], 308)},
        {"key": "own", "bits": bits([301], 304)},
        {"key": "own", "bits": "A" * 10_000},
        {"key": "own", "bits": "ü" * 52},
        {"key": "own", "bits": bits([1], 300)[:-1]},
    ],
)
def test_what_is_no_selection_is_none(shown: Shown, value: Any) -> None:
    if isinstance(value, dict) and value.get("key") == "own":
        value = {**value, "key": shown.key}
    assert selection(value, shown) is None


def test_a_click_is_a_point_or_a_place(shown: Shown) -> None:
    assert chosen({"key": shown.key, "index": 299}, shown) == Chosen((299,), (1.0,))
    said = {"key": shown.key, "near": [4, 2], "weights": [0.5, 0.25], "place": [0.5, -1]}
    place = chosen(said, shown)
    assert place is not None and place.rows == (4, 2) and place.weights == pytest.approx((2 / 3, 1 / 3))
    assert place.place == (0.5, -1.0)
    for wrong in (None, [0.5], [0.5, "1"], [0.5, float("inf")], [True, 1], {"0": 1, "1": 2}):
        assert chosen({**said, "place": wrong}, shown) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"index": 300},
        {"index": -1},
        {"index": True},
        {"index": 1.5},
        {"near": [], "place": [0, 0]},
        {"near": [1], "place": [0, 0]},
        {"near": [1, 2], "weights": [1], "place": [0, 0]},
        {"near": [1, 2], "weights": [0, 0], "place": [0, 0]},
        {"near": [1, 2], "weights": [float("nan"), 1], "place": [0, 0]},
        {"near": [1, 2], "weights": [-1, 2], "place": [0, 0]},
        {"near": [1, 400], "weights": [1, 1], "place": [0, 0]},
        {"near": list(range(9)), "weights": [0.1] * 9, "place": [0, 0]},
        {"near": {"0": 1}, "weights": [1], "place": [0, 0]},
    ],
)
def test_what_is_no_click_is_none(shown: Shown, value: Any) -> None:
    assert chosen({**value, "key": shown.key} if value else value, shown) is None
    assert chosen({"key": "0" * 64, "index": 1}, shown) is None
