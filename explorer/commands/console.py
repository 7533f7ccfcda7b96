"""What commands print: a result on stdout, everything else on stderr."""

import contextlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="An id from 'latent-explorer models', the folder of a checkpoint, or hf://owner/name.",
        show_default=False,
    ),
]


def emit(result: Mapping[str, Any]) -> None:
    """Print a result as one JSON object; a number that is not finite becomes null."""
    print(json.dumps(_finite(result), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def note(text: str) -> None:
    """Print something that is not the result."""
    print(text, file=sys.stderr, flush=True)


def sleeping_threads() -> None:
    """Let threads that wait for each other sleep; to be called before torch is imported.

    By default they spin, which costs several times the work itself where something else wants the cores too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@contextlib.contextmanager
def only_results() -> Iterator[None]:
    """Send what libraries print in this block to stderr, so that stdout holds the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Lay rows out in columns.

    Args:
        header: Names of the columns.
        rows: Cells.
        right: Columns that are aligned to the right.
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    cells = [
        [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join("  ".join(line).rstrip() for line in cells)


def duration(seconds: float) -> str:
    """Write a time as people read it: 0:42, 12:05, 3:07:00."""
    if not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class ProgressLine:
    """A line on stderr, rewritten on a terminal; elsewhere it is printed again every few seconds, and at the end.

    Args:
        seconds: Time between lines where stderr is not a terminal.
        clock: For tests.
    """

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._printed = -math.inf
        self._open = False
        self._kept = ""  # shown last and not printed yet

    def show(self, text: str) -> None:
        """Show the present state."""
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{text[:width]}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif self._clock() - self._printed >= self._seconds:
            self._printed = self._clock()
            self._kept = ""
            note(text)
        else:
            self._kept = text

    def close(self) -> None:
        """End the line, so that what is printed next starts on its own."""
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False
        if self._kept:
            note(self._kept)
            self._kept = ""
