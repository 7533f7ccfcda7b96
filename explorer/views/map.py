"""What a model knows, as a landscape of points; any place of it can be decoded."""

import streamlit as st
from models.catalog import ModelInfo

from explorer import link
from explorer.components.map import latent_map
from explorer.panels import landscape, mapping, overlay, picker, point as place, problem, saving, selecting
from explorer.text import _


@st.fragment
def landscape_of(info: ModelInfo) -> None:
    """Draw the map, what is under selection, and the point of Explore."""
    target = ""
    with problem.explained():
        problem.show_notices()
        left, right = st.columns([2.1, 1], gap="medium")
        with right:
            found = mapping.chosen(info)
            if found is None:
                return
            info = mapping.as_of(info, found)
            shown = landscape.shown(info, found)
            rings, focus = landscape.search(found, shown)
            way = landscape.way(info, found)
            layers, image = overlay.samples(info, found), overlay.own_image(info, found)
        with left:
            latent_map(
                shown,
                key="map",
                url=place.socket_url(),
                on_pick=lambda choice: landscape.pick(info, found, choice),
                on_select=lambda rows: selecting.take(shown, rows),
                on_above=lambda above: overlay.pick(info, layers, above),
                path=way,
                extras=[layer.extra for layer in layers],
                own=image,
                found=rings,
                focus=focus,
                selected=bool(selecting.of(shown)),
            )
            saving.show(info, found, shown, layers)
        with right:
            target = overlay.other(info)
            target = "views/explore.py" if landscape.here(info) else target
            target = selecting.show(info, found, shown) or target
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
