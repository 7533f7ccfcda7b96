"""Animations as bytes: what a player finds in them."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import media
from models.errors import UserError


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def frames(request: pytest.FixtureRequest) -> np.ndarray:
    """Twelve frames, 16x16: a bright square that moves down."""
    pixels = np.full((12, 16, 16, request.param), 30, np.uint8)
    for number in range(12):
        pixels[number, number : number + 5, 4:12] = (230, 120, 60)[: request.param]
    return pixels


def video(data: bytes, size: int, folder: Path) -> np.ndarray:
    """Return the frames of a square video, (N, H, W, 3); fails where it has another size."""
    import imageio_ffmpeg

    path = folder / "video.mp4"
    path.write_bytes(data)
    # Not by `read_frames`, which leaves its pipes open.
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert f"{size}x{size}" in done.stderr.decode()
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, size, size, 3)


def test_a_video_has_the_size_the_length_and_the_pictures(frames: np.ndarray, tmp_path: Path) -> None:
    shown = video(media.animation(frames, ".mp4", 24, times=4), 64, tmp_path)
    assert len(shown) == 12
    large = np.broadcast_to(frames.repeat(4, axis=1).repeat(4, axis=2), (12, 64, 64, 3))
    assert np.abs(shown.astype(int) - large).mean() < 6


def test_a_gif_has_all_frames_pixel_by_pixel(frames: np.ndarray) -> None:
    with Image.open(io.BytesIO(media.animation(frames, ".gif", 20, times=3))) as animation:
        assert animation.size == (48, 48)
        assert getattr(animation, "n_frames", 0) == 12
        assert animation.info["duration"] == 50 and animation.info["loop"] == 0
        animation.seek(7)
        shown = np.asarray(animation.convert("RGB"))
    np.testing.assert_array_equal(shown, np.broadcast_to(frames[7].repeat(3, 0).repeat(3, 1), (48, 48, 3)))


def test_a_file_is_enlarged_so_that_players_need_not(frames: np.ndarray, tmp_path: Path) -> None:
    media.save_animation(frames, tmp_path / "a.gif", 10)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.size == (256, 256)


def test_another_ending_is_refused(frames: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"does not end in \.gif or \.mp4"):
        media.animation(frames, ".webm", 10)


def test_colours_survive_an_animation(tmp_path: Path) -> None:
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    frames[:, :8] = (200, 30, 60)
    frames[2, 8:] = (10, 120, 250)
    media.save_animation(frames, tmp_path / "a.gif", 10)
    with Image.open(tmp_path / "a.gif") as animation:
        animation.seek(getattr(animation, "n_frames", 1) - 1)  # equal frames are stored once
        shown = np.asarray(animation.convert("RGB"))
    np.testing.assert_array_equal(shown[[0, -1], 0], [(200, 30, 60), (10, 120, 250)])
