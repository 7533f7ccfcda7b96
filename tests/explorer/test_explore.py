"""Explore: sliders, edits, reset, what is taken along; damaged models."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import cache, controls
from explorer.panels import point as place, share
from models import catalog
from models.errors import UserError
from models.render import render
from models.requests import Decode, Directions, Point, RenderRequest


def picture(name: str, point: Point) -> np.ndarray:
    request = RenderRequest(model=catalog.find(name).digest, op=Decode(points=(point,)))
    return render(request).images[0]


def test_the_pad_gets_the_point_and_its_picture(open_app, pads) -> None:
    open_app("explore", model="tiny-vae", seed=3, edits="1:2.5")
    point = Point(seed=3, axes="raw", edits=((1, 2.5),))
    place, axes = pads.last["place"], pads.last["axes"]
    request = RenderRequest(model=catalog.find("tiny-vae").digest, op=Decode(points=(point,)))
    expected = render(request)
    assert np.array_equal(place.image, expected.images[0])
    assert np.array_equal(place.latent, expected.latents[0])
    step = axes.vectors[1] * (2.5 - axes.vectors[1] @ place.start)
    assert place.latent - place.start == pytest.approx(step, abs=1e-5)
    assert pads.coordinates() == pytest.approx(expected.values["coordinates"][0], abs=1e-5)
    assert place.edits == ((1, 2.5),) and "seed 3" in place.alt
    assert (
        axes.names[0].startswith("z") and axes.details[0].endswith("%") and axes.details[0] in axes.hints[0]
    )
    assert pads.last["url"] == "/api/live"


def test_large_latents_get_principal_directions_and_a_place_for_the_weaker_ones(open_app, pads) -> None:
    open_app("explore", model="tiny-gan", seed=3)
    axes = pads.last["axes"]
    assert axes.kind == "pca" and axes.names[0] == "Direction 1"
    assert axes.shown == 8 and list(axes.indices) == list(range(12)) and axes.vectors.shape == (12, 12)


def test_an_edit_far_down_is_among_the_directions_of_the_pad(open_app, pads, monkeypatch) -> None:
    monkeypatch.setattr("explorer.panels.point.MORE", 1)
    open_app("explore", model="tiny-gan", seed=3, edits="11:1")
    axes = pads.last["axes"]
    assert list(axes.indices) == [*range(9), 11] and axes.names[-1] == "Direction 12"
    assert pads.coordinates()[-1] == pytest.approx(1, abs=1e-4)


def test_a_move_sets_edits_and_reset_drops_them(open_app, pads) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    before = pads.coordinates()
    assert app.button(key="reset").disabled
    pads.move(app, (1, 2.5), (4, -0.1234))
    assert app.session_state["view"].point.edits == ((1, 2.5), (4, -0.1234))
    assert [pads.coordinates()[k] for k in (1, 4)] == pytest.approx([2.5, -0.1234], abs=1e-4)
    assert app.query_params["edits"] == "1:2.5,4:-0.1234"
    assert not app.button(key="reset").disabled
    app.button(key="reset").click().run()
    assert app.session_state["view"].point.edits == ()
    assert pads.coordinates() == pytest.approx(before, abs=1e-5)


def test_edits_survive_a_page_change_and_not_another_seed(open_app, pads) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    pads.move(app, (1, 2.5))
    app.switch_page("views/gallery.py").run()
    app.switch_page("views/explore.py").run()
    assert pads.coordinates()[1] == pytest.approx(2.5, abs=1e-4)
    app.button(key="random").click().run()
    assert app.session_state["view"].point.edits == ()
    assert app.session_state["view"].point.seed != 3


def test_other_directions_leave_the_point_where_it_is(open_app, pads) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    app.segmented_control(key="axes").set_value("sefa").run()
    assert app.session_state["view"].point.latent == (), "there was nothing to lose"
    pads.move(app, (0, 2.5))
    there, shown = pads.last["place"].latent, pads.last["place"].image
    app.segmented_control(key="axes").set_value("raw").run()
    point = app.session_state["view"].point
    assert point.axes == "raw" and point.edits == () and len(point.latent) == 6
    assert pads.last["place"].latent == pytest.approx(there, abs=2e-3)
    assert np.abs(pads.last["place"].image.astype(int) - shown).max() <= 2
    assert "z" in app.query_params and "seed 3" not in pads.last["place"].alt


def test_a_point_of_its_own_has_no_seed_until_one_is_given(open_app, pads) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    pads.move(app, (0, 2.5))
    app.segmented_control(key="axes").set_value("sefa").run()
    assert app.number_input(key="seed").value is None
    app.number_input(key="seed").set_value(3).run()  # the one that it came from
    point = app.session_state["view"].point
    assert point.latent == () and point.edits == () and point.seed == 3
    assert app.number_input(key="seed").value == 3
    pads.move(app, (0, 2.5))
    app.segmented_control(key="axes").set_value("raw").run()
    app.button(key="random").click().run()
    point = app.session_state["view"].point
    assert point.latent == () and app.number_input(key="seed").value == point.seed


def test_others_can_be_kept_where_directions_overlap(open_app, pads) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    assert not pads.last["overlap"], "raw axes are orthogonal"
    app = open_app("explore", model="tiny-gan", seed=3)
    assert pads.last["overlap"] and pads.last["axes"].moves is None
    pads.move(app, (0, 2.5))
    before = pads.last["place"].latent
    pads.tell(app, "on_keep", True)
    axes = pads.last["axes"]
    assert app.session_state["view"].point.keep == tuple(axes.indices[: axes.shown])
    step = pads.last["place"].latent - pads.last["place"].start
    others = axes.vectors[1 : axes.shown]
    assert abs(others @ step).max() < 1e-4 < abs(others @ (before - pads.last["place"].start)).max()
    assert axes.vectors[0] @ pads.last["place"].latent == pytest.approx(2.5, abs=1e-4)
    pads.tell(app, "on_keep", False)
    assert pads.last["axes"].moves is None and np.allclose(pads.last["place"].latent, before)
    pads.tell(app, "on_keep", True)
    app.segmented_control(key="axes").set_value("raw").run()
    assert app.session_state["view"].point.keep == () and not pads.last["overlap"]


def unfold_walks(app: Any) -> Any:
    app.session_state["walks"] = True
    return app.run()


def test_a_click_in_a_traversal_goes_there(open_app, click, pads) -> None:
    click("traversals", 2 * controls.STEPS + 8)
    app = unfold_walks(open_app("explore", model="tiny-vae", seed=3))
    app.run()
    assert app.session_state["view"].point.edits == ((2, 3.0),)
    assert pads.coordinates()[2] == pytest.approx(3, abs=1e-4)


def test_traversals_mark_the_picture_nearest_to_the_point(open_app, click) -> None:
    drawn = click("none", 0)
    app = open_app("explore", model="tiny-vae", seed=3, edits="0:-3,1:3")
    assert all(grid["key"] != "traversals" for grid in drawn), "walks are rendered when they are asked for"
    unfold_walks(app)
    walks = next(grid for grid in drawn if grid["key"] == "traversals")
    assert walks["heads"][0] == "−3.00" and walks["heads"][4] == "0"
    assert walks["marks"][:2] == [0, controls.STEPS + 8]
    assert walks["rows"][0].endswith(", −3.00")


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
    assert not app.error and app.button(key="random")


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
    assert app.selectbox(key="pick-model").value == "tiny-vae" and app.button(key="random")


@pytest.mark.parametrize("page", ["explore", "plane"])
def test_a_kind_of_directions_that_a_model_has_not_is_replaced(
    open_app, pads, monkeypatch, page: str
) -> None:
    answer = cache.render

    def without(request: RenderRequest):
        if isinstance(request.op, Directions) and request.op.axes == "attributes":
            raise UserError("no-classifier", "Nobody can judge the pictures.", "Train a classifier.")
        return answer(request)

    monkeypatch.setattr(cache, "render", without)
    app = open_app(page, model="tiny-gan", seed=3, axes="attributes")
    assert [box.value for box in app.warning] == ["Nobody can judge the pictures. Train a classifier."]
    assert app.session_state["view"].point.axes == "pca" and not app.error


def test_attributes_are_named_and_say_how_well_they_are_told(zoo, monkeypatch) -> None:
    found = {
        "vectors": np.eye(3, dtype=np.float32),
        "shares": np.array([0.5, 0.3, 0.2], np.float32),
        "names": np.array(["hat: cap", "smile", "glasses"]),
        "attributes": np.array(["hat", "smile", "glasses"]),
        "scores": np.array([0.7, 0.4, 0.81], np.float32),
        "chances": np.array([0.5, 0.0, 0.5], np.float32),
    }
    titles = place._titles("attributes", found)
    axes = place._axes(catalog.find("tiny-gan"), Point(axes="attributes"), found, titles)
    assert axes.names == ["glasses", "hat: cap", "smile"] and list(axes.indices) == [2, 0, 1]
    assert axes.details == ["81 %", "70 %", "40 %"]
    assert "81 %" in axes.hints[0] and "a guess: 50 %" in axes.hints[0]
    assert "40 %" in axes.hints[2] and "R²" in axes.hints[2] and "guess" not in axes.hints[2]


# Names of directions ---------------------------------------------------------------------------------------


def test_a_direction_gets_a_name_and_a_place_among_the_sliders(open_app, pads) -> None:
    app = open_app("explore", model="tiny-gan", seed=3, axes="sefa")
    count, given = len(pads.last["axes"].vectors), pads.last["axes"].names[0]
    app.selectbox(key="naming-direction").set_value(9).run()
    app.text_input(key="direction-name-sefa-9").set_value("  sleeves ").run()
    app.toggle(key="direction-kept-sefa-9").set_value(True).run()
    axes = pads.last["axes"]
    assert axes.names[:2] == ["sleeves", given] and axes.indices[:2] == [9, 0] and len(axes.vectors) == count
    app.segmented_control(key="axes").set_value("raw").run()
    assert "sleeves" not in pads.last["axes"].names, "direction 10 of another kind is another direction"
    app.segmented_control(key="axes").set_value("sefa").run()
    assert pads.last["axes"].names[0] == "sleeves"
    app.text_input(key="direction-name-sefa-9").set_value(" ").run()
    assert pads.last["axes"].names[0] == "Direction 10"
    app.text_input(key="direction-name-sefa-9").set_value("cuffs").run()
    app.button(key="reset-names").click().run()
    assert list(pads.last["axes"].indices) == list(range(count)) and "cuffs" not in pads.last["axes"].names
    assert app.button(key="reset-names").disabled


def test_kept_directions_are_kept_while_others_move(open_app, pads) -> None:
    app = open_app("explore", model="tiny-gan", seed=3)
    last = pads.last["axes"].indices[-1]
    app.selectbox(key="naming-direction").set_value(last).run()
    app.toggle(key=f"direction-kept-pca-{last}").set_value(True).run()
    pads.tell(app, "on_keep", True)
    assert app.session_state["view"].point.keep[0] == last
