"""A run's folder as a page reads it while it trains: what was logged so far, and the pictures. Torch-free."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from models.config import RunConfig
from models.errors import UserError
from models.training.runs import Run, SnapshotKind

Kind = Literal["train", "validation"]


@dataclass(frozen=True)
class Snapshot:
    """A picture of what the model made at a step.

    Args:
        step: When.
        path: Of a PNG.
        version: Of the file, which a resumed run may write again: its modification time in nanoseconds.
    """

    step: int
    path: Path
    version: int

    def size(self) -> tuple[int, int]:
        """Return width and height; raises OSError if the picture is gone or damaged."""
        with Image.open(self.path) as image:
            return image.size


class Record:
    """Reads the folder of a run; only what was appended since the last look is read again.

    Args:
        folder: Of the run (`models.training.runs`); it may come later, and go.
    """

    def __init__(self, folder: Path) -> None:
        self.run = Run(folder)
        self._events: list[dict[str, Any]] = []
        self._read: int = 0
        self._file: int = 0

    def config(self) -> RunConfig | None:
        """Return what is trained and how; None if that cannot be read."""
        try:
            return self.run.config()
        except UserError:
            return None

    def events(self) -> Sequence[Mapping[str, Any]]:
        """Return all events so far; a half-written last line is left for the next look."""
        path = self.run.log
        try:
            status = path.stat()
            if (
                status.st_size < self._read or status.st_ino != self._file
            ):  # a resumed run drops what was undone
                self._events, self._read, self._file = [], 0, status.st_ino
            with path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            return self._events
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                self._events.append(json.loads(line))
            except ValueError:
                continue
        return self._events

    def last(self, kind: Kind = "train") -> Mapping[str, Any]:
        """Return the last event of a kind; an empty one before there is any."""
        nothing: Mapping[str, Any] = {}
        return next((event for event in reversed(self.events()) if event.get("kind") == kind), nothing)

    def curve(self, key: str, kind: Kind = "train") -> tuple[list[float], list[float]]:
        """Return the seconds of training at which a figure was logged, and its values there."""
        found = [event for event in self.events() if event.get("kind") == kind and key in event]
        return [float(event["seconds"]) for event in found], [float(event[key]) for event in found]

    def names(self, kind: Kind = "train") -> set[str]:
        """Return the names of everything that events of a kind hold."""
        return {name for event in self.events() if event.get("kind") == kind for name in event}

    def snapshots(self, kind: SnapshotKind = "samples") -> list[Snapshot]:
        """Return the pictures from fixed latents (`samples`) or of fixed images (`reconstructions`), first to last."""
        found: list[Snapshot] = []
        # There may be none yet, or the run is just removed.
        with suppress(OSError), os.scandir(self.run.folder / kind) as entries:
            for entry in entries:
                path = Path(entry.path)
                if path.suffix == ".png" and path.stem.isdecimal():
                    found.append(Snapshot(int(path.stem), path, entry.stat().st_mtime_ns))
        return sorted(found, key=lambda shot: shot.step)
