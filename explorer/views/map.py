"""What a model knows, as a landscape of points; any place of it can be decoded."""

from typing import TYPE_CHECKING

import streamlit as st
from models.catalog import ModelInfo

from explorer import link, navigation
from explorer.components.map import latent_map
from explorer.components.map.scene import Scene
from explorer.panels import (
    comparing,
    landscape,
    mapping,
    overlay,
    picker,
    pin,
    point as place,
    problem,
    saving,
    selecting,
)
from explorer.text import _

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def _places(side_by_side: bool) -> "tuple[DeltaGenerator, ...]":
    """Return where the choice of maps and samples goes, the search, the maps, and what is under selection."""
    if side_by_side:
        return *st.columns(2, gap="medium"), st.container(), st.container()
    maps, panel = st.columns([2.1, 1], gap="medium")
    return panel, panel, maps, panel


@st.fragment
def landscape_of(info: ModelInfo) -> None:
    """Draw the map, what is under selection, and the point of Explore."""
    target = ""
    with problem.explained():
        top = st.container()
        with top:
            problem.show_notices()
        choice, search, maps, below = _places(comparing.many(info))
        with choice:
            found = mapping.chosen(info)
            if found is None:
                return
            info = mapping.as_of(info, found)
            panes = comparing.panes(info, found)
            shown = panes[0].shown
        with top:
            look = landscape.look(info, shown)
        with search:
            rings, focus = landscape.search(found, shown)
            way = landscape.way(info, found)
        with choice:
            layers = overlay.samples(info, found)
        with search:
            image = overlay.own_image(info, found)
        spot = pin.spot(info, found)
        with maps:
            scene = Scene(
                shown,
                beside=[pane.shown for pane in panes[1:]],
                look=look,
                path=way,
                extras=[layer.extra for layer in layers],
                own=image,
                here=spot,
                found=rings,
                focus=focus,
                selections=selecting.for_browser(selecting.of(panes)),
                letter=selecting.letter(),
            )
            latent_map(
                scene,
                key="map",
                url=place.socket_url(),
                on_pick=lambda number, what: pin.pick(info, panes[number].found, what),
                on_select=lambda number, rows: selecting.take(panes, number, rows),
                on_above=lambda above: overlay.pick(info, found, layers, image, above),
                on_look=lambda seen: landscape.see(info, seen),
            )
            saving.show(info, found, shown, look, layers)
        with below:
            target = overlay.other(info)
            target = "views/explore.py" if pin.here(info, spot is not None) else target
            target = selecting.show(info, panes) or target
            if not target and spot is None and pin.spot(info, found):  # it is rendered now
                navigation.redraw()
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
