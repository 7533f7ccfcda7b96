"""Pictures laid out and enlarged, and files from arrays: PNG, NPZ, GIF, MP4. Torch-free.

A file is written under a temporary name and renamed: it is there in full or not at all.
"""

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.disk import replacing
from models.errors import UserError, write_error

MIN_PIXELS = 256  # smallest height or width of an animation: players blur what they have to enlarge
Pixels = NDArray[np.uint8]
# Of scatter plots.
_FINE = 4  # times finer than they are kept, so that dots are round
_EDGE = 1.1  # the largest coordinate that is seen
_GROUND, _GRID, _BEHIND, _POINT = (255, 255, 255), (232, 232, 232), (190, 190, 190), (31, 97, 180)


def kind(path: Path, known: Sequence[str]) -> str:
    """Return the ending of a path, in lower case; raises UserError if it is not a known one."""
    ending = path.suffix.lower()
    if ending not in known:
        problem = f"'{path.name}' does not end in {' or '.join(known)}."
        raise UserError("unknown-format", problem, f"Name the file so, e.g. {path.stem or 'out'}{known[0]}.")
    return ending


def contact_sheet(images: Pixels, columns: int = 8) -> Pixels:
    """Lay images (N, H, W, C) out in rows, as one image (rows * H, columns * W, C); empty places are black."""
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:n] = images
    tiles = tiles.reshape(rows, columns, height, width, channels)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def scatter(
    points: NDArray[np.floating], behind: NDArray[np.floating] | None = None, side: int = 512
) -> Pixels:
    """Draw points (N, 2) of [-1, 1], the second coordinate upwards, as an image (side, side, 3).

    Args:
        points: In blue; those outside are not seen.
        behind: Others to compare with, in grey.
        side: Height and width, in pixels.
    """
    fine = _FINE * side
    image = Image.new("RGB", (fine, fine), _GROUND)
    draw = ImageDraw.Draw(image)
    for line in (-0.5, 0.0, 0.5):
        at = round((line / _EDGE + 1) / 2 * fine)
        draw.line([(at, 0), (at, fine)], _GRID, _FINE)
        draw.line([(0, at), (fine, at)], _GRID, _FINE)
    radius = fine / 250
    for some, colour in ((behind, _BEHIND), (points, _POINT)):
        if some is None:
            continue
        # Down from the top, as pixels are counted; of a point that is not finite there is nothing to see.
        places = (some[np.isfinite(some).all(1)] * (1, -1) / _EDGE + 1) / 2 * fine
        for x, y in cast(list[tuple[float, float]], places.tolist()):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX)).copy()


def enlarged(image: Pixels, times: int) -> Pixels:
    """Return an image (H, W, C) in which every pixel is a square of times x times: nothing is made up."""
    return image.repeat(times, axis=0).repeat(times, axis=1)


def picture(image: Pixels) -> Image.Image:
    """Return an image (H, W, C), grey or RGB, as Pillow has it."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def png(image: Pixels) -> bytes:
    """Encode an image (H, W, C), grey or RGB, as PNG, fast: for a page that waits for it."""
    buffer = io.BytesIO()
    picture(image).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def save_png(image: Pixels, path: Path, *, quickly: bool = False) -> None:
    """Write an image (H, W, C), grey or RGB, quickly or in few bytes; raises UserError if it cannot be written."""
    how = {"compress_level": 1} if quickly else {"optimize": True}
    _write(path, lambda temporary: picture(image).save(temporary, format="PNG", **how))


def save_npz(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write named arrays, compressed; raises UserError if they cannot be written."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            # `allow_pickle` came with NumPy 2; before, it would be kept as an array. Numbers are never pickled.
            np.savez_compressed(file, **cast(dict[str, Any], arrays))

    _write(path, write)


def save_animation(frames: Pixels, path: Path, fps: float) -> None:
    """Write frames (N, H, W, C) as GIF (endless) or MP4 (H.264), by the path's ending.

    Small frames are enlarged by whole factors to 256 pixels at least.

    Raises:
        UserError: The ending is another, or the file cannot be written.
    """
    write = _WRITERS[kind(path, tuple(_WRITERS))]
    times = max(1, -(-MIN_PIXELS // min(frames.shape[1:3])))
    _write(path, lambda temporary: write(frames, times, temporary, fps))


def animation(frames: Pixels, ending: str, fps: float, times: int = 1) -> bytes:
    """Return frames as the content of a file, for who does not want one.

    Args:
        frames: Shape (N, H, W, C), grey or RGB.
        ending: `.gif` (endless) or `.mp4` (H.264).
        fps: Frames a second.
        times: Every pixel becomes a square of times x times.

    Raises:
        UserError: The ending is another, or there is no room for a temporary file.
    """
    with tempfile.TemporaryDirectory(prefix="animation-") as folder:
        path = Path(folder) / f"animation{ending}"
        write = _WRITERS[kind(path, tuple(_WRITERS))]
        try:
            write(frames, times, path, fps)
        except OSError as error:
            raise write_error(path, error) from error
        return path.read_bytes()


def _write_gif(frames: Pixels, times: int, path: Path, fps: float) -> None:
    def quantized(frame: Pixels) -> Image.Image:
        image = picture(frame)
        return image if palette is None else image.quantize(palette=palette, dither=Image.Dither.NONE)

    palette = None
    if frames.shape[-1] == 3:
        # One palette for all frames: a palette for each makes the colours of still parts flicker.
        some = frames[:: max(1, len(frames) // 16)]
        palette = Image.fromarray(some.reshape(-1, some.shape[2], 3)).quantize(256)
    height, width = frames.shape[1:3]
    size = (times * width, times * height)
    # They are enlarged when they are at hand in as few bytes as they will be.
    first, *rest = (quantized(frame).resize(size, Image.Resampling.NEAREST) for frame in frames)
    # GIF counts in hundredths of a second, and browsers show a frame of less than two for ten of them.
    duration = max(20, 10 * round(100 / fps))
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=duration, loop=0)


def _write_mp4(frames: Pixels, times: int, path: Path, fps: float) -> None:
    import imageio_ffmpeg  # pyright: ignore[reportMissingTypeStubs]

    # yuv420p, which every player knows, shares colours between 2x2 pixels: sides must be even.
    height, width = (times * side - times * side % 2 for side in frames.shape[1:3])
    options: dict[str, Any] = {"fps": fps, "quality": 8, "macro_block_size": 2, "ffmpeg_log_level": "error"}
    writer: Any = cast(Any, imageio_ffmpeg).write_frames(str(path), (width, height), **options)
    writer.send(None)
    try:
        for frame in frames:  # one at a time: enlarged all at once, they would take gigabytes
            large = enlarged(frame, times)[:height, :width]
            writer.send(np.ascontiguousarray(np.broadcast_to(large, (height, width, 3))))
    finally:
        writer.close()
    if not path.stat().st_size:
        raise OSError("the video could not be encoded")


_WRITERS = {".gif": _write_gif, ".mp4": _write_mp4}


def _write(path: Path, write: Callable[[Path], object]) -> None:
    try:
        with replacing(path) as temporary:
            write(temporary)
    except OSError as error:
        raise write_error(path, error) from error
