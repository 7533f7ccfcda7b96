"""A real Chromium and the real app, started as a person starts it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from explorer.bench.serving import serving
from explorer.bench.startup import FLAGS, chromium
from models.errors import UserError

Open = Callable[..., Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


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


@contextlib.contextmanager
def running_app(folder: Path) -> Iterator[str]:
    """Run the app with a home of its own; yields its address."""
    with serving(folder, {"OMP_NUM_THREADS": "1"}) as server:
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

    def open_it(path: str = "/", *, width: int = 1440, height: int = 900, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems
