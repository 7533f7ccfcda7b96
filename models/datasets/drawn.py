"""Data sets that are drawn: once, then read from the cache folder. A training need not wait for the first time."""

import hashlib
import os
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import paths
from models.datasets import SEEDS, DatasetInfo, ImageData, Split, drawer
from models.datasets.drawing import BATCH, Drawer, fill
from models.datasets.files import progress_line
from models.disk import replacing

# Patterns of the files that draw a data set, besides those for all: a change of these must not show old pictures.
_CODE = {"avatars": ("avatar*.py", "shapes.py"), "sprites": ("sprites.py",)}


def load(info: DatasetInfo, split: Split) -> tuple[Tensor, None, Tensor]:
    """Return the images of a data set that is drawn, uint8 (N, C, H, W), and their factors, float32 (N, F)."""
    kept = _kept(info, split)
    if kept is None:
        progress = progress_line(f"Drawing {info.name} ({split})")
        kept = drawer(info)(_count(info, split), SEEDS[split], progress=progress)
        _keep(info, split, *kept)
    return kept[0], None, kept[1]


def begin(info: DatasetInfo, split: Split) -> ImageData:
    """Return a data set that is drawn, at once: what is not there yet is drawn when it is asked for, or meanwhile."""
    kept = _kept(info, split)
    if kept is not None:
        return ImageData(info, kept[0], None, kept[1])
    count = _count(info, split)
    pictures = _Pictures(drawer(info), count, SEEDS[split], partial(_keep, info, split))
    return DrawnData(info, pictures, torch.arange(count))


def _count(info: DatasetInfo, split: Split) -> int:
    return info.train if split == "train" else info.test


def _path(info: DatasetInfo, split: Split) -> Path:
    """Return where the pictures are kept: another file for each version of what draws them."""
    folder = Path(__file__).parent
    files = sorted(path for pattern in (*_CODE[info.name], "drawing.py") for path in folder.glob(pattern))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    return paths.cache() / info.name / f"{split}-{_count(info, split)}-{key}.npz"


def _kept(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor] | None:
    """Return the images and factors that were drawn before; None if they were not, or the file is damaged."""
    try:
        with np.load(_path(info, split), allow_pickle=False) as stored:
            return torch.as_tensor(stored["images"]), torch.as_tensor(stored["factors"])
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
        return None


def _keep(info: DatasetInfo, split: Split, images: Tensor, factors: Tensor) -> None:
    try:
        with replacing(_path(info, split)) as temporary, temporary.open("wb") as file:
            np.savez(file, images=images.numpy(), factors=factors.numpy())
    except OSError as error:
        print(f"The {info.name} could not be kept for next time: {error}.", file=sys.stderr)


class _Pictures:
    """Pictures that are drawn when they are needed, and one after the other while none is. Safe for threads.

    Two threads may draw the same one at the same time: it comes out the same.

    Args:
        draw: Draws them.
        count: How many there are.
        seed: Of their factors.
        keep: Is given images and factors once all are there.
    """

    def __init__(self, draw: Drawer, count: int, seed: int, keep: Callable[[Tensor, Tensor], None]) -> None:
        self._compose = draw.compose
        self._factors = draw.factors(count, seed, 0)
        self._images = np.zeros((count, *draw.shape), np.uint8)
        self._there = np.zeros(count, bool)
        self.images = torch.as_tensor(self._images)
        self.factors = torch.as_tensor(self._factors)
        self._keep = keep
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True, name=f"drawing-{count}")
        self._thread.start()

    def need(self, rows: NDArray[np.int64]) -> None:
        """Return when some pictures are there."""
        missing = rows[~self._there[rows]]
        for _ in fill(self._images, self._factors, missing, self._compose):
            pass
        self._there[missing] = True

    def _go_on(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        for first in range(0, len(self._there), BATCH):
            if self._end.is_set():
                return
            self.need(np.arange(first, min(first + BATCH, len(self._there))))
        self._keep(self.images, self.factors)

    def finish(self, rest: bool) -> None:
        """Return when nothing is drawn or written any more.

        Args:
            rest: Whether what is missing is drawn first, so that all is kept.
        """
        if rest:
            self.need(np.arange(len(self._there)))
        else:
            self._end.set()
        self._thread.join()


class DrawnData(ImageData):
    """Images that may not be there yet; those that are asked for are drawn first.

    Parts of it share the pictures. Unlike those of other data, `images` is made anew each time it is asked for.

    Args:
        info: The data set.
        pictures: All of them, shared.
        rows: Which of them these are, int64, shape (N,).
    """

    def __init__(self, info: DatasetInfo, pictures: _Pictures, rows: Tensor) -> None:
        for name, value in {
            "info": info,
            "labels": None,
            "factors": pictures.factors[rows],
            "_pictures": pictures,
            "_rows": rows,
        }.items():
            object.__setattr__(self, name, value)  # its class is frozen

    _pictures: _Pictures
    _rows: Tensor

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def images(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All of them, uint8, shape (N, C, H, W): waits until they are there."""
        return self._of(self._rows)

    def _of(self, rows: Tensor) -> Tensor:
        self._pictures.need(rows.numpy())
        return self._pictures.images[rows]

    def to(self, device: torch.device) -> ImageData:
        """Return the same data on a device; on another one than the CPU they are all there."""
        return self if device.type == "cpu" else super().to(device)

    def fetch(self, index: slice | Tensor) -> None:
        """Return when some of the images are there."""
        self._pictures.need(self._rows[index].numpy())

    def finish(self, rest: bool) -> None:
        """Return when nothing is drawn or written any more, with `rest` once all images are there and kept."""
        self._pictures.finish(rest)

    def take(self, index: Tensor) -> ImageData:
        """Return some of the images, with what is known of them."""
        return DrawnData(self.info, self._pictures, self._rows[index])

    def floats(self, index: slice | Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Return some images as float32 in [-1, 1], shape (B, C, H, W)."""
        return ImageData(self.info, self._of(self._rows[index])).floats(slice(None), device)
