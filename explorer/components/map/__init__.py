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

    from models.images import Pixels

_HTML = '<div class="latent-map" role="group"></div>'
_SHARED = ("live.js", "latent_pad/parts.js", "latent_pad/space.js", "latent_pad/picture.js")
_PARTS = (
    "points",
    "camera",
    "splat",
    "colours",
    "colouring",
    "labels",
    "overlay",
    "marks",
    "stage",
    "store",
    "layers",
)
_HANDS = ("range", "legend", "lens", "probe", "gestures", "memory", "pane", "map")
MARKS = ("square", "diamond", "triangle")  # of further points; as in overlay.js
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
        series: Maps with the same one, of a model that still trains, have the same points, and are looked at from the
            same place; empty: none.
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
    series: str = ""

    @property
    def identity(self) -> str:
        """What a selection or a search belongs to: maps of a series have the same points."""
        return self.series or self.key


@dataclass(frozen=True, eq=False)
class Selection:
    """Points that were selected.

    Args:
        identity: Of the map on which they were, see `Shown`.
        rows: Their indices there, ascending.
    """

    identity: str
    rows: "NDArray[np.int64]"


@dataclass(frozen=True)
class Extra:
    """Further points over those of a map, samples of a model: a map of their own, at places of this one.

    Args:
        key: What `explorer.map_data.publish` returned of them.
        address: Where they are on this server.
        name: For the legend.
        count: Points.
        dim: Of their latents.
        shape: Height, width, channels of a picture.
        mark: How they are drawn, one of `MARKS`.
    """

    key: str
    address: str
    name: str
    count: int
    dim: int
    shape: tuple[int, int, int]
    mark: str


@dataclass(frozen=True, eq=False)
class OwnImage:
    """A person's own image on a map; it goes to that person's browser and nowhere else.

    Args:
        place: Where it is.
        picture: As the model sees it, uint8, shape (H, W, C).
        rebuilt: What the model makes of it, the same shape.
    """

    place: tuple[float, float]
    picture: "Pixels"
    rebuilt: "Pixels"


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
            "save": _("Save this picture (PNG)"),
        },
        "layer": _("Show or leave out {name}"),
        "own": _("Your image"),
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


def _address(image: "Pixels") -> str:
    """Return an image as a data URL."""
    from models.media import png

    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def payload(
    shown: Shown,
    url: str,
    *,
    beside: Sequence[Shown] = (),
    path: "Sequence[tuple[float, float]]" = (),
    extras: Sequence[Extra] = (),
    own: OwnImage | None = None,
    found: Sequence[int] = (),
    focus: tuple[int, str] | None = None,
    selections: Mapping[str, Selection] = MappingProxyType({}),
    letter: str = "A",
) -> dict[str, Any]:
    """Return all that the browser needs but the points; each payload stands for itself, because it may be the first."""
    import numpy as np

    there = {one.identity: one for one in (shown, *beside)}
    return {
        **asdict(shown),
        "beside": [asdict(one) for one in beside],
        "url": url,
        "path": [list(place) for place in path],
        "extras": [asdict(one) for one in extras],
        "own": own and {"place": list(own.place), "pictures": [_address(own.picture), _address(own.rebuilt)]},
        "found": _encoded(np.asarray(found, "<i4")),
        "focus": focus and {"index": focus[0], "serial": focus[1]},
        "selections": {
            name: {"on": there[one.identity].key, "bits": _bits(one.rows, there[one.identity].count)}
            for name, one in selections.items()
            if one.identity in there
        },
        "letter": letter,
        "texts": _texts(),
    }


def chosen(value: object, shown: Shown) -> Chosen | None:
    """Return what a browser reports that was clicked, None if it is none of this map; nothing is believed."""
    if not isinstance(value, dict) or value.get("key") != shown.key or "above" in value:
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


def latent_map(
    shown: Shown,
    *,
    key: str,
    url: str,
    on_pick: Callable[[int, Chosen], None],
    on_select: "Callable[[int, NDArray[np.int64]], None]",
    on_above: Callable[[Above], None],
    beside: Sequence[Shown] = (),
    path: "Sequence[tuple[float, float]]" = (),
    extras: Sequence[Extra] = (),
    own: OwnImage | None = None,
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
        on_above: Called with what was clicked of `extras` and `own`.
        beside: Maps that stand beside it; it is the first, by which all are coloured and filtered.
        path: Places of a line over the points of the first map.
        extras: Further points there.
        own: The person's own image there.
        found: Indices of its points to ring.
        focus: Index of a point to go to, and what names the wish: it is fulfilled once.
        selections: That the page still shows, by letter: others lose the line around them.
        letter: Of the next selection.
    """
    every = (shown, *beside)

    def pick() -> None:
        value = st.session_state[key].pick
        higher = above(value, extras, own)
        if higher is not None:
            on_above(higher)
        for number, one in enumerate(every):
            choice = chosen(value, one)
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
        own=own,
        found=found,
        focus=focus,
        selections=selections,
        letter=letter,
    )
    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key, on_pick_change=pick, on_select_change=select)
