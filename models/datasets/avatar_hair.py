"""The hair styles of an avatar: for each, what is behind the head and what is in front of it."""

from collections.abc import Mapping

import numpy as np

from models.datasets.avatar_style import Brush, Part, nothing
from models.datasets.shapes import Array, box, capsule, circle, crescent, ellipse


def _fringe(brush: Brush, lift: float, part: float, grow: float = 1.3) -> Array:
    """Return the distance to hair on the skull that leaves a round forehead free."""
    look = brush.look
    forehead = ellipse(brush.u - 2.0 * look.turn - part, brush.v - 2.5, look.rx - 1.6, lift)
    skull = np.maximum(brush.head - grow, brush.v - 1.5)
    return np.maximum(skull, -forehead)


def _crop(brush: Brush) -> None:
    brush.hair(_fringe(brush, 12.2, 0.0))


def _quiff(brush: Brush) -> None:
    look = brush.look
    brush.hair(_fringe(brush, 11.6, 1.5))
    u = brush.u - 0.6 * look.turn
    swoop = ellipse(u + 2.0 + 0.25 * brush.v, brush.v + 14.8 + 0.22 * u, look.rx - 1.0, 5.6)
    brush.hair(swoop)
    shine = crescent(u + 2.5, brush.v + 16.2 + 0.22 * u, 6.5, -1.6, 0.0, 0.8)
    brush.hair(shine, look.hair_light)


def _mohawk(brush: Brush) -> None:
    look = brush.look
    shaved = _fringe(brush, 12.0, 0.0, 0.3)
    brush.layer.fill(np.maximum(shaved, look.hat_line - brush.v), look.hair, 0.38)
    u = brush.u - 0.8 * look.turn
    crest = ellipse(u, brush.v + 16.2, 4.6, 8.8)
    brush.hair(crest)
    tuft = ellipse(u - 0.6 * look.turn, brush.v + 8.0, 3.6, 3.6)
    brush.hair(tuft)
    brush.hair(capsule(u, brush.v, -0.8, -22, -0.8, -13, 0.9), look.hair_light)


def _bob_back(brush: Brush) -> None:
    look = brush.look
    u = brush.u + 1.2 * look.turn
    brush.hair(box(u, brush.v + 2.4, look.rx + 4.6, 17.2, 13), look.hair_shade)


def _bob(brush: Brush) -> None:
    look = brush.look
    shell = box(brush.u + 0.4 * look.turn, brush.v + 2.4, look.rx + 3.8, 16.6, 13)
    opening = box(brush.u - 1.6 * look.turn, brush.v - 9.2, look.rx - 2.2, 16.4, 3.5)
    brush.hair(np.maximum(shell, -opening))
    brush.hair(crescent(brush.u, brush.v + 14.2, 7.5, -1.8, 0.0, 0.9), look.hair_light)


def _long_back(brush: Brush) -> None:
    look = brush.look
    u = brush.u + 1.4 * look.turn
    brush.hair(box(u, brush.v - 7.5, look.rx + 5.2, 26.5, 15), look.hair_shade)


def _long(brush: Brush) -> None:
    look = brush.look
    u = brush.u - 0.4 * look.turn
    shell = np.maximum(box(u, brush.v - 7.0, look.rx + 4.4, 25.4, 15), brush.v - 24)
    # Two curtains from a parting, open wider towards the chin.
    opening = ellipse(u - 1.4 * look.turn, brush.v - 9.5, look.rx - 1.6, 20.5)
    brush.hair(np.maximum(shell, -opening))
    brush.hair(capsule(u, brush.v, -8.5, -12.5, -12.2, -6.0, 0.8), look.hair_light)
    brush.hair(capsule(u, brush.v, 8.5, -12.5, 12.2, -6.0, 0.8), look.hair_light)


def _bun_back(brush: Brush) -> None:
    look = brush.look
    u = brush.u + 1.4 * look.turn
    # Under a hat the bun sits low at the nape, where it still shows.
    low = look.hat_line > -50
    bun = circle(u - np.where(low, look.rx - 0.5, 0.0), brush.v - np.where(low, 11.0, -19.6), 6.2)
    brush.hair(bun, look.hair)
    brush.hair(np.maximum(bun, -circle(u + 1.2, brush.v + 20.8, 6.0)), look.hair_shade)


def _bun(brush: Brush) -> None:
    brush.hair(_fringe(brush, 10.8, 0.0))
    brush.hair(crescent(brush.u, brush.v + 13.8, 6.5, -1.5, 0.0, 0.8), brush.look.hair_light)


def _afro_back(brush: Brush) -> None:
    look = brush.look
    u = brush.u + 0.8 * look.turn
    brush.hair(ellipse(u, brush.v + 5.4, look.rx + 7.6, 20.0), look.hair)


def _afro(brush: Brush) -> None:
    brush.hair(_fringe(brush, 11.6, 0.0, 2.5))


def _curls_back(brush: Brush) -> None:
    look = brush.look
    u = np.abs(brush.u + 0.8 * look.turn)
    curls = circle(u, brush.v + 17.2, 6.4)
    for across, up in ((8.0, 14.0), (13.4, 7.6), (16.0, -0.2), (15.0, -7.8)):
        curls = np.minimum(curls, circle(u - across, brush.v + up, 5.6))
    brush.hair(curls, look.hair)


def _curls(brush: Brush) -> None:
    look = brush.look
    u = np.abs(brush.u - 1.0 * look.turn)
    curls = _fringe(brush, 11.4, 0.0)
    for across, up, radius in ((0.0, 12.6, 4.4), (6.2, 12.0, 4.0), (11.4, 7.6, 3.8)):
        curls = np.minimum(curls, circle(u - across, brush.v + up, radius))
    brush.hair(curls)
    for across, up in ((3.4, 14.6), (10.2, 10.8)):
        ring = np.abs(circle(u - across, brush.v + up, 2.0)) - 0.55
        brush.hair(np.maximum(ring, brush.v + up), look.hair_light)


HAIR: Mapping[str, tuple[Part, Part]] = {
    "bald": (nothing, nothing),
    "crop": (nothing, _crop),
    "quiff": (nothing, _quiff),
    "mohawk": (nothing, _mohawk),
    "bob": (_bob_back, _bob),
    "long": (_long_back, _long),
    "bun": (_bun_back, _bun),
    "afro": (_afro_back, _afro),
    "curls": (_curls_back, _curls),
}
