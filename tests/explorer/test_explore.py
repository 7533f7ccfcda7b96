"""Explore: sliders, edits, reset, what is taken along; damaged models."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import cache, controls
from explorer.panels import share
from models import catalog
from models.config import Decode, Point, RenderRequest
from models.render import render


def picture(name: str, point: Point) -> np.ndarray:
    request = RenderRequest(model=catalog.find(name).digest, op=Decode(points=(point,)))
    return render(request).images[0]


def test_sliders_show_the_coordinates_of_the_point(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    point = Point(seed=3, axes="raw")
    request = RenderRequest(model=catalog.find("tiny-vae").digest, op=Decode(points=(point,)))
    expected = render(request).values["coordinates"][0]
    shown = [app.slider(key=f"slider-{i}").value for i in range(6)]
    assert shown == pytest.approx(expected, abs=0.0051)
    assert app.slider(key="slider-0").label.startswith("z")


def test_large_latents_get_principal_directions_and_a_place_for_the_weaker_ones(open_app) -> None:
    app = open_app("explore", model="tiny-gan", seed=3)
    assert app.slider(key="slider-0").label.startswith("Direction 1 · ")
    assert len([s for s in app.slider if s.key.startswith("slider-")]) == 8
    assert app.expander[0].label == "Directions 9 to 12"


def test_moving_a_slider_sets_an_edit_and_reset_drops_it(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    before = app.slider(key="slider-1").value
    assert app.button(key="reset").disabled
    app.slider(key="slider-1").set_value(2.5).run()
    assert app.session_state["view"].point.edits == ((1, 2.5),)
    assert app.slider(key="slider-1").value == 2.5
    assert app.query_params["edits"] == "1:2.5"
    assert not app.button(key="reset").disabled
    app.button(key="reset").click().run()
    assert app.session_state["view"].point.edits == ()
    assert app.slider(key="slider-1").value == before


def test_edits_survive_a_page_change_and_not_another_seed(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    app.slider(key="slider-1").set_value(2.5).run()
    app.switch_page("views/gallery.py").run()
    app.switch_page("views/explore.py").run()
    assert app.slider(key="slider-1").value == 2.5
    app.button(key="random").click().run()
    assert app.session_state["view"].point.edits == ()
    assert app.session_state["view"].point.seed != 3


def test_a_click_in_a_traversal_goes_there(open_app, click) -> None:
    click("traversals", 2 * controls.STEPS + 8)
    app = open_app("explore", model="tiny-vae", seed=3)
    app.run()
    assert app.session_state["view"].point.edits == ((2, 3.0),)
    assert app.slider(key="slider-2").value == 3.0


def test_traversals_mark_the_picture_nearest_to_the_point(open_app, click) -> None:
    drawn = click("none", 0)
    open_app("explore", model="tiny-vae", seed=3, edits="0:-3,1:3")
    walks = drawn[-1]
    assert walks["heads"][0] == "-3.00" and walks["heads"][4] == "0"
    assert walks["marks"][:2] == [0, controls.STEPS + 8]
    assert walks["rows"][0].endswith(", -3.00")


def test_the_class_changes_the_picture_and_nothing_else(open_app) -> None:
    app = open_app("explore", model="tiny-cvae", seed=27)
    assert app.selectbox(key="label").value == 3  # the one that goes with the seed
    app.selectbox(key="label").set_value(7).run()
    assert app.session_state["view"].point.label == 7
    assert app.query_params["class"] == "7"
    assert not any(box.key == "label" for box in open_app("explore", model="tiny-vae").selectbox)


@pytest.mark.parametrize(
    ("model", "point"),
    [
        ("tiny-vae", Point(seed=12, axes="raw")),
        ("tiny-gan", Point(seed=5, truncation=0.7, axes="sefa", edits=((0, 2.5), (3, -1.0)))),
        ("tiny-cvae", Point(seed=5, axes="raw", label=4, edits=((1, -2.0),))),
    ],
)
def test_the_snippet_reproduces_the_picture(zoo, tmp_path, monkeypatch, model, point) -> None:
    monkeypatch.chdir(tmp_path)
    code = share.snippet(catalog.find(model), point)
    names: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), names)
    assert np.array_equal(names["image"], picture(model, point))
    from PIL import Image

    (saved,) = tmp_path.glob("*.png")
    with Image.open(saved) as image:
        assert np.array_equal(np.asarray(image), picture(model, point).squeeze())


def test_the_page_shows_the_snippet_of_its_point(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3, psi=0.5, edits="0:1.25")
    assert "Point(seed=3, truncation=0.5, edits=((0, 1.25),))" in app.code[0].value


def test_the_cache_never_mixes_models(zoo) -> None:
    point = Point(seed=1, axes="raw")
    for name in ("tiny-vae", "tiny-vae-2d", "tiny-gan", "tiny-vae"):
        result = cache.render(controls.picture(catalog.find(name), point))
        assert np.array_equal(result.images[0], picture(name, point))
    again = cache.render(controls.picture(catalog.find("tiny-vae"), Point(seed=1, axes="raw")))
    assert again is cache.render(controls.picture(catalog.find("tiny-vae"), point))


@pytest.fixture
def copy(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of two models, with weights that no other test has loaded, to be damaged."""
    root = tmp_path / "models"
    for name in ("tiny-gan", "tiny-vae"):
        shutil.copytree(zoo / name, root / name)
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(root))
    return root


def test_damaged_weights_get_a_sentence_and_the_app_stays_usable(open_app, copy: Path) -> None:
    weights = copy / "tiny-gan" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    config = json.loads((copy / "tiny-gan" / "config.json").read_text())
    (copy / "tiny-gan" / "config.json").write_text(json.dumps({**config, "weights_sha256": "1" * 64}))
    app = open_app("explore", model="tiny-gan")
    assert "cannot be read" in app.error[0].value and "copy it again" in app.error[0].value
    app.selectbox(key="pick-model").set_value("tiny-vae").run()
    assert not app.error and app.slider(key="slider-0")


def test_an_unreadable_config_is_named_in_the_sidebar(open_app, copy: Path) -> None:
    config = json.loads((copy / "tiny-gan" / "config.json").read_text())
    (copy / "tiny-gan" / "config.json").write_text(json.dumps({**config, "presett": "x"}))
    app = open_app()
    assert app.sidebar.expander[0].label == "1 model cannot be opened"
    assert "presett" in app.sidebar.expander[0].caption[0].value


def test_a_model_that_is_deleted_while_the_app_runs(open_app, copy: Path) -> None:
    app = open_app("explore", model="tiny-gan")
    shutil.rmtree(copy / "tiny-gan")
    app.run()
    assert "no longer there" in app.warning[0].value
    assert app.selectbox(key="pick-model").value == "tiny-vae" and app.slider(key="slider-0")
