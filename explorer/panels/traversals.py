"""Walks through the current point: a row of pictures along each direction. A click goes there."""

from collections.abc import Sequence

import streamlit as st

from explorer import cache, controls, state
from explorer.components.tiles import tiles
from explorer.text import _
from models.catalog import ModelInfo
from models.config import Point


def show(info: ModelInfo, point: Point, names: Sequence[str], coordinates: Sequence[float]) -> None:
    """Draw one row for each direction.

    Args:
        info: The model.
        point: Where it is.
        names: Of the first directions; their number is that of the rows.
        coordinates: Of the point along them.
    """
    positions = [controls.SPAN * (2 * i / (controls.STEPS - 1) - 1) for i in range(controls.STEPS)]
    heads = [f"{position:+.2f}" if position else "0" for position in positions]
    sheet = cache.sheet((controls.traversal(info, point, range(len(names))),), controls.STEPS)
    near = [min(range(len(positions)), key=lambda i: abs(positions[i] - c)) for c in coordinates]
    _channels, height, width = info.sample_shape
    st.subheader(
        _("Walks along each direction"),
        anchor=False,
        help=_(
            "A traversal: all of the point stays as it is but one coordinate, which goes from −3 to +3 prior "
            "standard deviations. The marked picture is the one nearest to the point."
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
        rows=[f"{name}, {round(value, 2):+.2f}" for name, value in zip(names, coordinates, strict=True)],
        heads=heads,
        marks=[row * controls.STEPS + column for row, column in enumerate(near)],
        largest=96,
        on_open=lambda i: state.set_edit(i // controls.STEPS, positions[i % controls.STEPS]),
    )
    st.caption(_("Columns: coordinate in prior standard deviations. A click moves the point there."))
