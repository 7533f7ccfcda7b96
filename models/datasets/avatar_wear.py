"""What an avatar wears: glasses, hats, earrings and shirts; each table names the styles of one factor."""

from collections.abc import Mapping

import numpy as np

from models.datasets.avatar_style import GOLD, INK, WHITE, Brush, Part, nothing
from models.datasets.shapes import box, capsule, circle, ellipse


def _earring(brush: Brush) -> None:
    """Hang a gold drop under each ear."""
    look = brush.look
    for side in (-1, 1):
        u = brush.u - side * (look.rx + 1.2) + 2.4 * look.turn
        brush.layer.fill(circle(u, brush.v - 7.4, 1.9), GOLD)


EARRINGS: Mapping[str, Part] = {"none": nothing, "gold": _earring}


def _glasses(brush: Brush, radius: float, square: bool, tint: float) -> None:
    look, layer = brush.look, brush.layer
    u = brush.u - 3.4 * look.turn
    v = brush.v - 1.0
    side = np.abs(u) - 6.5
    lens = box(side, v, radius, 4.6, 1.6) if square else circle(side, v, radius)
    layer.fill(lens, WHITE if tint < 0.5 else INK, tint)
    frame = np.abs(lens) - 0.75
    bridge = np.maximum(np.abs(v + 0.8) - 0.65, np.abs(u) - 1.6)
    arms = np.maximum(np.maximum(np.abs(v + 1.0) - 0.65, np.abs(u) - look.rx - 0.5), 11.8 - np.abs(u))
    layer.fill(np.minimum(np.minimum(frame, bridge), arms), look.frame if tint < 0.5 and not square else INK)
    if tint > 0.5:
        glint = capsule(side, v, -2.4, 1.0, 0.2, -2.6, 0.7)
        layer.fill(glint, WHITE, 0.55)


def _round_glasses(brush: Brush) -> None:
    _glasses(brush, 5.4, False, 0.16)


def _square_glasses(brush: Brush) -> None:
    _glasses(brush, 5.4, True, 0.16)


def _shades(brush: Brush) -> None:
    _glasses(brush, 5.4, False, 0.84)


GLASSES: Mapping[str, Part] = {
    "none": nothing, "round": _round_glasses, "square": _square_glasses, "shades": _shades,
}  # fmt: skip


def _beanie(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    u = brush.u - 0.6 * look.turn
    layer.fill(circle(u, brush.v + 22.8, 3.6), WHITE)
    layer.fill(np.maximum(ellipse(u, brush.v + 8.0, look.rx + 2.2, 13.0), brush.v + 8.0), look.hat)
    band = brush.v + 11.0 - 0.006 * u * u
    layer.fill(box(u, band, look.rx + 2.8, 2.9, 2.4), look.hat_shade)


def _cap(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    u = brush.u - 0.6 * look.turn
    dome = np.maximum(ellipse(u, brush.v + 8.5, look.rx + 2.0, 12.0), brush.v + 8.5)
    layer.fill(dome, look.hat)
    layer.fill(circle(u, brush.v + 20.6, 1.3), look.hat_shade)
    bill = ellipse(brush.u - 4.5 * look.turn, brush.v + 10.7 + 0.012 * u * u, look.rx + 0.8, 3.3)
    layer.fill(bill, look.hat_shade)
    layer.fill(circle(u - 1.2 * look.turn, brush.v + 15.6, 2.6), WHITE)


def _brim(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    u = brush.u - 0.6 * look.turn
    crown = box(u, brush.v + 16.6, look.rx - 0.8, 8.8, 6.0)
    layer.fill(crown, look.hat)
    layer.fill(np.maximum(crown, np.abs(brush.v + 13.9) - 1.7), look.hat_shade)
    layer.fill(ellipse(u, brush.v + 11.2, look.rx + 8.6, 2.9), look.hat)


HAT: Mapping[str, Part] = {"none": nothing, "beanie": _beanie, "cap": _cap, "brim": _brim}


def _tee(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    x, y = layer.x - 32, layer.y - 52
    collar = np.maximum(np.abs(ellipse(x, y, 8.8, 5.0)) - 0.9, -y)
    layer.fill(collar, look.shirt_shade)


def _stripes(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    shirt = box(layer.x - 32, layer.y - 72, 26.5, 19.4, 13)
    shirt = np.maximum(shirt, -ellipse(layer.x - 32, layer.y - 52, 9.4, 5.6))
    wave = np.abs(np.abs(layer.y - 60.0) - 2.4) - 1.0
    light = np.mean(look.shirt, axis=1, keepdims=True) < 200
    layer.fill(np.maximum(shirt, wave), np.where(light, WHITE, look.hat))
    _tee(brush)


def _collar(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    x, y = np.abs(layer.x - 32), layer.y
    flap = np.maximum(capsule(x, y, 7.6, 53.4, 3.6, 57.6, 2.1), 0.4 - x)
    layer.fill(flap, look.shirt + 0.55 * (255 - look.shirt))
    button = np.minimum(circle(x, y - 60.4, 0.8), circle(x, y - 64.0, 0.8))
    layer.fill(button, look.shirt_shade)


def _roll_neck(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    x, y = layer.x - 32 - 0.3 * look.turn, layer.y
    layer.fill(box(x, y - 53.0, 7.6, 4.6, 2.4), look.shirt)
    layer.fill(np.maximum(np.abs(y - 54.6) - 0.6, np.abs(x) - 6.4), look.shirt_shade)


def _hoodie(brush: Brush) -> None:
    look, layer = brush.look, brush.layer
    x, y = layer.x - 32, layer.y
    ring = np.abs(ellipse(x, y - 52.5, 11.0, 5.8)) - 2.2
    layer.fill(np.maximum(ring, np.maximum(46.5 + 0.5 * np.abs(x), 51) - y), look.shirt_shade)
    cord = capsule(np.abs(x), y, 4.4, 58.5, 4.8, 62.5, 0.8)
    layer.fill(cord, WHITE)


OUTFIT: Mapping[str, Part] = {
    "tee": _tee, "stripes": _stripes, "collar": _collar, "roll_neck": _roll_neck, "hoodie": _hoodie,
}  # fmt: skip
