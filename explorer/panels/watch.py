"""Trainings as they run: how far, the curves, the pictures and their timeline; what can be done with each."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import streamlit as st

from explorer import cache, figures, jobs, navigation, run_pictures, sitemap
from explorer.components.timeline import Pictures, timeline
from explorer.panels import problem
from explorer.panels.head import Head
from explorer.panels.setup import CHOSEN, MOST
from explorer.text import _, count, duration, ngettext
from models import datasets
from models.errors import UserError
from models.jobs import Job
from models.training.record import Record
from models.training.runs import SnapshotKind

_SECOND = 1.0  # between two looks at what a run has written
_EARLY, _YOUNG = 0.4, 12.0  # seconds between them at first, and for how long
_PICKED = "training-picked"
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
            max_selections=MOST,
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
    """Draw runs: what can be done with them once, the rest again and again for as long as one of them goes on.

    A press on a button beside something that draws itself again can come twice, or not at all: the browser may send it
    with the tick as well, and a tick that calls for the whole page has taken it. Where a whole page is drawn, it counts
    once (Streamlit 1.67).
    """
    found = list(_those(names))
    heads = [Head.of(job) for job in found]
    if not heads:  # they were removed just now
        return
    for head, column in zip(heads, st.columns(len(heads), gap="large"), strict=True):
        with column:
            head.draw()
    pace = _pace(found)
    st.fragment(_draw, run_every=pace)(names, heads, pace)


def _pace(found: Sequence[Job]) -> float | None:
    """Return after how many seconds runs are drawn again: at first soon, since people wait; None if all are over."""
    ages = [time.time() - (job.started or job.created) for job in found if not job.over]
    return None if not ages else _EARLY if min(ages) < _YOUNG else _SECOND


def _those(names: Sequence[str]) -> Iterator[Job]:
    """Return the jobs of some ids that are still there."""
    for name in names:
        with suppress(UserError):
            yield jobs.queue().get(name)


def _draw(names: tuple[str, ...], heads: Sequence[Head], pace: float | None) -> None:
    found = list(_those(names))
    gone = len(found) < len(heads)
    if gone or pace != _pace(found) or any(map(Head.outdated, heads, map(Head.of, found))):
        navigation.redraw()  # one was removed, or something else can be done with it, or there is less to wait for
    records = [cache.record(jobs.queue().folder(job.id)) for job in found]
    alone = len(found) == 1
    columns = st.columns([1, 1.2] if alone else len(found), gap="large")
    for job, record, column in zip(found, records, columns, strict=False):
        with column:
            _status(job, record)
            _timeline(job, record)
    with columns[1] if alone else st.container():
        _curves(found, records, columns=1 if alone else 2)


def _status(job: Job, record: Record) -> None:
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
