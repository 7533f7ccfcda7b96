"""Single white shapes on black with five known factors, 64 x 64, after dSprites; drawn by this project.

The factors are those of dSprites (Matthey, Higgins, Hassabis & Lerchner, 2017): shape, scale, orientation and
position. Unlike there the last four are continuous and drawn at random, not walked on a grid, and every picture is
drawn at its own resolution: a pixel is white where its centre lies inside the shape, black elsewhere, so there are
no grey edges and no traces of resampling.

Symmetric shapes make orientation ambiguous: a square looks the same after a quarter turn, an ellipse after a half
turn, only the heart has one orientation. No code can tell from a picture what is not in it (ln 4 nats of the
orientation of a square, ln 2 of that of an ellipse), so a score of disentanglement such as the mutual information
gap cannot reach 1 on this factor: read its mean with that in mind.

Importing this module does not import torch.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.datasets import drawing
from models.datasets.factors import Factor

SIZE = 64
REACH = 14.5  # pixels between the place of a shape and the border: none comes nearer to that than one pixel
_SQUARE = 9.0  # half a side, in pixels; its corners reach 12.7
_ELLIPSE = (13.0, 7.0)  # half axes
_HEART = 10.0  # pixels for a unit of the curve, which reaches 1.35 units from the point that it turns about
_HEART_CENTRE = 0.13  # of its box, in units above the origin of the curve

Array = drawing.Array

FACTORS: tuple[Factor, ...] = (
    Factor("shape", "categorical", ("square", "ellipse", "heart"), description="What is shown"),
    Factor("scale", "continuous", low=0.5, description="Size of the shape", moved_by=("crop",)),
    Factor(
        "orientation",
        "continuous",
        high=2 * math.pi,
        description="Turn of the shape, clockwise in radians; ambiguous for the square and the ellipse",
        moved_by=("flip",),
    ),
    Factor(
        "x",
        "continuous",
        description="Place of the shape, from left to right",
        moved_by=("shift", "crop", "flip"),
    ),
    Factor(
        "y", "continuous", description="Place of the shape, from top to bottom", moved_by=("shift", "crop")
    ),
)


def _square(u: Array, v: Array) -> npt.NDArray[np.bool_]:
    return np.maximum(np.abs(u), np.abs(v)) <= _SQUARE


def _ellipse(u: Array, v: Array) -> npt.NDArray[np.bool_]:
    return np.square(u / _ELLIPSE[0]) + np.square(v / _ELLIPSE[1]) <= 1


def _heart(u: Array, v: Array) -> npt.NDArray[np.bool_]:
    """Tell what lies within (a^2 + b^2 - 1)^3 = a^2 b^3, with b upwards."""
    a = u / _HEART
    b = _HEART_CENTRE - v / _HEART
    return (a * a + b * b - 1) ** 3 <= a * a * b**3


_INSIDE = (_square, _ellipse, _heart)  # in the order of the values of the factor


def sample_factors(count: int, seed: int, start: int = 0) -> Array:
    """Draw the factors of pictures start, ..., start + count - 1 of a seed, all values alike.

    Returns:
        Factors, float32, shape (count, 5), in the order of FACTORS.

    Raises:
        ValueError: `count` or `start` is negative.
    """
    return drawing.sample(FACTORS, count, seed, start)


def compose(factors: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Draw the pictures that factors describe.

    Args:
        factors: Rows in the order of FACTORS, shape (N, 5).

    Returns:
        Pictures, uint8, shape (N, 1, 64, 64), 0 or 255.

    Raises:
        ValueError: The shape is wrong, or a value is not finite, out of range, or no index where one is due.
    """
    table = drawing.checked(FACTORS, factors)
    kind, scale, turn, x, y = (column[:, None, None] for column in table.astype(np.float64).T)
    centres = np.arange(SIZE) + 0.5
    room = SIZE - 2 * REACH
    across = centres[None, None, :] - (REACH + room * x)
    down = centres[None, :, None] - (REACH + room * y)
    # Turned back and scaled up to the shape in its own frame.
    u = (np.cos(turn) * across + np.sin(turn) * down) / scale
    v = (np.cos(turn) * down - np.sin(turn) * across) / scale
    pictures = np.zeros((len(table), 1, SIZE, SIZE), np.uint8)
    for index, inside in enumerate(_INSIDE):
        rows = np.flatnonzero(kind[:, 0, 0] == index)
        pictures[rows, 0] = 255 * inside(u[rows], v[rows])
    return pictures


draw = drawing.Drawer(sample_factors, compose, (1, SIZE, SIZE))
