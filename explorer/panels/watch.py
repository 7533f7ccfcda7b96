"""Trainings as they run: how far, the curves, the pictures and their timeline; what can be done with each."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import streamlit as st

from explorer import cache, figures, jobs, run_pictures, sitemap, state
from explorer.components.timeline import Pictures, timeline
from explorer.panels import picker, problem, sending
from explorer.panels.setup import CHOSEN
from explorer.text import _, count, duration, ngettext
from models import catalog, datasets, library
from models.errors import UserError
from models.jobs import Job
from models.training.record import Record
from models.training.runs import SnapshotKind

_SECOND = 1.0  # between two looks at what a run has written
_EARLY, _YOUNG = 0.4, 12.0  # seconds between them at first, and for how long
_MOST = 3  # runs side by side
_GO = "training-go"
_PICKED = "training-picked"
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
_KINDS: Mapping[SnapshotKind, Callable[[], str]] = {
    "samples": lambda: _("Samples"),
    "reconstructions": lambda: _("Reconstructions"),
}
_IMAGES = {
    "samples": lambda: _("What it makes of the same 64 latents each time"),
    "reconstructions": lambda: _("Rows of images that it does not learn from, each above its reconstruction"),
}
_POINTS = {
    "samples": lambda: _("What it makes of the same latents each time, over the data in grey"),
    "reconstructions": lambda: _("Points that it does not learn from in grey, their reconstructions in blue"),
}


def trainings() -> dict[str, Job]:
    """Return the trainings that who looks at the page may see, the newest first."""
    return {job.id: job for job in jobs.mine() if job.spec.kind == "train"}


def show() -> None:
    """Draw the choice of runs and what is chosen of them."""
    # In a run of the whole page only: a part that is drawn again by itself must not take another page's turn.
    if st.session_state.pop(_GO, False):
        st.switch_page("views/explore.py")
    found = trainings()
    if not found:
        with st.container(key="charts-ahead"):  # seconds, which are spent while a person still chooses
            st.plotly_chart(figures.nothing(), key="chart-ahead")
        return
    chosen = [name for name in st.session_state.get(CHOSEN, []) if name in found] or [_first(found)]
    st.session_state[CHOSEN] = chosen
    st.subheader(_("Runs"), anchor=False)
    if len(found) > 1:
        labels = _labels(found)
        st.session_state[_PICKED] = chosen  # what a widget holds is forgotten when its page is left
        st.multiselect(
            _("Shown side by side"),
            list(found),
            format_func=lambda name: labels[name],
            key=_PICKED,
            on_change=_pick,
            max_selections=_MOST,
        )
    _watch(tuple(chosen))


def _pick() -> None:
    st.session_state[CHOSEN] = list(st.session_state[_PICKED])


def _first(found: Mapping[str, Job]) -> str:
    """Return the run that is shown if none is chosen: one that runs, else the newest."""
    return next((name for name, job in found.items() if not job.over), next(iter(found)))


def _labels(found: Mapping[str, Job]) -> dict[str, str]:
    """Word runs for a list, which takes runs of the same words for one."""
    labels: dict[str, str] = {}
    alike = Counter[str]()
    for name, job in reversed(list(found.items())):
        label = f"{job.spec.title} · {time.strftime('%H:%M:%S', time.localtime(job.created))}"
        alike[label] += 1
        labels[name] = label if alike[label] == 1 else f"{label} ({alike[label]})"
    return labels


def _watch(names: tuple[str, ...]) -> None:
    """Draw runs, again and again for as long as one of them goes on."""
    pace = _pace(list(_those(names)))
    st.fragment(_draw, run_every=pace)(names, pace)


def _pace(found: Sequence[Job]) -> float | None:
    """Return after how many seconds runs are drawn again: at first soon, since people wait; None if all are over."""
    ages = [time.time() - (job.started or job.created) for job in found if not job.over]
    return None if not ages else _EARLY if min(ages) < _YOUNG else _SECOND


def _those(names: Sequence[str]) -> Iterator[Job]:
    """Return the jobs of some ids that are still there."""
    for name in names:
        with suppress(UserError):
            yield jobs.queue().get(name)


def _draw(names: tuple[str, ...], pace: float | None) -> None:
    found = list(_those(names))
    if len(found) < len(names) or (pace is not None and pace != _pace(found)):
        st.rerun()  # of the whole page: one was removed elsewhere, or there is less to wait for
    records = [cache.record(jobs.queue().folder(job.id)) for job in found]
    alone = len(found) == 1
    columns = st.columns([1, 1.2] if alone else len(found), gap="large")
    for job, record, column in zip(found, records, columns, strict=False):
        with column:
            _status(job, record)
            _actions(job)
            _timeline(job, record)
    with columns[1] if alone else st.container():
        _curves(found, records, columns=1 if alone else 2)


def _status(job: Job, record: Record) -> None:
    words, icon = _STATES[job.state]()
    st.markdown(f"**{problem.literal(job.spec.title)}** · {icon} {words}")
    last = record.last()
    parts: list[str] = []
    if last:
        parts = [_("step {n}").format(n=f"{last['step']:,}"), _("{n} images").format(n=count(last["images"]))]
        parts.append(_("{n} images/s").format(n=count(round(last["images_per_s"]))))
    if job.state == "running" and last.get("progress"):
        left = last["seconds"] * (1 / last["progress"] - 1)
        parts.append(_("{time} left").format(time=duration(left)))
    if "memory_mb" in last:
        parts.append(_("{n} MB").format(n=f"{last['memory_mb']:,.0f}"))
    if not job.over:
        st.progress(float(last.get("progress", 0.0)), " · ".join(parts) or _begins(job))
    elif parts:
        st.caption(" · ".join(parts))
    if job.problem:
        problem.show(UserError(job.state, job.problem, job.remedy))
    if job.state == "died" and job.log:
        st.code("\n".join(job.log), language=None)


def _begins(job: Job) -> str:
    """Say when a run begins that has told nothing yet."""
    if job.state != "queued":
        return _("It begins")
    if not job.ahead:
        return _("It is the next to begin")
    return ngettext("{n} other waits before it", "{n} others wait before it", job.ahead).format(n=job.ahead)


def _actions(job: Job) -> None:
    queue = jobs.queue()
    with st.container(horizontal=True):
        if job.state in ("running", "queued"):
            _button(
                _("Stop"),
                "stop",
                job,
                ":material/stop:",
                queue.stop,
                _("End it now, and keep what it learned"),
            )
            _button(_("Cancel"), "cancel", job, ":material/close:", queue.cancel, _("End it at once"))
        _explore(job)
        if job.over and job.state != "done":
            _button(
                _("Resume"),
                "resume",
                job,
                ":material/play_arrow:",
                queue.resume,
                _("Go on to the end of its time"),
            )
        if job.over:
            _keep(job)
            _remove(job)


def _button(text: str, name: str, job: Job, icon: str, act: Callable[[str], object], hint: str) -> None:
    if st.button(text, key=f"{name}-{job.id}", icon=icon, help=hint):
        with problem.explained():
            act(job.id)
            st.rerun()


def _remove(job: Job) -> None:
    """Offer to delete a run, which is asked for twice."""
    with st.popover(_("Remove"), icon=":material/delete:", key=f"remove-{job.id}"):
        st.caption(_("Its curves, pictures and weights. A model that was kept of it stays."))
        hint = _("There is no way back")
        _button(_("Delete the run"), "delete", job, ":material/delete:", jobs.queue().remove, hint)


def _explore(job: Job) -> None:
    """Offer to open what it has come to, where that makes pictures; while it trains, the page follows."""
    with suppress(UserError):  # it is being replaced just now
        info = catalog.of_run(job.id)
        if info is None or not info.can("picture"):
            return
        if st.button(
            _("Explore this"),
            key=f"explore-{job.id}",
            icon=":material/explore:",
            help=_("Move through its latent space; while it trains, with its newest weights"),
        ):
            state.open_model(info.id)
            st.session_state[_GO] = True
            st.rerun()


def _keep(job: Job) -> None:
    """Offer to take the result among the models, to open it, and to send it away."""
    result = None
    with suppress(UserError):  # it cannot be read
        result = catalog.of_run(job.id, live=False)
    if result is None:
        return
    with st.popover(_("Keep"), icon=":material/bookmark_add:", key=f"keep-{job.id}"):
        name = st.text_input(
            _("Name"),
            job.spec.title,
            key=f"keep-name-{job.id}",
            max_chars=100,
            help=_("Of the model, as it will stand among the others."),
        )
        if st.button(
            _("Keep and explore"), key=f"keep-go-{job.id}", icon=":material/explore:", type="primary"
        ):
            with problem.explained():
                title = name.strip() or job.spec.title
                kept = library.take_in(str(result.path), library.unused(datasets.slug(title).lower()))
                state.open_model(library.titled(kept, title).id)
                st.session_state[picker.ADDED] = title
                st.session_state[_GO] = True
                st.rerun()
        sending.show(result)


def _timeline(job: Job, record: Record) -> None:
    """Draw the pictures so far, which a person can go through and play."""
    if kinds := list(_pictures(record)):
        address = run_pictures.address(sitemap.base(), job.id)
        label = _("Timeline of {title}").format(title=job.spec.title)
        timeline(kinds, address=address, label=label, key=f"timeline-{job.id}")


def _pictures(record: Record) -> Iterator[Pictures]:
    """Return the kinds of pictures that there are."""
    config = record.config()
    info = datasets.known(config.dataset) if config else None
    about = _POINTS if info and info.points else _IMAGES
    for name, title in _KINDS.items():
        shots = record.snapshots(name)
        with suppress(OSError, IndexError):  # there are none, or the run was removed
            yield Pictures(name, title(), about[name](), shots[-1].size(), shots)


def _curves(found: Sequence[Job], records: Sequence[Record], columns: int) -> None:
    if not any(record.events() for record in records):
        return
    with st.container(horizontal=True):
        log = st.toggle(_("Logarithmic"), key="curves-log", persist_state="session")
        smooth = st.toggle(_("Smoothed"), True, key="curves-smooth", persist_state="session")
    titles = [job.spec.title for job in found]
    if len(set(titles)) < len(titles):
        labels = _labels({job.id: job for job in found})
        titles = [labels[job.id] for job in found]
    groups = figures.groups(records)
    places = st.columns(columns, gap="large")
    for number, (title, names) in enumerate(groups.items()):
        with places[number % columns]:
            st.markdown(f"**{title}**")
            st.plotly_chart(
                figures.curves(records, titles, names, log=log, smooth=smooth),
                key=f"curve-{title}",
                config={"displayModeBar": False},
            )
