"""Anti-aliased flat shapes: signed distances and a canvas that blends them, in batches.

Distances are in pixels, negative inside. They are exact or first-order accurate at the boundary, which is
all that a one-pixel edge needs; combine them with `np.maximum` (intersection, or subtraction of a negated
distance) and `np.minimum` (union). Coordinates are float32 arrays that broadcast to (B, H, W).
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# float32 throughout; NumPy's stubs lose the width where Python floats come in.
Array = npt.NDArray[np.floating]
Rows = slice | npt.NDArray[np.intp]
Scalar = Array | float
# Left, top, right and bottom, in pixels; right and bottom are just outside.
Window = tuple[int, int, int, int]

# Keeps a division finite where a gradient vanishes (the centre of a shape), far from any edge.
_TINY = 1e-4


def circle(x: Array, y: Array, radius: Scalar) -> Array:
    """Return the distance to a circle around the origin."""
    return np.sqrt(x * x + y * y) - radius


def ellipse(x: Array, y: Array, rx: Scalar, ry: Scalar) -> Array:
    """Return the first-order distance f / |grad f| to an axis-parallel ellipse around the origin."""
    # The radii are small arrays: their inverses spare divisions at every pixel.
    sx, sy = 1 / rx, 1 / ry
    px = x * sx
    py = y * sy
    gx = px * sx
    gy = py * sy
    return (px * px + py * py - 1) / (2 * np.sqrt(gx * gx + gy * gy) + _TINY)


def egg(x: Array, y: Array, rx: Scalar, ry: Scalar, taper: Scalar, square: Scalar) -> Array:
    """Return the first-order distance to a head: an ellipse that tapers downwards and squares off.

    Args:
        x: Horizontal coordinates.
        y: Vertical coordinates, down.
        rx: Half the width at the middle.
        ry: Half the height.
        taper: Share by which the chin is narrower, and the crown wider, than the middle.
        square: 0 for an ellipse, 1 for the squircle x^4 + y^4 = 1.
    """
    py = y / ry
    width = rx * (1 - taper * np.clip(py, -1.2, 1.2))
    px = x / width
    xx = px * px
    yy = py * py
    gx = px * ((1 - square) + 2 * square * xx) / width
    gy = py * ((1 - square) + 2 * square * yy) / ry
    level = (1 - square) * (xx + yy) + square * (xx * xx + yy * yy) - 1
    return level / (2 * np.sqrt(gx * gx + gy * gy) + _TINY)


def box(x: Array, y: Array, half_width: Scalar, half_height: Scalar, radius: Scalar) -> Array:
    """Return the distance to a rectangle around the origin with rounded corners."""
    qx = np.abs(x) - (half_width - radius)
    qy = np.abs(y) - (half_height - radius)
    outside_x = np.maximum(qx, 0)
    outside_y = np.maximum(qy, 0)
    inside = np.minimum(np.maximum(qx, qy), 0)
    return np.sqrt(outside_x * outside_x + outside_y * outside_y) + inside - radius


def capsule(x: Array, y: Array, ax: Scalar, ay: Scalar, bx: Scalar, by: Scalar, radius: Scalar) -> Array:
    """Return the distance to a line from a to b with round ends."""
    dx = bx - ax
    dy = by - ay
    px = x - ax
    py = y - ay
    along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + _TINY), 0, 1)
    return circle(px - along * dx, py - along * dy, radius)


def crescent(x: Array, y: Array, half_width: Scalar, bend: Scalar, opening: Scalar, radius: Scalar) -> Array:
    """Return the distance to a round-ended bow that sags by `bend` and gapes by `opening` in the middle.

    With no opening it is a stroke of thickness 2 * radius along a parabola: a brow, a closed mouth.
    """
    inner = np.clip(x / half_width, -1, 1)
    sag = 1 - inner * inner
    middle = (bend + 0.5 * opening) * sag
    slope = 2 * bend * inner / half_width
    across = np.maximum(np.abs(y - middle) - 0.5 * opening * sag, 0) / np.sqrt(1 + slope * slope)
    beyond = np.maximum(np.abs(x) - half_width, 0)
    return np.sqrt(beyond * beyond + across * across) - radius


@dataclass
class Layer:
    """A window of some of the pictures of a canvas, to be painted in place.

    Attributes:
        pixels: Colours in [0, 255], shape (n, 3, h, w).
        x: Picture coordinates of the pixel centres, shape (1, 1, w).
        y: The same downwards, shape (1, h, 1).
        fields: Quantities known at each pixel (such as coordinates in a moving frame), each (n, h, w).
    """

    pixels: Array
    x: Array
    y: Array
    fields: dict[str, Array]

    def fill(self, distance: Array, colour: Array, opacity: Scalar = 1.0) -> None:
        """Blend a colour, (n, 3) in [0, 255], over the inside of a shape with a one-pixel edge."""
        self.blend(np.clip(0.5 - distance, 0, 1), colour, opacity)

    def blend(self, cover: Array, colour: Array, opacity: Scalar = 1.0) -> None:
        """Blend a colour, (n, 3) or (3,), where `cover`, (n, h, w) in [0, 1], says how much."""
        alpha = (cover * opacity)[:, None]
        change = np.atleast_2d(colour)[:, :, None, None] - self.pixels
        change *= alpha
        self.pixels += change


class Canvas:
    """A batch of square pictures that shapes are painted on.

    Attributes:
        pixels: Colours in [0, 255], shape (B, 3, size, size).
        fields: Quantities at each pixel, each (B, size, size), handed to every layer.
    """

    def __init__(self, count: int, size: int) -> None:
        self.pixels: Array = np.zeros((count, 3, size, size), np.float32)
        self.fields: dict[str, Array] = {}
        centres = np.arange(size, dtype=np.float32) + np.float32(0.5)
        self.x: Array = centres[None, None, :]
        self.y: Array = centres[None, :, None]

    @contextmanager
    def layer(self, window: Window, rows: Rows = slice(None)) -> Generator[Layer]:
        """Open a window of the chosen pictures; what is painted stays."""
        left, top, right, bottom = window
        pixels = self.pixels[rows, :, top:bottom, left:right]
        fields = {name: field[rows, top:bottom, left:right] for name, field in self.fields.items()}
        yield Layer(pixels, self.x[:, :, left:right], self.y[:, top:bottom], fields)
        if not isinstance(rows, slice):
            # Indexing with an array copied the pixels, so they go back.
            self.pixels[rows, :, top:bottom, left:right] = pixels

    def to_bytes(self) -> npt.NDArray[np.uint8]:
        """Round to bytes, shape (B, 3, size, size)."""
        return np.clip(self.pixels + 0.5, 0, 255).astype(np.uint8)
