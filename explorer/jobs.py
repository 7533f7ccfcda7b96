"""The app's background jobs: the queue that all sessions share, and who may do what with a job."""

import time
from collections.abc import Mapping, Sequence

import streamlit as st

from explorer import access, identity
from explorer.settings import settings
from explorer.text import _
from models import paths
from models.config import RunConfig
from models.embedding.spec import MapSpec
from models.errors import UserError
from models.jobs import OVERHEAD, Device, Job, Jobs, JobSpec, embedding, evaluation, keep, training
from models.metrics.spec import Measurement

_LONGEST = 3600.0  # seconds
_TITLE = 200  # characters
_TWICE = 2.0  # seconds in which asking for the same training is asking once
NOBODY = "nobody"  # who has no cookie, such as a browser that refuses them


@st.cache_resource(show_spinner=False)
def queue() -> Jobs:
    """Return the queue, looked after from now on."""
    found = Jobs(paths.runs(), longest=settings().train_seconds + OVERHEAD)
    keep(found)
    return found


def me() -> str:
    """Return who looks at the page."""
    return _owner(st.context.cookies)


def _owner(cookies: Mapping[str, str]) -> str:
    return identity.owner(cookies) or NOBODY


def seen_by(headers: Mapping[str, str], address: str | None, cookies: Mapping[str, str]) -> str | None:
    """Return whose jobs somebody may see: their own; on this machine, those of all (None).

    Args:
        headers: Of the request: of a page's socket (`st.context.headers`), or to a route.
        address: Of who sends it; None: it comes from this machine.
        cookies: That come with it.
    """
    return None if access.allows(headers, address) else _owner(cookies)


def mine() -> list[Job]:
    """Return the jobs that who looks at the page may see, the newest first."""
    return queue().all(seen_by(st.context.headers, st.context.ip_address, st.context.cookies))


def prepare(device: Device) -> None:
    """Have a worker ready for the next training, see `models.jobs.Jobs.prepare`."""
    queue().prepare("train", device)


def train(config: RunConfig, title: str) -> Job:
    """Put a training in the queue; asked for twice in a moment, as by a double click, it is one.

    Args:
        config: What is trained, and how.
        title: Of the job, for people.

    Raises:
        UserError: Too many jobs of who asks run or wait, or there is no room on the disk or in memory.
    """
    asked = training(config, owner=me(), title=title)
    for job in queue().all(asked.owner):
        if not job.over and job.spec == asked and time.time() - job.created < _TWICE:
            return job
    _check_room()
    return queue().submit(asked)


def embed(spec: MapSpec, title: str) -> Job:
    """Put the computing of a map in the queue, unless it is there already for who asks; raises as `train`.

    Args:
        spec: The map.
        title: Of the job, for people.
    """
    return _once(embedding(spec, owner=me(), title=title[:_TITLE], timeout=_patience()))


def measure(specs: Sequence[Measurement], title: str) -> Job:
    """Put the measuring of models in the queue, unless it is there already for who asks; raises as `train`.

    Args:
        specs: What is to be measured, one after the other.
        title: Of the job, for people.
    """
    return _once(evaluation(specs, owner=me(), title=title[:_TITLE], timeout=_patience()))


def _patience() -> float:
    """Return the seconds after which a job ends that is no training: no more than the queue allows."""
    return min(_LONGEST, settings().train_seconds + OVERHEAD)


def _once(asked: JobSpec) -> Job:
    for job in queue().all(me()):
        if not job.over and (job.spec.kind, job.spec.arguments) == (asked.kind, asked.arguments):
            return job
    _check_room()
    return queue().submit(asked)


def _check_room() -> None:
    going = [job for job in queue().all(me()) if not job.over]
    if len(going) >= settings().jobs_each:
        problem = _("{n} of your jobs run or wait.").format(n=len(going))
        raise UserError("too-many-jobs", problem, _("Wait for one of them, or stop it."))
