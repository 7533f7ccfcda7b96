"""What a model knows, as a landscape of points; any place of it can be decoded."""

import streamlit as st
from models.catalog import ModelInfo

from explorer import link
from explorer.components.map import latent_map
from explorer.panels import comparing, landscape, mapping, picker, point as place, problem, selecting
from explorer.text import _


@st.fragment
def landscape_of(info: ModelInfo) -> None:
    """Draw the map, what is under selection, and the point of Explore."""
    target = ""
    with problem.explained():
        problem.show_notices()
        left, right = st.columns([3 if comparing.many(info) else 2.1, 1], gap="medium")
        with right:
            found = mapping.chosen(info)
            if found is None:
                return
            panes = comparing.panes(info, found)
            shown = panes[0].shown
            rings, focus = landscape.search(found, shown)
            way = landscape.way(info, found)
        with left:
            latent_map(
                shown,
                key="map",
                url=place.socket_url(),
                on_pick=lambda number, choice: landscape.pick(info, panes[number].found, choice),
                on_select=lambda number, rows: selecting.take(panes, number, rows),
                beside=[pane.shown for pane in panes[1:]],
                path=way,
                found=rings,
                focus=focus,
                selections=selecting.for_browser(selecting.of(panes)),
                letter=selecting.letter(),
            )
        with right:
            target = "views/explore.py" if landscape.here(info) else ""
            target = selecting.show(info, panes) or target
    if target:
        st.switch_page(target)
    link.publish(link.MAP)


st.title(_("Map"), anchor=False)
chosen = picker.chosen()
if chosen is not None:
    st.markdown(
        _("Every point is a picture, and so is every place between them; near points are alike."),
        help=picker.latent_help(),
    )
    landscape_of(chosen)
