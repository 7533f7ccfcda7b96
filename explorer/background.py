"""Requests that take a while: answered in a thread, while the page shows how far they are and stays usable.

A rerun of a fragment waits for the run before it, so a page that answered such a request itself could not be
cancelled, nor used, until it was done.
"""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from models.requests import RenderRequest

if TYPE_CHECKING:  # importing it for more than annotations would import torch
    from models.render import RenderResult

_GLANCE = 0.2  # seconds between two looks at what is there
_PLACES = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))  # answers at a time, of all sessions


class Work:
    """A request that is being answered.

    Args:
        request: What is asked.
    """

    def __init__(self, request: RenderRequest) -> None:
        self.request = request
        self.latest: RenderResult | None = None
        self._error: Exception | None = None
        self._cancelled = threading.Event()
        self._finished = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="answer").start()

    def _run(self) -> None:
        try:
            with _PLACES:
                from models.render import stream

                if not self._cancelled.is_set():
                    for result in stream(self.request, self._cancelled.is_set):
                        self.latest = result
        except Exception as error:
            self._error = error
        finally:
            self._finished.set()

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return not self._finished.is_set()

    @property
    def shown(self) -> "RenderResult | None":
        """The latest answer with pictures; raises what kept it from coming."""
        if self._error is not None and not self.running:
            raise self._error
        return self.latest if self.latest is not None and len(self.latest.images) else None

    @property
    def share(self) -> float:
        """How much of it is done, in [0, 1]."""
        return self.latest.done if self.latest is not None else 0.0

    def cancel(self) -> None:
        """Let it end after the piece that it is at; what is there stays."""
        self._cancelled.set()

    def wait(self, seconds: float) -> "Work":
        """Give a quick answer the time to come, so that the page need not be drawn twice."""
        self._finished.wait(seconds)
        return self


def current(slot: str) -> Work | None:
    """Return what this session has asked for last in a slot."""
    return st.session_state.get(f"work-{slot}")


def follow(slot: str, request: RenderRequest) -> Work:
    """Return the work on a request, begun if the slot holds none or another one, which is then cancelled."""
    work = current(slot)
    if work is None or work.request != request:
        work = start(slot, request)
    return work


def start(slot: str, request: RenderRequest) -> Work:
    """Begin the work on a request, even if it was done before; what the slot held is cancelled."""
    forget(slot)
    work = st.session_state[f"work-{slot}"] = Work(request)
    return work


def forget(slot: str) -> None:
    """Cancel the work of a slot and drop what came of it."""
    work: Work | None = st.session_state.pop(f"work-{slot}", None)
    if work is not None:
        work.cancel()


def watch(work: Work, show: Callable[[Work], None]) -> None:
    """Draw work: while it runs some times a second, in a fragment of its own, and once more when it is done."""
    if work.running:
        st.fragment(_poll, run_every=_GLANCE)(work, show)
    else:
        show(work)


def _poll(work: Work, show: Callable[[Work], None]) -> None:
    if not work.running:
        st.rerun()  # of the whole page: it then draws no fragment here, which ends the polling
    show(work)
