"""Cartoon portraits with known attributes, 64 x 64 RGB, drawn on demand and the same everywhere.

Picture i of a seed does not depend on how many are drawn or in which batches: every factor of it is a hash of
(seed, i, factor). Importing this module does not import torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.datasets import avatar_face as face, avatar_style as style, avatar_wear as wear
from models.datasets.avatar_hair import HAIR
from models.datasets.factors import Factor
from models.datasets.shapes import Array, Canvas, Window, egg

if TYPE_CHECKING:
    from torch import Tensor

# Small enough that the layers of one batch stay in the cache of a core.
_BATCH = 64

FACTORS: tuple[Factor, ...] = (
    Factor("skin", "categorical", tuple(style.SKIN), description="Colour of the skin"),
    Factor("hair_style", "categorical", tuple(HAIR), description="Cut of the hair"),
    Factor(
        "hair_colour", "categorical", tuple(style.HAIR_COLOUR), description="Colour of hair, brows and beard"
    ),
    Factor("glasses", "categorical", tuple(wear.GLASSES), description="Glasses, and their frame"),
    Factor("beard", "categorical", tuple(face.BEARD), description="Hair on the face"),
    Factor("hat", "categorical", tuple(wear.HAT), description="What is worn on the head"),
    Factor("outfit", "categorical", tuple(wear.OUTFIT), description="Cut of the shirt"),
    Factor("shirt_colour", "categorical", tuple(style.SHIRT_COLOUR), description="Colour of shirt and hat"),
    Factor("eye_colour", "categorical", tuple(style.EYE_COLOUR), description="Colour of the irises"),
    Factor("freckles", "categorical", ("none", "freckles"), description="Freckles on the cheeks"),
    Factor("earrings", "categorical", tuple(wear.EARRINGS), description="Earrings"),
    Factor("background", "continuous", description="Background, from peach over green and blue to lilac"),
    Factor("smile", "continuous", low=-1.0, description="Mouth, from a frown to a wide smile"),
    Factor("mouth_open", "continuous", description="How far the mouth is open"),
    Factor("eye_size", "continuous", description="Size of the eyes"),
    Factor("eyelids", "continuous", description="Eyelids, from wide awake to sleepy"),
    Factor("gaze", "continuous", low=-1.0, description="Where the eyes look, from left to right"),
    Factor("brow_angle", "continuous", low=-1.0, description="Brows, from worried to stern"),
    Factor("face_width", "continuous", description="Face, from slender to wide"),
    Factor("jaw", "continuous", description="Jaw, from pointed to square"),
    Factor("blush", "continuous", description="Redness of the cheeks"),
    Factor("turn", "continuous", low=-1.0, description="Head turned from the picture's left to its right"),
    Factor("tilt", "continuous", low=-1.0, description="Head tilted from the picture's left to its right"),
)

# How often each value occurs, where not all are alike.
_WEIGHTS: dict[str, tuple[float, ...]] = {
    "hair_style": (0.07, 0.12, 0.12, 0.09, 0.13, 0.15, 0.11, 0.10, 0.11),
    "glasses": (0.60, 0.15, 0.15, 0.10),
    "beard": (0.66, 0.10, 0.10, 0.14),
    "hat": (0.70, 0.11, 0.10, 0.09),
    "freckles": (0.75, 0.25),
    "earrings": (0.70, 0.30),
}
# A uniform number raised to this power: below 1 it favours the high end, above 1 the low end.
_SKEW = {"smile": 0.55, "mouth_open": 1.6, "eyelids": 2.0}


def _uniform(seed: int, index: npt.NDArray[np.uint64], stream: int) -> npt.NDArray[np.float64]:
    """Hash (seed, index, stream) to numbers in [0, 1).

    References:
        Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", the SplitMix64 finaliser.
    """

    def mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))

    golden = np.uint64(0x9E3779B97F4A7C15)
    # Mixed one after the other, so that neighbouring seeds do not share shifted sequences.
    state = mix(np.full_like(index, seed % 2**64) + golden)
    state = mix(state ^ (index * golden + golden))
    state = mix(state ^ (np.full_like(index, stream + 1) * golden))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def sample_factors(count: int, seed: int, start: int = 0) -> Array:
    """Draw the factors of pictures start, ..., start + count - 1 of a seed.

    Args:
        count: Number of rows.
        seed: Any integer; different seeds give independent pictures.
        start: Index of the first.

    Returns:
        Factors, float32, shape (count, len(FACTORS)), in the order of FACTORS.

    Raises:
        ValueError: `count` or `start` is negative.
    """
    if count < 0 or start < 0:
        raise ValueError(f"count and start must not be negative, got {count} and {start}")
    index = np.arange(start, start + count, dtype=np.uint64)
    table = np.empty((count, len(FACTORS)), np.float32)
    for column, factor in enumerate(FACTORS):
        uniform = _uniform(seed, index, column)
        if factor.kind == "categorical":
            weights = _WEIGHTS.get(factor.name, (1.0,) * len(factor.values))
            edges = np.cumsum(weights) / sum(weights)
            table[:, column] = np.searchsorted(edges[:-1], uniform, side="right")
        else:
            share = uniform ** _SKEW.get(factor.name, 1.0)
            table[:, column] = factor.low + (factor.high - factor.low) * share
    return table


def _paint(columns: Mapping[str, Array]) -> Canvas:
    """Paint portraits back to front; `columns` holds the factors by name, each (B,)."""
    look = style.measure(columns)
    canvas = Canvas(len(look.skin), style.SIZE)
    x = (canvas.x - style.NECK[0]) / style.HEAD_SCALE
    y = (canvas.y - style.NECK[1]) / style.HEAD_SCALE
    # Turning the picture back by the tilt, about the neck, gives the coordinates of an upright head.
    u = look.cosine * x + look.sine * y - (look.head_x - style.NECK[0])
    v = look.cosine * y - look.sine * x + (style.NECK[1] - style.HEAD_Y)
    outline = egg(u, v, look.rx, look.ry, look.taper, look.square)
    canvas.fields.update(u=u, v=v, head=outline)

    def paint(window: Window, *stack: style.Part) -> None:
        with canvas.layer(window) as layer:
            for part in stack:
                part(style.Brush(layer, look))

    def styled(window: Window, name: str, choices: Iterable[style.Part]) -> None:
        for index, part in enumerate(choices):
            rows = np.flatnonzero(columns[name] == index)
            if len(rows) and part is not style.nothing:
                with canvas.layer(window, rows) as layer:
                    part(style.Brush(layer, look.take(rows)))

    whole = (0, 0, style.SIZE, style.SIZE)
    shoulders = (0, 42, 64, 64)
    left_eye, right_eye = (10, 15, 40, 44), (24, 15, 54, 44)
    paint(whole, face.background)
    styled(whole, "hair_style", (back for back, _ in HAIR.values()))
    paint(shoulders, face.body)
    styled(shoulders, "outfit", wear.OUTFIT.values())
    paint((4, 20, 60, 50), face.ears)
    paint((8, 8, 56, 56), face.head, face.cheeks)
    styled((10, 28, 54, 50), "freckles", (style.nothing, face.freckles))
    styled((6, 22, 58, 58), "beard", face.BEARD.values())
    paint((16, 32, 48, 56), face.mouth, face.nose)
    paint(left_eye, face.left_eye)
    paint(right_eye, face.right_eye)
    styled((4, 16, 60, 48), "glasses", wear.GLASSES.values())
    styled(whole, "hair_style", (front for _, front in HAIR.values()))
    paint(left_eye, face.left_brow)
    paint(right_eye, face.right_brow)
    styled((4, 30, 60, 52), "earrings", wear.EARRINGS.values())
    styled((0, 0, 64, 36), "hat", wear.HAT.values())
    return canvas


def compose(factors: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Paint the portraits that factors describe.

    Args:
        factors: Rows in the order of FACTORS, shape (N, len(FACTORS)): an index for a categorical factor, a
            value in [low, high] for a continuous one.

    Returns:
        Pictures, uint8, shape (N, 3, 64, 64).

    Raises:
        ValueError: The shape is wrong, or a value is not finite, out of range, or no index where one is due.
    """
    table = np.asarray(factors, np.float32)
    if table.ndim != 2 or table.shape[1] != len(FACTORS):
        raise ValueError(f"factors must have shape (N, {len(FACTORS)}), got {table.shape}")
    for column, factor in enumerate(FACTORS):
        low, high = (0, len(factor.values) - 1) if factor.kind == "categorical" else (factor.low, factor.high)
        if not np.all((table[:, column] >= low) & (table[:, column] <= high)):
            raise ValueError(f"factor {factor.name} must lie in [{low}, {high}]")
        if factor.kind == "categorical" and np.any(table[:, column] % 1):
            raise ValueError(f"factor {factor.name} must be a whole number, the index of a value")
    pictures = np.empty((len(table), 3, style.SIZE, style.SIZE), np.uint8)
    for first in range(0, len(table), _BATCH):
        columns = {factor.name: table[first : first + _BATCH, i] for i, factor in enumerate(FACTORS)}
        pictures[first : first + _BATCH] = _paint(columns).to_bytes()
    return pictures


def draw(
    count: int, seed: int, *, start: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[Tensor, Tensor]:
    """Draw portraits with random factors.

    Args:
        count: Number of pictures.
        seed: Any integer; different seeds give independent pictures.
        start: Index of the first picture, so that a set can be drawn in pieces.
        progress: Called with (pictures done, count) as batches are finished.

    Returns:
        Images, uint8, shape (count, 3, 64, 64), and factors, float32, shape (count, len(FACTORS)).

    Raises:
        ValueError: `count` or `start` is negative.
    """
    import torch

    factors = sample_factors(count, seed, start)
    images = np.empty((count, 3, style.SIZE, style.SIZE), np.uint8)
    firsts = range(0, count, _BATCH)

    def batch(first: int) -> npt.NDArray[np.uint8]:
        return compose(factors[first : first + _BATCH])

    # NumPy releases the interpreter lock, so that threads share the work.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for first, pictures in zip(firsts, pool.map(batch, firsts), strict=True):
            images[first : first + len(pictures)] = pictures
            if progress is not None:
                progress(first + len(pictures), count)
    return torch.as_tensor(images), torch.as_tensor(factors)
