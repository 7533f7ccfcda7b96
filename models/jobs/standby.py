"""A worker that waits for its job: it has imported what takes seconds to import, torch above all. Torch-free.

The app keeps at most one, for one device: where people ask for several in turn, most jobs begin without. What a worker
that is started for a job gets from its birth on, locks and log, comes to this one over a socket; there is no moment
either in which nobody holds the locks. It ends with the app, or when nobody had a job for it in `PATIENCE` seconds.

On Linux only: elsewhere a descriptor on its way may be lost if its sender closes it before it has arrived.
"""

import json
import os
import pkgutil
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

PATIENCE = 1800.0  # seconds
_YOUNG = (
    30.0  # seconds in which one is not given up for another kind: people who differ must not end each other's
)
COMMAND = (sys.executable, "-P", "-m", "models.jobs")
_MESSAGE = 65_536  # bytes: a path and a few words
_guard = threading.Lock()


@dataclass(frozen=True)
class _Ready:
    """A process that waits: for what, and where its job is to be sent."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    work: str
    environment: Mapping[str, str]
    since: float


_ready: list[_Ready] = []  # none or one


def prepare(work: str, environment: Mapping[str, str]) -> None:
    """Have a process ready for a job, unless one is, or one for something else has just been started.

    Args:
        work: What it will do, "module:function"; the module is imported now.
        environment: Its environment variables, whole.

    Raises:
        OSError: The system starts no process.
    """
    if sys.platform != "linux":
        return
    with _guard:
        if any(_fits(one, work, environment) or _young(one) for one in _ready):
            return
        for one in _ready:
            _end(one)
        _ready.clear()
        mine, its = socket.socketpair()
        with its:
            quiet = subprocess.DEVNULL
            try:
                process = subprocess.Popen(
                    [*COMMAND, "--standby", str(its.fileno()), "--work", work],
                    stdin=quiet,
                    stdout=quiet,
                    stderr=quiet,
                    env=environment,
                    pass_fds=(its.fileno(),),
                    start_new_session=True,
                )
            except OSError:
                mine.close()
                raise
        _ready.append(_Ready(process, mine, work, dict(environment), time.monotonic()))


def hand(
    words: Sequence[str], work: str, environment: Mapping[str, str], handles: Sequence[int]
) -> subprocess.Popen[bytes] | None:
    """Give a job to the process that waits for such a one; None if there is none.

    Args:
        words: The worker's command line, but for its locks.
        work: What it does.
        environment: Its environment variables, whole.
        handles: Descriptors of the log, of the job's lock, and of the lock of a place on its device.
    """
    with _guard:
        if not any(_fits(one, work, environment) for one in _ready):
            return None
        one = _ready.pop()
        try:
            socket.send_fds(one.line, [json.dumps(list(words)).encode()], list(handles))
        except OSError:  # it ended in this very moment
            _end(one)
            return None
        one.line.close()
        return one.process


def _fits(one: _Ready, work: str, environment: Mapping[str, str]) -> bool:
    return one.process.poll() is None and (one.work, one.environment) == (work, environment)


def _young(one: _Ready) -> bool:
    return one.process.poll() is None and time.monotonic() - one.since < _YOUNG


def _end(one: _Ready) -> None:
    one.line.close()
    one.process.kill()
    one.process.wait()


def wait(line: int, work: str) -> list[str] | None:
    """Import what a job needs, and wait for it: the other side, in the process that waits.

    Args:
        line: Descriptor of the socket.
        work: "module:function".

    Returns:
        The worker's command line, with the locks that it has now; None if no job comes any more.
    """
    os.set_inheritable(line, False)
    with suppress(Exception):  # it will say so when it has a job and a log
        pkgutil.resolve_name(work)
    with socket.socket(fileno=line) as channel:
        if not select.select([channel], [], [], PATIENCE)[0]:
            return None
        message, handles, _, _ = socket.recv_fds(channel, _MESSAGE, 3)
    if not message:
        return None
    log, lock, place = handles
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    return [*json.loads(message), "--lock", str(lock), "--place", str(place)]
