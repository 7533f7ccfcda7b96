"""Cartoon portraits with known attributes, 64 x 64 RGB, drawn on demand and the same everywhere.

`models.datasets.drawing` says why a picture is always the same. Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from models.datasets import avatar_face as face, avatar_style as style, avatar_wear as wear, drawing
from models.datasets.avatar_hair import HAIR
from models.datasets.factors import Factor
from models.datasets.shapes import Array, Canvas, Window, egg


def _coloured(name: str, colours: Mapping[str, tuple[int, int, int]], description: str) -> Factor:
    return Factor(
        name, "categorical", tuple(colours), description=description, colours=tuple(colours.values())
    )


FACTORS: tuple[Factor, ...] = (
    _coloured("skin", style.SKIN, "Colour of the skin"),
    Factor("hair_style", "categorical", tuple(HAIR), description="Cut of the hair"),
    _coloured("hair_colour", style.HAIR_COLOUR, "Colour of hair, brows and beard"),
    Factor("glasses", "categorical", tuple(wear.GLASSES), description="Glasses, and their frame"),
    Factor("beard", "categorical", tuple(face.BEARD), description="Hair on the face"),
    Factor("hat", "categorical", tuple(wear.HAT), description="What is worn on the head"),
    Factor("outfit", "categorical", tuple(wear.OUTFIT), description="Cut of the shirt"),
    _coloured("shirt_colour", style.SHIRT_COLOUR, "Colour of shirt and hat"),
    _coloured("eye_colour", style.EYE_COLOUR, "Colour of the irises"),
    Factor("freckles", "categorical", ("none", "freckles"), description="Freckles on the cheeks"),
    Factor("earrings", "categorical", tuple(wear.EARRINGS), description="Earrings"),
    Factor("background", "continuous", description="Background, from peach over green and blue to lilac"),
    Factor("smile", "continuous", low=-1.0, description="Mouth, from a frown to a wide smile"),
    Factor("mouth_open", "continuous", description="How far the mouth is open"),
    Factor("eye_size", "continuous", description="Size of the eyes"),
    Factor("eyelids", "continuous", description="Eyelids, from wide awake to sleepy"),
    Factor(
        "gaze",
        "continuous",
        low=-1.0,
        description="Where the eyes look, from left to right",
        moved_by=("flip",),
    ),
    Factor("brow_angle", "continuous", low=-1.0, description="Brows, from worried to stern"),
    Factor("face_width", "continuous", description="Face, from slender to wide"),
    Factor("jaw", "continuous", description="Jaw, from pointed to square"),
    Factor("blush", "continuous", description="Redness of the cheeks"),
    Factor(
        "turn",
        "continuous",
        low=-1.0,
        description="Head turned from the picture's left to its right",
        moved_by=("flip",),
    ),
    Factor(
        "tilt",
        "continuous",
        low=-1.0,
        description="Head tilted from the picture's left to its right",
        moved_by=("flip",),
    ),
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
    return drawing.sample(FACTORS, count, seed, start, weights=_WEIGHTS, skew=_SKEW)


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
    table = drawing.checked(FACTORS, factors)
    pictures = np.empty((len(table), 3, style.SIZE, style.SIZE), np.uint8)
    for first in range(0, len(table), drawing.BATCH):
        columns = {factor.name: table[first : first + drawing.BATCH, i] for i, factor in enumerate(FACTORS)}
        pictures[first : first + drawing.BATCH] = _paint(columns).to_bytes()
    return pictures


draw = drawing.Drawer(sample_factors, compose, (3, style.SIZE, style.SIZE))
