"""One point of the latent space, large, with everything that moves it: the picture follows the pointer."""

import streamlit as st
from models.catalog import ModelInfo

from explorer import link
from explorer.panels import (
    arithmetic,
    finding,
    history,
    naming,
    nearest,
    picker,
    point as place,
    problem,
    share,
    traversals,
    upload,
)
from explorer.text import _


@st.fragment
def explore(info: ModelInfo) -> None:
    """Draw everything that depends on the point; moving it reruns this and nothing else."""
    with problem.explained():
        if not finding.ready(info):
            link.publish(link.EXPLORE)
            return
        try:
            with st.spinner(_("Opening the model")):
                found = place.locate(info)
        finally:
            problem.show_notices()
        place.options(info, found)
        place.pad(found)
        with st.container(horizontal=True):
            place.actions(found)
            history.travel()
            naming.show(info, found)
            share.download(info, found.point, found.image)
        traversals.show(info, found)
        history.show(info, found.point)
        arithmetic.show(info)
        upload.show(info)
        nearest.show(info, found.point, found.image)
        share.code(info, found.point)
    link.publish(link.EXPLORE)


st.title(_("Explore"), anchor=False)
chosen = picker.chosen()
if chosen is not None:
    st.markdown(
        _(
            "You are at one point of a latent space of {dim} dimensions. Move it, and the picture follows."
        ).format(dim=chosen.latent_dim),
        help=picker.latent_help(),
    )
    explore(chosen)
