"""A small pad to draw on, light on dark as the grey data are; Python gets the drawing once, when it is used."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from explorer.components import define
from explorer.text import _

_HTML = '<div class="draw-pad"></div>'


def _component() -> Any:
    return define("draw_pad", _HTML, css=("draw_pad/draw_pad.css",), js=("draw_pad/draw_pad.js",))


def draw_pad(*, key: str, on_use: Callable[[object], None]) -> None:
    """Show the pad.

    Args:
        key: Of the element.
        on_use: Called with what the browser sends when the drawing is to be used, before the page is drawn anew: a
            data URL of a PNG if all is well. It is the browser's word, so it must be checked.
    """
    data = {
        "pad": _("Pad to draw on with the pointer"),
        "brush": _("Brush"),
        "undo": _("Undo"),
        "clear": _("Clear"),
        "use": _("Use drawing"),
    }

    def used() -> None:
        on_use(st.session_state[key].use)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key, on_use_change=used)
