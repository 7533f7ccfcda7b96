"""Selections on the map in a real browser, and maps side by side: what is done on one shows on the others."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from explorer import maps
from models.embedding.maps import EmbeddingMap

Open = Callable[..., Any]
MODEL = "digits-vae"
INK, B_COLOUR = (34, 38, 43), (211, 18, 126)


def test_the_line_around_a_stays_while_b_is_drawn(shown: Any) -> None:
    bare = shown.count(INK)
    shown.lasso(((0.2, 0.2), (0.5, 0.2), (0.5, 0.5), (0.2, 0.5)))
    shown.point(0.5, 1.2)
    drawn = shown.wait_count(INK, lambda count: count > bare + 300)
    assert shown.count(B_COLOUR) == 0
    shown.begin_b()
    shown.drag((0.55, 0.55), (0.85, 0.55), (0.85, 0.85), (0.55, 0.85))
    shown.wait_count(INK, lambda count: count > drawn)  # both lines
    shown.page.mouse.up()
    shown.page.locator(".st-key-map-direction .tile").first.wait_for()
    shown.point(0.5, 1.2)
    shown.wait_count(B_COLOUR, lambda count: count > 300)
    assert shown.count(INK) > bare + 300
    shown.page.get_by_role("button", name="Clear").click()
    shown.page.get_by_text("Draw around points to see").wait_for()
    shown.wait_count(B_COLOUR, lambda count: count == 0)
    assert shown.count(INK) == pytest.approx(bare, abs=20)


@pytest.fixture
def plane(found: EmbeddingMap) -> EmbeddingMap:
    """The principal components of the same latents."""
    there = maps.principal(found)
    assert there is not None
    return there


@pytest.fixture
def pair(open_page: Open, map_of: Open) -> tuple[Any, Any]:
    """The map of a page, and its principal components beside it."""
    page = open_page(f"/map?model={MODEL}")
    map_of(page)
    page.get_by_role("combobox", name="Compare with").click()
    page.get_by_role("option", name=re.compile("^PCA")).click()
    page.keyboard.press("Escape")
    page.locator(".latent-map[data-ready*=' ']").wait_for()
    return map_of(page), map_of(page, number=1)


def test_side_by_side_a_point_a_filter_and_a_selection_are_the_same_on_both_maps(
    pair: tuple[Any, Any], found: EmbeddingMap, plane: EmbeddingMap
) -> None:
    for here, there, own, other in ((*pair, found, plane), (*pair[::-1], plane, found)):
        met = 0
        for index in here.sweep(own, 12):
            assert there.same is not None
            assert other.sources[there.same] == own.sources[index]
            assert other.indices[there.same] == own.indices[index]
            met += 1
        assert met >= 3
        here.point(0.5, 1.05)
        assert there.same is None
    words = pair[0].page.locator(".latent-map .caption").all_inner_texts()
    assert len(words) == 2 and words[0].startswith("UMAP of") and words[1].startswith("PCA of")

    left, right = pair
    codes = plane.categories["label"].codes
    left.chips.nth(6).click()  # alone
    met = list(right.sweep(plane, 150))
    assert len(met) >= 5 and (codes[met] == 6).all()
    inside = int(left.lasso(left.ALL).split()[0].replace(",", ""))
    assert 0.97 * (codes == 6).sum() <= inside <= (codes == 6).sum()
    left.page.get_by_role("button", name="Show all").click()
    left.point(0.5, 1.05)
    right.wait_count(INK, lambda count: count > 2 * inside)
    pixels = right.pixels()[..., :3]
    size = np.asarray([pixels.shape[1], pixels.shape[0]])
    x, y = (right.shares(plane) * size).astype(int).clip(0, size - 1).T
    dark = pixels[y, x].max(1) < 90
    assert dark[codes == 6].mean() > 0.8 and dark[codes != 6].mean() < 0.35
    assert right.lasso(((0.3, 0.3), (0.6, 0.3), (0.6, 0.6))).endswith("%")  # of the other map's own points
    left.point(0.5, 1.05)
    left.wait_count(INK, lambda count: count > 300)  # they are marked on the first map now
    before = [one.seen() for one in pair]
    left.page.locator(".latent-map select").select_option(label="Reconstruction error")
    left.page.locator(".latent-map .ramp").wait_for()
    for one, classes in zip(pair, before, strict=True):
        one.wait_seen(lambda seen, classes=classes: seen != classes)
