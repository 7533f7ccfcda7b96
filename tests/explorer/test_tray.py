"""Kept points: in the session, as a file, in calculations; undo and redo on the page."""

import json

import numpy as np
import pytest

from explorer import favourites, state, tray
from explorer.route import Route, is_seed
from explorer.tray import Kept
from models import catalog
from models.errors import UserError
from models.render import render
from models.requests import Decode, Point, RenderRequest


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    state: dict[str, object] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    return state


def test_a_file_brings_the_same_points_back_once(zoo, session) -> None:
    info = catalog.find("tiny-vae")
    first = tray.keep(info, Point(seed=3, axes="raw", edits=((1, 0.5),)))
    second = tray.keep(catalog.find("tiny-gan"), Point(latent=(0.25,) * 12), "mine")
    data = tray.to_json().encode()
    session.clear()
    assert tray.from_json(data, catalog.models()) == 0
    assert tray.from_json(data, [info]) == 1
    assert tray.kept() == [first, second] and tray.kept(info) == [first]


def test_a_file_keeps_that_a_point_is_private(zoo, session) -> None:
    info, latent = catalog.find("tiny-vae"), (0.25,) * 6
    state.keep_private(latent)
    tray.keep(info, Point(latent=latent, edits=((0, 1.0),)))
    data = tray.to_json().encode()
    session.clear()
    assert tray.from_json(data, [info]) == 0
    assert state.is_private(Point(latent=latent))
    tray.visit(tray.kept()[0])
    assert state.is_private(state.view().point) and state.public().point.latent == ()


def test_names_are_told_apart(zoo, session) -> None:
    info = catalog.find("tiny-vae")
    names = [tray.keep(info, Point(seed=3, edits=edits)).name for edits in ((), (), ((0, 1.0),))]
    assert names == ["seed 3", "seed 3 (2)", "seed 3*"]
    tray.rename(tray.kept()[0], "  Anna  ")
    tray.rename(tray.kept()[1], "   ")
    assert [one.name for one in tray.kept()] == ["Anna", "seed 3 (2)", "seed 3*"]


GOOD = {"name": "a", "model": "m", "digest": "0" * 64, "point": {"seed": 1}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1}',
        json.dumps({"version": 2, "points": []}).encode(),
        json.dumps({"version": 1, "points": [{**GOOD, "digest": "x"}]}).encode(),
        json.dumps({"version": 1, "points": [{**GOOD, "point": {"seed": 1, "latent": [1e9]}}]}).encode(),
        b'{"version": 1, "points": [{"point": {"truncation": NaN}}]}',
        json.dumps({"version": 1, "points": [GOOD] * (tray.MOST + 1)}).encode(),
    ],
)
def test_another_file_is_refused_and_changes_nothing(zoo, session, data: bytes) -> None:
    with pytest.raises(UserError, match="holds no kept points"):
        tray.from_json(data, [])
    assert tray.kept() == []


def test_the_tray_has_an_end(zoo, session) -> None:
    info = catalog.find("tiny-vae")
    for seed in range(tray.MOST - 1):
        tray.keep(info, Point(seed=seed))
    others = [Kept.model_validate({**GOOD, "point": Point(seed=seed)}) for seed in (900, 901)]
    data = json.dumps({"version": 1, "points": [one.model_dump() for one in others]}).encode()
    with pytest.raises(UserError, match="48 points at most"):
        tray.from_json(data, [])
    tray.keep(info, Point(seed=900))
    with pytest.raises(UserError, match="48 points at most"):
        tray.keep(info, Point(seed=901))


def test_an_error_goes_when_a_point_is_deleted(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    app.button(key="keep").click().run()
    app.session_state["manage-tray"] = True
    app.session_state["tray_error"] = UserError("tray-full", "The tray is full.", "Delete some.")
    app.run()
    assert "The tray is full." in app.error[0].value
    app.button(key="delete-0").click().run()
    assert not app.error


def test_a_move_can_be_undone_and_redone(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    assert app.button(key="undo").disabled and app.button(key="redo").disabled
    app.number_input(key="seed").set_value(8).run()
    app.slider(key="truncation-explore").set_value(0.5).run()
    app.button(key="undo").click().run()
    point = app.session_state["view"].point
    assert (point.seed, point.truncation) == (8, 1.0)
    app.button(key="undo").click().run()
    assert app.session_state["view"].point.seed == 3 and app.button(key="undo").disabled
    app.button(key="redo").click().run()
    app.button(key="redo").click().run()
    assert app.session_state["view"].point.truncation == 0.5 and app.button(key="redo").disabled


def test_points_are_kept_calculated_with_and_deleted(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    app.button(key="keep").click().run()
    assert app.button(key="keep").disabled
    for seed in (4, 5):
        app.number_input(key="seed").set_value(seed).run()
        app.button(key="keep").click().run()
    app.switch_page("views/gallery.py").run()
    app.switch_page("views/explore.py").run()
    assert [one.name for one in app.session_state["kept_points"]] == ["seed 3", "seed 4", "seed 5"]
    app.session_state["arithmetic"] = True
    app.run()
    app.button(key="go-to-sum").click().run()
    digest = catalog.find("tiny-vae").digest
    points = tuple(Point(seed=seed) for seed in (3, 4, 5))
    a, b, c = render(RenderRequest(model=digest, op=Decode(points=points))).latents
    assert app.session_state["view"].point.latent == pytest.approx(a - b + c, abs=2e-3)
    assert np.isfinite(app.session_state["view"].point.latent).all() and "z" in app.query_params
    app.button(key="keep").click().run()
    assert app.session_state["kept_points"][-1].name == "point"
    app.session_state["kept_points"] = app.session_state["kept_points"][:1]
    app.run()
    assert not app.exception and not any(b.key == "go-to-sum" for b in app.button)


def test_undo_across_models_leaves_nothing_of_the_other_model(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed=3)
    app.selectbox(key="pick-model").set_value("tiny-gan").run()
    view = app.session_state["view"]
    route = Route(points=(Point(latent=(0.5,) * 12), Point(seed=2)))
    app.session_state["view"] = view.model_copy(update={"route": route})
    app.button(key="undo").click().run()
    view = app.session_state["view"]
    assert view.model == "tiny-vae" and all(is_seed(key) for key in view.route.points)
    app.switch_page("views/interpolate.py").run()
    assert not app.exception and not app.error


def test_a_file_brings_the_names_of_directions_back(zoo, session) -> None:
    info = catalog.find("tiny-gan")
    favourites.rename(info, "sefa", 4, "sleeves")
    favourites.keep(info, "sefa", 4, True)
    favourites.keep(info, "pca", 2, True)
    saved = favourites.every()
    data = tray.to_json().encode()
    session.clear()
    favourites.rename(info, "sefa", 1, "another")
    assert tray.from_json(data, [info]) == 0
    assert favourites.every() == saved and dict(favourites.of(info, "sefa").names) == {4: "sleeves"}


def test_no_more_directions_are_kept_than_fit(zoo, session) -> None:
    info = catalog.find("tiny-gan")
    for index in range(favourites.MOST_AT_HAND + 3):
        favourites.keep(info, "raw", index, True)
    assert favourites.of(info, "raw").at_hand == tuple(range(favourites.MOST_AT_HAND))
    favourites.keep(info, "raw", 0, False)
    favourites.rename(info, "raw", 1, "x" * 99)
    found = favourites.of(info, "raw")
    assert found.at_hand[0] == 1 and dict(found.names) == {1: "x" * favourites.LONGEST}
    favourites.reset(info, "raw")
    assert favourites.every() == []


@pytest.mark.parametrize("twice", [{"at_hand": [3, 3]}, {"names": [[1, "a"], [1, "b"]]}])
def test_a_file_that_names_a_direction_twice_is_refused(zoo, session, twice: dict[str, object]) -> None:
    direction = {"digest": "0" * 64, "axes": "pca", **twice}
    data = json.dumps({"version": 1, "points": [], "directions": [direction]}).encode()
    with pytest.raises(UserError, match="holds no kept points"):
        tray.from_json(data, [])
    assert favourites.every() == []
