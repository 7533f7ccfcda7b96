"""Models of one data set against each other: by eye, by number, and why they differ."""

import streamlit as st

from explorer import link, state
from explorer.compare import rivals
from explorer.panels import compare, picker, problem
from explorer.panels.compare import contestants, report
from explorer.text import _

st.title(_("Compare"), anchor=False)
chosen = picker.chosen()
if chosen is not None:
    st.markdown(
        _("VAEs are said to blur, and GANs to be sharp. Look, measure, and see where it comes from."),
        help=picker.latent_help(),
    )
    problem.show_notices()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = contestants.choose(chosen)
        if len(models) >= rivals.LEAST:
            report.show(models)
    if len(models) >= rivals.LEAST:
        part = st.segmented_control(
            _("Part"),
            rivals.PARTS,
            format_func=lambda name: _(rivals.TITLES[name]),
            required=True,
            label_visibility="collapsed",
            **state.controlled(
                "compare-part", state.view().part or rivals.PLACE, lambda name: state.update(part=name)
            ),
        )
        with problem.explained():
            compare.SHOW[part](models)
    link.publish(link.COMPARE)
