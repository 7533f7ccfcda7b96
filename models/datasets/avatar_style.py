"""The art direction of the avatars: designed colours, proportions, and the measurements of each portrait.

Lengths are pixels of the 64 x 64 picture, angles radians, colours sRGB in [0, 255].
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from models.datasets.shapes import Array, Layer, Rows, ellipse

SIZE = 64

SKIN = {
    "porcelain": (255, 221, 200),
    "peach": (246, 196, 160),
    "honey": (226, 168, 120),
    "caramel": (190, 126, 84),
    "chestnut": (146, 90, 60),
    "espresso": (116, 73, 58),
}
HAIR_COLOUR = {
    "ink": (45, 38, 58),
    "brown": (82, 48, 38),
    "auburn": (184, 78, 40),
    "blond": (243, 200, 100),
    "silver": (214, 216, 226),
    "rose": (240, 116, 152),
    "teal": (40, 146, 158),
}
# In the order of SKIN: dark enough to read on it, with some red.
LIPS = ((186, 76, 80), (174, 68, 68), (150, 54, 54), (122, 40, 44), (86, 26, 34), (60, 20, 30))
# In the order of SKIN: tortoiseshell on light skin, gold on dark.
FRAMES = ((172, 84, 44), (160, 74, 40), (132, 60, 36), (255, 214, 100), (255, 206, 84), (255, 206, 84))
SHIRT_COLOUR = {
    "coral": (250, 104, 92),
    "mustard": (244, 176, 54),
    "mint": (98, 192, 156),
    "ocean": (46, 120, 176),
    "navy": (54, 62, 108),
    "plum": (146, 84, 158),
    "cream": (250, 242, 226),
}
# What a hat is made of goes with the shirt: the same order as SHIRT_COLOUR.
HAT_COLOUR = (
    (54, 62, 108),
    (40, 120, 130),
    (244, 120, 96),
    (250, 190, 76),
    (240, 96, 92),
    (106, 190, 170),
    (96, 108, 200),
)
EYE_COLOUR = {
    "hazel": (134, 84, 42),
    "blue": (62, 136, 216),
    "green": (60, 150, 90),
    "violet": (136, 98, 196),
}
# A ramp, not a wheel: its ends differ, so that the value can be recovered from the picture.
BACKGROUND = (
    (250, 176, 150),
    (252, 212, 136),
    (176, 220, 176),
    (142, 208, 220),
    (156, 180, 240),
    (206, 170, 232),
)

WHITE = np.array([255, 253, 248], np.float32)
INK = np.array([46, 36, 50], np.float32)
GOLD = np.array([255, 206, 84], np.float32)
MOUTH = np.array([120, 32, 48], np.float32)
TONGUE = np.array([240, 116, 116], np.float32)
BLUSH = np.array([244, 86, 92], np.float32)

# The point of the neck about which a head tilts, and the middle of an upright head.
NECK = (32.0, 48.0)
HEAD_Y = 32.0
HEAD_SCALE = 1.08


def _pick(colours: Sequence[tuple[int, int, int]], index: Array) -> Array:
    return np.asarray(colours, np.float32)[index.astype(np.intp)]


def _towards(colour: Array, other: Array | float, share: float) -> Array:
    return colour + np.float32(share) * (other - colour)


@dataclass(frozen=True)
class Look:
    """The measurements of B portraits: numbers of shape (B, 1, 1) and colours of shape (B, 3)."""

    skin: Array
    skin_shade: Array
    skin_line: Array
    lips: Array
    frame: Array
    hair: Array
    hair_shade: Array
    hair_light: Array
    brow: Array
    beard: Array
    shirt: Array
    shirt_shade: Array
    hat: Array
    hat_shade: Array
    iris: Array
    backdrop: Array
    halo: Array
    rx: Array
    ry: Array
    taper: Array
    square: Array
    turn: Array
    cosine: Array
    sine: Array
    head_x: Array
    eye: Array
    lids: Array
    gaze: Array
    brow_angle: Array
    smile: Array
    mouth_open: Array
    blush: Array
    hat_line: Array

    def take(self, rows: Rows) -> "Look":
        """Return the chosen portraits."""
        return Look(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def measure(columns: Mapping[str, Array]) -> Look:
    """Turn factors into colours and lengths.

    Args:
        columns: Factor values by name, each of shape (B,).

    Returns:
        The look of the B portraits.
    """

    def number(name: str) -> Array:
        return columns[name][:, None, None].astype(np.float32)

    skin = _pick(tuple(SKIN.values()), columns["skin"])
    hair = _pick(tuple(HAIR_COLOUR.values()), columns["hair_colour"])
    shirt = _pick(tuple(SHIRT_COLOUR.values()), columns["shirt_colour"])
    hat = _pick(HAT_COLOUR, columns["shirt_colour"])
    position = columns["background"][:, None] * np.float32(len(BACKGROUND) - 1)
    low = np.clip(np.floor(position), 0, len(BACKGROUND) - 2)
    ramp = np.asarray(BACKGROUND, np.float32)
    start = low[:, 0].astype(np.intp)
    backdrop = ramp[start] + (position - low) * (ramp[start + 1] - ramp[start])
    jaw = number("jaw")
    turn = number("turn")
    # In double precision, so that rounding to single hides how platforms differ in the last bit.
    tilt = number("tilt").astype(np.float64) * 0.15
    return Look(
        skin=skin,
        skin_shade=skin * np.array([0.87, 0.79, 0.78], np.float32),
        skin_line=skin * np.array([0.56, 0.40, 0.42], np.float32),
        lips=_pick(LIPS, columns["skin"]),
        frame=_pick(FRAMES, columns["skin"]),
        hair=hair,
        hair_shade=hair * np.array([0.78, 0.74, 0.80], np.float32),
        hair_light=_towards(hair, 255.0, 0.24),
        # Brows keep the hair's hue, but dark enough to read on any skin.
        brow=hair * np.float32(0.7),
        beard=hair * np.float32(0.87),
        shirt=shirt,
        shirt_shade=shirt * np.array([0.84, 0.80, 0.86], np.float32),
        hat=hat,
        hat_shade=hat * np.array([0.80, 0.76, 0.84], np.float32),
        iris=_pick(tuple(EYE_COLOUR.values()), columns["eye_colour"]),
        backdrop=backdrop,
        halo=_towards(backdrop, 255.0, 0.42),
        rx=12.9 + 3.5 * number("face_width"),
        ry=16.6 - 0.6 * number("face_width"),
        taper=0.20 - 0.22 * jaw,
        square=0.6 * jaw,
        turn=turn,
        cosine=np.cos(tilt).astype(np.float32),
        sine=np.sin(tilt).astype(np.float32),
        head_x=NECK[0] + 1.6 * turn,
        eye=3.2 + 1.3 * number("eye_size"),
        lids=number("eyelids"),
        gaze=number("gaze"),
        brow_angle=number("brow_angle"),
        smile=number("smile"),
        mouth_open=number("mouth_open"),
        blush=number("blush"),
        hat_line=np.where(columns["hat"][:, None, None] > 0, np.float32(-10.2), np.float32(-99)),
    )


@dataclass(frozen=True)
class Brush:
    """A layer, and what of the portraits in it a part needs to know."""

    layer: Layer
    look: Look

    @property
    def u(self) -> Array:
        """Rightward distance from the middle of the head, (n, h, w)."""
        return self.layer.fields["u"]

    @property
    def v(self) -> Array:
        """Downward distance from the middle of the head, (n, h, w)."""
        return self.layer.fields["v"]

    @property
    def head(self) -> Array:
        """Signed distance to the outline of the head, (n, h, w)."""
        return self.layer.fields["head"]

    def hair(self, distance: Array, colour: Array | None = None) -> None:
        """Fill with hair what a hat leaves to be seen of a shape."""
        line = self.look.hat_line
        if np.any(line > -50):
            below = self.v - line
            # Hair rounds outwards below a hat; cut off straight, it would stick out in horns.
            spread = ellipse(self.u, np.minimum(below - 9, 0), self.look.rx + 9, 12)
            covered = np.where(line > -50, np.maximum(spread, -below), np.float32(-99))
            distance = np.maximum(distance, covered)
        self.layer.fill(distance, self.look.hair if colour is None else colour)


Part = Callable[[Brush], None]


def nothing(_: Brush) -> None:
    """Paint nothing: the style of a bald head, a bare face."""
