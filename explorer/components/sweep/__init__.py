"""A slider over models that differ in one number: the same pictures of each, preloaded, so that it answers at once."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer.components import define

_HTML = '<div class="sweep" role="group"></div>'


@dataclass(frozen=True)
class Row:
    """A row of pictures.

    Args:
        title: What it shows.
        first: Row of the sheet that holds it, for the first model.
        moves: Whether the next rows of the sheet hold those of the other models; otherwise it stays as it is.
    """

    title: str
    first: int
    moves: bool = True


def _component() -> Any:
    return define(
        "sweep",
        _HTML,
        css=("tools.css", "scrub.css", "sweep/sweep.css"),
        js=("latent_pad/parts.js", "scrub.js", "sweep/sweep.js"),
    )


def sweep(
    sheet: bytes,
    *,
    size: tuple[int, int],
    rows: Sequence[Row],
    names: Sequence[str],
    figures: Sequence[str],
    label: str,
    start: int,
    key: str,
    on_rest: Callable[[int], None],
) -> None:
    """Show the slider and the pictures below it.

    Args:
        sheet: PNG of all pictures of all models.
        size: Width and height of one picture, in pixels.
        rows: What is shown, from the top.
        names: Of the models, in the order of the slider.
        figures: What is known of each, a line of text.
        label: What the slider is over.
        start: Index of the model that is shown at first.
        key: Of the element.
        on_rest: Told where a person has left the slider.
    """
    data = {
        "sheet": base64.b64encode(sheet).decode(),
        "size": list(size),
        "rows": [{"title": row.title, "first": row.first, "moves": row.moves} for row in rows],
        "names": list(names),
        "figures": list(figures),
        "label": label,
        "start": start,
    }

    def rested() -> None:
        at = st.session_state[key].rest
        if isinstance(at, int) and 0 <= at < len(names):  # the browser's word, so it is checked
            on_rest(at)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key, on_rest_change=rested)
