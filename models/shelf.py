"""What was computed before: named by all that it depends on, computed once, then read. Torch-free."""

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar, cast

from models.errors import UserError
from models.jobs import locks
from models.shared import Progress, unheard

T = TypeVar("T")
_GLANCE = 0.2  # seconds between two tellings that another process is waited for
_WAITING = 0.001  # share that is told meanwhile


def key(parts: Mapping[str, Any]) -> str:
    """Return the name of what is computed from some values of JSON: another one if any of them changes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of libraries that are installed; of others, nothing."""
    return {name: _version(name) for name in names}


@lru_cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def shipped(
    root: Path, suffix: str, digest: str, model_of: Callable[[Path], str], read: Callable[[Path], T]
) -> Iterator[T]:
    """Yield what came with the project for the weights of a model, leaving out what is damaged.

    Args:
        root: The folder, which need not be there.
        suffix: Of its files.
        digest: Of the weights.
        model_of: Returns the digest that a file names.
        read: Reads a file.
    """
    for path, model in headers(root, suffix, model_of):
        if model == digest:
            with contextlib.suppress(UserError):
                yield read(path)


def headers(root: Path, suffix: str, read: Callable[[Path], T]) -> list[tuple[Path, T]]:
    """Return the files of a folder with what the beginning of each says, by their names; damaged ones are left out.

    Args:
        root: The folder, which need not be there.
        suffix: Of its files.
        read: Reads the beginning of a file; only called again once the file has changed.
    """
    result: list[tuple[Path, T]] = []
    for path in sorted(root.glob(f"*{suffix}")):
        with contextlib.suppress(OSError, UserError):
            result.append((path, cast(T, _header(read, path, path.stat().st_mtime_ns))))
    return result


@lru_cache(maxsize=512)
def _header(read: Callable[[Path], object], path: Path, changed: int) -> object:
    del changed
    return read(path)


def obtain(
    path: Path,
    read: Callable[[], T | None],
    make: Callable[[], T],
    write: Callable[[T], None],
    progress: Progress = unheard,
) -> T:
    """Read something, or compute it and keep it; who wants it meanwhile waits, and reads what was written.

    What cannot be kept is reported on stderr and done without.

    Args:
        path: Where it is kept; the lock lies beside it.
        read: Returns it; None if it is not there, or not whole.
        make: Computes it.
        write: Writes it, at once or not at all; may raise UserError.
        progress: Told while another process is waited for; may raise, to end the wait.
    """
    with _alone(path.with_suffix(".lock"), progress):
        found = read()  # by whoever was first
        if found is not None:
            return found
        made = make()
        try:
            write(made)
        except UserError as error:
            print(f"Not kept for next time: {error.problem}", file=sys.stderr)
            return made
    found = read()
    return made if found is None else found


@contextlib.contextmanager
def _alone(path: Path, progress: Progress) -> Generator[None, None, None]:
    """Hold a lock, waiting for who has it; without one where there are no locks, or no room for one."""
    if not _lockable(path):
        yield
        return
    while True:
        with locks.locked(path, _GLANCE) as lock:
            if lock is not None:
                yield
                return
        progress(_WAITING)


def _lockable(path: Path) -> bool:
    try:
        locks.check()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except (OSError, UserError):
        return False
    return True
