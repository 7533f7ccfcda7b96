"""What takes long for the first who asks: the page says how far it is, stays usable, and all sessions share it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer import background, cache
from explorer.panels import film, ground
from models import render as rendering
from models.directions import Directions
from models.requests import RenderRequest
from models.results import RenderResult
from models.shared import Progress


class Held:
    """Answers to operations of some kinds, held back until they are let go."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.asked: list[RenderRequest] = []
        self.go = threading.Event()
        self._answer = cache._answer

    def __call__(self, request: RenderRequest, progress: Progress) -> RenderResult:
        kind = getattr(request.op, "axes", request.op.op)
        if kind in self.kinds:
            self.asked.append(request)
            progress(0.25)
            assert self.go.wait(60)
        return self._answer(request, progress)

    def wait_asked(self) -> None:
        """Wait until an answer is held back; the page that asks for it does not wait for the thread that does."""
        deadline = time.monotonic() + 60
        while not self.asked:
            assert time.monotonic() < deadline, "nothing is asked"
            time.sleep(0.01)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held()
    cache.forget_answers()
    monkeypatch.setattr(cache, "_answer", held)
    yield held
    held.go.set()


@pytest.fixture
def hurry(open_app, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no page wait for anything."""
    monkeypatch.setattr(background, "PATIENCE", 0.0)


def shares(app: AppTest) -> list[str]:
    """Return what the progress bars of a page say."""
    return [bar.proto.text for bar in app.get("progress")]  # pyright: ignore[reportAttributeAccessIssue]


def bars(app: AppTest) -> list[str]:
    """Return the same without how far they are."""
    return [text.partition(" · ")[0] for text in shares(app)]


def let_go(held: Held, app: AppTest) -> None:
    """Let the answers come, and draw the page as its poll does then."""
    held.go.set()
    deadline = time.monotonic() + 60
    while bars(app) and time.monotonic() < deadline:
        app.run()
    assert not bars(app)


@pytest.fixture
def attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tiny models have attributes, whatever their classifier sees."""

    def find(model: Any, **options: Any) -> Directions:
        eye = torch.eye(model.latent_dim)[:2]
        names = ("glasses", "hat: cap")
        half = torch.full((2,), 0.5)
        return Directions(eye, half, "", names, ("glasses", "hat"), half + 0.3, half)

    monkeypatch.setattr(rendering, "_cache", rendering._Cache(2))
    monkeypatch.setattr(rendering, "DIRECTIONS", {**rendering.DIRECTIONS, "attributes": find})


@pytest.mark.usefixtures("hurry", "attributes")
def test_directions_that_take_long_leave_the_page_usable(open_app, pads, held: Held) -> None:
    held.kinds = {"attributes"}
    app = open_app("explore", model="tiny-gan", seed=3, axes="attributes")
    assert shares(app) == ["Looking for the directions · 25%"] and not pads.drawn
    assert app.query_params["axes"] == "attributes"
    assert any("The point meanwhile" in html.body for html in app.get("html")), "its picture stays in sight"
    app.button_group(key="axes").set_value("sefa").run()
    assert not bars(app) and pads.last["axes"].names[0] == "Direction 1"
    app.button_group(key="axes").set_value("attributes").run()
    assert shares(app) == ["Looking for the directions · 25%"]
    app.switch_page("views/gallery.py").run()
    assert app.title[0].value == "Gallery" and not app.error
    app.switch_page("views/explore.py").run()
    assert bars(app)
    let_go(held, app)
    assert pads.last["axes"].names == ["glasses", "hat: cap"] and not app.error
    assert len(held.asked) == 1


@pytest.mark.usefixtures("hurry", "attributes")
def test_another_session_shares_the_directions_that_are_being_found(open_app, pads, held: Held) -> None:
    held.kinds = {"attributes"}
    first = open_app("explore", model="tiny-gan", axes="attributes")
    second = open_app("plane", model="tiny-gan", axes="attributes")
    assert bars(first) and bars(second)
    let_go(held, first)
    let_go(held, second)
    assert len(held.asked) == 1


@pytest.mark.usefixtures("hurry")
def test_the_map_does_not_wait_for_the_images_over_it(open_app, held: Held, monkeypatch) -> None:
    clouds: list[Any] = []
    monkeypatch.setattr(ground, "plane", lambda laid, cloud, **options: clouds.append(cloud))
    held.kinds = {"codes"}
    app = open_app("plane", model="tiny-vae-2d")
    assert bars(app) == ["Encoding images"] and clouds[-1] is None
    app.button_group(key="spacing").set_value("linear").run()
    assert len(clouds) == 2 and clouds[-1] is None
    let_go(held, app)
    *_before, cloud = clouds
    assert len(cloud.places) == 1438 and len(held.asked) == 1  # all of the training images


@pytest.mark.usefixtures("hurry")
def test_a_way_that_is_looked_for_can_be_left(open_app, held: Held, monkeypatch) -> None:
    films: list[Any] = []
    monkeypatch.setattr(film, "player", lambda found, **options: films.append(found))
    held.kinds = {"interpolate"}
    app = open_app("interpolate", model="tiny-vae", method="data", frames=12)
    assert bars(app) == ["Looking for the way; later ones are found at once"] and not films
    assert app.query_params["method"] == "data"
    held.wait_asked()
    held.kinds = set()
    app.button_group(key="method").set_value("slerp").run()
    assert not bars(app) and films[-1].count == 12
    held.kinds = {"interpolate"}
    app.button_group(key="method").set_value("data").run()
    assert bars(app)
    let_go(held, app)
    assert films[-1].count == 12 and not app.error


@pytest.mark.usefixtures("hurry")
def test_the_film_plays_while_its_neighbours_are_looked_for(open_app, held: Held, monkeypatch) -> None:
    films: list[Any] = []
    monkeypatch.setattr(film, "player", lambda found, **options: films.append(found))
    held.kinds = {"nearest"}
    app = open_app("interpolate", model="tiny-vae", frames=12)
    app.toggle(key="beside").set_value(True).run()
    assert bars(app) == ["Looking for the nearest real images"] and len(films[-1].reels) == 1
    let_go(held, app)
    assert len(films[-1].reels) == 2
