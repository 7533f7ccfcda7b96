"""Undo, redo and the tray in a real browser, and what a reload leaves."""

from collections.abc import Callable
from typing import Any

Open = Callable[..., Any]


def button(page: Any, name: str) -> Any:
    """Return a button by what is written on it."""
    return page.get_by_role("button", name=name, exact=True)


def test_moves_are_undone_and_redone(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    start = pad.pixels()
    pad.dial(0).focus()
    pad.page.keyboard.press("PageUp")
    pad.wait_for_edits("edits=0")
    moved = pad.pixels()
    button(pad.page, "Undo").click()
    pad.page.wait_for_url(lambda url: "edits" not in url)
    pad.wait_shows(start)
    button(pad.page, "Redo").click()
    pad.page.wait_for_url(lambda url: "edits=0" in url)
    pad.wait_shows(moved)


def test_a_kept_point_is_gone_back_to(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    start = pad.pixels()
    button(pad.page, "Keep").click()
    tile = pad.page.locator(".st-key-tray .tile")
    tile.wait_for()
    button(pad.page, "Random").click()
    pad.wait_changed(start)
    assert "seed=5&" not in pad.page.url + "&"
    tile.click()
    pad.page.wait_for_url(lambda url: "seed=5&" in url + "&")
    pad.wait_shows(start)


def test_a_reload_shows_the_same_picture(open_pad: Open, pad_of: Callable[[Any], Any]) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    pad.dial(1).focus()
    pad.page.keyboard.press("PageDown")
    pad.wait_for_edits("edits=1")
    moved = pad.pixels()
    pad.page.reload()
    pad_of(pad.page).wait_live().wait_shows(moved)
