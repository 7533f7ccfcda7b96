"""A film through the latent space, from key frame to key frame."""

import streamlit as st
from models.catalog import ModelInfo

from explorer import link, route
from explorer.panels import export, film, keyframes, picker, problem
from explorer.text import _, ngettext


@st.fragment
def interpolate(info: ModelInfo) -> None:
    """Draw the key frames, the film between them and how even it is."""
    problem.show_notices()
    with problem.explained():
        with st.spinner(_("Opening the model")):
            keys = keyframes.show(info)
        left, right = st.columns([1.1, 1], gap="large")
        with right:
            film.options()
        with left:
            found = film.walk(info, keys)
        if found is None:
            link.publish(link.INTERPOLATE)
            return
        with right:
            film.distances(info, found)
            with st.container(horizontal=True, vertical_alignment="center"):
                export.show(info, found.result.images)
                beside = bool(info.dataset) and st.toggle(
                    _("Nearest real images"),
                    key="beside",
                    persist_state="session",
                    help=_(
                        "Beside each frame, the training image that is nearest to it: is the picture new, or learnt "
                        "by heart?"
                    ),
                )
        with left:
            opened = film.play(info, found, beside=beside)
        unlinked = sum(not route.is_seed(key) for key in keys)
        if unlinked:
            words = ngettext(
                "The link in the address bar leaves {n} key frame out: it holds seeds only.",
                "The link in the address bar leaves {n} key frames out: it holds seeds only.",
                unlinked,
            )
            st.caption(words.format(n=unlinked))
        if opened is not None:
            st.switch_page("views/explore.py")
    link.publish(link.INTERPOLATE)


st.title(_("Interpolate"), anchor=False)
chosen = picker.chosen()
if chosen is not None:
    st.markdown(
        _(
            "A film from key frame to key frame: every picture between them is one that the model invents on the way."
        ),
        help=picker.latent_help(),
    )
    interpolate(chosen)
