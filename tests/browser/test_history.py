"""Undo, redo and the tray in a real browser, and what a reload leaves."""

from collections.abc import Callable
from typing import Any

import pytest

Open = Callable[..., Any]


def button(page: Any, name: str) -> Any:
    """Return a button by what is written on it."""
    return page.get_by_role("button", name=name, exact=True)


def test_moves_are_undone_and_redone(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    start, values = pad.pixels(), pad.values()
    pad.dial(0).focus()
    pad.page.keyboard.press("PageUp")
    pad.wait_for_edits("edits=0")
    moved = pad.pixels()
    button(pad.page, "Undo").click()
    pad.page.wait_for_url(lambda url: "edits" not in url)
    pad.wait_shows(start)
    assert pad.values() == values
    button(pad.page, "Redo").click()
    pad.page.wait_for_url(lambda url: "edits=0" in url)
    pad.wait_shows(moved)
    assert pad.value(0) == pytest.approx(values[0] + 1, abs=0.011)


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
    moved, values = pad.pixels(), pad.values()
    pad.page.reload()
    again = pad_of(pad.page).wait_live()
    again.wait_shows(moved)
    assert again.values() == values
