"""Same image and Same path in a real browser: one lens over all pictures, the wipe, the choice of images, the path."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.compare import remade
from models import catalog

Open = Callable[..., Any]
LINK = "/compare?model=digits-vae&models=digits-vae,digits-gan&part={part}&images=5,8"
READ = """c => [c.height, c.width, btoa(String.fromCharCode(
  ...c.getContext("2d").getImageData(0, 0, c.width, c.height).data))]"""
NAMES = ("digits-vae", "digits-gan")


def pixels(canvas: Any) -> np.ndarray:
    """Return what a canvas holds, grey (H, W)."""
    height, width, data = canvas.evaluate(READ)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[..., 0].astype(int)


def real(number: int) -> np.ndarray:
    return remade.held_out(catalog.find(NAMES[0]), number)[..., 0].astype(int)


class Board:
    """The pictures of Same image, as a person meets them."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.root = page.locator(".magnifier[data-ready]")
        self.root.wait_for()
        self.glasses = page.locator(".magnifier .cells .glass:visible")
        self.lenses = page.locator(".magnifier .lens:visible")
        self.cells = page.locator(".magnifier .cells")
        self.at = page.locator(".magnifier .at")
        self.divider = page.locator(".magnifier .divider")

    def done(self, pictures: int = 3) -> "Board":
        """Wait until all searches have ended."""
        self.page.locator(".magnifier .glass.made").nth(pictures - 1).wait_for()
        self.page.get_by_text("Searching").wait_for(state="detached")
        return self

    def picture(self, index: int) -> np.ndarray:
        """Return the pixels of a picture: first the real one, then each with its difference."""
        return pixels(self.glasses.nth(index).locator(".picture"))

    def point(self, index: int, x: int, y: int, side: int = 16) -> None:
        """Point at a pixel of a picture."""
        glass = self.glasses.nth(index)
        glass.scroll_into_view_if_needed()
        box = glass.bounding_box()
        self.page.mouse.move(
            box["x"] + (x + 0.5) / side * box["width"], box["y"] + (y + 0.5) / side * box["height"]
        )

    def magnified(self) -> list[int]:
        """Return the grey level in the middle of each lens."""
        levels = [pixels(self.lenses.nth(index)) for index in range(self.lenses.count())]
        return [int(each[each.shape[0] // 2, each.shape[1] // 2]) for each in levels]


@pytest.fixture
def board(open_page: Open) -> Board:
    return Board(open_page(LINK.format(part="image"))).done()


def test_the_lens_shows_the_same_place_of_all_pictures(board: Board) -> None:
    assert board.glasses.count() == 5 and board.lenses.count() == 0
    pictures = [board.picture(index) for index in range(5)]
    assert np.array_equal(pictures[0], real(5))
    for index, (x, y) in ((0, (7, 4)), (2, (9, 11)), (3, (0, 15))):
        board.point(index, x, y)
        board.page.get_by_text(f"Column {x + 1}, row {y + 1}").wait_for()
        assert board.magnified() == [int(picture[y, x]) for picture in pictures]
    board.page.mouse.move(2, 2)
    board.lenses.first.wait_for(state="hidden")


def test_differences_are_those_of_what_is_shown_on_one_scale(board: Board) -> None:
    shown, vae, vae_off, gan, gan_off = (board.picture(index) for index in range(5))
    white = max(abs(shown - vae).max(), abs(shown - gan).max(), 255 / 8)
    for made, off in ((vae, vae_off), (gan, gan_off)):
        assert np.abs(off - 255 * np.abs(shown - made) / white).max() <= 0.51
    assert board.root.get_by_text(f"{100 * white / 255:.0f} %").count() == 1
    assert board.root.get_by_text("PSNR").count() == 2


def test_keys_move_the_lens_and_escape_takes_it_away(board: Board) -> None:
    board.cells.scroll_into_view_if_needed()
    board.cells.focus()
    board.page.keyboard.press("ArrowRight")
    board.page.keyboard.press("Shift+ArrowUp")
    board.page.keyboard.press("Shift+ArrowUp")
    assert board.at.inner_text() == "Column 10, row 1"
    assert board.magnified() == [int(board.picture(index)[0, 9]) for index in range(5)]
    assert board.at.get_attribute("aria-live") == "polite"
    board.page.keyboard.press("Escape")
    assert board.lenses.count() == 0


def test_the_magnification_is_chosen(board: Board) -> None:
    board.point(0, 8, 8)
    scale = []
    for times in ("2", "8"):
        board.root.locator(".zoom select").select_option(times)
        board.point(0, 7, 8)
        board.point(0, 8, 8)
        lens = pixels(board.lenses.first)
        middle = lens[lens.shape[0] // 2]
        scale.append(np.count_nonzero(np.diff(middle)))
    assert scale[1] < scale[0], "more of it is seen where it is magnified less"


def test_the_wipe_is_dragged_and_moved_by_keys(board: Board) -> None:
    wipe = board.root.locator(".wipe")
    assert wipe.locator("select").first.input_value().endswith("encoded")
    wipe.locator("select").first.select_option("Real image 5")
    over, under = (pixels(wipe.locator(".over")), pixels(wipe.locator(".picture:not(.over)")))
    assert np.array_equal(over, real(5)) and np.array_equal(under, board.picture(3))
    board.divider.scroll_into_view_if_needed()
    box = wipe.locator(".glass").bounding_box()
    middle = box["y"] + box["height"] / 3
    board.page.mouse.move(box["x"] + box["width"] / 2, middle)
    board.page.mouse.down()
    board.page.mouse.move(box["x"] + box["width"] / 4, middle, steps=4)
    board.page.mouse.up()
    assert board.divider.get_attribute("aria-valuenow") == "25"
    clip = wipe.locator(".over").evaluate("c => c.style.clipPath")
    assert clip.startswith("inset(0") and float(clip.split()[1].rstrip("%")) == pytest.approx(75, abs=0.5)
    board.page.keyboard.press("ArrowRight")
    board.page.keyboard.press("PageUp")
    assert board.divider.get_attribute("aria-valuenow") == "37"
    assert board.divider.get_attribute("aria-valuetext") == "37 % of Real image 5"
    board.page.keyboard.press("End")
    assert board.divider.get_attribute("aria-valuenow") == "100"


def test_another_image_is_chosen_and_what_was_wiped_stays(board: Board) -> None:
    page = board.page
    board.root.locator(".wipe select").first.select_option("Difference: Digits VAE, encoded")
    page.locator(".st-key-compare-strip-0 .tile").nth(3).click()
    page.wait_for_url(lambda url: "images=5" not in url)
    number = int(page.url.partition("images=")[2].split("%2C")[0].split(",")[0])
    page.get_by_text(f"Real image {number}", exact=True).first.wait_for()
    board.done()
    assert np.array_equal(board.picture(0), real(number)) and number != 5
    assert board.root.locator(".wipe select").first.input_value() == "Difference: Digits VAE, encoded"
    page.reload()
    again = Board(page).done()
    assert np.array_equal(again.picture(0), real(number))


def test_an_own_image_is_compared_and_the_link_is_silent(board: Board, tmp_path: Path) -> None:
    page, before = board.page, board.page.url
    drawn = Image.new("L", (64, 64))
    drawn.paste(255, (24, 8, 32, 56))
    drawn.save(tmp_path / "one.png")
    page.locator(".st-key-compare-own-0").get_by_text("Your own image").click()
    page.locator(".st-key-own-file input[type=file]").set_input_files(tmp_path / "one.png")
    page.locator(".magnifier[data-ready]").wait_for()
    board.done()
    shown = board.picture(0)
    columns = np.flatnonzero(shown.sum(0))
    assert 5 <= columns.min() <= columns.max() <= 10, "the stroke, left of the middle, is centred"
    assert page.url == before
    page.get_by_text("Your image is private").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_parts_are_accessible_and_fit_a_small_window(
    open_page: Open, flaws: Callable[[Any, str], list[str]], scheme: str
) -> None:
    page = open_page(LINK.format(part="image"), width=1024, height=768, scheme=scheme)
    Board(page).done()
    assert flaws(page, ".st-key-compare-magnifier") == []
    page.goto(page.url.replace("part=image", "part=path"))
    page.locator(".player[data-ready]").wait_for()
    assert flaws(page, ".st-key-compare-player") == []


# Same path ----------------------------------------------------------------------------------------------------


@pytest.fixture
def path_page(open_page: Open) -> Any:
    page = open_page(LINK.format(part="path"))
    page.locator(".player[data-ready]").wait_for()
    page.get_by_role("button", name="Pause").click()
    return page


def test_all_models_show_the_same_frame_of_their_paths(path_page: Any) -> None:
    frames = []
    for name in NAMES:
        info = catalog.find(name)
        first, second = (remade.compared(info, remade.held_out(info, number)) for number in (5, 8))
        frames.append(remade.path(first, second).frames[..., 0].astype(int))
    track = path_page.locator(".player .track")
    views = path_page.locator(".player .view canvas")
    assert views.count() == 2
    for key, frame in (("Home", 0), ("PageUp", 10), ("ArrowRight", 11), ("End", 24)):
        track.press(key)
        assert path_page.locator(".player .at").inner_text() == f"{frame + 1} of 25"
        for index, expected in enumerate(frames):
            assert np.abs(pixels(views.nth(index)) - expected[frame]).max() <= 1


def test_rows_stand_between_the_real_images_and_lead_to_their_frames(path_page: Any) -> None:
    rows = path_page.locator(".player .reel")
    assert rows.count() == 2
    for index in range(2):
        ends = rows.nth(index).locator("canvas.end")
        assert np.array_equal(pixels(ends.first), real(5)) and np.array_equal(pixels(ends.last), real(8))
    strip = rows.nth(1).locator("canvas.strip")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    shown = pixels(strip).shape[1] // 16
    path_page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    assert path_page.locator(".player .at").inner_text() == "25 of 25"
    last = pixels(path_page.locator(".player .view canvas").nth(1))
    assert np.array_equal(pixels(strip)[:, (shown - 1) * 16 :], last)


def test_the_other_end_is_chosen_and_a_reload_keeps_it(path_page: Any) -> None:
    path_page.locator(".st-key-compare-strip-1 .tile").nth(0).click()
    path_page.wait_for_url(lambda url: "images=5%2C8" not in url and "images=5,8" not in url)
    number = int(path_page.url.partition("images=")[2].replace("%2C", ",").split(",")[1].split("&")[0])
    path_page.reload()
    path_page.locator(".player[data-ready]").wait_for()
    ends = path_page.locator(".player .reel").first.locator("canvas.end")
    assert np.array_equal(pixels(ends.first), real(5)) and np.array_equal(pixels(ends.last), real(number))
