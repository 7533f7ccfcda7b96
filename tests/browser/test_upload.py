"""A person's own image in a real browser: uploaded, drawn, searched for, edited; the link stays silent."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Open = Callable[..., Any]
OUT = "The link leaves your image out"


@pytest.fixture
def shoe(tmp_path: Path) -> Path:
    """Return a wide drawing of a boot, dark on light, off the middle."""
    image = Image.new("RGB", (300, 200), (250, 248, 240))
    image.paste((40, 30, 30), (150, 40, 200, 130))
    image.paste((40, 30, 30), (90, 100, 200, 140))
    image.save(tmp_path / "boot.png")
    return tmp_path / "boot.png"


def open_panel(open_page: Open, model: str) -> Any:
    page = open_page(f"/explore?model={model}&seed=5")
    page.locator(".st-key-own-image summary").click()
    page.locator(".st-key-own-image input[type=file]").wait_for(state="attached")
    return page


def upload(page: Any, path: Path) -> None:
    page.locator(".st-key-own-image input[type=file]").set_input_files(path)


def picture(page: Any, caption: str) -> Any:
    return page.locator(".pictures figure", has_text=caption).locator("img")


def pixels(page: Any, caption: str) -> np.ndarray:
    found = picture(page, caption)
    found.wait_for()
    data = base64.b64decode(found.get_attribute("src").partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"), int)


def test_an_upload_is_reconstructed_and_edited_and_the_link_is_silent(open_page: Open, shoe: Path) -> None:
    page = open_panel(open_page, "fashion-vae")
    upload(page, shoe)
    seen, made = pixels(page, "What the model sees"), pixels(page, "What the model makes")
    assert seen.shape == made.shape == (32, 32)
    assert seen[0, 0] == 0 and seen.max() > 180, "ink on paper becomes light on black"
    assert np.abs(seen - made).mean() < np.abs(seen - made[:, ::-1]).mean()
    page.get_by_text(re.compile(r"PSNR \d+\.\d dB")).wait_for()
    page.get_by_role("button", name="Edit it").click()
    page.get_by_text(OUT).wait_for()
    assert "z=" not in page.url and "seed=5" in page.url
    page.get_by_role("link", name="Gallery").click()
    page.get_by_role("heading", name="Gallery").wait_for()
    page.get_by_role("link", name="Explore").click()
    page.get_by_text(OUT).wait_for()
    assert np.array_equal(pixels(page, "What the model sees"), seen), "the image survives a page change"
    assert "z=" not in page.url
    page.get_by_role("button", name="Random").click()
    page.get_by_text("The address bar holds a link").wait_for()


def test_the_crop_changes_what_the_model_sees(open_page: Open, shoe: Path) -> None:
    page = open_panel(open_page, "avatars-vae")
    upload(page, shoe)
    before = pixels(page, "What the model sees")
    source = picture(page, "What the model sees").get_attribute("src")
    zoom = page.locator(".st-key-own-zoom input[type=range]")
    zoom.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        """before => ![...document.querySelectorAll(".pictures figure")].some(
            f => f.innerText.includes("What the model sees") && f.querySelector("img").src === before)""",
        arg=source,
    )
    after = pixels(page, "What the model sees")
    assert before.shape == after.shape == (64, 64) and np.abs(before - after).mean() > 5


def test_a_drawing_is_drawn_undone_and_used(open_page: Open) -> None:
    page = open_panel(open_page, "mnist-vae-2d")
    page.locator(".st-key-own-way").get_by_text("Draw").click()
    pad = page.locator(".draw-pad")
    pad.locator("canvas").wait_for()
    use = pad.get_by_role("button", name="Use drawing")
    assert use.is_disabled(), "there is nothing to use yet"
    pad.locator("canvas").scroll_into_view_if_needed()
    box = pad.locator("canvas").bounding_box()

    def stroke(*points: tuple[float, float]) -> None:
        for i, (x, y) in enumerate(points):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if i == 0:
                page.mouse.down()
        page.mouse.up()

    def ink() -> float:
        data = pad.locator("canvas").evaluate("c => c.toDataURL()").partition(",")[2]
        return float(np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L")).mean())

    stroke((0.5, 0.2), (0.5, 0.8))
    one = ink()
    stroke((0.1, 0.1), (0.9, 0.1))
    assert ink() > 1.5 * one > 0
    assert not picture(page, "What the model sees").count(), "nothing is sent while one draws"
    pad.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    assert ink() == one
    use.focus()
    page.keyboard.press("Enter")
    seen = pixels(page, "What the model sees")
    columns = np.flatnonzero(seen.max(0) > 100)
    assert 1 <= len(columns) <= 4 and abs(columns.mean() - 15.5) <= 1, "a bar, in the middle"
    assert ink() == one, "the drawing stays on the pad"
    page.get_by_role("button", name="Edit it").click()
    page.get_by_text(OUT).wait_for()
    assert "z=" not in page.url


def test_a_search_shows_its_steps_and_ends(open_page: Open, shoe: Path) -> None:
    page = open_panel(open_page, "fashion-gan")
    upload(page, shoe)
    picture(page, "What the model sees").wait_for()
    page.evaluate(
        """() => {
          window.steps = new Set()
          const look = () => document.querySelectorAll(".pictures figure").forEach(f => {
            if (f.innerText.includes("What the model makes")) window.steps.add(f.querySelector("img").src)
          })
          new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true})
        }"""
    )
    page.get_by_role("button", name="Find it").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Edit it").wait_for()
    assert page.evaluate("window.steps.size") >= 3, "several pictures on the way"
    seen, made = pixels(page, "What the model sees"), pixels(page, "What the model makes")
    assert 10 * np.log10(255**2 / np.square(seen - made).mean()) > 13
    assert not page.get_by_role("button", name="Stop").count()
    page.get_by_role("button", name="Edit it").click()
    page.get_by_text(OUT).wait_for()
    assert "z=" not in page.url


def test_what_is_no_image_gets_a_sentence(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "not.png").write_bytes(b"<html>")
    page = open_panel(open_page, "digits-vae")
    upload(page, tmp_path / "not.png")
    page.get_by_text("not an image that can be read").wait_for()
    assert "Traceback" not in page.locator("body").inner_text()


def test_what_was_refused_is_forgotten_with_the_next_image(open_page: Open, shoe: Path) -> None:
    page = open_panel(open_page, "digits-vae")
    (text := shoe.with_name("notes.md")).write_text("no image")
    upload(page, text)
    page.get_by_text("notes.md").wait_for()
    upload(page, shoe)
    picture(page, "What the model sees").wait_for()
    page.get_by_text("notes.md").wait_for(state="hidden")
    page.get_by_text("boot.png").wait_for()
    assert not page.get_by_text("notes.md").is_visible()
    upload(page, text)
    page.get_by_text("notes.md").last.wait_for()
    assert picture(page, "What the model sees").is_visible(), "the image from before stays"
