"""What lies over the points of a map in a real browser: samples, a person's own image; the map as a file."""

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

from explorer import fresh, own
from models import catalog, checkpoints, images
from models.embedding.fresh import place_samples
from models.embedding.maps import EmbeddingMap
from models.embedding.space import space_of
from models.render import decoder

Open = Callable[..., Any]
MODEL = "digits-vae"
SEEDS = range(100_000, 100_500)


@pytest.fixture(scope="module")
def samples(found: EmbeddingMap) -> EmbeddingMap:
    """What it lays over that."""
    info = catalog.find(MODEL)
    return place_samples(space_of(found, info), info, info, SEEDS)


def lone(samples: EmbeddingMap, count: int = 40) -> np.ndarray:
    """Return the samples that are farthest from all others: the pointer cannot mean another one."""
    apart = np.linalg.norm(samples.positions[:, None] - samples.positions, axis=2)
    np.fill_diagonal(apart, np.inf)
    return apart.min(1).argsort()[::-1][:count]


def test_a_sample_shows_its_own_picture_and_becomes_the_point(
    shown: Any, found: EmbeddingMap, samples: EmbeddingMap
) -> None:
    page = shown.page
    page.get_by_text("Fresh samples", exact=True).click()
    chip = page.locator(".layers .chip")
    chip.wait_for()
    assert chip.inner_text().split("\n") == ["Fresh samples", "500"]
    page.get_by_text(re.compile(r"covers [\d.]+ % of \d+ test images")).wait_for()
    lens, met = page.locator(".lens"), 0
    for row in lone(samples):
        shown.point_at(found, samples.positions[row])
        if lens.get_attribute("data-above") != f"square {row}":
            continue  # rounding: the whole map leaves out the few points that lie farthest
        met += 1
        assert f"seed {SEEDS[row]}" in lens.inner_text()
        expected = decoder(samples.spec.model)(samples.latents[[row]])[0, ..., 0]
        assert np.abs(shown.picture(1, f"square {row}") - expected).max() <= 1
        if met == 5:
            break
    assert met == 5
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url(re.compile(r"[?&]seed=10\d{4}"))
    assert int(parse_qs(urlsplit(page.url).query)["seed"][0]) == SEEDS[row]
    chip.click()  # left out, they are neither seen nor met
    assert chip.get_attribute("aria-pressed") == "false"
    shown.point_at(found, samples.positions[row] + np.float32(0.001))
    shown.wait(lambda: lens.get_attribute("data-above") is None, "what is left out is met")


def place_of(found: EmbeddingMap, path: Path) -> np.ndarray:
    """Return where an image belongs."""
    info = catalog.find(MODEL)
    seen = own.prepared(info, own.Own(images.read(path.read_bytes()), path.name))
    reached = space_of(found, info)
    return np.array(fresh.place_image(reached, seen, None))


def test_an_own_image_is_marked_and_the_link_is_silent(
    shown: Any, found: EmbeddingMap, tmp_path: Path
) -> None:
    page = shown.page
    image = Image.new("L", (80, 80), 0)
    image.paste(255, (36, 10, 46, 70))
    image.save(tmp_path / "one.png")
    page.get_by_text("Your own image", exact=True).click()
    page.locator("input[type=file]").set_input_files(tmp_path / "one.png")
    chip = page.locator(".layers .chip")
    chip.wait_for()
    assert chip.inner_text() == "Your image"
    shown.point_at(found, place_of(found, tmp_path / "one.png"))
    lens = page.locator(".lens[data-above=own]")
    lens.wait_for()
    assert "Your image" in lens.inner_text()
    seen, made = shown.picture(0, "own"), shown.picture(1, "own")
    assert seen.max() > 180 and seen[0, 0] == 0 and np.abs(seen - made).mean() < 60
    page.mouse.down()
    page.mouse.up()
    page.get_by_test_id("stCaptionContainer").get_by_text("Your own image").wait_for()
    page.wait_for_timeout(500)
    assert "z=" not in page.url


def test_the_map_is_saved_as_a_picture_and_as_a_page(shown: Any, tmp_path: Path) -> None:
    page, box = shown.page, shown.view.bounding_box()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this picture").click()
    assert download.value.suggested_filename == "Map of 1,797 points of Digits VAE.png"
    picture = np.asarray(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).convert("RGB"))
    assert picture.shape[:2] == pytest.approx((2 * box["height"], 2 * box["width"]), abs=2)
    assert len(np.unique(picture.reshape(-1, 3)[::7], axis=0)) > 200
    page.get_by_role("button", name="Save the map").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"{MODEL}-map.html" and "<script src" not in path.read_text()
    chart = page.context.new_page()
    chart.goto(path.as_uri())
    chart.locator(".legendtext").nth(9).wait_for()
    assert chart.locator(".legendtext").all_text_contents() == [*"0123456789"]


def publish(run: Path, factor: float) -> None:
    """Put weights where a training puts its newest ones: those of a shipped model, a little changed."""
    info = catalog.find(MODEL)
    model = checkpoints.load(info)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(factor)
    shutil.rmtree(run, ignore_errors=True)
    checkpoints.save(run, model, info.config, info.card)


def test_the_map_of_a_run_takes_newer_weights_and_keeps_the_view(open_map: Open, home: Path) -> None:
    run = home / "runs" / "train-7" / "live"
    publish(run, 1.001)  # or there would be a shipped map
    shown = open_map("/map?model=train-7")
    page = shown.page
    shown.wait(shown.rests, "the map does not come to rest")
    whole, key = shown.pixels(), shown.root.get_attribute("data-ready")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    shown.wait(shown.rests, "the map does not come to rest")
    near = shown.pixels()
    publish(run, 1.002)
    page.evaluate("document.activeElement.blur()")
    # Streamlit's key to draw the page anew, as one that follows a training does itself.
    page.keyboard.press("r")
    page.locator(f".latent-map[data-ready]:not([data-ready='{key}'])").wait_for()
    shown.wait(shown.rests, "the map does not come to rest")
    after = shown.pixels()
    assert after.shape == near.shape and np.abs(near - whole).mean() > 2 * np.abs(after - near).mean()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1440, 900), ("dark", 1024, 768)])
def test_the_page_fits_and_nothing_of_ours_is_inaccessible(
    open_map: Open, flaws: Callable[[Any, str], list[str]], scheme: str, width: int, height: int
) -> None:
    shown = open_map(f"/map?model={MODEL}", scheme=scheme, width=width, height=height)
    box = shown.view.bounding_box()
    assert box["y"] + box["height"] <= height  # all of it can be seen at once
    shown.lasso(shown.ALL)
    shown.chips.nth(3).click()
    shown.page.get_by_role("button", name="Show all").wait_for()
    assert shown.view.bounding_box() == box  # nothing moves when that appears
    shown.page.get_by_text("Fresh samples", exact=True).click()
    shown.page.locator(".layers .chip").wait_for()
    shown.page.get_by_text(re.compile("covers")).wait_for()
    shown.point(0.5, 0.5)
    assert flaws(shown.page, ".st-key-map") == []
