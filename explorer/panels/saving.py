"""A map as a file: a page that can be moved and filtered without the app."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from explorer import map_figure
from explorer.components.map.scene import Shown
from explorer.look import Look
from explorer.panels.overlay import Layer
from explorer.text import _
from models.catalog import ModelInfo

if TYPE_CHECKING:
    from models.embedding.maps import EmbeddingMap


def show(info: ModelInfo, found: "EmbeddingMap", shown: Shown, look: Look, layers: Sequence[Layer]) -> None:
    """Draw the button behind which the map can be had as a file, at first with the colours that it has on the page."""
    with st.popover(_("Save the map"), icon=":material/download:", key="map-save"):
        by_name = {one.name: one for one in shown.colourings}
        colouring = None
        current = look.colour or shown.colouring
        if by_name:
            chosen = st.selectbox(
                _("Coloured by"),
                list(by_name),
                index=list(by_name).index(current) if current in by_name else 0,
                format_func=lambda name: by_name[name].title,
                key=f"map-save-by-{info.digest[:8]}-{current}",
            )
            colouring = by_name[chosen]
        above = [(layer.extra.name, layer.extra.mark, layer.samples) for layer in layers]
        st.download_button(
            _("Download"),
            partial(map_figure.page, found, colouring, shown.name, above),
            f"{info.id}-map.html",
            "text/html",
            key="map-save-page",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
        st.caption(
            _(
                "A web page with all points, their classes and their numbers, to be moved and zoomed anywhere, also "
                "without a network (5 MB and more). The arrow on the map saves the picture that you see."
            )
        )
