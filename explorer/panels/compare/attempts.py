"""Models at work on an image: encoded at once or searched for, side by side, while the page stays usable."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from explorer import background
from explorer.background import Work, Works
from explorer.compare import remade
from explorer.compare.remade import Compared, Way
from explorer.panels import problem
from explorer.panels.compare.subject import Subject
from explorer.text import _
from models.catalog import ModelInfo
from models.errors import UserError

_SLOT = "compare"


@dataclass(frozen=True, eq=False)
class Attempt:
    """One way of one model to make an image.

    Args:
        info: The model.
        way: How.
        work: What is being done.
        slot: Where, see `background.follow`.
    """

    info: ModelInfo
    way: Way
    work: Work
    slot: str

    @property
    def stopped(self) -> bool:
        """Whether it has ended before it was complete."""
        latest = self.work.latest
        return not self.work.running and (latest is None or latest.done < 1)

    def found(self) -> Compared | None:
        """Return what has come of it so far; raises UserError if it failed."""
        result = self.work.shown
        if result is None:
            return None
        # In the session, for the image may be a person's own: all are drawn several times a second while one searches.
        before, found = st.session_state.get(f"found-{self.slot}", (None, None))
        if before is not result:
            found = remade.measured(self.info, self.way, result)
            st.session_state[f"found-{self.slot}"] = result, found
        return found


def begin(models: Sequence[ModelInfo], subject: Subject, chosen: Sequence[Way], end: int) -> list[Attempt]:
    """Let models make an image, each in the chosen ways that it has, or else in the one that it has.

    Work that goes on already is gone on with, and what this choice no longer asks for is given up; the answers to a
    held-out image are kept for all sessions.

    Args:
        models: Of one data set.
        subject: The image.
        chosen: The ways.
        end: Which image of the session it is.
    """
    attempts: list[Attempt] = []
    for info in models:
        possible = remade.ways(info)
        wanted: list[Way] = [way for way in possible if way in chosen]
        for way in wanted or possible[:1]:
            request = remade.asked(info, subject.pixels, way)
            slot = f"{_SLOT}-{end}-{info.digest}-{way}"
            work = background.follow(slot, request, remember=not subject.private)
            attempts.append(Attempt(info, way, work, slot))
    background.leave(f"{_SLOT}-{end}-", [attempt.slot for attempt in attempts])
    return attempts


def works(attempts: Sequence[Attempt]) -> Works:
    """Return the work of some attempts; quick ones are given the time to end."""
    return Works([attempt.work for attempt in attempts]).wait(background.PATIENCE)


def results(attempts: Sequence[Attempt]) -> list[Compared]:
    """Return what has come of some attempts so far; the page says why others have failed."""
    found: list[Compared] = []
    for attempt in attempts:
        try:
            one = attempt.found()
        except UserError as error:
            problem.show(error)
            continue
        if one is not None:
            found.append(one)
    return found


def progress(work: Works) -> None:
    """Draw how far searches are, and the button that ends them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(work.share, f"{_('Searching')} · {work.share:.0%}")
        st.button(_("Stop"), key="compare-stop", icon=":material/stop:", on_click=work.cancel)


def offer_again(attempts: Sequence[Attempt]) -> None:
    """Draw the button that takes up searches which were stopped or have failed; nothing where there are none."""
    slots = [attempt.slot for attempt in attempts if attempt.stopped]
    if slots:
        st.button(
            _("Search again"),
            key="compare-again",
            icon=":material/replay:",
            on_click=_forget,
            args=(slots,),
        )


def _forget(slots: Sequence[str]) -> None:
    for slot in slots:
        background.forget(slot)


def say_who_cannot(models: Sequence[ModelInfo]) -> None:
    """Say which models can find no image in their latent space."""
    for info in models:
        if not remade.ways(info):
            error = remade.no_way(info)
            st.caption(problem.literal(f"{error.problem} {error.remedy}"))
