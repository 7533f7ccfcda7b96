"""Plane in a real browser: the pointer decodes, a click moves the point."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from explorer.link import unpack
from models import catalog
from models.render import render
from models.requests import Decode, Point, RenderRequest

Open = Callable[..., Any]
LINK = "/plane?model=mnist-vae-2d&spacing=linear"
PIXELS = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"


class Map:
    """The map of a page, as a person meets it."""

    def __init__(self, page: Any, state: str = "live") -> None:
        self.page = page
        page.locator(f".plane[data-ready][data-state={state}]").wait_for()
        self.ground = page.locator(".plane .ground")
        self.lens = page.locator(".plane .lens")
        self.picture = page.locator(".plane .lens canvas")

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a share of the map, from the left and from the bottom."""
        box = self.ground.bounding_box()
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"])

    @property
    def place(self) -> tuple[float, float]:
        """The coordinates under the crosshair."""
        words = self.lens.inner_text().replace("−", "-").split(",")
        return float(words[0]), float(words[1])

    def pixels(self) -> np.ndarray:
        """Return the enlarged picture, grey (H, W)."""
        return np.asarray(self.picture.evaluate(PIXELS), np.uint8).reshape(32, 32, 4)[..., 0].astype(int)

    def wait_shows(self, x: float, y: float, at: tuple[float, float] | None = None) -> None:
        """Wait until the picture is that of some coordinates; the pointer may follow a share of the map meanwhile."""
        op = Decode(points=(Point(latent=(x, y)),))
        expected = render(RenderRequest(model=catalog.find("mnist-vae-2d").digest, op=op)).images[0, ..., 0]
        for _attempt in range(600):
            if at:
                self.point(*at)  # what is loaded around the map may move it
            if np.abs(self.pixels() - expected).max() <= 6:  # the lens shows coordinates with two digits
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"the lens shows another picture than that of {x}, {y}")


def picked(page: Any) -> tuple[float, ...]:
    """Return the point of the link."""
    page.wait_for_url(re.compile(r"[?&]z="))
    return unpack(parse_qs(urlsplit(page.url).query)["z"][0])


@pytest.fixture
def plane(open_page: Open) -> Map:
    return Map(open_page(LINK))


def test_the_picture_under_the_pointer_is_decoded_live(plane: Map) -> None:
    seen: list[np.ndarray] = []
    for x, y in ((0.3, 0.7), (0.31, 0.69), (0.8, 0.2)):
        plane.point(x, y)
        plane.page.locator(".lens canvas[data-source=live]").wait_for()
        plane.wait_shows(*plane.place)
        seen.append(plane.pixels())
    assert (seen[0] != seen[1]).any()  # finer than the pictures of the map
    assert np.abs(seen[0] - seen[2]).max() > 100


def test_the_lens_never_leaves_the_map_nor_hides_the_place(plane: Map) -> None:
    for x, y in ((0.01, 0.01), (0.99, 0.01), (0.01, 0.99), (0.99, 0.99), (0.5, 0.5)):
        plane.point(x, y)
        ground, lens = plane.ground.bounding_box(), plane.lens.bounding_box()
        right, bottom = lens["x"] + lens["width"], lens["y"] + lens["height"]
        assert ground["x"] <= lens["x"] and right <= ground["x"] + ground["width"]
        assert ground["y"] <= lens["y"] and bottom <= ground["y"] + ground["height"]
        left, top = ground["x"] + x * ground["width"], ground["y"] + (1 - y) * ground["height"]
        assert not (lens["x"] <= left <= right and lens["y"] <= top <= bottom)


def test_a_click_becomes_the_point_of_explore(plane: Map) -> None:
    plane.point(0.75, 0.4)
    there = plane.place
    plane.page.mouse.down()
    plane.page.mouse.up()
    assert picked(plane.page) == pytest.approx(there, abs=0.01)
    plane.page.get_by_text(f"z1 {there[0]:+.2f} · z2 {there[1]:+.2f}".replace("-", "−")).wait_for()
    plane.page.get_by_role("button", name="Open in Explore").click()
    plane.page.wait_for_url(re.compile("/explore"))
    plane.page.get_by_role("heading", name="Explore").wait_for()
    assert picked(plane.page) == pytest.approx(there, abs=0.01)


def test_the_keyboard_moves_and_picks(plane: Map) -> None:
    plane.ground.focus()
    plane.ground.press("Home")
    assert plane.place == pytest.approx((0, 0), abs=0.006)
    for _press in range(10):
        plane.ground.press("ArrowRight")
    plane.ground.press("ArrowUp")
    x, y = plane.place
    assert x == pytest.approx(10 * y, rel=0.1) and x > 0.5
    assert "z1 +" in plane.ground.get_attribute("aria-valuetext")
    plane.ground.press("Enter")
    assert picked(plane.page) == pytest.approx((x, y), abs=0.01)
    plane.ground.press("Escape")
    assert plane.lens.is_hidden()


def test_quantiles_place_the_pointer_as_they_place_the_pictures(open_page: Open) -> None:
    plane = Map(open_page("/plane?model=mnist-vae-2d&spacing=quantile"))
    plane.point((11 + 0.5) / 15, (7 + 0.5) / 15)  # the middle of a picture
    op = {"op": "grid", "steps": 15, "spacing": "quantile"}
    request = RenderRequest.model_validate({"model": catalog.find("mnist-vae-2d").digest, "op": op})
    across = render(request).values["across"]
    assert plane.place == pytest.approx((across[11], across[7]), abs=0.01)


def test_without_a_socket_the_nearest_picture_is_shown(open_page: Open) -> None:
    def block(page: Any) -> None:
        page.route_web_socket(re.compile("/api/live"), lambda socket: socket.close(code=4429, reason="Full."))

    plane = Map(open_page(LINK, prepare=block), state="refused")
    share = (11 + 0.5) / 15, (3 + 0.5) / 15
    plane.point(*share)
    assert plane.picture.get_attribute("data-source") == "map"
    x, y = (6 * number / 14 - 3 for number in (11, 3))
    plane.wait_shows(x, y, at=share)
    assert "Full." in plane.page.locator(".plane .status").inner_text()


def test_the_legend_shows_one_class_alone(open_page: Open) -> None:
    plane = Map(open_page("/plane?model=digits-vae"))
    plane.page.get_by_text("Encoded images").click()
    chips = plane.page.locator(".plane .chip")
    chips.nth(9).wait_for()
    drawn = """c => c.getContext("2d").getImageData(0, 0, c.width, c.height).data
      .filter((value, i) => i % 4 === 3 && value > 128).length"""  # pixels that are not see-through
    cloud = plane.page.locator(".plane .cloud")
    before = cloud.evaluate(drawn)
    chips.nth(3).click()
    assert chips.nth(3).get_attribute("aria-pressed") == "true"
    assert 0 < cloud.evaluate(drawn) < before / 2
    chips.nth(3).click()
    assert cloud.evaluate(drawn) == before > 0


def test_bad_links_say_sentences(open_page: Open) -> None:
    page = open_page("/plane?model=mnist-vae-2d&plane=0,0&spacing=wide&z=AA")
    Map(page)
    text = page.locator("[data-testid=stMain]").inner_text()
    for part in ("pair of two directions", "none of linear, quantile", "a space of 2 dimensions"):
        assert part in text


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1440, 900), ("dark", 1024, 768)])
def test_the_page_fits_and_nothing_of_ours_is_inaccessible(
    open_page: Open, flaws: Callable[[Any, str], list[str]], scheme: str, width: int, height: int
) -> None:
    page = open_page(LINK, scheme=scheme, width=width, height=height)
    Map(page).point(0.4, 0.6)
    assert flaws(page, ".st-key-plane") == []
