"""A grid of small pictures, crisp at every size, that can be clicked or walked through with the arrow keys."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from explorer.components import define

COLUMNS = 8  # pictures a row of a sheet; a model's own has as many rows
_HTML = '<div class="tiles"></div>'


def _component() -> Any:
    return define("tiles", _HTML, css=("tiles/tiles.css",), js=("tiles/tiles.js",))


def tiles(
    sheet: bytes,
    *,
    key: str,
    size: tuple[int, int],
    names: Sequence[str],
    label: str,
    sheet_columns: int = COLUMNS,
    columns: int = COLUMNS,
    rows: Sequence[str] = (),
    heads: Sequence[str] = (),
    marks: Sequence[int] = (),
    largest: int = 192,
    on_open: Callable[[int], None] | None = None,
) -> int | None:
    """Show the pictures of a sheet as buttons.

    Args:
        sheet: PNG of all pictures.
        key: Of the element.
        size: Width and height of one picture, in pixels.
        names: What each picture is, for the tooltip and for screen readers; one for each picture.
        label: What the grid is, for screen readers.
        sheet_columns: Pictures a row of the sheet.
        columns: Pictures a row on the page.
        rows: Headings of the rows.
        heads: Headings of the columns.
        marks: Pictures to mark as current.
        largest: Width of a picture on the page at most, in CSS pixels.
        on_open: Called with the index of a picture that is clicked, before the page is drawn anew.

    Returns:
        The index of the picture that was just clicked, or None.
    """
    data = {
        "sheet": base64.b64encode(sheet).decode(),
        "size": list(size),
        "names": list(names),
        "label": label,
        "sheetColumns": sheet_columns,
        "columns": columns,
        "rows": list(rows),
        "heads": list(heads),
        "marks": list(marks),
        "largest": largest,
    }

    def valid(index: object) -> int | None:  # the browser's word, so it is checked
        return index if isinstance(index, int) and 0 <= index < len(names) else None

    def opened() -> None:
        index = valid(st.session_state[key].open)
        if on_open is not None and index is not None:
            on_open(index)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    return valid(_component()(data=[data], key=key, on_open_change=opened).open)
