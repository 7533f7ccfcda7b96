"""How a map looks: what a link says of it, what a map can show of that, what a browser reports."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from streamlit.testing.v1 import AppTest

from explorer import link
from explorer.components.map import reports
from explorer.components.map.scene import Colouring, Scene
from explorer.look import Classes, Look, Range, fitted, from_text, to_text
from explorer.state import View
from models import catalog

LOOK = Look(
    colour="error",
    classes=(Classes(by="label", codes=(0, 6)),),
    ranges=(Range(by="error", high=0.25), Range(by="hair length", low=-1.5, high=2)),
)
TEXT = "label:0,6;error:..0.25;hair length:-1.5..2"
KNOWN = (
    Colouring("label", "Class", "categories", 0, tuple("0123456789")),
    Colouring("error", "Reconstruction error", "values"),
    Colouring("hair length", "Hair length", "values", 1),
)
SHOWN: Any = SimpleNamespace(identity="here")


def test_a_link_says_how_a_map_looks(zoo: Path) -> None:
    assert to_text(LOOK) == TEXT and from_text(TEXT) == LOOK.model_copy(update={"colour": None})
    params = link.write(View(model="tiny-vae", look=LOOK), link.MAP)
    assert (params["colour"], params["only"]) == ("error", TEXT)
    back, notices = link.read(params, link.MAP, View(), catalog.models())
    assert back.look == LOOK and not notices
    plain, _ = link.read({"model": "tiny-vae", "only": "label:-1"}, link.MAP, back, catalog.models())
    assert plain.look == Look(classes=(Classes(by="label", codes=(-1,)),))  # what it does not say is as ever
    kept, _ = link.read({"model": "tiny-vae"}, link.MAP, back, catalog.models())
    assert kept.look == LOOK
    bare = {"model": "tiny-vae", "seed": "0"}  # a map's own link, to which one goes back
    assert link.read(bare, link.MAP, back, catalog.models())[0].look == Look()


def test_a_narrow_range_of_large_values_stays_one() -> None:
    narrow = Look(ranges=(Range(by="width", low=1_234_567, high=1_234_568),))
    assert from_text(to_text(narrow)) == narrow


@pytest.mark.parametrize(
    "text",
    [
        "label",
        "label:",
        ":3",
        "label:a",
        "label:-2",
        "label:1.5",
        "label:40000",
        "label:" + "9" * 5000,
        "label:1;",
        "error:a..1",
        "error:nan..",
        "error:..inf",
        "a/b:1",
        "x" * 70 + ":1",
        "l:" + "1," * 2000,
    ],
)
def test_what_says_nothing_of_points_is_said(zoo: Path, text: str) -> None:
    view, (notice,) = link.read({"only": text}, link.MAP, View(), catalog.models())
    assert view.look == Look() and "only “" in notice and "All points are shown" in notice
    _, (notice,) = link.read({"colour": "a/b", "only": "label:1"}, link.MAP, View(), catalog.models())
    assert "colour “a/b”, which is no name" in notice


@settings(max_examples=60)
@given(st.text() | st.from_regex(r"[a-z]{1,5}:-?[0-9.,e]{0,9}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = from_text(text)
    except ValueError:
        return
    assert from_text(to_text(found)) == from_text(to_text(from_text(to_text(found))))
    assert found.classes or found.ranges


def test_a_map_shows_of_a_look_what_it_knows() -> None:
    kept, wrong = fitted(LOOK, KNOWN, "digits")
    assert not wrong and kept == LOOK.model_copy(update={"dataset": "digits"})
    kept, wrong = fitted(LOOK, KNOWN[:1], "digits")
    assert kept == Look(classes=LOOK.classes, dataset="digits") and len(wrong) == 2
    assert "no “error” to colour" in wrong[0] and "Choose one of: label." in wrong[0]
    assert "“error, hair length”" in wrong[1] and "shows them all" in wrong[1]
    odd = Look(classes=(Classes(by="label", codes=(10,)), Classes(by="error", codes=(0,))))
    assert not fitted(odd, KNOWN, "digits")[0].classes
    assert not fitted(Look(ranges=(Range(by="label", low=0),)), KNOWN, "digits")[0].ranges


def test_classes_of_another_data_set_are_forgotten_without_a_word() -> None:
    mine = LOOK.model_copy(update={"dataset": "digits"})
    assert fitted(mine, KNOWN, "fashion_mnist") == (Look(dataset="fashion_mnist"), [])
    assert fitted(mine, KNOWN[:1], "digits") == (Look(classes=LOOK.classes, dataset="digits"), [])


def test_a_browser_reports_a_look() -> None:
    value = {
        "of": "here",
        "colour": "error",
        "classes": [["label", [0, 6]]],
        "ranges": [["error", None, 0.25], ["hair length", -1.5, 2]],
    }
    assert reports.look(value, SHOWN) == LOOK
    assert reports.look({"of": "here", "colour": None, "classes": [], "ranges": []}, SHOWN) == Look()
    assert reports.look({**value, "of": "the map before"}, SHOWN) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"classes": [], "ranges": 3},
        {"classes": [["label"]], "ranges": []},
        {"classes": [["label", [1, "a"]]], "ranges": []},
        {"classes": [["label", []]], "ranges": []},
        {"classes": [["<b>", [1]]], "ranges": []},
        {"classes": [], "ranges": [["error", "low", 1]]},
        {"colour": 7, "classes": [], "ranges": []},
        {"classes": [["label", [1]]] * 50, "ranges": []},
    ],
)
def test_what_is_no_look_is_none(value: Any) -> None:
    assert reports.look({"of": "here", **value} if value else value, SHOWN) is None


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Scene, dict[str, Any]]]:
    """What the map, which needs a browser, was given."""
    drawn: list[tuple[Scene, dict[str, Any]]] = []
    show = lambda scene, **options: drawn.append((scene, options))  # noqa: E731
    monkeypatch.setattr("explorer.components.map.latent_map", show)
    return drawn


def test_the_page_keeps_a_look_in_its_link(
    open_app: Callable[..., AppTest], drawn: list[tuple[Scene, dict[str, Any]]]
) -> None:
    app = open_app("map", model="tiny-vae", only="label:0,6")
    scene, _options = drawn[-1]
    assert scene.look.classes == (Classes(by="label", codes=(0, 6)),) and not app.warning
    assert app.query_params["only"] == "label:0,6"
    app.selectbox(key="pick-model").select("tiny-cvae").run()  # of the same images
    assert drawn[-1][0].look.classes == scene.look.classes


def test_what_of_a_link_a_map_does_not_know_is_said_once(
    open_app: Callable[..., AppTest], drawn: list[tuple[Scene, dict[str, Any]]]
) -> None:
    app = open_app("map", model="tiny-vae", colour="labe", only="shape:1")
    said = " ".join(str(box.value).replace("\\", "") for box in app.warning)
    assert "no “labe” to colour" in said and "Did you mean 'label'?" in said and "“shape”" in said
    assert len(app.warning) == 2 and drawn[-1][0].look == Look(dataset="digits")
    assert "only" not in app.query_params and "colour" not in app.query_params
