"""A map of thousands of points, live: pan, zoom, colour, filter, decode and select without a new page.

Up to three maps of a model stand side by side, and show one another's selections, filters and points. What they show
they fetch themselves, from the routes of `explorer.map_data`. Python hears of a point that was clicked and of points
that were selected, by their own indices in the map, whatever was filtered or coloured meanwhile.
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from explorer.components import define
from explorer.text import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HTML = '<div class="latent-map" role="group"></div>'
_SHARED = ("live.js", "latent_pad/parts.js", "latent_pad/space.js", "latent_pad/picture.js")
_PARTS = ("points", "camera", "splat", "colours", "colouring", "labels", "overlay", "marks", "stage", "store")
_HANDS = ("range", "legend", "lens", "probe", "gestures", "memory", "pane", "map")
_SCRIPTS = (*_SHARED, *(f"map/{name}.js" for name in (*_PARTS, *_HANDS)))
NEAR = 8  # points that a place between points is made of, at most; as in probe.js


@dataclass(frozen=True)
class Colouring:
    """What points can be coloured by.

    Args:
        name: Its own.
        title: The same for people.
        column: Where the numbers are, see `explorer.map_data`; `sources` come with the points.
        n: The number of its column there.
        names: Of its codes; None for values.
        low: Value of the lowest colour.
        high: Value of the highest colour.
    """

    name: str
    title: str
    column: Literal["sources", "categories", "values"]
    n: int = 0
    names: tuple[str, ...] | None = None
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Shown:
    """A map as the browser has to know it.

    Args:
        key: What `explorer.map_data.publish` returned.
        address: Where the map is on this server.
        name: What it is, for screen readers.
        model: Digest of the model that decodes its latents.
        count: Points.
        dim: Of their latents.
        shape: Height, width, channels of a picture.
        pictures: What the sheets of pictures show: the data set's images, or only what the model decodes.
        conditional: Whether the model is asked for the class of a point.
        label: Name of the colouring that says what a point is; empty if none does.
        colourings: What the points can be coloured by.
        colouring: Name of that which they begin with.
        caption: What the map is, in a line under it; empty: none.
    """

    key: str
    address: str
    name: str
    model: str
    count: int
    dim: int
    shape: tuple[int, int, int]
    pictures: Literal["images", "decoded"]
    conditional: bool
    label: str
    colourings: Sequence[Colouring]
    colouring: str
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Selection:
    """Points that were selected.

    Args:
        key: Of the map on which they were.
        rows: Their indices there, ascending.
    """

    key: str
    rows: "NDArray[np.int64]"


@dataclass(frozen=True)
class Extra:
    """Further points, over those of the map.

    Args:
        places: float32, shape (M, 2).
        colour: For CSS.
    """

    places: "NDArray[np.float32]"
    colour: str


@dataclass(frozen=True)
class Chosen:
    """What was clicked: a point of the map, or a place between points.

    Args:
        rows: Indices of the points that it is made of; one where it is a point.
        weights: Of their latents, with a sum of 1; see `explorer.panels.landscape.latent_of`.
    """

    rows: tuple[int, ...]
    weights: tuple[float, ...]


def _component() -> Any:
    return define("map", _HTML, css=("tools.css", "chips.css", "map/map.css"), js=_SCRIPTS)


def _texts() -> dict[str, Any]:
    return {
        "map": _("Map"),
        "role": _("map of points"),
        "hint": _(
            "Move the pointer over points or between them; a click makes the place the point of Explore. Drag to move "
            "the map, turn the wheel to zoom, drag with Shift to select. Keys: arrows, + and −, 0, Enter."
        ),
        "gone": _("The map could not be loaded. Reload the page."),
        "tools": {
            "lasso": _("Draw around points to select them (or drag with Shift)"),
            "more": _("Zoom in"),
            "less": _("Zoom out"),
            "full": _("Show the whole map"),
        },
        "by": _("Colour"),
        "legend": _("Legend"),
        "filter": _("Show or leave out {name}; a double click, or Shift, shows it alone"),
        "all": _("Show all"),
        "range": {
            "least": _("Least {name}"),
            "most": _("Most {name}"),
            "less": _("{value} or less"),
            "more": _("{value} or more"),
        },
        "image": _("Image"),
        "decoded": _("Reconstruction"),
        "sample": _("Sample"),
        "between": _("Decoded here"),
        "places": [
            _("Between near points"),
            _("Some way from all points"),
            _("Far from all points: a guess"),
        ],
        "far": _("The nearest points are {times} times as far as usual, and their latents agree to {share}."),
        "numbers": [_("training image {n}"), _("test image {n}"), _("seed {n}")],
    }


def _encoded(array: "NDArray[Any]") -> str:
    return base64.b64encode(array.tobytes()).decode()


def _bits(rows: "NDArray[np.int64]", count: int) -> str:
    """Write indices below `count` as `selection` reads them."""
    import numpy as np

    flags = np.zeros(-(-count // 8) * 8, np.uint8)
    flags[rows] = 1
    return _encoded(np.packbits(flags, bitorder="little"))


def payload(
    shown: Shown,
    url: str,
    *,
    beside: Sequence[Shown] = (),
    path: "Sequence[tuple[float, float]]" = (),
    extras: Sequence[Extra] = (),
    found: Sequence[int] = (),
    focus: tuple[int, str] | None = None,
    selections: Mapping[str, Selection] = MappingProxyType({}),
    letter: str = "A",
) -> dict[str, Any]:
    """Return all that the browser needs but the points; each payload stands for itself, because it may be the first."""
    import numpy as np

    counts = {one.key: one.count for one in (shown, *beside)}
    return {
        **asdict(shown),
        "beside": [asdict(one) for one in beside],
        "url": url,
        "path": [list(place) for place in path],
        "extras": [{"places": _encoded(one.places.astype("<f4")), "colour": one.colour} for one in extras],
        "found": _encoded(np.asarray(found, "<i4")),
        "focus": focus and {"index": focus[0], "serial": focus[1]},
        "selections": {
            name: {"on": one.key, "bits": _bits(one.rows, counts[one.key])}
            for name, one in selections.items()
            if one.key in counts
        },
        "letter": letter,
        "texts": _texts(),
    }


def chosen(value: object, shown: Shown) -> Chosen | None:
    """Return what a browser reports that was clicked, None if it is none of this map; nothing is believed."""
    if not isinstance(value, dict) or value.get("key") != shown.key:
        return None
    if "index" in value:
        rows, weights = [value["index"]], [1.0]
    else:
        rows, weights = value.get("near"), value.get("weights")
    if not isinstance(rows, list) or not isinstance(weights, list) or not 1 <= len(rows) <= NEAR:
        return None
    if len(rows) != len(weights) or not all(type(row) is int and 0 <= row < shown.count for row in rows):
        return None
    if not all(type(one) in (int, float) and math.isfinite(one) and 0 <= one <= 1 for one in weights):
        return None
    total = sum(weights)
    return Chosen(tuple(rows), tuple(one / total for one in weights)) if total > 0 else None


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


def latent_map(
    shown: Shown,
    *,
    key: str,
    url: str,
    on_pick: Callable[[int, Chosen], None],
    on_select: "Callable[[int, NDArray[np.int64]], None]",
    beside: Sequence[Shown] = (),
    path: "Sequence[tuple[float, float]]" = (),
    extras: Sequence[Extra] = (),
    found: Sequence[int] = (),
    focus: tuple[int, str] | None = None,
    selections: Mapping[str, Selection] = MappingProxyType({}),
    letter: str = "A",
) -> None:
    """Show a map, and others of the same model beside it.

    Args:
        shown: The map.
        key: Of the element.
        url: Of the live socket, a path of this server.
        on_pick: Called with the number of a map, 0 for the first, and what was clicked there, before the page is drawn
            anew.
        on_select: Called with the number of a map and the indices of points that were selected there.
        beside: Maps that stand beside it; it is the first, by which all are coloured and filtered.
        path: Places of a line over the points of the first map.
        extras: Further points there.
        found: Indices of its points to ring.
        focus: Index of a point to go to, and what names the wish: it is fulfilled once.
        selections: That the page still shows, by letter: others lose the line around them.
        letter: Of the next selection.
    """
    every = (shown, *beside)

    def pick() -> None:
        for number, one in enumerate(every):
            choice = chosen(st.session_state[key].pick, one)
            if choice is not None:
                on_pick(number, choice)

    def select() -> None:
        for number, one in enumerate(every):
            indices = selection(st.session_state[key].select, one)
            if indices is not None:
                on_select(number, indices)

    data = payload(
        shown,
        url,
        beside=beside,
        path=path,
        extras=extras,
        found=found,
        focus=focus,
        selections=selections,
        letter=letter,
    )
    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key, on_pick_change=pick, on_select_change=select)
