"""Locks of files that end with the processes that hold them (flock), and go from one process to its child."""

import contextlib
import os
import time
from collections.abc import Generator
from pathlib import Path

from models.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: its locks cannot be handed to a child
    fcntl = None

_PAUSE = 0.02  # seconds between two tries


def check() -> None:
    """Raise UserError where there are no such locks."""
    if fcntl is None:
        remedy = "Train with 'latent-explorer train', or run the app on Linux, macOS or in WSL."
        raise UserError("no-jobs", "This system cannot run jobs in the background.", remedy)


def _taken(handle: int, shared: bool = False) -> bool:
    assert fcntl is not None
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked(path: Path, seconds: float = 0) -> Generator[int | None, None, None]:
    """Hold the lock of a file for a block, and longer if a child inherits it; give its descriptor.

    Args:
        path: The file; made if it is not there.
        seconds: How long to try.

    Yields:
        The descriptor; None if somebody else holds the lock.

    Raises:
        FileNotFoundError: The folder is not there, or was removed meanwhile.
    """
    end = time.monotonic() + seconds
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not (mine := _taken(handle)) and time.monotonic() < end:
            time.sleep(_PAUSE)
        if mine and not same(handle, path):
            raise FileNotFoundError(path)
        yield handle if mine else None
    finally:
        os.close(handle)  # which frees it, unless a child has it too


def held(path: Path) -> bool:
    """Return whether a process holds the lock of a file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _taken(handle, shared=True)
    finally:
        os.close(handle)


def same(handle: int, path: Path) -> bool:
    """Return whether an open file is the one that is at a path now."""
    try:
        there = path.stat()
    except OSError:
        return False
    mine = os.fstat(handle)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
