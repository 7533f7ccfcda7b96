"""The person: shoulders, head, features and beards of an avatar, one function a part.

A part works in head coordinates u (right) and v (down), in pixels from the middle of the head, which turn and
tilt with it. Parts nearer to the viewer move further when the head turns, which is what makes it look round.
"""

from collections.abc import Mapping

import numpy as np

from models.datasets.avatar_style import BLUSH, INK, MOUTH, TONGUE, WHITE, Brush, Part, nothing
from models.datasets.shapes import Array, box, capsule, circle, crescent, egg, ellipse


def background(brush: Brush) -> None:
    """Paint a plain colour and a large lighter disc behind the head."""
    look, layer = brush.look, brush.layer
    layer.pixels += look.backdrop[:, :, None, None]
    layer.fill(circle(layer.x - 32, layer.y - 33, 27), look.halo)


def body(brush: Brush) -> None:
    """Paint the shoulders, the neck and the shadow of the chin on it."""
    look, layer = brush.look, brush.layer
    x, y = layer.x - 32, layer.y
    layer.fill(box(x, y - 72, 26.5, 19.4, 13), look.shirt)
    neck = box(layer.x - 32 - 0.5 * look.turn, y - 46, 5.6, 9.5, 4)
    neck = np.minimum(neck, ellipse(x, y - 52, 8.2, 4.4))
    layer.fill(neck, look.skin)
    layer.fill(np.maximum(neck, ellipse(layer.x - look.head_x, y - 45, 11, 7.5)), look.skin_shade)


def ears(brush: Brush) -> None:
    """Paint both ears; the head, painted later, hides the one that turns away."""
    look = brush.look
    for side in (-1, 1):
        u = brush.u - side * (look.rx + 0.4) + 2.4 * look.turn
        v = brush.v - 1.5
        brush.layer.fill(ellipse(u, v, 3.1, 4.1), look.skin)
        brush.layer.fill(ellipse(u - 0.2 * side, v + 0.1, 1.5, 2.3), look.skin_shade)


def head(brush: Brush) -> None:
    """Paint the face and a shaded side that shows which way it turns."""
    look = brush.look
    brush.layer.fill(brush.head, look.skin)
    lit = egg(brush.u - 1.6 - 2.2 * look.turn, brush.v + 1.5, look.rx, look.ry, look.taper, look.square)
    brush.layer.fill(np.maximum(brush.head, -lit), look.skin_shade, 0.55)


def cheeks(brush: Brush) -> None:
    """Blend a soft blush into both cheeks."""
    look = brush.look
    for side in (-1, 1):
        u = (brush.u - side * (look.rx - 5.2) - 2.6 * look.turn) / 4.6
        v = (brush.v - 6.8) / 3.6
        soft = np.clip(1.2 - u * u - v * v, 0, 1)
        inside = np.clip(0.5 - brush.head, 0, 1)
        brush.layer.blend(soft * inside, BLUSH, 0.62 * look.blush)


def freckles(brush: Brush) -> None:
    """Dot three freckles on each cheek."""
    look = brush.look
    for side in (-1, 1):
        u = brush.u - side * 7.6 - 3 * look.turn
        v = brush.v - 6.4
        dots = circle(u + 2.0, v + 0.2, 0.7)
        dots = np.minimum(dots, circle(u - 2.0, v + 0.2, 0.7))
        dots = np.minimum(dots, circle(u, v - 1.7, 0.7))
        brush.layer.fill(dots, look.skin_line, 0.8)


def _eye(brush: Brush, side: int) -> None:
    """Paint one eye: white, iris, pupil, light, lid and lash."""
    look, layer = brush.look, brush.layer
    away = np.maximum(side * look.turn, 0)
    u = brush.u - side * (6.3 - 0.8 * away) - 3.2 * look.turn
    v = brush.v - 0.4
    rx = look.eye * (1 - 0.14 * away)
    ry = look.eye * 1.12
    white = ellipse(u, v, rx, ry)
    layer.fill(white, WHITE)
    iris_u = u - 1.35 * look.gaze - 0.3 * look.turn
    layer.fill(np.maximum(circle(iris_u, v - 0.2, 0.74 * look.eye), white), look.iris)
    layer.fill(np.maximum(circle(iris_u, v - 0.2, 0.44 * look.eye), white), INK)
    layer.fill(circle(iris_u + 0.9, v + 1.1, 0.26 * look.eye), WHITE)
    edge = 2.0 * look.lids * ry * 0.52 - ry
    lid = np.maximum(white - 0.3, v - edge - 0.03 * u * u)
    layer.fill(lid, look.skin_shade)
    lash = np.maximum(np.abs(white) - 0.62, v + 0.15 * ry)
    layer.fill(lash, INK, 1 - look.lids)
    fold = np.maximum(np.abs(v - edge - 0.03 * u * u) - 0.55, white - 0.4)
    layer.fill(fold, INK, np.clip(3 * look.lids, 0, 1))


def _brow(brush: Brush, side: int) -> None:
    """Paint one brow: inner end down is stern, inner end up is worried."""
    look = brush.look
    u = brush.u - side * 6.4 - 3.3 * look.turn
    slant = look.brow_angle * 0.38 * side
    v = brush.v + 2.9 + 0.9 * look.eye - 0.9 * np.abs(look.brow_angle) + slant * u
    brush.layer.fill(crescent(u, v, 3.1, -0.9, 0.0, 0.95), look.brow)


def left_eye(brush: Brush) -> None:
    """Paint the eye on the picture's left."""
    _eye(brush, -1)


def right_eye(brush: Brush) -> None:
    """Paint the eye on the picture's right."""
    _eye(brush, 1)


def left_brow(brush: Brush) -> None:
    """Paint the brow on the picture's left."""
    _brow(brush, -1)


def right_brow(brush: Brush) -> None:
    """Paint the brow on the picture's right."""
    _brow(brush, 1)


def nose(brush: Brush) -> None:
    """Paint a rounded nose, the part that moves most with the head."""
    look = brush.look
    u = brush.u - 4.6 * look.turn
    tip = ellipse(u, brush.v - 5.2, 2.3, 1.75)
    brush.layer.fill(tip, look.skin_shade)
    brush.layer.fill(np.maximum(tip, brush.v - 5.0), look.skin, 0.35)


def _mouth(brush: Brush) -> tuple[Array, Array, Array, Array, Array]:
    """Return the coordinates of the mouth, and its half width, bend and opening."""
    look = brush.look
    glad = np.maximum(look.smile, 0)
    bend = 3.1 * look.smile
    opening = 4.8 * look.mouth_open
    half = 4.2 + 1.5 * glad - 1.0 * look.mouth_open * (1 - glad)
    return brush.u - 3.4 * look.turn, brush.v - 10.7 + 0.55 * bend + 0.3 * opening, half, bend, opening


def mouth(brush: Brush) -> None:
    """Paint a mouth between a frown and a grin, closed or open with teeth and tongue."""
    look, layer = brush.look, brush.layer
    u, v, half, bend, opening = _mouth(brush)
    whole = crescent(u, v, half, bend, opening, 0.9)
    layer.fill(whole, look.lips + look.mouth_open[:, 0] * (MOUTH - look.lips))
    inner = crescent(u, v, half, bend, opening, 0.35)
    shown = np.clip(1.6 * opening - 1.6, 0, 1)
    layer.fill(np.maximum(inner, ellipse(u, v - bend - opening - 0.6, 3.2, 2.0)), TONGUE, shown)
    inner_u = np.clip(u / half, -1, 1)
    upper = bend * (1 - inner_u * inner_u)
    layer.fill(np.maximum(inner, v - upper - 1.0), WHITE, shown)


def _moustache(brush: Brush) -> None:
    u = np.abs(brush.u - 3.5 * brush.look.turn)
    v = brush.v - 8.0
    half = ellipse(u - 2.4, v - 0.12 * u, 3.1, 1.5)
    tip = capsule(u, v, 4.2, 0.6, 6.0, -0.4, 0.75)
    brush.layer.fill(np.minimum(half, tip), brush.look.beard)


def _bare_lips(brush: Brush) -> None:
    # Light lips keep a dark mouth apart from a dark beard.
    look = brush.look
    brush.layer.fill(crescent(*_mouth(brush), 1.6), 0.7 * look.skin + 0.3 * BLUSH)


def _goatee(brush: Brush) -> None:
    u = brush.u - 3.2 * brush.look.turn
    chin = ellipse(u, brush.v - 15.6, 4.4, 3.6)
    around = crescent(*_mouth(brush), 3.0)
    brush.layer.fill(np.maximum(np.minimum(chin, around), brush.head - 1.6), brush.look.beard)
    _bare_lips(brush)


def _full_beard(brush: Brush) -> None:
    look = brush.look
    u = brush.u - 2.4 * look.turn
    face = ellipse(u, brush.v + 1.6, look.rx - 1.7, 11.6)
    beard = np.maximum(np.maximum(brush.head - 1.5, -face), 0.0 - brush.v)
    lip = crescent(brush.u - 3.5 * look.turn, brush.v - 7.8, 5.0, -0.8, 0.0, 1.3)
    brush.layer.fill(np.minimum(beard, lip), look.beard)
    _bare_lips(brush)


BEARD: Mapping[str, Part] = {
    "none": nothing, "moustache": _moustache, "goatee": _goatee, "full": _full_beard,
}  # fmt: skip
