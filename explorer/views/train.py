"""Train a model and watch it learn: what to train, and the runs."""

import streamlit as st

from explorer import jobs
from explorer.panels import problem, setup, watch
from explorer.settings import settings
from explorer.text import _

st.title(_("Train"), anchor=False)
problem.show_notices()
st.markdown(
    _(
        "Choose a data set and a family, press Start, and watch: the curves, what the model makes of the same latents "
        "again and again, and how far it is. Runs go on when the browser is closed."
    )
)
if settings().train == "on":
    setup.show(first=not watch.trainings())
else:
    st.caption(_("Training is switched off here."))
watch.show()
if settings().train == "on":
    jobs.prepare(setup.device())  # while a person still chooses
