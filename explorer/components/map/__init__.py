"""A map of thousands of points, live: pan, zoom, colour, filter, decode and select without a new page.

Up to three maps of a model stand side by side, and show one another's selections, filters and points. What they show
they fetch themselves, from the routes of `explorer.map_data`. Python hears of a point that was clicked, of points
that were selected, by their own indices in the map, and of what is coloured and filtered, which a link says.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.components import define
from explorer.components.map import reports
from explorer.components.map.reports import Above, Chosen
from explorer.components.map.scene import Scene, payload
from explorer.look import Look
from explorer.text import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
_SCRIPTS = (*_SHARED, *(f"map/{name}.js" for name in (*_PARTS, *_HANDS)))


def _component() -> Any:
    return define("map", _HTML, css=("tools.css", "chips.css", "map/map.css"), js=_SCRIPTS)


def texts() -> dict[str, Any]:
    """Return the words of the map."""
    return {
        "map": _("Map"),
        "role": _("map of points"),
        "hint": _(
            "A click makes a place the point of Explore. Drag moves the map, the wheel zooms, Shift and drag selects; "
            "keys: arrows, + and −, 0, Enter. Legend: a click shows a class alone, with Shift or Ctrl it adds or "
            "hides one."
        ),
        "filtered": _("Filtered by {by}."),
        "none": _("No point of this map passes the filter by {by}; “Show all” shows them again."),
        "gone": _("The map could not be loaded. Reload the page."),
        "tools": {
            "lasso": _("Draw around points to select them (or drag with Shift)"),
            "more": _("Zoom in"),
            "less": _("Zoom out"),
            "full": _("Show the whole map"),
            "save": _("Save this picture (PNG)"),
        },
        "layers": _("Over the points"),
        "layer": _("Show or leave out {name}"),
        "own": _("Your image"),
        "by": _("Colour"),
        "legend": _("Legend"),
        "filter": _("Show {name} alone, or all again; with Shift or Ctrl: add or hide it"),
        "unknown": _("Unknown"),
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


def latent_map(
    scene: Scene,
    *,
    key: str,
    url: str,
    on_pick: Callable[[int, Chosen], None],
    on_select: "Callable[[int, NDArray[np.int64]], None]",
    on_above: Callable[[Above], None],
    on_look: Callable[[Look], None],
) -> None:
    """Show a map, and others of the same model beside it.

    Args:
        scene: What is to be seen.
        key: Of the element.
        url: Of the live socket, a path of this server.
        on_pick: Called with the number of a map, 0 for the first, and what was clicked there, before the page is drawn
            anew.
        on_select: Called with the number of a map and the indices of points that were selected there.
        on_above: Called with what was clicked of the scene's `extras` and `own`.
        on_look: Called with what the points are coloured by now, and which are shown.
    """
    every = (scene.shown, *scene.beside)

    def pick() -> None:
        value = st.session_state[key].pick
        higher = reports.above(value, scene.extras, scene.own)
        if higher is not None:
            on_above(higher)
        for number, one in enumerate(every):
            choice = reports.chosen(value, one)
            if choice is not None:
                on_pick(number, choice)

    def select() -> None:
        for number, one in enumerate(every):
            indices = reports.selection(st.session_state[key].select, one)
            if indices is not None:
                on_select(number, indices)

    def look() -> None:
        seen = reports.look(st.session_state[key].look, scene.shown)
        if seen is not None:
            on_look(seen)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    data = [payload(scene, url, texts())]
    _component()(data=data, key=key, on_pick_change=pick, on_select_change=select, on_look_change=look)
