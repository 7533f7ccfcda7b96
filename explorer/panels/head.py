"""What a training is and what can be done with it: stop, resume, open, keep, remove."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

import streamlit as st

from explorer import jobs, navigation, state
from explorer.panels import picker, problem, sending
from explorer.text import _
from models import catalog, datasets, library
from models.errors import UserError
from models.jobs import Job, State

_STATES = {
    "queued": lambda: (_("Waiting for its turn"), ":material/hourglass_empty:"),
    "running": lambda: (_("Training"), ":material/model_training:"),
    "stopping": lambda: (_("Stopping, with a checkpoint"), ":material/stop_circle:"),
    "done": lambda: (_("Done"), ":material/check_circle:"),
    "stopped": lambda: (_("Stopped"), ":material/stop_circle:"),
    "cancelled": lambda: (_("Cancelled"), ":material/cancel:"),
    "failed": lambda: (_("Failed"), ":material/error:"),
    "died": lambda: (_("Ended without a word"), ":material/error:"),
}


@dataclass(frozen=True)
class Head:
    """What a run is and what can be done with it.

    Attributes:
        job: Its id.
        title: For people.
        state: How it stands.
        over: It has ended.
        opens: It makes pictures: Explore can show them, while it trains with its newest weights.
        keeps: There is a result to keep.
    """

    job: str
    title: str
    state: State
    over: bool
    opens: bool
    keeps: bool

    @classmethod
    def of(cls, job: Job) -> Self:
        """Look at a run."""
        opens = keeps = False
        with suppress(UserError):  # it is being replaced just now, or cannot be read
            info = catalog.of_run(job.id)
            opens = info is not None and info.can("picture")
            keeps = job.over and catalog.of_run(job.id, live=False) is not None
        return cls(job.id, job.spec.title, job.state, job.over, opens, keeps)

    def outdated(self, now: Self) -> bool:
        """Tell whether something else is to be drawn; what a run publishes is away for a moment as it is replaced."""
        return replace(now, opens=now.opens or self.opens) != self

    def draw(self) -> None:
        """Draw its title and its buttons, and do what is asked for."""
        words, icon = _STATES[self.state]()
        queue = jobs.queue()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{problem.literal(self.title)}** · {icon} {words}", width="content")
            if self.state in ("running", "queued"):
                self._act(_("Stop"), "stop", "stop", queue.stop, _("End it now, and keep what it learned"))
                self._act(_("Cancel"), "cancel", "close", queue.cancel, _("End it at once"))
            if self.opens and st.button(
                _("Explore this"),
                key=f"explore-{self.job}",
                icon=":material/explore:",
                help=_("Move through its latent space; while it trains, with its newest weights"),
            ):
                if self.job != state.view().model:  # else the point is kept
                    state.open_model(self.job)
                st.switch_page("views/explore.py")
            if self.over and self.state != "done":
                self._act(
                    _("Resume"), "resume", "play_arrow", queue.resume, _("Go on to the end of its time")
                )
            if self.keeps:
                self._keep()
            if self.over:
                with st.popover(
                    _("Remove"), icon=":material/delete:", key=f"remove-{self.job}"
                ):  # asked for twice
                    st.caption(_("Its curves, pictures and weights. A model that was kept of it stays."))
                    hint = _("There is no way back")
                    self._act(_("Delete the run"), "delete", "delete", queue.remove, hint)

    def _act(self, text: str, name: str, icon: str, act: Callable[[str], object], hint: str) -> None:
        if st.button(text, key=f"{name}-{self.job}", icon=f":material/{icon}:", help=hint):
            with problem.explained():
                act(self.job)
                navigation.redraw()

    def _keep(self) -> None:
        """Offer to take the result among the models, to open it, and to send it away."""
        with (
            st.popover(_("Keep"), icon=":material/bookmark_add:", key=f"keep-{self.job}"),
            problem.explained(),
        ):
            name = st.text_input(
                _("Name"),
                self.title,
                key=f"keep-name-{self.job}",
                max_chars=100,
                help=_("Of the model, as it will stand among the others."),
            )
            result = catalog.of_run(self.job, live=False)
            if result is None:  # it was removed
                return
            if st.button(
                _("Keep and explore"), key=f"keep-go-{self.job}", icon=":material/explore:", type="primary"
            ):
                title = name.strip() or self.title
                kept = library.take_in(str(result.path), library.unused(datasets.slug(title).lower()))
                state.open_model(library.titled(kept, title).id)
                st.session_state[picker.ADDED] = title
                st.switch_page("views/explore.py")
            sending.show(result)
