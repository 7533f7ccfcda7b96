"""The Gallery's endless grid: pieces of 64 samples, the first of them from the model's card where that fits."""

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from explorer import cache, controls, state
from explorer.components.tiles import COLUMNS, tiles
from explorer.text import _
from explorer.words import word
from models.catalog import ModelInfo

PIECE = 64
_MOST = 64  # pieces


@dataclass(frozen=True)
class Tile:
    """One picture of the grid: its seed, and its class where the model has classes."""

    seed: int
    label: int | None


def _classes(info: ModelInfo) -> int:
    return len(info.labels)


def place(info: ModelInfo, index: int) -> Tile:
    """Return what stands at a place of the grid: a sample is a seed, place i shows the i-th one from the start on."""
    view = state.view()
    seed = view.start + index
    if not info.labels:
        return Tile(seed, None)
    if view.classes == "rows":
        return Tile(seed, index // COLUMNS % _classes(info))
    return Tile(seed, seed % _classes(info) if view.classes == "mixed" else int(view.classes))


def pieces(info: ModelInfo) -> Iterator[tuple[int, int]]:
    """Return (first, number) of each piece that is shown; with a row for each class, no class is left out."""
    shown = st.session_state.get("gallery-pieces", 1)
    total = PIECE * shown
    if info.labels and state.view().classes == "rows":
        total = max(total, COLUMNS * _classes(info))
    for first in range(0, total, PIECE):
        yield first, min(PIECE, total - first)


def _from_card(info: ModelInfo) -> bytes | None:
    view = state.view()
    plain = view.start == 0 and view.point.truncation == 1 and (not info.labels or view.classes == "rows")
    return cache.card_sheet(info) if plain else None


def _sheet(info: ModelInfo, first: int, number: int) -> bytes:
    view = state.view()
    if not info.labels:
        return cache.sheet((controls.samples(info, view.start + first, number),))
    # Neighbours of one class are asked for together: all, a row, or each alone.
    run = {"rows": COLUMNS, "mixed": 1}.get(view.classes, number)
    starts = [place(info, index) for index in range(first, first + number, run)]
    return cache.sheet(tuple(controls.samples(info, tile.seed, run, tile.label) for tile in starts))


def _name(info: ModelInfo, tile: Tile) -> str:
    if tile.label is None:
        return _("Sample, seed {seed}").format(seed=tile.seed)
    return _("{label}, seed {seed}").format(label=word(info.labels[tile.label]), seed=tile.seed)


def _piece(info: ModelInfo, first: int, number: int) -> Tile | None:
    sheet = _from_card(info) if first == 0 else None
    if sheet is None:
        with st.spinner(_("Drawing samples")):
            sheet = _sheet(info, first, number)
    places = [place(info, index) for index in range(first, first + number)]
    by_rows = bool(info.labels) and state.view().classes == "rows"
    rows = [word(info.labels[tile.label or 0]) for tile in places[::COLUMNS]] if by_rows else []
    _channels, height, width = info.sample_shape
    chosen = tiles(
        sheet,
        key=f"samples-{first}",
        size=(width, height),
        names=[_name(info, tile) for tile in places],
        label=_("Samples of {title}").format(title=info.title),
        rows=rows,
    )
    return None if chosen is None else places[chosen]


def _more() -> None:
    st.session_state["gallery-pieces"] = min(_MOST, st.session_state.get("gallery-pieces", 1) + 1)


def show(info: ModelInfo) -> Tile | None:
    """Draw the grid and the button for more; return the sample that was just clicked."""
    view = state.view()
    what = (info.digest, view.start, view.point.truncation, view.classes)
    if st.session_state.get("gallery-of") != what:
        st.session_state["gallery-of"] = what
        st.session_state["gallery-pieces"] = 1
    opened = None
    for first, number in pieces(info):
        opened = _piece(info, first, number) or opened
    if st.session_state["gallery-pieces"] < _MOST:
        st.button(_("More"), key="more", icon=":material/expand_more:", on_click=_more)
    return opened
