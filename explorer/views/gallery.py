"""The first page: what a model makes, without end. A click opens a sample in Explore."""

import streamlit as st
from models.catalog import ModelInfo

from explorer import cache, controls, link, state
from explorer.panels import grid, picker, problem
from explorer.text import _


def headline(info: ModelInfo) -> str:
    """Say in a sentence what one sees."""
    return _(
        "Every picture here is invented: the model made each of them from a random point of its latent space, which "
        "has {dim} dimensions. Click one to open it in Explore and move it."
    ).format(dim=info.latent_dim)


def options(info: ModelInfo) -> None:
    """Draw the controls."""
    columns = st.columns([1, 1.4, 1.6], vertical_alignment="bottom", gap="medium")
    with columns[0]:
        controls.first_seed()
    with columns[1]:
        controls.truncation(link.GALLERY)
    with columns[2], st.container(horizontal=True, vertical_alignment="bottom"):
        if info.labels:
            controls.classes(info)
        st.button(
            _("Shuffle"),
            key="shuffle",
            icon=":material/casino:",
            help=_("Show other samples"),
            on_click=controls.shuffle,
        )


@st.fragment
def samples(info: ModelInfo) -> None:
    """Draw the controls and the grid; they rerun without the rest of the page."""
    problem.show_notices()
    options(info)
    with problem.explained():
        opened = grid.show(info)
        if opened is not None:
            state.update_point(seed=opened.seed, label=opened.label, edits=())
            st.switch_page("views/explore.py")
    link.publish(link.GALLERY)


st.title(_("Gallery"), anchor=False)
chosen = picker.chosen()
if chosen is not None:
    st.markdown(headline(chosen), help=picker.latent_help())
    picker.show_figures(chosen)
    samples(chosen)
    cache.warm_up(chosen, controls.default_axes(chosen))
