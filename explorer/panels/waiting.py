"""A job that a page waits for: how far it is, and a way to cancel it."""

import time
from collections.abc import Callable
from contextlib import suppress

import streamlit as st

from explorer import jobs, navigation
from explorer.text import _, duration
from models.errors import UserError
from models.jobs import Job

Settle = Callable[[Job | None], None]


@st.fragment(run_every=1.0)
def until_over(name: str, *, key: str, going: str, settle: Settle) -> None:
    """Draw how far a job is until it is over; then settle it, remove it, and draw the page anew.

    Args:
        name: Of the job.
        key: Of its button, before "-cancel".
        going: That it goes on, a clause without a full stop.
        settle: Given the job once it is over, or None if it was removed elsewhere.
    """
    with suppress(UserError):
        job = jobs.queue().get(name)
        if not job.over:
            left, right = st.columns([3, 1], vertical_alignment="center")
            left.progress(job.share, _state(job, going))
            icon = ":material/close:"
            right.button(_("Cancel"), key=f"{key}-cancel", icon=icon, on_click=_cancel, args=(name,))
            return
        settle(job)
        jobs.queue().remove(name)
        navigation.redraw()
    settle(None)
    navigation.redraw()


def _cancel(name: str) -> None:
    with suppress(UserError):  # it is over, and was removed
        jobs.queue().cancel(name)


def keep(name: str, key: str, value: object) -> None:
    """Keep something that a page waits for in the session, by what it is of; None forgets it."""
    others = {other: one for other, one in st.session_state.get(name, {}).items() if other != key}
    st.session_state[name] = others if value is None else {**others, key: value}


def _state(job: Job, going: str) -> str:
    if job.state == "queued":
        return _("Waits for what runs before it")
    gone = time.time() - (job.started or time.time())
    if job.share < 0.02 or gone < 2:
        return going
    left = duration(gone * (1 / job.share - 1))
    return _("{what} · {time} left").format(what=going, time=left)
