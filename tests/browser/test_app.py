"""The app in a real browser: what a person does, and what a person does wrong."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from explorer.bench.startup import free_port
from models import catalog, paths

Open = Callable[..., Any]


def wait_for_grid(page: Any, tiles: int = 64) -> None:
    """Wait until that many tiles hold pixels."""
    page.wait_for_function(
        """count => {
          const drawn = c => c.getContext("2d").getImageData(c.width / 2, c.height / 2, 1, 1).data[3] > 0
          const find = root => [...root.querySelectorAll("*")].flatMap(
            n => [...(n.matches(".tile canvas") ? [n] : []), ...(n.shadowRoot ? find(n.shadowRoot) : [])])
          const all = find(document)
          return all.length >= count && all.every(drawn)
        }""",
        arg=tiles,
    )


def tiles(page: Any) -> Any:
    return page.locator(".tile")


def shows_a_stack_trace(page: Any) -> bool:
    text = page.locator("body").inner_text()
    return "Traceback" in text or ".py" in text


def open_and_move(open_pad: Open, path: str, key: str, times: int) -> tuple[Any, np.ndarray]:
    """Open a point, move the first slider by key presses, wait for another picture; returns pad and first picture."""
    pad = open_pad(path)
    first = pad.pixels()
    pad.dial().focus()
    for _ in range(times):
        pad.page.keyboard.press(key)
    pad.wait_changed(first)
    pad.wait_for_edits("edits=0")
    return pad, first


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_pages_fit_the_window(open_page: Open, scheme: str, width: int, height: int) -> None:
    for path in ("/", "/explore"):
        page = open_page(path, width=width, height=height, scheme=scheme)
        page.locator(".tile, .frame").nth(8).wait_for()
        assert page.locator("h1").first.inner_text() in ("Gallery", "Explore")
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
        background = page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
        level = sum(int(v) for v in re.findall(r"\d+", background)[:3]) / 3
        assert level > 128 if scheme == "light" else level < 128


def test_the_gallery_shows_samples_and_more_of_them(open_page: Open) -> None:
    page = open_page("/")
    wait_for_grid(page)
    assert tiles(page).count() == 64
    page.get_by_role("button", name="More").click()
    wait_for_grid(page, 128)
    assert tiles(page).nth(127).get_attribute("aria-label").endswith("seed 127")


def test_every_model_of_the_picker_shows_its_samples(open_page: Open) -> None:
    page = open_page("/")
    wait_for_grid(page)
    picker = page.get_by_role("combobox", name="Model", exact=True)
    shown: list[str] = []
    for info in catalog.models():
        if not info.can("decode"):
            continue
        picker.click()
        page.get_by_role("option", name=info.title, exact=True).click()
        page.get_by_role("group", name=f"Samples of {info.title}", exact=True).first.wait_for()
        wait_for_grid(page)
        sheet = page.evaluate(
            """() => {
              const find = root => [...root.querySelectorAll("*")].flatMap(
                n => [...(n.matches(".tile canvas") ? [n] : []), ...(n.shadowRoot ? find(n.shadowRoot) : [])])
              return find(document)[9].toDataURL()
            }"""
        )
        assert sheet not in shown
        shown.append(sheet)
        assert not shows_a_stack_trace(page)
    assert len(shown) >= 4


def test_a_click_opens_the_sample_in_explore(open_page: Open, pad_of: Open) -> None:
    page = open_page("/")
    wait_for_grid(page)
    tile = tiles(page).nth(11)
    assert tile.get_attribute("aria-label").endswith("seed 11")
    read = "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    height, width, *data = tile.locator("canvas").evaluate(read)
    tile.click()
    page.wait_for_url(re.compile("explore.*seed=11"))
    pad = pad_of(page)
    times = height // len(pad.pixels())  # every pixel of the tile's picture is a square of so many
    pad.wait_shows(np.array(data).reshape(height, width, 4)[::times, ::times])


@pytest.mark.parametrize("model", ["avatars-gan", "fashion-gan"])
def test_tiles_fill_the_width_and_are_crisp(open_page: Open, model: str) -> None:
    page = open_page(f"/?model={model}")
    wait_for_grid(page)
    tile, room = tiles(page).first.bounding_box(), page.locator(".tiles").bounding_box()
    assert 0.7 * room["width"] <= 8 * tile["width"] <= room["width"]
    pixels = tiles(page).first.locator("canvas").evaluate("c => c.width")
    assert pixels >= tile["width"] or tile["width"] % pixels == 0, "the browser has to make pixels up"


def test_back_leaves_a_page_with_one_press(open_page: Open) -> None:
    page = open_page("/?model=digits-gan")
    wait_for_grid(page)
    tiles(page).nth(3).click()
    page.wait_for_url(re.compile("/explore.*seed=3"))
    page.locator(".latent-pad .film.drawn").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Gallery").wait_for()
    wait_for_grid(page)
    page.get_by_role("link", name="Plane").click()
    page.wait_for_url(re.compile("/plane.*model="))
    page.locator(".plane[data-ready]").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Gallery").wait_for()
    assert urlsplit(page.url).path == "/"
    page.go_forward()
    page.get_by_role("heading", name="Plane").wait_for()
    assert urlsplit(page.url).path == "/plane"


def test_the_gallery_outlives_a_restart_of_the_server(
    open_page: Open, tmp_path: Path, running: Callable[..., Any]
) -> None:
    port = free_port()
    with running(tmp_path, port) as address:
        page = open_page("/?model=digits-gan", at=address)
        wait_for_grid(page)
        connection = page.locator("[data-test-connection-state]")
        assert connection.get_attribute("data-test-connection-state") == "CONNECTED"
    page.locator("[data-test-connection-state]:not([data-test-connection-state=CONNECTED])").wait_for()
    with running(tmp_path, port):
        page.locator("[data-test-connection-state=CONNECTED]").wait_for()
        page.wait_for_timeout(1500)  # it runs anew
        tiles(page).nth(3).click()
        page.wait_for_url(re.compile("/explore.*seed=3"))
        page.locator(".latent-pad .film.drawn").wait_for()


def test_a_seed_that_is_too_large_does_not_stay_in_its_field(open_page: Open) -> None:
    page = open_page("/explore?model=digits-gan&seed=5")
    page.locator(".latent-pad .film.drawn").wait_for()
    field = page.locator(".st-key-seed input")
    field.fill("99999999999")
    field.press("Enter")
    page.wait_for_url(re.compile("seed=2147483647"))
    page.get_by_text("instead of 99999999999").wait_for()
    assert field.input_value() == "2147483647"
    field.fill("-5")  # the browser itself refuses this one
    assert field.evaluate("f => getComputedStyle(f).textDecorationLine") == "line-through"


def test_the_grid_can_be_used_with_the_keyboard_alone(open_page: Open) -> None:
    page = open_page("/")
    wait_for_grid(page)
    tiles(page).first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("explore.*seed="))
    assert parse_qs(urlsplit(page.url).query)["seed"] == ["10"]


def test_a_slider_moves_the_picture_and_reset_takes_it_back(open_pad: Open) -> None:
    pad, first = open_and_move(open_pad, "/explore?seed=5", "ArrowRight", 12)
    pad.page.get_by_role("button", name="Reset").click()
    pad.wait_shows(first)
    pad.page.wait_for_function("() => !location.search.includes('edits')")
    assert "seed=5" in pad.page.url


def test_random_goes_elsewhere(open_pad: Open) -> None:
    pad = open_pad("/explore")
    first = pad.pixels()
    pad.page.get_by_role("button", name="Random").click()
    pad.page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("seed", ["0"]) != ["0"])
    assert (pad.wait_changed(first) != first).any()


def test_the_address_bar_restores_the_view(open_pad: Open, pad_of: Open) -> None:
    pad, _ = open_and_move(open_pad, "/explore?seed=21", "ArrowLeft", 8)
    pad.page.wait_for_timeout(1500)
    shown, values, link = pad.pixels(), pad.values(), pad.page.url
    pad.page.reload()
    pad_of(pad.page).wait_shows(shown)
    assert pad.page.url == link and pad.values() == values
    other = open_pad(link[link.index("/explore") :])
    other.wait_shows(shown)
    assert other.values() == values


def test_state_survives_a_page_change(open_pad: Open, pad_of: Open) -> None:
    pad, _ = open_and_move(open_pad, "/explore?seed=77", "ArrowLeft", 8)
    pad.page.wait_for_timeout(1000)
    shown = pad.pixels()
    pad.page.get_by_role("link", name="Gallery").click()
    wait_for_grid(pad.page)
    pad.page.get_by_role("link", name="Explore").click()
    again = pad_of(pad.page).wait_live()
    again.wait_shows(shown)
    assert "seed=77" in pad.page.url
    moved = again.grab(again.plane, 0.1, 0.1)
    again.wait_changed(shown)
    moved(0.2, 0.2)
    again.page.mouse.up()


def test_the_picture_can_be_downloaded(open_pad: Open, tmp_path: Path) -> None:
    page = open_pad("/explore?seed=3").page
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("PNG")).first.click()
    waiting.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size[0] == picture.size[1] >= 256


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/?model=fashion-gam", "fashion-gam"),
        ("/explore?seed=minus", "minus"),
        ("/explore?axes=sideways", "sideways"),
        ("/explore?edits=9999:1", "9999"),
        ("/explore?psi=17", "17"),
        ("/explore?model=fashion-cvae&class=99", "99"),
        ("/?nonsense=1", "nonsense"),
    ],
)
def test_a_wrong_link_is_explained_and_the_page_works(open_page: Open, path: str, words: str) -> None:
    page = open_page(path)
    page.get_by_text(words).first.wait_for()
    page.locator(".tile, .frame").nth(8).wait_for()
    assert not shows_a_stack_trace(page)


def test_a_damaged_model_gets_a_sentence_and_the_app_goes_on(
    open_page: Open, open_pad: Open, home: Path
) -> None:
    source = next(info for info in catalog.models() if info.can("decode"))
    folder = home / "models" / "damaged"
    shutil.copytree(source.path, folder)
    try:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(
            json.dumps({**config, "id": "damaged", "weights_sha256": "0" * 64})
        )
        page = open_page("/explore?model=damaged")
        page.get_by_text("changed or replaced").first.wait_for()
        assert not shows_a_stack_trace(page)
        open_pad(f"/explore?model={source.id}")
    finally:
        shutil.rmtree(folder)


ZOO = """avatars-classifier avatars-gan avatars-vae digits-gan digits-vae fashion-cgan fashion-classifier
fashion-cvae fashion-gan fashion-vae mnist-vae-2d"""


def test_the_shipped_zoo_is_there() -> None:
    shipped = {info.id for info in catalog.models() if info.shipped}
    assert set(ZOO.split()) <= shipped
    size = sum(path.stat().st_size for path in paths.shipped_checkpoints().rglob("*"))
    assert size <= 25_000_000, "checkpoints have 25 of the 40 MB of all assets"


def test_a_decoder_from_elsewhere_is_a_model_on_every_page(
    open_page: Open, pad_of: Open, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    from models.exporting import export_onnx
    from models.foreign.importing import bring_in, recognise

    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(home / "models"))
    export_onnx(catalog.find("digits-vae"), tmp_path / "digits.onnx")
    folder = bring_in(recognise(tmp_path / "digits.onnx"), "brought-in")
    try:
        page = open_page("/?model=brought-in")
        wait_for_grid(page)
        assert "ONNX decoder" in page.locator("body").inner_text()
        page = open_page("/explore?model=brought-in&seed=5")
        pad = pad_of(page).wait_live()
        first = pad.pixels()
        same = pad_of(open_page("/explore?model=digits-vae&seed=5")).wait_live().pixels()
        assert np.abs(first.astype(int) - same).max() <= 1
        pad.dial(0).focus()
        page.keyboard.press("PageUp")
        assert (pad.wait_changed(first) != first).any()
        page.get_by_text("Your own image").click()
        page.get_by_text("came without an encoder").wait_for()
        assert not shows_a_stack_trace(page)
    finally:
        shutil.rmtree(folder)
