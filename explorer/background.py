"""Requests that take a while: answered in a thread, while the page shows how far they are and stays usable.

A rerun of a fragment waits for the run before it, so a page that answered such a request itself could not be
cancelled, nor used, until it was done.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from explorer import cache, navigation
from models.requests import RenderRequest

if TYPE_CHECKING:  # importing it for more than annotations would import torch
    from models.render import RenderResult

PATIENCE = 0.6  # seconds that a quick answer is waited for, so that the page need not be drawn twice
_GLANCE = 0.2  # seconds between two looks at what is there
_PLACES = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))  # answers at a time, of all sessions


class _Place:
    """One of the places, taken by an answer while it computes; who waits for another leaves it to others."""

    def __init__(self) -> None:
        self._places, self._taken = _PLACES, False

    def take(self, cancelled: Callable[[], bool]) -> bool:
        """Wait for a place; tell whether there is one, which there is not for who is cancelled before."""
        while not self._taken and not cancelled():
            self._taken = self._places.acquire(timeout=_GLANCE)
        return self._taken

    def leave(self) -> None:
        """Give the place up, if it is taken."""
        if self._taken:
            self._places.release()
        self._taken = False


class Work:
    """A request that is being answered.

    Args:
        request: What is asked.
        shared: Whether the answer is the same for all sessions, computed once and kept (`explorer.cache`).
        remember: Whether its own answer is kept there once it is complete, and taken from there: it is seen to grow,
            unlike a shared one, and is found at once the next time.
    """

    def __init__(self, request: RenderRequest, *, shared: bool = False, remember: bool = False) -> None:
        self.request = request
        self._remember = remember
        self.latest: RenderResult | None = None
        self._error: Exception | None = None
        self._cancelled = threading.Event()
        self._finished = threading.Event()
        how = self._look_on if shared else self._answer
        threading.Thread(target=self._run, args=(how,), daemon=True, name="answer").start()

    def _run(self, how: Callable[[], None]) -> None:
        try:
            how()
        except Exception as error:
            self._error = error
        finally:
            self._finished.set()

    def _answer(self) -> None:
        place, cancelled = _Place(), self._cancelled.is_set
        self.latest = cache.there(self.request) if self._remember else None
        if self.latest is not None:
            return
        try:
            if not place.take(cancelled):
                return
            if self._remember and (known := cache.there(self.request)) is not None:  # somebody was faster
                self.latest = known
                return
            from models.render import stream

            for result in stream(self.request, cancelled):
                self.latest = result
                if result.waiting:
                    place.leave()
                elif not place.take(cancelled):
                    return
            if self._remember and self.latest is not None and self.latest.done == 1:
                cache.keep(self.request, self.latest)
        finally:
            place.leave()

    def _look_on(self) -> None:
        for result in cache.stream(self.request):
            self.latest = result
            if self._cancelled.is_set():
                return

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
        """Give a quick answer the time to come."""
        self._finished.wait(seconds)
        return self

    def wait_for_news(self) -> "Work":
        """Return when it is done, or has told how far it is: what takes long does."""
        while self.running and not self.share:
            self.wait(_GLANCE)
        return self


class Works:
    """Several requests that are answered at a time, watched as one.

    Args:
        each: The work on each of them.
    """

    def __init__(self, each: Sequence[Work]) -> None:
        self.each = tuple(each)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return any(work.running for work in self.each)

    @property
    def share(self) -> float:
        """How much of all is done, in [0, 1]."""
        shares = [work.share if work.running else 1.0 for work in self.each]
        return sum(shares) / len(shares) if shares else 1.0

    def wait(self, seconds: float) -> "Works":
        """Give quick answers the time to come, all together."""
        deadline = time.monotonic() + seconds
        for work in self.each:
            work.wait(max(0.0, deadline - time.monotonic()))
        return self

    def cancel(self) -> None:
        """Let all end after the piece that they are at; what is there stays."""
        for work in self.each:
            work.cancel()


def current(slot: str) -> Work | None:
    """Return what this session has asked for last in a slot."""
    return st.session_state.get(f"work-{slot}")


def follow(slot: str, request: RenderRequest, *, shared: bool = False, remember: bool = False) -> Work:
    """Return the work on a request, begun if the slot holds none or another one, which is then cancelled.

    Args:
        slot: Of this session.
        request: What is asked.
        shared: As in `Work`.
        remember: The same.
    """
    work = current(slot)
    if work is None or work.request != request:
        work = start(slot, request, shared=shared, remember=remember)
    return work


def start(slot: str, request: RenderRequest, *, shared: bool = False, remember: bool = False) -> Work:
    """Begin the work on a request, even if it was done before; what the slot held is cancelled. See `follow`."""
    forget(slot)
    work = st.session_state[f"work-{slot}"] = Work(request, shared=shared, remember=remember)
    return work


def forget(slot: str) -> None:
    """Cancel the work of a slot and drop what came of it."""
    work: Work | None = st.session_state.pop(f"work-{slot}", None)
    if work is not None:
        work.cancel()


def leave(start: str, kept: Collection[str] = ()) -> None:
    """End the work of slots that nobody looks at any more; what is complete stays.

    Work belongs to one session: others that have asked for the same go on.

    Args:
        start: What the names of these slots begin with.
        kept: Slots among them that are still looked at.
    """
    for name in [str(key) for key in st.session_state]:
        slot = name.removeprefix("work-")
        if slot != name and slot.startswith(start) and slot not in kept and st.session_state[name].running:
            forget(slot)


Watched = TypeVar("Watched", Work, Works)


def watch(work: Watched, show: Callable[[Watched], None]) -> None:
    """Draw work: while it runs some times a second, in a fragment of its own, and once more when it is done."""
    if work.running:
        poll(work, show)
    else:
        show(work)


def poll(work: Watched, show: Callable[[Watched], None]) -> None:
    """Draw work until it is done, and then the whole page anew, even if it was done just now."""
    st.fragment(_poll, run_every=_GLANCE)(work, show)


def ready(slot: str, request: RenderRequest, words: str) -> bool:
    """Tell whether `explorer.cache` has the answer to a request; else show how far it is, and later the page anew.

    What kept the answer from coming is raised there, too.

    Args:
        slot: Of this session: another request in it is not looked at any more.
        request: What is asked for.
        words: What is being done.
    """
    work = follow(slot, request, shared=True).wait(PATIENCE)
    if not work.running:
        return True
    poll(work, partial(progress, words))
    return False


def progress(words: str, work: Work | Works) -> None:
    """Draw how far work is."""
    st.progress(work.share, f"{words} · {work.share:.0%}")


def _poll(work: Watched, show: Callable[[Watched], None]) -> None:
    if not work.running:
        navigation.redraw()  # of the whole page: it then draws no fragment here, which ends the polling
    show(work)
