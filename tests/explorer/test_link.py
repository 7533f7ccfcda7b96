"""Links: what is written comes back, what does not fit is said."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from explorer import link
from explorer.state import View, half
from models import catalog
from models.requests import Point

VIEW = View(
    model="tiny-cvae",
    point=Point(seed=12, truncation=0.8, axes="sefa", edits=((0, 1.5), (3, -2.0)), keep=(3, 1), label=4),
    start=640,
    classes="mixed",
)


def test_explore_is_restored(zoo) -> None:
    params = link.write(VIEW, link.EXPLORE)
    assert params == {
        "model": "tiny-cvae",
        "seed": "12",
        "psi": "0.8",
        "class": "4",
        "axes": "sefa",
        "edits": "0:1.5,3:-2",
        "keep": "3,1",
    }
    back, notices = link.read(params, link.EXPLORE, View(), catalog.models())
    assert (back.model, back.point, notices) == (VIEW.model, VIEW.point, [])


def test_a_point_that_no_seed_draws_is_restored(zoo) -> None:
    dim = catalog.find("tiny-cvae").latent_dim or 0
    point = VIEW.point.model_copy(update={"latent": half([0.1 * i - 0.3 for i in range(dim)])})
    params = link.write(VIEW.model_copy(update={"point": point}), link.EXPLORE)
    back, notices = link.read(params, link.EXPLORE, View(), catalog.models())
    assert (back.point, notices) == (point, [])


@pytest.mark.parametrize("text", ["A", "AAAA", "!!!!", "", "ü", link.pack([float("nan")] * 4)])
def test_a_damaged_point_falls_back_to_the_seed(zoo, text: str) -> None:
    params = {"model": "tiny-cvae", "seed": "5", "z": text}
    back, notices = link.read(params, link.EXPLORE, View(), catalog.models())
    assert back.point.latent == () and back.point.seed == 5
    assert len(notices) == 1 and "which is not a point of a space of 6 dimensions" in notices[0]


def test_the_gallery_is_restored(zoo) -> None:
    params = link.write(VIEW, link.GALLERY)
    assert params == {"model": "tiny-cvae", "psi": "0.8", "from": "640", "class": "mixed"}
    back, notices = link.read(params, link.GALLERY, View(), catalog.models())
    assert (back.model, back.start, back.classes, back.point.truncation, notices) == (
        "tiny-cvae", 640, "mixed", 0.8, [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("page", "params", "words"),
    [
        ("explore", {"model": "tiny-gam"}, ["tiny-gam", "Did you mean 'tiny-gan'?", "is shown instead"]),
        ("explore", {"model": "tiny-classifier"}, ["tiny-classifier", "which makes no pictures"]),
        (
            "explore",
            {"seed": "abc"},
            ["seed “abc”", "whole number from 0 to 2147483647", "It shows 0 instead"],
        ),
        ("explore", {"seed": "-1"}, ["seed “-1”"]),
        ("explore", {"seed": "9" * 90}, ["seed “9999", "…"]),
        ("explore", {"psi": "9"}, ["psi “9”", "from 0 to 2"]),
        ("explore", {"psi": "nan"}, ["psi “nan”"]),
        ("explore", {"model": "tiny-gan", "class": "3"}, ["class “3”", "no classes"]),
        ("explore", {"model": "tiny-cvae", "class": "10"}, ["class “10”", "are 0 to 9"]),
        ("explore", {"model": "tiny-cvae", "class": "9" * 5000}, ["class “9999", "are 0 to 9"]),
        ("explore", {"edits": "0=1"}, ["edits “0=1”", "without edits"]),
        ("explore", {"edits": "0:1e9"}, ["edits “0:1e9”"]),
        ("explore", {"edits": "0:nan"}, ["edits"]),
        ("explore", {"model": "tiny-vae", "edits": "0:1,6:2"}, ["direction 6", "0 to 5"]),
        ("explore", {"axes": "pcb"}, ["axes “pcb”", "pca"]),
        ("explore", {"sead": "1"}, ["“sead”", "Did you mean 'seed'?"]),
        ("gallery", {"from": "x"}, ["from “x”"]),
        ("gallery", {"model": "tiny-cvae", "class": "dogs"}, ["class “dogs”", "All of them are shown"]),
    ],
)
def test_what_does_not_fit_is_said(open_app, page, params, words) -> None:
    app = open_app(page, **params)
    said = " ".join(str(box.value).replace("\\", "") for box in app.warning)
    for word in words:
        assert word in said
    assert not app.error


def test_notices_go_once_the_person_acts(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed="abc")
    assert len(app.warning) == 1
    app.button(key="random").click().run()
    assert not app.warning


def test_several_wrong_parameters_are_all_named(open_app) -> None:
    app = open_app("explore", model="tiny-vae", seed="abc", axes="pcb", edits="99:1")
    assert len(app.warning) == 2  # edits belong to the axes, and go with them
    app = open_app("explore", model="tiny-vae", seed="abc", edits="99:1,0:2")
    assert len(app.warning) == 2 and app.session_state["view"].point.edits == ((0, 2.0),)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["model", "seed", "psi", "class", "axes", "edits", "from", "x"]),
        st.text() | st.from_regex(r"-?[0-9]{1,5000}(:-?[0-9.]{1,9})?", fullmatch=True),
    )
)
def test_no_link_can_break_the_app(zoo_folder: Path, params: dict[str, str]) -> None:
    known = [catalog.read(zoo_folder / "tiny-cvae")]
    for page, models in itertools.product((link.GALLERY, link.EXPLORE), ([], known)):
        view, notices = link.read(params, page, View(), models)
        assert isinstance(view, View)
        assert all(isinstance(sentence, str) for sentence in notices)
