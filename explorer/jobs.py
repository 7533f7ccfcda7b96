"""The app's background jobs: the queue that all sessions share, and who may do what with a job."""

import streamlit as st

from explorer import identity
from explorer.access import may_change
from explorer.settings import settings
from explorer.text import _
from models import paths
from models.config import RunConfig
from models.errors import UserError
from models.jobs import OVERHEAD, Job, Jobs, keep, training

NOBODY = "nobody"  # who has no cookie, such as a browser that refuses them


@st.cache_resource(show_spinner=False)
def queue() -> Jobs:
    """Return the queue, looked after from now on."""
    found = Jobs(paths.runs(), longest=settings().train_seconds + OVERHEAD)
    keep(found)
    return found


def me() -> str:
    """Return who looks at the page."""
    return identity.owner(st.context.cookies) or NOBODY


def mine() -> list[Job]:
    """Return the jobs that who looks at the page may see, the newest first: their own; on this machine, all."""
    return queue().all(None if may_change() else me())


def train(config: RunConfig, title: str) -> Job:
    """Put a training in the queue.

    Args:
        config: What is trained, and how.
        title: Of the job, for people.

    Raises:
        UserError: Too many jobs of who asks run or wait, or there is no room on the disk or in memory.
    """
    most = settings().jobs_each
    going = [job for job in queue().all(me()) if not job.over]
    if len(going) >= most:
        problem = _("{n} of your jobs run or wait.").format(n=len(going))
        raise UserError("too-many-jobs", problem, _("Wait for one of them, or stop it."))
    return queue().submit(training(config, owner=me(), title=title))
