"""A plane of the latent space: a map of pictures, with encoded images over it; the pointer decodes."""

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from explorer.components import define
from explorer.text import _
from models.plane import coordinate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HTML = '<div class="plane" role="group"></div>'
_PAD = ("parts", "space", "picture")
_SCRIPTS = ("live.js", *(f"latent_pad/{name}.js" for name in _PAD), "plane/cloud.js", "plane/plane.js")
_FINE = 16  # nodes of a scale for each picture
_BEYOND = 1.0  # sd that the outer half of the border pictures stands for, where the spacing is by quantiles


def scale(steps: int, span: float, spacing: Literal["linear", "quantile"]) -> list[float]:
    """Return which coordinates lie along a side of the plane, at equal distances on the screen.

    Pictures are equally large on the screen, and each lies where its own coordinate is: the same scale places
    pictures, points, ticks and the pointer.

    Args:
        steps: Pictures along the side.
        span: Their coordinates run from -span to span.
        spacing: Of their coordinates, as for the operation `Grid`.

    Returns:
        Ascending coordinates of steps * 16 + 1 nodes, of which number 16 i + 8 is the middle of picture i. Beyond
        the middles of the border pictures a quantile spacing goes on evenly, to one sd more.
    """
    count = steps * _FINE
    half = _FINE // 2
    shares = [(node - half) / (count - _FINE) for node in range(count + 1)]

    def at(share: float) -> float:
        if spacing == "linear" or 0 <= share <= 1:
            return coordinate(share, span, spacing)
        beyond = -share if share < 0 else share - 1
        return math.copysign(span + _BEYOND * beyond * (count - _FINE) / half, share)

    return [at(share) for share in shares]


@dataclass(frozen=True)
class Ground:
    """What the plane is.

    Args:
        model: Digest of the model's weights.
        label: Class, for a conditional model; else None.
        sheet: PNG of its pictures, row by row, the top row first.
        steps: Pictures a row, and rows.
        shape: Height, width, channels of a picture.
        scale: The coordinates along a side, see `scale`.
        corner: float32, shape (D,): the latent at coordinates (0, 0).
        right: float32, shape (D,): what one sd to the right adds to it.
        up: float32, shape (D,): what one sd upwards adds to it.
        names: Of the two directions.
        here: Coordinates of the point that the plane goes through.
    """

    model: str
    label: int | None
    sheet: bytes
    steps: int
    shape: tuple[int, int, int]
    scale: Sequence[float]
    corner: "NDArray[np.float32]"
    right: "NDArray[np.float32]"
    up: "NDArray[np.float32]"
    names: tuple[str, str]
    here: tuple[float, float]

    def at(self, x: float, y: float) -> list[float]:
        """Return the latent at some coordinates."""
        return (self.corner + x * self.right + y * self.up).tolist()

    @property
    def serial(self) -> str:
        """What names the plane: a click that a browser reports for another one comes too late."""
        parts = (self.model.encode(), *(part.tobytes() for part in (self.corner, self.right, self.up)))
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@dataclass(frozen=True)
class Cloud:
    """Points over the plane.

    Args:
        places: float32, shape (N, 2): their coordinates.
        groups: uint8, shape (N,): what they are coloured by, an index into `names`.
        names: Of the groups.
    """

    places: "NDArray[np.float32]"
    groups: "NDArray[np.uint8]"
    names: Sequence[str]


def _component() -> Any:
    return define("plane", _HTML, css=("tools.css", "chips.css", "plane/plane.css"), js=_SCRIPTS)


def _texts() -> dict[str, str]:
    return {
        "plane": _("Map of the latent space"),
        "role": _("two-dimensional slider"),
        "axis": _("{name} (prior sd)"),
        "only": _("Show only {name}"),
        "hint": _("Move the pointer over the map; a click makes that place the point of Explore."),
        "lost": _("Connecting again … until then the nearest picture of the map is shown."),
        "plain": _("The nearest picture of the map is shown."),
    }


def _encoded(array: "NDArray[Any]") -> str:
    return base64.b64encode(array.tobytes()).decode()


def payload(ground: Ground, cloud: Cloud | None, url: str) -> dict[str, Any]:
    """Return all that the browser needs; each payload stands for itself, because it may be the first."""
    return {
        "url": url,
        "model": ground.model,
        "serial": ground.serial,
        "label": -1 if ground.label is None else ground.label,
        "sheet": base64.b64encode(ground.sheet).decode(),
        "steps": ground.steps,
        "shape": list(ground.shape),
        "scale": list(ground.scale),
        "corner": _encoded(ground.corner),
        "right": _encoded(ground.right),
        "up": _encoded(ground.up),
        "names": list(ground.names),
        "here": list(ground.here),
        "cloud": cloud
        and {
            "places": _encoded(cloud.places),
            "groups": _encoded(cloud.groups),
            "names": list(cloud.names),
        },
        "texts": _texts(),
    }


def picked(value: object, ground: Ground) -> tuple[float, float] | None:
    """Return the coordinates that a browser reports, None if they are none of this plane; nothing is believed."""
    if not isinstance(value, dict) or value.get("serial") != ground.serial:
        return None
    place = value.get("place")
    if not isinstance(place, list) or len(place) != 2:
        return None
    low, high = ground.scale[0], ground.scale[-1]
    for number in place:
        if type(number) not in (int, float) or not math.isfinite(number) or not low <= number <= high:
            return None
    return float(place[0]), float(place[1])


def plane(
    ground: Ground, cloud: Cloud | None, *, key: str, url: str, on_pick: Callable[[float, float], None]
) -> None:
    """Show a plane.

    The picture under the pointer comes over the live socket; where there is none, it is the nearest one of the map.

    Args:
        ground: The plane.
        cloud: Points over it.
        key: Of the element.
        url: Of the live socket, a path of this server.
        on_pick: Called with the coordinates that were clicked, before the page is drawn anew.
    """

    def pick() -> None:
        place = picked(st.session_state[key].pick, ground)
        if place is not None:
            on_pick(*place)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[payload(ground, cloud, url)], key=key, on_pick_change=pick)
