"""A real Chromium and the real app, started as a person starts it."""

import base64
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from explorer import maps
from explorer.bench.serving import serving
from explorer.bench.startup import FLAGS, chromium
from models import catalog
from models.embedding.maps import EmbeddingMap
from models.errors import UserError

Open = Callable[..., Any]
PIXELS = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"


def until(holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Pad:
    """The latent pad of a page, as a person meets it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.canvas = page.locator(".latent-pad .picture")
        self.plane = page.locator(".latent-pad .plane")
        self.frames = page.locator(".latent-pad .frame")
        self.status = page.locator(".latent-pad .status")
        self.canvas.wait_for()
        until(lambda: self.pixels().any(), "the picture is empty")

    def wait_live(self) -> "Pad":
        """Wait for the live socket and the filmstrip, which is asked for over it."""
        self.page.locator(".latent-pad[data-state=live] .film.drawn").wait_for()
        return self

    def pixels(self) -> np.ndarray:
        """Return what the canvas shows, (H, W, 4)."""
        script = """c => [c.height, c.width, btoa(String.fromCharCode(
          ...c.getContext("2d").getImageData(0, 0, c.width, c.height).data))]"""
        height, width, data = self.canvas.evaluate(script)
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4).astype(int)

    def dial(self, number: int = 0) -> Any:
        """Return a slider."""
        return self.page.locator(".latent-pad .dial").nth(number)

    def value(self, number: int = 0) -> float:
        """Return what a slider shows."""
        return float(self.dial(number).get_attribute("aria-valuenow"))

    def values(self) -> list[float]:
        """Return what the sliders at hand show."""
        return [self.value(number) for number in range(self.page.locator(".side > .dials .dial").count())]

    def wait_changed(self, before: np.ndarray) -> np.ndarray:
        """Wait for another picture, and return it."""
        until(lambda: differ(self.pixels(), before), "the picture stays as it was")
        return self.pixels()

    def wait_shows(self, expected: np.ndarray) -> None:
        """Wait for a picture; rounding may move a pixel by a level."""
        until(lambda: not differ(self.pixels(), expected), "another picture is shown")

    def width(self) -> float:
        """Return how wide the picture is, in CSS pixels."""
        return float(self.canvas.bounding_box()["width"])

    def wait_wider(self, than: float) -> None:
        """Wait until the picture is wider."""
        until(lambda: self.width() > than, "the picture does not grow")

    def grab(self, place: Any, x: float = 0.5, y: float = 0.5) -> Callable[[float, float], None]:
        """Press the button at a share of an element's box; returns a function that moves to another share."""
        box = place.bounding_box()

        def move(x: float, y: float) -> None:
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

        move(x, y)
        self.page.mouse.down()
        return move

    def wait_for_edits(self, pattern: str = "edits=") -> str:
        """Wait until the link holds edits that a pattern describes; returns it without the server."""
        self.page.wait_for_url(lambda url: re.search(pattern, unquote(url)))
        return self.page.url[self.page.url.index("/explore") :]


class Map:
    """The map of a page, as a person meets it."""

    ALL = (
        (0.05, 0.004),
        (0.96, 0.004),
        (0.96, 0.996),
        (0.004, 0.996),
        (0.004, 0.05),
    )  # but for the round corner
    wait = staticmethod(until)

    def __init__(self, page: Any, state: str = "live", number: int = 0) -> None:
        self.number = number  # of those side by side
        self.page = page
        self.root = page.locator(f".latent-map[data-ready][data-state={state}]")
        self.root.wait_for()
        self.view = page.locator(".latent-map .view").nth(number)
        self.lens = page.locator(".latent-map .lens").nth(number)
        self.shots = self.lens.locator("canvas")
        self.chips = page.locator(".latent-map .entries .chip")
        self.status = page.locator(".latent-map .status")
        until(self.rests, "the map does not come to rest")

    def rests(self) -> bool:
        """Tell whether the map is drawn in full and stays where it is: the page around it is finished."""
        script = """async view => {
          const [app] = document.querySelectorAll("[data-testid=stApp]")
          const frame = () => new Promise(requestAnimationFrame)
          const place = () => JSON.stringify(view.getBoundingClientRect())
          const before = place()
          await frame()
          await frame()
          return app.dataset.testScriptState === "notRunning" && before === place() &&
            view.closest(".latent-map").hasAttribute("data-rest")
        }"""
        return self.view.evaluate(script)

    def wait_count(self, colour: tuple[int, int, int], fits: Callable[[int], object]) -> int:
        """Wait until the map at rest has a number of pixels of a colour, and return it."""
        until(lambda: fits(self.count(colour)), f"never as many pixels of {colour}")
        return self.count(colour)

    def wait_seen(self, fits: Callable[[str], object]) -> str:
        """Wait until the map at rest shows something, and return it."""
        until(lambda: fits(self.seen()), "something else is to be seen")
        return self.seen()

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a share of the map, from the left and from the top."""
        box = self.view.bounding_box()
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    def shares(self, found: EmbeddingMap, places: np.ndarray | None = None) -> np.ndarray:
        """Return where places of the whole map, or its points, are seen: shares of width and height, (N, 2)."""
        low, high = found.positions.min(0), found.positions.max(0)
        box = self.view.bounding_box()
        size = np.asarray([box["width"], box["height"]])
        scale = (0.93 * size / (high - low)).min()
        places = found.positions if places is None else places
        return (places - (low + high) / 2) * (1, -1) * scale / size + 0.5

    def point_at(self, found: EmbeddingMap, place: np.ndarray) -> None:
        """Move the pointer to a place (2,) of the whole map."""
        self.point(*self.shares(found, place[None])[0].tolist())

    def pixels(self) -> np.ndarray:
        """Return what the canvas shows, (H, W, 4)."""
        script = """c => [c.height, c.width, btoa(c.getContext("2d").getImageData(0, 0, c.width, c.height).data
          .reduce((text, byte) => text + String.fromCharCode(byte), ""))]"""
        height, width, data = self.view.locator("> canvas").evaluate(script)
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4).astype(int)

    def count(self, colour: tuple[int, int, int]) -> int:
        """Return how many pixels are of a colour, at rest, or nearly."""
        until(self.rests, "the map does not come to rest")
        return int((np.abs(self.pixels()[..., :3] - colour).max(2) < 24).sum())

    @property
    def same(self) -> int | None:
        """The point that is ringed because it is looked at on another map."""
        index = self.page.locator(".latent-map .pane").nth(self.number).get_attribute("data-same")
        return int(index) if index else None

    def sweep(self, found: EmbeddingMap, count: int = 40) -> Iterator[int]:
        """Move the pointer all over the points of the whole map; yields the index of each that it meets."""
        seen: set[int] = set()
        box = self.view.bounding_box()
        for x, y in self.shares(found)[:: max(1, len(found) // count)]:
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            index = self.index
            if index is not None and index not in seen:
                seen.add(index)
                yield index

    @property
    def index(self) -> int | None:
        """The point that the lens is about; None between points."""
        index = self.lens.evaluate("lens => lens.hidden ? null : lens.dataset.index")
        return None if index is None else int(index)

    def picture(self, which: int, of: str | int) -> np.ndarray:
        """Wait until the lens shows the first or the second picture of something; returns it, grey (16, 16)."""
        self.lens.locator(f"figure:nth-child({which + 1}) canvas[data-of='{of}']").wait_for()
        return (
            np.asarray(self.shots.nth(which).evaluate(PIXELS), np.uint8)
            .reshape(16, 16, 4)[..., 0]
            .astype(int)
        )

    def seen(self) -> str:
        """Return what the canvas shows, at rest."""
        until(self.rests, "the map does not come to rest")
        return self.view.locator("> canvas").evaluate("c => c.toDataURL()")

    def drag(self, *corners: tuple[float, float]) -> None:
        """Press the button at the first of some places of the map and move to the others."""
        self.point(*corners[0])
        self.page.mouse.down()
        for x, y in corners[1:]:
            self.point(x, y)

    def begin_b(self) -> None:
        """Make what is drawn around next selection B."""
        self.page.get_by_role("radio", name="B").click()
        self.page.get_by_text("Draw around other points for selection B").wait_for()
        self.page.get_by_role("button", name="Draw around points").click()

    def click(self) -> None:
        """Click where the pointer is."""
        self.page.mouse.down()
        self.page.mouse.up()

    def lasso(self, corners: tuple[tuple[float, float], ...]) -> str:
        """Draw around a part of the map; returns what the page says of the points in it."""
        self.page.get_by_role("button", name="Draw around points").nth(self.number).click()
        self.drag(*corners, corners[0])
        self.page.mouse.up()
        words = self.page.get_by_text(re.compile(r"^[\d,]+ points"))
        words.wait_for()
        return words.inner_text()

    def find(self, text: str) -> None:
        """Search."""
        field = self.page.get_by_role("textbox", name="Find")
        field.fill(text)
        field.press("Enter")


def differ(one: np.ndarray, other: np.ndarray, levels: int = 1) -> bool:
    """Tell whether pictures differ by more than some levels somewhere."""
    return one.shape != other.shape or int(np.abs(one - other).max()) > levels


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if os.environ.get("CI"):  # a machine that others slow down; the summary says which needed it
                item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a headless Chromium; skips without one, unless it is required."""
    try:
        from playwright.sync_api import sync_playwright

        path = chromium()
    except (ModuleNotFoundError, UserError) as error:
        if os.environ.get("EXPLORER_REQUIRE_BROWSER"):
            raise
        pytest.skip(f"no browser: {error}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), ignore_default_args=["--headless"]
        )
        yield browser
        browser.close()


@pytest.fixture
def still_page(browser: Any) -> Iterator[Any]:
    """An empty page, for a part of the app's script alone, whose clock stands still until it is told to run."""
    page = browser.new_page()
    page.clock.install(time=0)
    page.clock.pause_at(60)
    yield page
    page.close()


@contextlib.contextmanager
def running_app(folder: Path, port: int = 0) -> Iterator[str]:
    """Run the app with a home and data sets of its own; yields its address."""
    with serving(folder, {"OMP_NUM_THREADS": "1", "EXPLORER_DATA_DIR": str(folder / "data")}, port) as server:
        yield server.address


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the app's user."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def address(home: Path) -> Iterator[str]:
    """Return the address of an app that shows the shipped models."""
    with running_app(home) as found:
        yield found


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Open]:
    """Return a function that opens a page of the app; no page may log an error or break the layout."""
    contexts: list[Any] = []
    problems: list[str] = []

    def open_it(
        path: str = "/",
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        prepare: Callable[[Any], object] | None = None,
        at: str = address,
        until: str = "load",
    ) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=at)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        if prepare:
            prepare(page)
        page.goto(at + path, wait_until=until)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture
def open_pad(open_page: Open) -> Callable[..., Pad]:
    """Return a function that opens Explore at a link and waits for the picture."""
    return lambda path="/explore", **options: Pad(open_page(path, **options))


@pytest.fixture
def open_map(open_page: Open) -> Callable[..., Map]:
    """Return a function that opens the page of the map at a link and waits for it."""
    return lambda path, **options: Map(open_page(path, **options))


@pytest.fixture(scope="session")
def found() -> EmbeddingMap:
    """Return the map that the app shows of `digits-vae`."""
    there = maps.ready(catalog.find("digits-vae"))
    assert there is not None
    return there


@pytest.fixture
def shown(open_map: Callable[..., Map]) -> Map:
    """Return the page of that map."""
    return open_map("/map?model=digits-vae")


@pytest.fixture(scope="session")
def axe() -> Any:
    """Return what judges the accessibility of a page."""
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.fixture
def flaws(axe: Any) -> Callable[[Any, str], list[str]]:
    """Return a function that lists what is wrong with a page: too wide, or what axe finds serious in a part of it."""

    def found(page: Any, context: str) -> list[str]:
        judged = axe.run(page, context=context).response["violations"]
        serious = [one["id"] for one in judged if one["impact"] in ("serious", "critical")]
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return [*serious, *(["too wide"] if page.evaluate(width) > 0 else [])]

    return found


@pytest.fixture
def running() -> Callable[..., Any]:
    """Return the context manager that runs an app of its own."""
    return running_app


@pytest.fixture
def pad_of() -> Callable[[Any], Pad]:
    """Return a function that finds the pad of a page that is open."""
    return Pad


@pytest.fixture(scope="session")
def map_of() -> Callable[..., Map]:
    """Return what reads the map of a page, which may be one of those side by side."""
    return Map
