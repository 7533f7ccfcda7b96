"""The Models page under AppTest."""

import shutil
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import access
from models import catalog, hub, library, paths
from models.errors import UserError

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
    assert shown == {f"open-{info.id}" for info in catalog.models() if info.can("picture")}


def test_the_filter_leaves_what_fits(open_app: Open) -> None:
    app = open_app("library")
    app.text_input(key="shelf-filter").set_value("TINY cGAN").run()
    assert {str(button.key) for button in app.button if str(button.key).startswith("open-")} == {
        "open-tiny-cgan"
    }
    app.text_input(key="shelf-filter").set_value("no such thing").run()
    assert "No model fits" in words(app)


def test_names_that_differ_in_a_dot_have_a_card_each(open_app: Open) -> None:
    first = next(info for info in catalog.models() if info.can("picture"))
    for name in ("mine-1.0", "mine-1_0"):
        shutil.copytree(first.path, paths.user_models() / name)
    app = open_app("library")
    assert {"open-mine-1.0", "open-mine-1_0"} <= {str(button.key) for button in app.button}
    app.text_input(key="name-mine-1_0").set_value("../x").run()
    assert any("cannot be the name" in str(error.value) for error in app.error), (
        "it shows at the card that it is of"
    )
    app.text_input(key="name-mine-1.0").set_value("renamed").run()
    assert {i.id for i in catalog.models() if not i.shipped} == {"renamed", "mine-1_0"}


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


@pytest.mark.parametrize(
    "manage", ["off", "auto"]
)  # this visitor does not come through a browser on this machine
def test_who_may_not_change_models_is_offered_nothing(
    open_app: Open, own: str, manage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_MANAGE", manage)
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


def test_a_decoder_in_a_folder_is_shown_and_imported(open_app: Open, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    folder = tmp_path / "theirs"
    folder.mkdir()
    torch.save({"0.weight": torch.zeros(5, 3, 4, 4)}, folder / "netG.pth")  # the least DCGAN
    app = open_app("library")
    app.session_state["adding"] = True
    app.run()
    app.text_input(key="adding-where").set_value(str(folder)).run()
    assert "The state dict of a DCGAN generator" in words(app) and not app.exception
    found = app.session_state["adding-folder-found"]
    app.text_input(key="adding-folder-name").set_value("theirs").run()
    assert app.session_state["adding-folder-found"] is found  # it is not looked at again
    app.button(key="adding-folder-import").click().run()
    assert not app.exception and "theirs" in {info.id for info in catalog.models()}
    assert "adding-folder-found" not in app.session_state


def test_a_zip_with_a_loud_ending_is_unpacked(open_app: Open) -> None:
    first = next(info for info in catalog.models() if info.can("decode"))
    app = open_app("library")
    app.session_state["adding"] = True
    app.run()
    app.file_uploader(key="adding-file-0").set_value(
        ("MODEL.ZIP", library.pack(first), "application/zip")
    ).run()
    app.text_input(key="adding-zip-name").set_value("unpacked").run()
    app.button(key="adding-unpack").click().run()
    assert not app.exception and "unpacked" in {info.id for info in catalog.models()}
    assert not app.file_uploader(key="adding-file-1").value, "the file is done with"


def test_a_folder_of_nothing_is_explained(open_app: Open, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    app = open_app("library")
    app.session_state["adding"] = True
    app.run()
    app.text_input(key="adding-where").set_value(str(tmp_path / "empty")).run()
    assert any("no state dict" in str(error.value) for error in app.error) and not app.exception


def host(monkeypatch: pytest.MonkeyPatch, address: str | None, **headers: str) -> bool:
    """Tell whether a visitor with these headers may change the models where nothing is set."""
    monkeypatch.setenv("EXPLORER_MANAGE", "auto")
    context = types.SimpleNamespace(ip_address=address, headers=headers)
    monkeypatch.setattr(access.st, "context", context)
    return access.may_change()


@pytest.mark.parametrize("name", ["127.0.0.1:8501", "localhost:80", "localhost", "[::1]:8501", "LOCALHOST:1"])
def test_a_browser_on_the_machine_itself_may_change_models(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert host(monkeypatch, None, Host=name, Origin=f"http://{name}")
    assert not host(monkeypatch, "192.0.2.7", Host=name, Origin=f"http://{name}")
    assert not host(monkeypatch, None, Host=name, Origin=f"http://{name}", Via="1.1 proxy")


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("models.example.org:443", "https://models.example.org"),
        (
            "localhost:8501",
            "https://models.example.org",
        ),  # of a proxy that rewrites the host and says nothing
        ("localhost:8501", "null"),
        ("localhost:8501", "http://[broken"),
        ("", "http://localhost"),
        ("localhost@example.org", "http://localhost@example.org"),
    ],
)
def test_nobody_else_may_change_models(name: str, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not host(monkeypatch, None, Host=name, Origin=origin)
    assert not host(monkeypatch, None, Host=name)


def test_a_model_goes_to_the_hub_where_a_token_is_known(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [field for field in open_app("library").text_input if str(field.key).startswith("hub-")]
    sent: list[tuple[Path, str, bool]] = []

    def push(folder: Path, repository: str, *, private: bool) -> hub.Address:
        sent.append((folder, repository, private))
        if repository == "not allowed":
            raise UserError("bad-name", "That is no name.", "Write owner/name.")
        return hub.Address(repository, "c0ffee")

    monkeypatch.setattr(hub, "knows_you", lambda: True)
    monkeypatch.setattr(hub, "push_to_hub", push)
    app = open_app("library")
    assert app.button(key="hub-go-tiny-vae").disabled
    app.text_input(key="hub-name-tiny-vae").set_value(" me/tiny ").run()
    app.button(key="hub-go-tiny-vae").click().run()
    assert sent == [(catalog.find("tiny-vae").path, "me/tiny", True)] and not app.exception
    assert any("hf://me/tiny@c0ffee" in caption.value for caption in app.caption)
    app.text_input(key="hub-name-tiny-vae").set_value("not allowed").run()
    app.button(key="hub-go-tiny-vae").click().run()
    assert "That is no name." in " ".join(error.value for error in app.error)
