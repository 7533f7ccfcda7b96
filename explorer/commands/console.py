"""What commands print: a result on stdout, everything else on stderr."""

import contextlib
import json
import math
import os
import shutil
import sys
import textwrap
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

_ROOM = 40  # characters: less of a line is no place for a text
_INDENT = "    "


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


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    width: int | None = None,
) -> str:
    """Lay rows out in columns.

    Args:
        header: Names of the columns.
        rows: Cells.
        right: Columns that are aligned to the right.
        width: Characters of a line, to which the last column is wrapped: beside the others, or below them where less
            than 40 are left. None for lines of any length.
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    cells = [
        [
            cell.rjust(most) if i in right else cell.ljust(most)
            for i, (cell, most) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        return "\n".join("  ".join(line).rstrip() for line in cells)
    return "\n".join(_wrapped("  ".join(line[:-1]), line[-1], width) for line in cells)


def _wrapped(start: str, text: str, width: int) -> str:
    """Return the start of a line with a text beside it, or below it where it has no room."""
    beside = len(start) + 2
    if width - beside >= _ROOM:
        text = textwrap.fill(text, width - beside, break_on_hyphens=False)
        return f"{start}  {textwrap.indent(text, ' ' * beside).lstrip()}".rstrip()
    text = textwrap.fill(text, max(_ROOM, width) - len(_INDENT), break_on_hyphens=False)
    return f"{start.rstrip()}\n{textwrap.indent(text, _INDENT)}".rstrip()


def screen_width() -> int | None:
    """Return how many characters a line on stdout has; None where it goes to a file or another program."""
    return shutil.get_terminal_size((0, 0)).columns or None


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
