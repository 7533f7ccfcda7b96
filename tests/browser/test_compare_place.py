"""Compare's shared place in a real browser: one gesture, every model's own picture of where it leads."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch

from explorer.bench.startup import free_port
from explorer.compare import together
from explorer.components import script
from models import catalog
from models.metrics.sharpness import sharpness
from models.render import decoder, render
from models.requests import Directions, RenderRequest, Sample

Open = Callable[..., Any]
NAMES = ("digits-vae", "digits-gan")
LINK = f"/compare?model=digits-vae&models={','.join(NAMES)}&seed=5"
PIXELS = """c => [c.height, c.width, btoa(String.fromCharCode(
  ...c.getContext("2d").getImageData(0, 0, c.width, c.height).data))]"""


class Place:
    """The pictures of a page with what moves them, as a person meets them."""

    def __init__(self, page: Any, state: str | None = "live", count: int = 2) -> None:
        self.page = page
        self.rivals = page.locator(".linked .rival")
        self.rivals.nth(count - 1).wait_for()
        if state:
            page.locator(f".linked .rival[data-state={state}] >> nth={count - 1}").wait_for()
        self.dials = page.locator(".linked .dial")
        self.status = page.locator(".linked .status")

    def pixels(self, number: int) -> np.ndarray:
        """Return what a canvas shows, (H, W, 3)."""
        height, width, data = self.rivals.nth(number).locator("canvas").evaluate(PIXELS)
        pixels = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)
        return pixels[..., :3].astype(int)

    def both(self) -> list[np.ndarray]:
        """Return what all canvases show."""
        return [self.pixels(number) for number in range(self.rivals.count())]

    def wait_all_changed(self, before: list[np.ndarray]) -> list[np.ndarray]:
        """Wait until every canvas shows another picture."""
        for _attempt in range(600):
            now = self.both()
            if all((one != other).any() for one, other in zip(now, before, strict=True)):
                return now
            self.page.wait_for_timeout(50)
        raise AssertionError("a picture stays as it was")

    def drag(self, place: Any, *path: tuple[float, float]) -> None:
        """Press over a share of an element's box, and move to others; the button stays down."""
        box = place.bounding_box()
        for index, (x, y) in enumerate(path):
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if index == 0:
                self.page.mouse.down()

    def value(self, number: int = 0) -> float:
        """Return what a slider shows."""
        return float(self.dials.nth(number).get_attribute("aria-valuenow"))

    def moves(self) -> together.Moves:
        """Wait for the moves in the link."""
        self.page.wait_for_url(re.compile(r"[?&]moves="))
        return together.from_text(parse_qs(urlsplit(self.page.url).query)["moves"][0])

    def wait_shows(self, moves: together.Moves) -> None:
        """Wait until each canvas shows what its model's decoder makes of the place."""
        expected = decoded(moves)
        for _attempt in range(600):
            gaps = [np.abs(a - b).max() for a, b in zip(self.both(), expected, strict=True)]
            if max(gaps) <= 3:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"other pictures are shown, by {gaps} levels")


def decoded(moves: together.Moves) -> list[np.ndarray]:
    """Return the picture of each model after moves from its start, by its decoder."""
    infos = [catalog.find(name) for name in NAMES]
    ask = [RenderRequest(model=info.digest, op=Directions(axes="attributes")) for info in infos]
    found = [render(request).values for request in ask]
    shared = together.shared(found, together.NAMES)
    pictures: list[np.ndarray] = []
    for number, info in enumerate(infos):
        z = render(RenderRequest(model=info.digest, op=Sample(seed=5, count=1))).latents[0].copy()
        for direction, distance in moves:
            z += distance * found[number]["vectors"][shared[direction].indices[number]]
        grey = decoder(info.digest)(z[None])[0].astype(int)
        pictures.append(np.broadcast_to(grey, (*grey.shape[:2], 3)))
    return pictures


@pytest.fixture
def place(open_page: Open) -> Place:
    return Place(open_page(LINK))


def test_all_models_start_where_the_seed_leads(place: Place) -> None:
    place.wait_shows(())
    titles = [catalog.find(name).title for name in NAMES]
    assert place.rivals.locator("strong").all_inner_texts() == titles
    assert place.rivals.locator(".family").all_inner_texts() == ["VAE", "GAN"]


@pytest.mark.parametrize("grip", [".rival >> nth=1 >> .glass", ".rival >> nth=0 >> .glass", ".plane"])
def test_a_drag_moves_every_model(place: Place, grip: str) -> None:
    before = place.both()
    place.drag(place.page.locator(f".linked {grip}"), (0.5, 0.5), (0.7, 0.55), (0.8, 0.4))
    place.wait_all_changed(before)  # live: the button is still down
    assert "moves=" not in place.page.url
    place.page.mouse.up()
    moves = place.moves()
    assert [number for number, _distance in moves] == [0, 1]
    assert moves[0][1] > 0.5 and moves[1][1] > 0.3
    place.wait_shows(moves)


def test_a_slider_moves_every_model(place: Place) -> None:
    before = place.both()
    place.drag(place.dials.nth(2).locator(".track"), (0.5, 0.5), (0.8, 0.5))
    place.wait_all_changed(before)
    place.page.mouse.up()
    ((number, distance),) = place.moves()
    assert number == 2 and distance == pytest.approx(2.4, abs=0.1)
    place.wait_shows(((number, distance),))


def test_the_keyboard_moves_every_model(place: Place) -> None:
    before = place.both()
    place.dials.first.focus()
    for _press in range(10):
        place.dials.first.press("ArrowRight")
    place.dials.first.press("PageUp")
    assert place.value() == pytest.approx(2.0)
    place.wait_all_changed(before)
    assert place.moves() == ((0, 2.0),)
    place.wait_shows(((0, 2.0),))
    place.dials.first.press("Delete")
    place.wait_shows(())


def test_a_link_leads_to_the_same_place(place: Place) -> None:
    place.drag(place.page.locator(".linked .plane"), (0.5, 0.5), (0.3, 0.2))
    place.page.mouse.up()
    moves = place.moves()
    place.page.reload()
    again = Place(place.page)
    again.wait_shows(moves)
    assert again.value() == pytest.approx(moves[0][1], abs=0.006)


def test_explore_opens_a_model_at_the_same_place(place: Place, pad_of: Callable[[Any], Any]) -> None:
    place.drag(place.page.locator(".linked .plane"), (0.5, 0.5), (0.7, 0.3))
    place.page.mouse.up()
    moves = place.moves()
    place.wait_shows(moves)
    place.page.get_by_role("button", name="Open Digits GAN in Explore").click()
    place.page.wait_for_url(re.compile("/explore.*model=digits-gan"))
    pad = pad_of(place.page).wait_live()
    assert np.abs(pad.pixels()[..., :3] - decoded(moves)[1]).max() <= 3
    place.page.get_by_role("link", name="Compare").click()
    Place(place.page).wait_shows(moves)  # the comparison is as it was left


def test_a_click_on_the_sheet_opens_the_seed_in_every_model(place: Place) -> None:
    before = place.both()
    place.page.get_by_role("button", name="Digits GAN, seed 2").click()
    place.page.wait_for_url(re.compile("seed=2"))
    place.wait_all_changed(before)
    marked = place.page.locator(".tiles .marked")
    assert marked.count() == 2 and "seed 2" in marked.nth(0).get_attribute("aria-label")


def test_one_model_that_is_refused_leaves_the_others_live(open_page: Open) -> None:
    digest = catalog.find("digits-gan").digest

    def refuse(page: Any) -> None:
        def handle(socket: Any) -> None:
            server = socket.connect_to_server()

            def sent(message: str | bytes) -> None:
                if isinstance(message, str) and digest in message:
                    refusal = {"refused": json.loads(message)["open"], "code": 4404, "reason": "It is gone."}
                    socket.send(json.dumps(refusal))
                else:
                    server.send(message)

            socket.on_message(sent)

        page.route_web_socket(re.compile("/api/live"), handle)

    place = Place(open_page(LINK, prepare=refuse), state=None)
    place.rivals.nth(1).get_by_text("It is gone.").wait_for()
    assert place.rivals.nth(0).get_by_text("It is gone.").count() == 0
    before = place.both()
    place.drag(place.dials.first.locator(".track"), (0.5, 0.5), (0.8, 0.5))
    place.page.wait_for_timeout(400)
    assert (place.pixels(0) != before[0]).any() and (place.pixels(1) == before[1]).all()
    place.page.mouse.up()
    place.wait_shows(place.moves())  # the other one follows


def test_a_drag_outlives_a_restart_of_the_server(open_page: Open, home: Path, running: Any) -> None:
    port = free_port()
    with running(home, port) as address:
        place = Place(open_page(LINK, at=address))
        before = place.both()
        place.drag(place.dials.first.locator(".track"), (0.5, 0.5), (0.8, 0.5))
        before = place.wait_all_changed(before)
    place.page.locator(".rival[data-state=lost] >> nth=1").wait_for()
    place.status.get_by_text("Connecting again").wait_for()
    place.drag(place.dials.first.locator(".track"), (0.3, 0.5))
    with running(home, port):
        place.page.locator(".rival[data-state=live] >> nth=1").wait_for()
        place.page.mouse.up()
        place.wait_shows(place.moves())
        assert place.status.inner_text() == "Drag a picture: all of them move."


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gauge_measures_what_the_metric_does(browser: Any, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, channels), np.uint8)
    page = browser.new_page()
    source = script("linked/sharpness.js")
    measured = page.evaluate(
        f"([pixels, shape]) => {{ {source}; return sharpness(Uint8Array.from(pixels), shape) }}",
        [pixels.flatten().tolist(), list(pixels.shape)],
    )
    page.close()
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 127.5 - 1
    assert measured == pytest.approx(float(sharpness(x)[0]), rel=1e-5)


def test_the_gauge_follows_the_picture(place: Place) -> None:
    real = catalog.find("digits-vae").card.metrics["sharpness_real"].value
    place.drag(place.dials.first.locator(".track"), (0.5, 0.5), (0.75, 0.5))
    place.page.mouse.up()
    place.wait_shows(place.moves())
    for number, pixels in enumerate(place.both()):
        x = torch.from_numpy(pixels[..., :1]).permute(2, 0, 1)[None].float() / 127.5 - 1
        ratio = float(sharpness(x)[0]) / real
        gauge = place.rivals.nth(number).get_by_role("meter", name="Sharpness")
        assert gauge.get_attribute("aria-valuetext") == f"{ratio:.2f} × real"


def test_four_models_stand_in_two_rows_where_there_is_little_room(open_page: Open) -> None:
    names = "fashion-vae,fashion-gan,fashion-cvae,fashion-cgan"
    page = open_page(f"/compare?model=fashion-vae&models={names}", width=1024, height=768)
    place = Place(page, count=4)
    boxes = [place.rivals.nth(number).bounding_box() for number in range(4)]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"] == boxes[3]["y"]
    assert boxes[0]["x"] < boxes[1]["x"] and page.locator(".st-key-compare-label").count() == 1
    before = place.both()
    place.drag(place.rivals.nth(3).locator(".glass"), (0.5, 0.5), (0.8, 0.7))
    place.wait_all_changed(before)
    page.mouse.up()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024])
def test_it_is_accessible_and_fits(open_page: Open, flaws: Any, scheme: str, width: int) -> None:
    page = open_page(LINK, scheme=scheme, width=width, height=900 if width > 1100 else 768)
    Place(page)
    assert flaws(page, ".st-key-linked") == []
