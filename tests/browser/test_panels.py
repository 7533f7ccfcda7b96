"""What Explore calculates and looks up, in a real browser: sums of points, nearest images, named attributes."""

import base64
import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from models import datasets

Open = Callable[..., Any]
READ = """async img => {
  await img.decode()
  const c = new OffscreenCanvas(img.naturalWidth, img.naturalHeight).getContext("2d")
  c.drawImage(img, 0, 0)
  return [c.canvas.height, c.canvas.width, ...c.getImageData(0, 0, c.canvas.width, c.canvas.height).data]
}"""


def grey(image: Any, size: int = 16) -> np.ndarray:
    """Return the pixels of a picture of the page, whatever it was enlarged by, (size, size)."""
    height, width, *data = image.evaluate(READ)
    pixels = np.asarray(data).reshape(height, width, 4)[..., 0]
    return pixels[:: height // size, :: width // size]


def wait_until(page: Any, holds: Callable[[], object], what: str) -> None:
    """Wait until something holds, during which the page may draw its pictures anew."""
    for _attempt in range(600):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError(what)


def unfold(page: Any, key: str) -> Any:
    """Open a fold; returns it."""
    page.locator(f".st-key-{key} summary").click()
    return page.locator(f".st-key-{key}")


def go_to_seed(pad: Any, seed: int) -> None:
    field = pad.page.locator(".st-key-seed input")
    field.fill(str(seed))
    field.press("Enter")
    pad.page.wait_for_url(re.compile(f"seed={seed}"))


@pytest.fixture
def with_three(open_pad: Open) -> Any:
    """A pad whose tray holds the points of seeds 5, 6 and 7, with the fold of sums open."""
    pad = open_pad("/explore?model=digits-gan&seed=5").wait_live()
    for number, seed in enumerate((5, 6, 7)):
        if number:
            go_to_seed(pad, seed)
        pad.page.get_by_role("button", name="Keep", exact=True).click()
        pad.page.locator(".st-key-tray .tile").nth(number).wait_for()
    unfold(pad.page, "arithmetic")
    return pad


def test_a_sum_of_kept_points_is_seen_and_opened(with_three: Any) -> None:
    page = with_three.page

    def part(words: str) -> Any:
        found = page.get_by_role("img", name=words)
        found.wait_for()
        return found

    result = part("= a − b + c")
    a, b, c = (grey(part(words)) for words in ("a: seed 5", "− b: seed 6", "+ c: seed 7"))
    assert all(np.abs(grey(result) - one).max() > 50 for one in (a, b, c))

    page.locator(".st-key-sum-b").get_by_role("combobox").click()
    page.get_by_role("option", name="seed 5").click()
    part("− b: seed 5")
    wait_until(page, lambda: np.abs(grey(result) - c).max() <= 1, "a − a + c is not c")

    strength = page.locator(".st-key-sum-strength input[type=range]")
    strength.focus()
    page.keyboard.press("Home")
    wait_until(page, lambda: np.abs(grey(result) - c).max() > 50, "the strength changes nothing")
    page.keyboard.press("End")
    page.wait_for_timeout(1500)
    away = grey(result)
    page.get_by_role("button", name="Go there").click()
    page.wait_for_url(re.compile("[?&]z="))
    with_three.wait_shows(np.dstack([away, away, away, np.full_like(away, 255)]))


def neighbours(page: Any) -> list[tuple[str, float]]:
    """Return the class and the distance of each nearest image that is shown."""
    words = page.locator(".st-key-nearest .pictures figcaption").all_inner_texts()
    assert words[0] == "This picture"
    return [(name, float(distance)) for name, distance in (text.split(" · ") for text in words[1:])]


def test_the_nearest_images_are_those_of_the_data(open_page: Open) -> None:
    page = open_page("/explore?model=digits-vae&seed=5")
    fold = unfold(page, "nearest")
    figures = fold.locator(".pictures figure")
    figures.nth(8).wait_for()
    found = neighbours(page)
    assert len(found) == 8 and [d for _c, d in found] == sorted(d for _c, d in found)
    source = figures.nth(1).locator("img").get_attribute("src").partition(",")[2]
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("L"))
    data = datasets.load("digits", "train")
    same = (data.images[:, 0].numpy() == image).all((1, 2)).nonzero()[0]
    assert data.labels is not None and found[0][0] in {str(int(data.labels[i])) for i in same}

    fold.get_by_role("radio", name="4", exact=True).click()
    page.wait_for_function("() => document.querySelectorAll('.st-key-nearest .pictures figure').length === 5")
    assert neighbours(page) == found[:4]
    fold.get_by_role("radio", name="16", exact=True).click()
    figures.nth(16).wait_for()
    assert neighbours(page)[:8] == found

    fold.get_by_role("radio", name="Latent space").click()
    page.wait_for_function(
        "before => document.querySelector('.st-key-nearest .pictures').innerText !== before",
        arg=fold.locator(".pictures").inner_text(),
    )
    assert neighbours(page)[:8] != found


def test_data_that_are_not_at_hand_are_named(open_page: Open) -> None:
    page = open_page("/explore?model=mnist-vae-2d")
    fold = unfold(page, "nearest")
    fold.get_by_text("The training images, 'mnist', are not on this machine").wait_for()
    assert "latent-explorer evaluate mnist-vae-2d" in fold.inner_text()
    assert not fold.locator(".pictures").count() and not page.locator("[data-testid=stAlert]").count()


def test_a_named_attribute_is_moved_and_the_link_holds_it(open_pad: Open) -> None:
    pad = open_pad("/explore?model=digits-vae&seed=5").wait_live()
    shown_names = pad.page.locator(".side > .dials .name")
    plain = shown_names.all_inner_texts()
    pad.page.get_by_role("radio", name="Attributes").click()
    wait_until(pad.page, lambda: shown_names.all_inner_texts() != plain, "the directions stay as they were")
    pad.wait_live()
    names = shown_names.all_inner_texts()
    digits = {word for name in names for word in re.findall(r"\d", name)}
    assert len(digits) >= 8, f"{names} are not the classes of the data"
    before = pad.pixels()
    move = pad.grab(pad.dial().locator(".track"), 0.6)
    move(0.92, 0.5)
    pad.wait_changed(before)
    assert "edits" not in pad.page.url, "nothing is said before the pointer is let go"
    pad.page.mouse.up()
    link = pad.wait_for_edits()
    assert "axes=attributes" in link and re.search(r"edits=\d+:3\.\d", unquote(link))
    pad.page.wait_for_timeout(500)
    shown, value = pad.pixels(), pad.value()
    other = open_pad(link)
    other.wait_shows(shown)
    assert other.value() == pytest.approx(value, abs=0.011)
    assert other.page.locator(".side > .dials .name").all_inner_texts() == names
