"""Workers as processes of this machine. Torch-free."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from models.jobs import records, standby

# Those that this process started, kept until it has heard of their end.
_children: list[subprocess.Popen[bytes]] = []
_guard = threading.Lock()


def launch(
    folder: Path,
    work: str,
    *,
    lock: int,
    place: int,
    grace: float,
    niceness: int,
    environment: Mapping[str, str],
) -> None:
    """Start the worker of a job, or give it to the one that waits; there is no moment in which nobody holds its locks.

    Args:
        folder: The job's.
        work: What it does, "module:function".
        lock: Descriptor of the job's lock.
        place: Descriptor of the lock of a place on its device.
        grace: Seconds to end well in, once its time is up.
        niceness: How far its priority is below that of this process.
        environment: Its environment variables.

    Raises:
        OSError: The system starts no process, or the log cannot be written.
    """
    words = [str(folder), "--work", work, "--grace", str(grace), "--nice", str(niceness)]
    found = _with_path(environment)
    with (folder / records.LOG).open("ab") as log, _guard:
        child = standby.hand(words, work, found, (log.fileno(), lock, place))
        if child is None:
            child = subprocess.Popen(
                [*standby.COMMAND, *words, "--lock", str(lock), "--place", str(place)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=found,
                pass_fds=(lock, place),
                start_new_session=True,  # the end of the app, or Ctrl-C, is not its end
            )
        _children.append(child)


def prepare(work: str, environment: Mapping[str, str]) -> None:
    """Have a worker ready for a job, see `models.jobs.standby`; raises OSError if the system starts no process.

    Args:
        work: What it will do, "module:function".
        environment: Its environment variables.
    """
    standby.prepare(work, _with_path(environment))


def _with_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Let a worker find what this process finds, wherever it was started."""
    return {**environment, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}


def reap() -> None:
    """Hear of the end of workers that this process started."""
    with _guard:
        _children[:] = [child for child in _children if child.poll() is None]
