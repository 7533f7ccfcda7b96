"""Interpolate in a real browser: the film plays, can be scrubbed, and is taken along."""

import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models import catalog
from models.render import render
from models.requests import Interpolate, Point, RenderRequest

Open = Callable[..., Any]
LINK = "/interpolate?model=digits-gan&keys=3,17,42&frames=25"


class Film:
    """The player of a page, as a person meets it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.root = page.locator(".player[data-ready]")
        self.root.wait_for()
        self.track = page.locator(".player .track")
        self.counter = page.locator(".player .at")

    @property
    def frame(self) -> int:
        """The number of the frame that is shown, from 1 on."""
        return int(self.counter.inner_text().split(" ")[0])

    def pause(self) -> "Film":
        """Stop it at its first frame."""
        self.page.get_by_role("button", name="Pause").click()
        self.track.press("Home")
        assert self.frame == 1
        return self

    def pixels(self, view: str = "made") -> np.ndarray:
        """Return what the canvas shows, grey (H, W)."""
        data = self.page.locator(f".player .view.{view} canvas").evaluate(
            "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )
        return np.asarray(data[2:], np.uint8).reshape(data[0], data[1], 4)[..., 0]


@pytest.fixture
def film(open_page: Open) -> Film:
    return Film(open_page(LINK))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """The pictures of the film, (N, H, W)."""
    keys = tuple(Point(seed=seed) for seed in (3, 17, 42))
    op = Interpolate(points=keys, frames=25)
    return render(RenderRequest(model=catalog.find("digits-gan").digest, op=op)).images[..., 0]


def exported(film: Film, kind: str) -> bytes:
    page = film.page
    page.get_by_role("button", name="Export").click()
    page.get_by_role("radio", name=kind).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {kind}").click()
    return Path(download.value.path()).read_bytes()


def test_the_film_plays_by_itself_and_stops(film: Film) -> None:
    first = film.frame
    film.page.wait_for_function(
        "([root, first]) => Math.abs(parseInt(root.querySelector('.at').textContent) - first) > 2",
        arg=[film.root.element_handle(), first],
    )
    film.pause()
    film.page.wait_for_timeout(300)
    assert film.frame == 1


def test_keys_and_key_frames_lead_to_exactly_their_pictures(film: Film, frames: np.ndarray) -> None:
    film.pause()
    assert np.abs(film.pixels().astype(int) - frames[0]).max() <= 1
    film.track.press("ArrowRight")
    film.track.press("ArrowRight")
    assert film.frame == 3 and film.track.get_attribute("aria-valuetext") == "Frame 3 of 25"
    assert np.abs(film.pixels().astype(int) - frames[2]).max() <= 1
    film.track.press("PageUp")
    assert film.frame == 13
    film.track.press("End")
    assert film.frame == 25
    film.page.get_by_role("button", name="Key frame 2: seed 17").last.click()
    assert film.frame == 13
    assert np.abs(film.pixels().astype(int) - frames[12]).max() <= 1


def test_space_plays_and_pauses(film: Film) -> None:
    film.pause()
    film.track.press(" ")
    film.page.get_by_role("button", name="Pause").wait_for()
    film.page.wait_for_function(
        "root => !root.querySelector('.at').textContent.startsWith('1 ')", arg=film.root.element_handle()
    )
    film.track.press(" ")
    film.page.get_by_role("button", name="Play", exact=True).wait_for()
    stopped = film.frame
    film.page.wait_for_timeout(300)
    assert film.frame == stopped


def test_the_scrubber_follows_the_pointer(film: Film) -> None:
    film.pause()
    box = film.track.bounding_box()
    middle = box["y"] + box["height"] / 2
    film.page.mouse.move(box["x"] + 1, middle)
    film.page.mouse.down()
    for share, frame in ((0.5, 13), (0.75, 19), (1.0, 25)):
        film.page.mouse.move(box["x"] + share * box["width"], middle)
        film.page.wait_for_function(
            "([root, text]) => root.querySelector('.at').textContent === text",
            arg=[film.root.element_handle(), f"{frame} of 25"],
        )
    film.page.mouse.up()
    assert film.frame == 25


def test_a_frame_opens_in_explore(film: Film, pad_of: Callable[[Any], Any]) -> None:
    film.pause()
    film.track.press("PageUp")
    shown = film.pixels().astype(int)
    film.page.get_by_role("button", name="Open this frame in Explore").click()
    film.page.wait_for_url(re.compile("/explore.*z="))
    film.page.get_by_role("heading", name="Explore").wait_for()
    opened = pad_of(film.page).pixels()[..., 0]
    assert np.abs(opened - shown).max() <= 3  # a link rounds the latent


def test_another_way_and_fewer_frames_make_another_film(film: Film) -> None:
    film.pause()
    film.track.press("PageUp")
    before = film.pixels()
    film.page.get_by_role("radio", name="Straight").click()
    film.page.wait_for_url(re.compile("method=lerp"))
    film.page.wait_for_function(
        """([root, before]) => {
          const c = root.querySelector(".view.made canvas")
          return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.filter((_, i) => i % 4 === 0)
            .some((value, i) => Math.abs(value - before[i]) > 1)
        }""",
        arg=[film.root.element_handle(), before.flatten().tolist()],
    )
    film.page.get_by_role("radio", name="Arc").click()
    film.page.wait_for_url(lambda url: "method" not in url)
    film.page.locator(".player[data-ready]").wait_for()
    film.track.press("Home")
    film.track.press("PageUp")
    film.page.wait_for_timeout(500)
    assert (film.pixels() == before).all()


def test_the_video_decodes_and_has_the_right_size_and_length(film: Film, tmp_path: Path) -> None:
    import imageio_ffmpeg

    path = tmp_path / "film.mp4"
    path.write_bytes(exported(film, "MP4 video"))
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert count == 25 and seconds == pytest.approx(25 / 20, abs=0.06)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert "256x256" in done.stderr.decode() and len(done.stdout) == 25 * 256 * 256


def test_the_gif_has_all_frames(film: Film, frames: np.ndarray) -> None:
    with Image.open(io.BytesIO(exported(film, "GIF"))) as animation:
        assert animation.size == (256, 256) and getattr(animation, "n_frames", 0) == 25
        animation.seek(24)
        last = np.asarray(animation.convert("L"))[8::16, 8::16]
    assert np.abs(last.astype(int) - frames[-1]).max() <= 1


def test_bad_links_say_sentences(open_page: Open) -> None:
    page = open_page("/interpolate?model=digits-gan&keys=1,x&method=slrep&frames=9999")
    Film(page)
    text = page.locator("[data-testid=stMain]").inner_text()
    for part in ("list of 2 to 16 seeds", "Did you mean 'slerp'?", "from 2 to 240"):
        assert part in text


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1440, 900), ("dark", 1024, 768)])
def test_the_page_fits_and_nothing_of_ours_is_inaccessible(
    open_page: Open, flaws: Callable[[Any, str], list[str]], scheme: str, width: int, height: int
) -> None:
    page = open_page(LINK, scheme=scheme, width=width, height=height)
    Film(page)
    assert flaws(page, ".st-key-player") == []
