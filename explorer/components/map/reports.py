"""What a browser reports of the map: clicks, selections, colours and filters. Nothing of it is believed."""

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.components.map.scene import Extra, OwnImage, Shown
from explorer.look import Classes, Look, Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR = 8  # points that a place between points is made of, at most; as in probe.js


@dataclass(frozen=True)
class Above:
    """What was clicked above the points of a map.

    Args:
        key: Of the `Extra`; None: the person's own image.
        index: Which of its points.
    """

    key: str | None
    index: int = 0


@dataclass(frozen=True)
class Chosen:
    """What was clicked: a point of the map, or a place between points.

    Args:
        rows: Indices of the points that it is made of; one where it is a point.
        weights: Of their latents, with a sum of 1; see `explorer.panels.pin.latent_of`.
        place: Where the click was, if it was between points.
    """

    rows: tuple[int, ...]
    weights: tuple[float, ...]
    place: tuple[float, float] | None = None


def chosen(value: object, shown: Shown) -> Chosen | None:
    """Return what a browser reports that was clicked, None if it is none of this map; nothing is believed."""
    if not isinstance(value, dict) or value.get("key") != shown.key or "above" in value:
        return None
    if "index" in value:
        rows, weights, place = [value["index"]], [1.0], None
    else:
        rows, weights, place = value.get("near"), value.get("weights"), _place(value.get("place"))
        if place is None:
            return None
    if not isinstance(rows, list) or not isinstance(weights, list) or not 1 <= len(rows) <= NEAR:
        return None
    if len(rows) != len(weights) or not all(type(row) is int and 0 <= row < shown.count for row in rows):
        return None
    if not all(_is_number(one) and 0 <= one <= 1 for one in weights):
        return None
    total = sum(weights)
    shares = tuple(one / total for one in weights) if total > 0 else ()
    return Chosen(tuple(rows), shares, place) if shares else None


def _place(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or not all(map(_is_number, value)) or len(value) != 2:
        return None
    return float(value[0]), float(value[1])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def above(value: object, extras: Sequence[Extra], own: OwnImage | None) -> Above | None:
    """Return what a browser reports that was clicked above the points, None if there is no such thing."""
    if not isinstance(value, dict) or "above" not in value:
        return None
    key, index = value["above"], value.get("index")
    if key == "own":
        return Above(None) if own else None
    extra = next((one for one in extras if one.key == key), None)
    return Above(key, index) if extra and type(index) is int and 0 <= index < extra.count else None


def selection(value: object, shown: Shown) -> "NDArray[np.int64] | None":
    """Return the indices that a browser reports as selected, ascending; None if they are none of this map.

    They come as text: a bit for each point of the map, the first in the lowest bit, in base64.
    """
    import numpy as np

    if not isinstance(value, dict) or value.get("key") != shown.key or not isinstance(value.get("bits"), str):
        return None
    size = -(-shown.count // 8)
    if len(value["bits"]) > 2 * size + 4:
        return None
    try:
        data = base64.b64decode(value["bits"], validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) != size:
        return None
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    indices = np.flatnonzero(bits)
    return indices if len(indices) and indices[-1] < shown.count else None


def look(value: object, shown: Shown) -> Look | None:
    """Return what a browser reports that points are coloured by, and which are shown; None if not of this map."""
    if not isinstance(value, dict) or value.get("of") != shown.identity:
        return None
    try:
        return Look(
            colour=value.get("colour"),
            classes=tuple(Classes(by=by, codes=tuple(codes)) for by, codes in value["classes"]),
            ranges=tuple(Range(by=by, low=low, high=high) for by, low, high in value["ranges"]),
        )
    except (KeyError, TypeError, ValueError):  # of pydantic, too
        return None
