"""A model that still trains: the page is drawn again with its newest weights."""

import streamlit as st

from explorer import cache, jobs, navigation
from explorer.text import _
from models.catalog import ModelInfo
from models.errors import UserError

_SECONDS = 2.0  # between two looks at what there is
_FOLLOW = "follow-training"


def show(info: ModelInfo) -> None:
    """Draw the switch for it where a model still trains."""
    if info.run:
        st.fragment(_watch, run_every=_SECONDS if trains(info.id) else None)(info.id, info.digest)


def _watch(run: str, digest: str) -> None:
    going = trains(run)
    if not going:
        st.caption(_("The training has ended. The page Train keeps the model for you."))
    elif st.toggle(
        _("Follow the training"),
        True,
        key=_FOLLOW,
        help=_("The page is drawn again with each new state of the model; otherwise when you do something."),
    ):
        st.caption(_("It still learns: the same point shows something else every few seconds."))
    newest = cache.newest(run)
    if newest is None or newest.digest == digest:
        return
    if not going or st.session_state.get(_FOLLOW, True):
        navigation.redraw()


def trains(run: str) -> bool:
    """Tell whether a run goes on."""
    try:
        return not jobs.queue().get(run).over
    except UserError:  # it was removed, or was begun on the command line
        return False
