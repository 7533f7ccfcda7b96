"""Files from arrays: PNG, NPZ, GIF, MP4. Torch-free.

A file is written under a temporary name and renamed: it is there in full or not at all.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import UserError, write_error

MIN_PIXELS = 256  # smallest height or width of an animation: players blur what they have to enlarge
Pixels = NDArray[np.uint8]


def kind(path: Path, known: Sequence[str]) -> str:
    """Return the ending of a path, in lower case; raises UserError if it is not a known one."""
    ending = path.suffix.lower()
    if ending not in known:
        problem = f"'{path.name}' does not end in {' or '.join(known)}."
        raise UserError("unknown-format", problem, f"Name the file so, e.g. {path.stem or 'out'}{known[0]}.")
    return ending


def contact_sheet(images: Pixels, columns: int = 8) -> Pixels:
    """Lay images (N, H, W, C) out in rows of `columns`, as one image (rows * H, columns * W, C)."""
    n, height, width, channels = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:n] = images
    tiles = tiles.reshape(rows, columns, height, width, channels)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def enlarge(images: Pixels, pixels: int = MIN_PIXELS) -> Pixels:
    """Repeat the pixels of images (..., H, W, C) so often that height and width are at least `pixels`."""
    times = -(-pixels // min(images.shape[-3:-1]))
    return images.repeat(times, axis=-3).repeat(times, axis=-2) if times > 1 else images


def save_png(image: Pixels, path: Path) -> None:
    """Write an image (H, W, C), grey or RGB; raises UserError if it cannot be written."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    _write(path, lambda temporary: picture.save(temporary, format="PNG", optimize=True))


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
    write = {".gif": _write_gif, ".mp4": _write_mp4}[kind(path, (".gif", ".mp4"))]
    frames = enlarge(frames)
    _write(path, lambda temporary: write(frames, temporary, fps))


def _write_gif(frames: Pixels, path: Path, fps: float) -> None:
    if frames.shape[-1] == 1:
        pictures = [Image.fromarray(frame[..., 0]) for frame in frames]
    else:
        # One palette for all frames: a palette for each makes the colours of still parts flicker.
        some = frames[:: max(1, len(frames) // 16), ::4, ::4]
        palette = Image.fromarray(some.reshape(-1, some.shape[2], 3)).quantize(256)
        dither = Image.Dither.NONE
        pictures = [Image.fromarray(frame).quantize(palette=palette, dither=dither) for frame in frames]
    first, *rest = pictures
    # GIF counts in hundredths of a second, and browsers show a frame of less than two for ten of them.
    duration = max(20, 10 * round(100 / fps))
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=duration, loop=0)


def _write_mp4(frames: Pixels, path: Path, fps: float) -> None:
    import imageio_ffmpeg  # pyright: ignore[reportMissingTypeStubs]

    # yuv420p, which every player knows, shares colours between 2x2 pixels: sides must be even.
    height, width = (side - side % 2 for side in frames.shape[1:3])
    options: dict[str, Any] = {"fps": fps, "quality": 8, "macro_block_size": 2, "ffmpeg_log_level": "error"}
    writer: Any = cast(Any, imageio_ffmpeg).write_frames(str(path), (width, height), **options)
    writer.send(None)
    try:
        for frame in frames[:, :height, :width]:
            writer.send(np.ascontiguousarray(np.broadcast_to(frame, (height, width, 3))))
    finally:
        writer.close()
    if not path.stat().st_size:
        raise OSError("the video could not be encoded")


def _write(path: Path, write: Callable[[Path], object]) -> None:
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)
