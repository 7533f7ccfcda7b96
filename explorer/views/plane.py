"""Two directions of the latent space at once, as a map of pictures."""

import streamlit as st
from models.catalog import ModelInfo

from explorer import link
from explorer.panels import codes, finding, ground, picker, point as place, problem
from explorer.text import _


@st.fragment
def plane(info: ModelInfo) -> None:
    """Draw the plane through the point, and what chooses it."""
    with problem.explained():
        if not finding.ready(info):
            link.publish(link.PLANE)
            return
        try:
            with st.spinner(_("Opening the model")):
                found = place.locate(info)
                if len(found.axes.vectors) < 2:
                    found = place.locate_anew(info)
                pair = ground.pair_of(found)
        finally:
            problem.show_notices()
        left, right = st.columns([1.8, 1], gap="medium")
        with right:
            ground.options(info, found, pair)
            cloud = codes.show(info, ground.vectors_of(found, pair))
        with left:
            with st.spinner(_("Drawing the map")):
                laid = ground.lay(info, found, pair)
            ground.show(laid, cloud)
        with right:
            opened = ground.here(found, laid)
            st.caption(ground.caption(info))
        if opened:
            st.switch_page("views/explore.py")
    link.publish(link.PLANE)


def headline(info: ModelInfo) -> str:
    """Say in a sentence what one sees."""
    if info.latent_dim == 2:
        return _("This model's latent space has two dimensions, so that a map shows all of it.")
    text = _("Two of the {dim} dimensions of the latent space, through the point of Explore.")
    return text.format(dim=info.latent_dim)


st.title(_("Plane"), anchor=False)
chosen = picker.chosen()
if chosen is not None and (chosen.latent_dim or 0) > 1:
    st.markdown(headline(chosen), help=picker.latent_help())
    plane(chosen)
elif chosen is not None:
    st.caption(_("This model's latent space has one dimension only: there is no plane in it."))
