"""Interpolate: key frames, the film between them, its files."""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer import route
from explorer.panels import export, film, keyframes
from models import catalog, geodesics, neighbours
from models.errors import UserError
from models.render import render
from models.requests import Interpolate, Point, RenderRequest

Films = list[Any]


@pytest.fixture
def films(monkeypatch: pytest.MonkeyPatch) -> Films:
    """Collect the films that are shown; the player itself needs a browser."""
    shown: Films = []
    monkeypatch.setattr(film, "player", lambda found, **options: shown.append((found, options)))
    return shown


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that makes the next run begin with a click on a key frame."""
    pending: list[int] = []

    def tiles(sheet: bytes, **options: Any) -> None:
        if pending and options["key"] == "keys":
            options["on_open"](pending.pop())

    monkeypatch.setattr(keyframes, "tiles", tiles)
    return pending.append


def seeds(app: Any) -> list[int]:
    return [key.seed for key in app.session_state["view"].route.points]


def size(png: bytes) -> tuple[int, int]:
    return struct.unpack(">II", png[16:24])


def test_the_page_shows_a_film_at_once(open_app, films: Films) -> None:
    app = open_app("interpolate", model="tiny-gan")
    found, options = films[-1]
    assert found.count == 61 and found.size == (16, 16) and len(found.reels) == 1
    assert size(found.reels[0].frames) == (16 * 16, 4 * 16)
    assert found.marks == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert found.names == [f"seed {seed}" for seed in route.SEEDS]
    assert options["key"] == "player"
    assert any("× the mean" in str(caption.value) for caption in app.caption)


def test_frames_and_way_go_into_film_and_link(open_app, films: Films) -> None:
    app = open_app("interpolate", model="tiny-gan")
    arc = films[-1][0].reels[0].frames
    app.slider(key="frames").set_value(30).run()
    assert films[-1][0].count == 30 and app.query_params["frames"] == "30"
    app.slider(key="frames").set_value(61).run()
    assert films[-1][0].reels[0].frames == arc
    app.button_group(key="method").set_value("lerp").run()
    assert films[-1][0].reels[0].frames != arc and app.query_params["method"] == "lerp"


def test_the_way_through_the_data_is_one_of_them(open_app, films: Films) -> None:
    open_app("interpolate", model="tiny-vae", method="data", frames=12)
    found, _options = films[-1]
    keys = tuple(Point(seed=seed) for seed in route.SEEDS)
    op = Interpolate(points=keys, frames=12, method="data")
    request = RenderRequest(model=catalog.find("tiny-vae").digest, op=op)
    with Image.open(io.BytesIO(found.reels[0].frames)) as sheet:
        first_row = np.asarray(sheet)[:16].reshape(16, 16, 16).swapaxes(0, 1)[:12]
    assert np.array_equal(first_row, render(request).images[..., 0])


def test_data_that_are_not_here_are_said_quietly(
    open_app, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    arc = open_app("interpolate", model="tiny-vae", frames=12) and films[-1][0].reels[0].frames

    def gallery(scene: object) -> Iterator[float]:
        raise UserError("no-data", "The training images, 'digits', are not on this machine.", "Get them.")
        yield 0.0

    for module in (geodesics, neighbours):
        monkeypatch.setattr(module, "gallery", gallery)
    app = open_app("interpolate", model="tiny-vae", frames=12, method="data", keys="1000,1008")
    said = " ".join(str(caption.value) for caption in app.caption)
    assert "are not on this machine" in said and "The arc is shown instead" in said
    assert not app.error and not app.warning
    assert films[-1][0].reels[0].frames != arc and films[-1][0].count == 12
    app.toggle(key="beside").set_value(True).run()
    assert len(films[-1][0].reels) == 1 and not app.error


def test_nearest_real_images_come_when_they_are_asked_for(open_app, films: Films) -> None:
    app = open_app("interpolate", model="tiny-vae", frames=20)
    app.toggle(key="beside").set_value(True).run()
    found, _options = films[-1]
    made, beside = found.reels
    assert size(beside.frames) == size(made.frames) and beside.frames != made.frames


def test_key_frames_are_added_moved_and_removed(open_app, films: Films, choose) -> None:
    app = open_app("interpolate", model="tiny-gan", keys="5,6,7")
    assert app.button(key="key-on").disabled and app.button(key="key-remove").disabled
    app.number_input(key="key-seed").set_value(42).run()
    app.button(key="add-seed").click().run()
    assert seeds(app) == [5, 6, 7, 42] and app.query_params["keys"] == "5,6,7,42"
    assert app.button(key="key-on").disabled  # it is chosen, and the last one
    app.button(key="key-back").click().run()
    assert seeds(app) == [5, 6, 42, 7]
    app.button(key="key-remove").click().run()
    assert seeds(app) == [5, 6, 7] and app.button(key="key-remove").disabled
    choose(0)
    app.run()
    app.run()
    app.button(key="key-on").click().run()
    assert seeds(app) == [6, 5, 7]
    assert films[-1][0].names == ["seed 6", "seed 5", "seed 7"]
    app.button(key="keys-shuffle").click().run()
    assert len(set(seeds(app))) == 4 and films[-1][0].count == 61


def test_the_point_of_explore_can_be_a_key_frame(open_app, films: Films) -> None:
    app = open_app("explore", model="tiny-vae", seed=9, edits="0:2")
    app.switch_page("views/interpolate.py").run()
    app.button(key="add-point").click().run()
    keys = app.session_state["view"].route.points
    assert keys[-1].edits == ((0, 2.0),) and films[-1][0].names[-1] == "seed 9, edited"
    assert app.query_params["keys"] == "0,8,16,24"
    assert any("leaves 1 key frame out" in str(caption.value) for caption in app.caption)


def test_another_model_keeps_the_seeds(open_app, films: Films) -> None:
    app = open_app("interpolate", model="tiny-cvae", keys="5:3,6:1", method="lerp")
    assert films[-1][0].names == ["3, seed 5", "1, seed 6"]
    app.selectbox(key="pick-model").set_value("tiny-gan").run()
    assert seeds(app) == [5, 6] and app.session_state["view"].route.method == "lerp"
    assert not app.error


def test_the_jump_between_classes_is_explained(open_app, films: Films) -> None:
    for keys, explained in (("5:3,6:1", True), ("5:3,6:3", False)):
        app = open_app("interpolate", model="tiny-cvae", keys=keys)
        assert any("A class cannot be half" in str(caption.value) for caption in app.caption) == explained


@pytest.mark.parametrize(("frame", "label"), [(2, 3), (8, 1)])
def test_a_frame_becomes_the_point_of_explore(
    open_app, monkeypatch: pytest.MonkeyPatch, frame: int, label: int
) -> None:
    keys = (Point(seed=5, label=3), Point(seed=6, label=1))
    op = Interpolate(points=keys, frames=10, method="slerp")
    latents = render(RenderRequest(model=catalog.find("tiny-cvae").digest, op=op)).latents
    monkeypatch.setattr(film, "player", lambda found, *, key, on_open: on_open(frame))
    app = open_app("interpolate", model="tiny-cvae", keys="5:3,6:1", frames=10)
    point = app.session_state["view"].point
    assert point.label == label and point.latent == pytest.approx(latents[frame], abs=2e-3)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"keys": "5"}, ["keys “5”", "list of 2 to 16 seeds", "Other key frames"]),
        ({"keys": "5,x"}, ["keys “5,x”"]),
        ({"keys": "5:1,6"}, ["keys “5:1,6”", "no classes"]),
        ({"model": "tiny-cvae", "keys": "5:10,6"}, ["are 0 to 9"]),
        ({"method": "slrep"}, ["method “slrep”", "Did you mean 'slerp'?"]),
        ({"frames": "1"}, ["frames “1”", "from 2 to 240"]),
        ({"frames": "1e3"}, ["frames “1e3”"]),
    ],
)
def test_bad_links_say_so_and_show_a_film(open_app, films: Films, params, words) -> None:
    app = open_app("interpolate", **{"model": "tiny-gan", **params})
    (said,) = [str(box.value).replace("\\", "") for box in app.warning]
    assert all(word in said for word in words)
    assert not app.error and films[-1][0].count == 61


# Files -----------------------------------------------------------------------------------------------------


def test_sizes_are_whole_multiples_within_a_limit() -> None:
    assert export.sizes(32, 512) == [1, 2, 4, 8, 16]
    assert export.sizes(64, 32) == [1]


def test_a_strip_shows_frames_at_even_distances() -> None:
    images = np.arange(21, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2) * 10
    strip = export.content(images, "png", 3, 20, 5)
    with Image.open(io.BytesIO(strip)) as picture:
        assert picture.size == (5 * 12, 12)
        assert np.asarray(picture)[6, 6::12].tolist() == [0, 50, 100, 150, 200]


def test_a_gif_has_all_frames_at_its_rate() -> None:
    images = np.random.default_rng(0).integers(0, 255, (9, 8, 8, 3), np.uint8)
    with Image.open(io.BytesIO(export.content(images, "gif", 2, 10, 0))) as picture:
        assert picture.size == (16, 16) and getattr(picture, "n_frames", 0) == 9
        assert picture.info["duration"] == 100


def test_evenness_is_the_largest_step_over_the_mean() -> None:
    assert film.evenness([1, 1, 1]) == 1
    assert film.evenness([1, 1, 4]) == 2
    assert film.evenness([0, 0]) == 1
