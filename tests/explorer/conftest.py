"""The app under Streamlit's AppTest, and pictures that answer to a click."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer import background, cli, identity, maps
from explorer.components.map.scene import Shown
from explorer.panels import landscape
from models import catalog
from models.embedding.maps import EmbeddingMap

MAIN = Path(__file__).resolve().parents[2] / "explorer" / "main.py"
Open = Callable[..., AppTest]
OWNER = identity.owner


@pytest.fixture
def open_app(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a page with the parameters of a link; it waits for what it would else show the progress of."""
    monkeypatch.setattr(background, "PATIENCE", 60.0)

    def opened(page: str = "gallery", **params: object) -> AppTest:
        if identity.owner is OWNER:  # a test may say who looks on
            monkeypatch.setattr(identity, "owner", lambda cookies: None)  # no browser, so no cookies
        app = AppTest.from_file(MAIN, default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = str(value)
        if page != "gallery":
            app.run()
            for name, value in params.items():
                app.query_params[name] = str(value)
            app.session_state["link_written"] = (None, 0.0)
            app.switch_page(f"views/{page}.py")
        app.run()
        assert not app.exception
        return app

    return opened


@pytest.fixture
def click(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[dict[str, Any]]]:
    """Replace the grids of pictures, which need a browser, by ones where one picture is clicked."""

    def clicked(key: str, index: int) -> list[dict[str, Any]]:
        drawn: list[dict[str, Any]] = []
        pending = [index]

        def tiles(sheet: bytes, **options: Any) -> int | None:
            drawn.append({"sheet": sheet, **options})
            if options["key"] != key or not pending:
                return None
            chosen = pending.pop()
            if "on_open" in options:
                options["on_open"](chosen)
            return chosen

        monkeypatch.setattr("explorer.panels.grid.tiles", tiles)
        monkeypatch.setattr("explorer.panels.traversals.tiles", tiles)
        return drawn

    return clicked


@pytest.fixture
def found(zoo: Path) -> EmbeddingMap:
    """A map of 300 digits, made quickly."""
    there = maps.quick(catalog.find("tiny-vae"), 300)
    assert there is not None
    return there


@pytest.fixture
def shown(found: EmbeddingMap) -> Shown:
    """The same as the browser has to know it."""
    return landscape.shown(catalog.find("tiny-vae"), found)


def warnings_of(app: AppTest) -> list[str]:
    """Return the notices of a page, without the escapes of Markdown."""
    return [str(box.value).replace("\\", "") for box in (*app.warning, *app.error)]


class Pads:
    """What the latent pad, which needs a browser, was given in each run of a page; it can be moved."""

    def __init__(self) -> None:
        self.drawn: list[dict[str, Any]] = []
        self._pending: Any = None

    def __call__(self, place: Any, axes: Any, **options: Any) -> None:
        self.drawn.append({"place": place, "axes": axes, **options})
        if self._pending is not None:
            (event, value), self._pending = self._pending, None
            options[event](value)

    @property
    def last(self) -> dict[str, Any]:
        """The last one."""
        return self.drawn[-1]

    def coordinates(self) -> list[float]:
        """Return what its sliders show."""
        return (self.last["axes"].vectors @ self.last["place"].latent).tolist()

    def move(self, app: AppTest, *edits: tuple[int, float]) -> None:
        """Let go of a pointer that has led to these edits."""
        self.tell(app, "on_move", edits)

    def tell(self, app: AppTest, event: str, value: Any) -> None:
        """Let the browser report something."""
        self._pending = (event, value)
        app.run().run()


@pytest.fixture
def pads(monkeypatch: pytest.MonkeyPatch) -> Pads:
    """Replace the latent pad."""
    pads = Pads()
    monkeypatch.setattr("explorer.panels.point.latent_pad", pads)
    return pads


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command and returns its exit code, and what it printed on stdout and stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
