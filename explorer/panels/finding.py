"""Directions that take long to find: the page says how far they are, and others can be chosen meanwhile."""

from functools import partial

import streamlit as st

from explorer import background, cache, controls, state
from explorer.panels import pictures, problem
from explorer.text import _
from models.catalog import ModelInfo
from models.requests import Point

_SLOT = "directions"


def ready(info: ModelInfo) -> bool:
    """Tell whether the directions of the point are found, or cannot be; else show how far they are.

    They are found once for all sessions; the page is drawn anew when they are there.
    """
    point = controls.point_of(info)
    with st.spinner(_("Opening the model")):
        if point.axes not in cache.axes():
            return True
        work = background.follow(_SLOT, controls.directions(info, point.axes), shared=True).wait_for_news()
        if not work.wait(background.PATIENCE).running:
            return True
    problem.show_notices()
    # Edits along directions that nobody knows yet lead nowhere.
    controls.axes(cache.axes(), point.axes, lambda axes: state.update_point(axes=axes, edits=(), keep=()))
    st.caption(
        _(
            "The model makes thousands of pictures, and a classifier says what they show: that is needed once for each "
            "model. You can choose other directions, or go to another page, and come back."
        )
    )
    _picture(info, point)
    background.poll(work, partial(background.progress, _("Looking for the directions")))
    return False


def _picture(info: ModelInfo, point: Point) -> None:
    """Show what the point looks like meanwhile; along raw axes, which need no search."""
    still = point.model_copy(update={"axes": "raw", "edits": (), "keep": ()})
    image = cache.render(controls.picture(info, still)).images[0]
    pictures.row([image], [_("The point meanwhile")], 256)
