"""Grids of small pictures, crisp at every size, to click one or to choose some; arrow keys walk through them."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Literal

import streamlit as st

from explorer.components import define

COLUMNS = 8  # pictures a row of a sheet; a model's own has as many rows
Verdict = Literal["right", "wrong"]
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
        **_data(sheet, size, names, label, sheet_columns, columns, largest),
        "rows": list(rows),
        "heads": list(heads),
        "marks": list(marks),
    }

    def valid(index: object) -> int | None:  # the browser's word, so it is checked
        return index if isinstance(index, int) and 0 <= index < len(names) else None

    def opened() -> None:
        index = valid(st.session_state[key].open)
        if on_open is not None and index is not None:
            on_open(index)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    return valid(_component()(data=[data], key=key, on_open_change=opened).open)


def choose(
    sheet: bytes,
    *,
    key: str,
    size: tuple[int, int],
    names: Sequence[str],
    label: str,
    columns: int,
    largest: int = 192,
    chosen: Sequence[int] | None = None,
    notes: Sequence[str] = (),
    verdicts: Sequence[Verdict] = (),
) -> list[int]:
    """Show the pictures of a sheet as buttons, any number of which can be pressed.

    Args:
        sheet: PNG of all pictures, `columns` a row.
        key: Of the element: another one begins with nothing chosen.
        size: Width and height of one picture, in pixels.
        names: What each picture is, for the tooltip and for screen readers; one for each picture.
        label: What the grid is, for screen readers.
        columns: Pictures a row, of the sheet and on the page.
        largest: Width of a picture on the page at most, in CSS pixels.
        chosen: What is pressed for good: nothing can be changed any more. None: the person chooses.
        notes: Captions under the pictures, one each, or none.
        verdicts: Whether each picture was judged rightly, or none.

    Returns:
        The indices of the pictures that are pressed, in order.
    """
    data = {
        **_data(sheet, size, names, label, columns, columns, largest),
        "choice": key,
        "chosen": list(_chosen(key, len(names)) if chosen is None else chosen),
        "locked": chosen is not None,
        "notes": list(notes),
        "verdicts": list(verdicts),
    }
    _component()(data=[data], key=key, default={"chosen": []}, on_chosen_change=lambda: None)
    return _chosen(key, len(names)) if chosen is None else list(chosen)


def _chosen(key: str, count: int) -> list[int]:
    """Return what the browser says is pressed, checked."""
    told = getattr(st.session_state.get(key), "chosen", None)
    found = told if isinstance(told, list) else []
    return sorted({index for index in found if isinstance(index, int) and 0 <= index < count})


def _data(
    sheet: bytes,
    size: tuple[int, int],
    names: Sequence[str],
    label: str,
    sheet_columns: int,
    columns: int,
    largest: int,
) -> dict[str, Any]:
    return {
        "sheet": base64.b64encode(sheet).decode(),
        "size": list(size),
        "names": list(names),
        "label": label,
        "sheetColumns": sheet_columns,
        "columns": columns,
        "largest": largest,
        "rows": [],
        "heads": [],
        "marks": [],
    }
