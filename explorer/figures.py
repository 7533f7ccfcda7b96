"""Arrays to pictures: sheets of samples and enlarged PNGs."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = 8  # pictures a row of a sheet


def png(image: "NDArray[np.uint8]") -> bytes:
    """Encode a uint8 image (H, W, C), grey or RGB, as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def sheet(images: "NDArray[np.uint8]", columns: int = COLUMNS) -> bytes:
    """Lay images (N, H, W, C) out in rows and encode them as one PNG; empty places are black."""
    import numpy as np

    n, height, width, channels = images.shape
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:n] = images
    grid = tiles.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return png(grid.reshape(rows * height, columns * width, channels))


def enlarge(image: "NDArray[np.uint8]", factor: int) -> "NDArray[np.uint8]":
    """Enlarge an image (H, W, C) by a whole factor: every pixel becomes a square, nothing is made up."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
