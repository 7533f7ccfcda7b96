"""Walks through the current point: a row of pictures along each direction. A click goes there."""

import streamlit as st

from explorer import cache, controls, state
from explorer.components.tiles import tiles
from explorer.panels.point import Located
from explorer.text import _, signed
from models.catalog import ModelInfo


def show(info: ModelInfo, found: Located) -> None:
    """Draw one row for each direction at hand, once they are asked for."""
    title = _("Walks along each direction")
    fold = st.expander(title, icon=":material/view_comfy:", key="walks", on_change="rerun")
    if fold.open:
        with fold:
            _draw(info, found)


def _draw(info: ModelInfo, found: Located) -> None:
    names = found.axes.names[: found.axes.shown]
    directions = list(found.axes.indices[: found.axes.shown])
    coordinates = [found.coordinates[index] for index in directions]
    positions = [controls.SPAN * (2 * i / (controls.STEPS - 1) - 1) for i in range(controls.STEPS)]
    heads = [signed(position) if position else "0" for position in positions]
    sheet = cache.sheet((controls.traversal(info, found.point, directions),), controls.STEPS)
    near = [min(range(len(positions)), key=lambda i: abs(positions[i] - c)) for c in coordinates]
    _channels, height, width = info.sample_shape
    st.caption(
        _(
            "A traversal: all of the point stays as it is but one coordinate, which goes from −3 to +3 prior "
            "standard deviations. The marked picture is the one nearest to the point; a click moves it there."
        ),
    )
    tiles(
        sheet,
        key="traversals",
        size=(width, height),
        names=[f"{name}: {head}" for name in names for head in heads],
        label=_("Pictures along each direction"),
        sheet_columns=controls.STEPS,
        columns=controls.STEPS,
        rows=[f"{name}, {signed(value)}" for name, value in zip(names, coordinates, strict=True)],
        heads=heads,
        marks=[row * controls.STEPS + column for row, column in enumerate(near)],
        largest=96,
        on_open=lambda i: state.set_edit(directions[i // controls.STEPS], positions[i % controls.STEPS]),
    )
