"""The Models page under AppTest."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from models import catalog, paths

Open = Callable[..., AppTest]


def words(app: AppTest) -> str:
    return " ".join(str(part.value) for part in [*app.markdown, *app.caption])


@pytest.fixture(autouse=True)
def own_folder(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zoo is shipped; the folder of the user's own models is empty, and may be changed."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "checkpoints").symlink_to(zoo)
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path / "assets"))
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("EXPLORER_MANAGE", "on")


@pytest.fixture
def own() -> str:
    """A model of the user's own, beside the shipped ones."""
    first = next(info for info in catalog.models() if info.can("decode"))
    shutil.copytree(first.path, paths.user_models() / "my-own")
    return "my-own"


def test_every_model_has_a_card(open_app: Open) -> None:
    app = open_app("library")
    assert all(info.title in words(app) for info in catalog.models())
    shown = {button.key for button in app.button if str(button.key).startswith("open-")}
    assert shown == {f"open-{info.id}" for info in catalog.models() if info.can("decode")}


def test_the_filter_leaves_what_fits(open_app: Open) -> None:
    app = open_app("library")
    app.text_input(key="shelf-filter").set_value("gan CONDITIONAL".lower()).run()
    left = {str(button.key) for button in app.button if str(button.key).startswith("open-")}
    assert left < {f"open-{info.id}" for info in catalog.models()}
    app.text_input(key="shelf-filter").set_value("no such thing").run()
    assert "No model fits" in words(app)


def test_own_models_are_renamed_and_deleted(open_app: Open, own: str) -> None:
    app = open_app("library")
    app.text_input(key=f"name-{own}").set_value("renamed").run()
    assert not app.exception and {"renamed"} == {i.id for i in catalog.models() if i.id in (own, "renamed")}
    app.text_input(key="name-renamed").set_value("../x").run()
    assert "cannot be the name" in str(app.error[0].value)
    assert app.button(key="delete-renamed").disabled
    app.checkbox(key="sure-renamed").check().run()
    app.button(key="delete-renamed").click().run()
    assert "renamed" not in {info.id for info in catalog.models()} and not app.exception


def test_where_changes_are_off_nothing_can_be_changed(
    open_app: Open, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_MANAGE", "off")
    app = open_app("library")
    assert not [b for b in app.button if str(b.key).startswith("delete-")]
    assert not [e for e in app.expander if e.label == "Add a model"]
    assert own in words(app)


def test_a_folder_is_added(open_app: Open, tmp_path: Path) -> None:
    first = next(info for info in catalog.models() if info.can("decode"))
    shutil.copytree(first.path, tmp_path / "elsewhere")
    app = open_app("library")
    app.session_state["adding"] = True
    app.run()
    app.text_input(key="adding-where").set_value(str(tmp_path / "elsewhere")).run()
    app.text_input(key="adding-name").set_value("added").run()
    app.button(key="adding-go").click().run()
    assert not app.exception and "added" in {info.id for info in catalog.models()}
    app.text_input(key="adding-where").set_value("/nowhere/at/all").run()
    app.button(key="adding-go").click().run()
    assert any("no checkpoint in" in str(error.value) for error in app.error)
