"""The one error that a person is meant to read."""

import errno
from pathlib import Path


class UserError(Exception):
    """Say what is wrong and what to do about it, in one sentence each.

    Args:
        code: A stable kebab-case name, for tests and scripts.
        problem: What is wrong, a sentence that ends in a full stop.
        remedy: What to do about it, a sentence that ends in a full stop.
    """

    def __init__(self, code: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy


def write_error(path: Path, error: BaseException) -> UserError:
    """Word why a file could not be written."""
    full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
    if full:
        return UserError(
            "disk-full", f"The disk is full: {path} was not written.", "Free some space and try again."
        )
    if getattr(error, "errno", None) == errno.ENOTEMPTY:  # a folder was to be renamed to one that is there
        return UserError("id-in-use", f"There is a '{path.name}' already.", "Choose another name.")
    why = getattr(error, "strerror", None) or str(error)
    return UserError("cannot-write", f"{path} cannot be written ({why}).", "Choose another place with --out.")


def reason(error: BaseException) -> str:
    """Return the first line of an error of a library, not too long."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
