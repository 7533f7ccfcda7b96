"""Where the files of a data set are on this machine. Torch-free."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from models import paths

if TYPE_CHECKING:
    from models.datasets import DatasetInfo, Split


def idx_files(info: "DatasetInfo", split: "Split") -> tuple[Path, ...] | None:
    """Return the idx files of a split's images and labels, compressed or not; None if they are not here."""
    stem = "train" if split == "train" else "t10k"
    names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    for root in paths.data_sources():
        for folder in info.folders:
            pairs = [[root / folder / f"{name}{ending}" for ending in ("", ".gz")] for name in names]
            images, labels = (next((path for path in pair if path.is_file()), None) for pair in pairs)
            if images and labels:
                return images, labels
    return None


CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"


def cifar_names(split: "Split") -> tuple[str, ...]:
    """Return the names of the files of a split of CIFAR-10's binary version."""
    return tuple(f"data_batch_{i}.bin" for i in range(1, 6)) if split == "train" else ("test_batch.bin",)


def cifar_files(info: "DatasetInfo", split: "Split") -> tuple[Path, ...] | None:
    """Return the files of a split, or the archive that holds them; None if they are not here."""
    for root in paths.data_sources():
        for folder in (root / name for name in info.folders):
            files = tuple(folder / name for name in cifar_names(split))
            if all(path.is_file() for path in files):
                return files
            if (folder.parent / CIFAR_ARCHIVE).is_file():
                return (folder.parent / CIFAR_ARCHIVE,)
    return None


FILES: Mapping[str, Callable[["DatasetInfo", "Split"], tuple[Path, ...] | None]] = {
    "idx": idx_files,
    "cifar": cifar_files,
}


def found(info: "DatasetInfo", split: "Split") -> tuple[Path, ...] | None:
    """Return the files of a split; None if they are not here, and none at all if the data set needs none."""
    return FILES[info.files](info, split) if info.files else ()


def progress_line(title: str) -> Callable[[int, int], None]:
    """Return a function that shows (done, count) on one line of a terminal, and nothing elsewhere."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done >= total else ""
            print(f"\r{title}: {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)

    return show
