"""Plane: the scale that places everything, the map, the data over it, what a click does."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import cache
from explorer.components.latent_pad import Axes
from explorer.components.plane import picked, scale
from explorer.panels import ground
from models import catalog
from models.errors import UserError
from models.plane import positions, spanned
from models.render import render
from models.requests import Codes, Decode, Grid, Point, RenderRequest, Sample

Maps = list[Any]


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> Maps:
    """Collect the maps that are shown, with their clouds; the component itself needs a browser."""
    shown: Maps = []
    monkeypatch.setattr(ground, "plane", lambda laid, cloud, **options: shown.append((laid, cloud, options)))
    return shown


def answer(model: str, op: Any) -> Any:
    return render(RenderRequest(model=catalog.find(model).digest, op=op))


# The scale -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", ["linear", "quantile"])
@pytest.mark.parametrize("steps", [2, 7, 15, 20])
def test_every_picture_lies_where_its_coordinate_is(steps: int, spacing: Any) -> None:
    nodes = scale(steps, 3.0, spacing)
    assert len(nodes) == 16 * steps + 1
    assert nodes[8::16] == pytest.approx(positions(steps, 3.0, spacing), abs=1e-6)
    assert all(a < b for a, b in pairwise(nodes))
    assert nodes == pytest.approx([-node for node in reversed(nodes)])


def test_equal_lengths_of_a_quantile_scale_hold_equal_shares_of_the_prior() -> None:
    nodes = scale(15, 3.0, "quantile")[8:-8]
    shares = [0.5 * (1 + math.erf(node / math.sqrt(2))) for node in nodes]
    assert np.diff(shares) == pytest.approx((shares[-1] - shares[0]) / (len(nodes) - 1), rel=1e-6)


def test_beyond_the_span_a_quantile_scale_goes_on_for_one_sd() -> None:
    nodes = scale(15, 3.0, "quantile")
    assert nodes[0] == -4.0 and nodes[8] == pytest.approx(-3.0) and nodes[4] == pytest.approx(-3.5)


# The map ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "axes"), [("tiny-vae-2d", "raw"), ("tiny-gan", "pca"), ("tiny-cvae", "sefa")]
)
def test_the_plane_is_that_of_the_grid(zoo: Path, model: str, axes: str) -> None:
    point = Point(seed=4, axes=axes, label=2 if model == "tiny-cvae" else None)
    grid = answer(model, Grid(point=point, directions=(1, 0), steps=3, span=2.0))
    vectors = cache.render(ground.controls.directions(catalog.find(model), axes)).values["vectors"][[1, 0]]
    z = answer(model, Decode(points=(point,))).latents[0]
    corner, right, up = spanned(z, vectors)
    expected = [corner + x * right + y * up for y in (2, 0, -2) for x in (-2, 0, 2)]
    assert grid.latents == pytest.approx(np.stack(expected), abs=1e-4)


def test_the_first_directions_are_the_strongest_and_raw_axes_in_order() -> None:
    def pair(kind: str, vectors: np.ndarray) -> tuple[int, int]:
        return ground.default_pair(Axes(kind, [4, 7], ["a", "b"], [], [], vectors, 2))

    swapped = np.asarray([[0, 1], [1, 0]], np.float32)
    assert pair("raw", swapped) == (7, 4)
    assert pair("raw", swapped[::-1]) == pair("pca", swapped) == (4, 7)


def test_a_model_of_two_dimensions_gets_quantiles_and_its_data(open_app, maps: Maps) -> None:
    app = open_app("plane", model="tiny-vae-2d")
    laid, cloud, _options = maps[-1]
    assert laid.names == ("z1", "z2") and laid.scale == scale(15, 3.0, "quantile")
    assert laid.at(1.5, -0.5) == pytest.approx([1.5, -0.5], abs=1e-5)
    codes = answer("tiny-vae-2d", Codes(count=2000))
    assert cloud.places == pytest.approx(codes.latents, abs=1e-5)
    assert np.array_equal(cloud.groups, codes.values["labels"]) and cloud.names == tuple("0123456789")
    app.toggle(key="codes-whole").set_value(False).run()
    assert maps[-1][1] is None
    app.button_group(key="spacing").set_value("linear").run()
    assert maps[-1][0].scale == scale(15, 3.0, "linear") and app.query_params["spacing"] == "linear"


def test_other_models_get_their_two_strongest_directions_through_the_point(open_app, maps: Maps) -> None:
    app = open_app("plane", model="tiny-gan", seed=7)
    laid, cloud, _options = maps[-1]
    assert laid.names == ("Direction 1", "Direction 2") and laid.scale == scale(15, 3.0, "linear")
    assert cloud is None and any("has no encoder" in str(caption.value) for caption in app.caption)
    z = answer("tiny-gan", Sample(seed=7, count=1)).latents[0]
    assert laid.at(*laid.here) == pytest.approx(z, abs=1e-4)
    app.selectbox(key="plane-0").set_value(4).run()
    assert maps[-1][0].names == ("Direction 5", "Direction 2") and app.query_params["plane"] == "4,1"
    app.selectbox(key="plane-0").set_value(1).run()  # the same one twice would be a line
    assert maps[-1][0].names == ("Direction 2", "Direction 5")


def test_data_that_are_not_here_are_said_quietly(
    open_app, maps: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gallery(scene: object) -> Iterator[float]:
        raise UserError("no-data", "The training images, 'digits', are not on this machine.", "Get them.")
        yield 0.0

    monkeypatch.setattr("models.answers.gallery", gallery)
    cache.forget_answers()
    app = open_app("plane", model="tiny-vae-2d")
    assert maps[-1][1] is None and not app.error
    assert any("are not on this machine" in str(caption.value) for caption in app.caption)


def test_a_click_moves_the_point_within_the_same_map(open_app, maps: Maps) -> None:
    app = open_app("plane", model="tiny-cgan", seed=3, **{"class": 5})
    before, _cloud, _options = maps[-1]
    expected = before.at(1.25, -2.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ground, "plane", lambda laid, cloud, **given: given["on_pick"](1.25, -2.0))
        app.run()
    app.run()
    point = app.session_state["view"].point
    assert point.latent == pytest.approx(expected, abs=2e-3) and point.label == 5
    after = maps[-1][0]
    assert after.here == pytest.approx((1.25, -2.0), abs=5e-3)
    assert after.sheet == before.sheet and after.serial == before.serial
    app.button(key="open-point").click().run()
    assert app.title[0].value == "Explore" and app.session_state["view"].point.latent == point.latent


def test_another_point_makes_another_map(open_app, maps: Maps) -> None:
    app = open_app("plane", model="tiny-gan", seed=7)
    app.session_state["view"] = app.session_state["view"].model_copy(
        update={"point": Point(seed=8, axes="pca")}
    )
    app.run()
    assert maps[0][0].serial != maps[-1][0].serial and maps[0][0].sheet != maps[-1][0].sheet


def test_only_places_of_this_map_are_believed(open_app, maps: Maps) -> None:
    open_app("plane", model="tiny-gan", seed=7)
    laid = maps[-1][0]
    good = {"serial": laid.serial, "place": [1.5, -0.25]}
    assert picked(good, laid) == (1.5, -0.25)
    for place in ([1.5], [1.5, "2"], [math.nan, 0], [math.inf, 0], [99, 0], [True, 0], None, {"x": 1}):
        assert picked({**good, "place": place}, laid) is None
    assert picked({**good, "serial": "0" * 16}, laid) is None
    assert picked("x", laid) is None and picked(None, laid) is None


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"plane": "0"}, ["plane “0”", "pair of two directions such as 0,1"]),
        ({"plane": "1,1"}, ["plane “1,1”"]),
        ({"plane": "0,99"}, ["plane “0,99”", "0 to 11"]),
        ({"spacing": "linea"}, ["spacing “linea”", "Did you mean 'linear'?"]),
        ({"z": "AAAA"}, ["which is not a point of a space of 12 dimensions"]),
        ({"axes": "pcb"}, ["axes “pcb”"]),
    ],
)
def test_bad_links_say_so_and_show_a_map(open_app, maps: Maps, params, words) -> None:
    app = open_app("plane", model="tiny-gan", **params)
    (said,) = [str(box.value).replace("\\", "") for box in app.warning]
    assert all(word in said for word in words)
    assert not app.error and maps[-1][0].names[0].startswith("Direction")
