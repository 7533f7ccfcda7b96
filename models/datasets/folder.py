"""A person's own images: `folder:<path>`, or `folder:<path>?size=32` for images of another size. Torch-free.

Every image is turned upright, put on white where it is transparent, cropped to the square in its middle and resized
(`models.images`). If all of them are grey the data set is, else it is RGB. Sub-folders are classes where all images
lie in one and there are at least two. About a tenth of the images, by a hash of their path inside the folder, are
test images, and more images move none from one side to the other. Of few images a tenth may be none: then the one
with the smallest hash is the test image, and a training image again once another one has a smaller hash.

What becomes of the images is kept in the cache folder, under a key of all names, sizes and times, so that they are
read once.
"""

import contextlib
import hashlib
import io
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from models import images, paths
from models.datasets import DatasetInfo, Split
from models.datasets.files import progress_line
from models.datasets.places import HOW, Place, place, shown
from models.disk import replacing
from models.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

MINIMUM = 16  # images: fewer are not a data set
MAXIMUM = 100_000  # files: more do not fit into memory, and are more likely a mistake such as folder:/
TEST_SHARE = 0.1
_KEPT = "folders"  # in the cache folder
_NAMED = 5  # of the files that are left out
_FORMAT = "1"  # of what is kept; a new one makes all be read again


@dataclass(frozen=True)
class _Listing:
    """The files of a folder, by their paths inside it, sorted; and what was passed over."""

    files: tuple[str, ...]
    hidden: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class _Kept:
    """What is known of a folder's images without loading them, as it is kept in JSON."""

    channels: Literal[1, 3]
    classes: tuple[str, ...]
    train: int
    test: int
    left_out: str


def describe(name: str) -> DatasetInfo:
    """Return what is known of a folder; reads all of its images the first time.

    Raises:
        UserError: There is no such folder, or there are too few or too many images in it.
    """
    where = place(name)
    listing = _listed(where.root)
    return _info(where, _kept(where, listing) or _prepared(where, listing)[0])


def remembered(name: str) -> tuple[DatasetInfo, str] | None:
    """Return what is known of a folder whose images were read before, and the key of its present state.

    None if they were not, or have changed: a checkpoint that somebody else made may name any folder, and what is in
    it is looked at only after a person trained or evaluated with it here.
    """
    try:
        where = place(name)
        if not any((paths.cache() / _KEPT).glob(f"{_prefix(where)}*.npz")):
            return None
        listing = _listed(where.root)
    except (UserError, OSError):
        return None
    kept = _kept(where, listing)
    return (_info(where, kept), listing.key) if kept else None


def forget(name: str) -> None:
    """Delete what is kept of a folder's images at a size; raises OSError if it cannot be."""
    for path in (paths.cache() / _KEPT).glob(f"{_prefix(place(name))}*.npz"):
        path.unlink(missing_ok=True)


def some_images(info: DatasetInfo, count: int) -> images.Pixels:
    """Read some of a folder's images, spread over its files; those that cannot be read are left out.

    Returns:
        uint8, shape (N, H, W, C), N at most `count`.

    Raises:
        UserError: None of them can be read.
    """
    where = place(info.name)
    names = _listed(where.root).files
    read: list[images.Pixels] = []
    count = min(count, len(names))
    for index in (number * len(names) // count for number in range(count)):
        with contextlib.suppress(UserError):
            read.append(_pixels(where.root / names[index], where.size)[..., : info.channels])
    if not read:
        raise UserError("no-images", f"There are no images in {where.root}.", HOW)
    return np.stack(read)


def load(info: DatasetInfo, split: Split) -> "tuple[Tensor, Tensor | None, None]":
    """Return the images of a split, uint8 (N, C, H, W), and their classes where there are some."""
    import torch

    where = place(info.name)
    listing = _listed(where.root)
    try:
        with _file(where, listing).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            kept, arrays = (
                _read(stored["meta"]),
                {name: stored[name] for name in ("images", "labels", "test")},
            )
    except _DAMAGED:
        kept, arrays = _prepared(where, listing)
    if kept.left_out and split == "train":
        print(kept.left_out, file=sys.stderr)
    chosen = arrays["test"] if split == "test" else ~arrays["test"]
    labels = torch.as_tensor(arrays["labels"][chosen]) if kept.classes else None
    return torch.as_tensor(arrays["images"][chosen]), labels, None


# Not there yet, damaged, or of an older version: the images are read again.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile)


def _info(where: Place, kept: _Kept) -> DatasetInfo:
    return DatasetInfo(
        where.name,
        where.root.name or "Folder",
        kept.channels,
        where.size,
        kept.train,
        kept.test,
        "models.datasets.folder:load",
        "not known",
        f"The images in {where.root}",
        kept.classes,
        likelihood="gaussian-optimal",
    )


def _listed(root: Path) -> _Listing:
    """List a folder and what is in it, each folder once, so that links that lead back do not matter."""
    if not root.is_dir():
        problem = f"{root} is a file." if root.exists() else f"There is no folder {root}."
        raise UserError("no-folder", problem, HOW)
    files: list[str] = []
    hidden: list[str] = []
    digest = hashlib.sha256(_FORMAT.encode())
    for path, name in _walk(root, set(), hidden):
        files.append(name)
        if len(files) > MAXIMUM:
            problem = f"There are more than {MAXIMUM:,} files in {root}."
            raise UserError("too-many-images", problem, "Give a folder with fewer.")
        try:
            known = path.stat()
        except OSError:  # a broken link: it is named when it is read
            continue
        digest.update(b"%b\0%d %d\0" % (os.fsencode(name), known.st_size, known.st_mtime_ns))
    return _Listing(tuple(files), tuple(hidden), digest.hexdigest()[:16])


def _walk(
    folder: Path, seen: set[tuple[int, int]], hidden: list[str], prefix: str = ""
) -> Iterator[tuple[Path, str]]:
    """Yield the files in a folder and below, with their paths inside it; notes what is hidden."""
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        problem = f"The folder {folder} cannot be read ({error.strerror})."
        raise UserError("no-folder", problem, "Give one that you may read.") from error
    if (here.st_dev, here.st_ino) in seen:
        return
    seen.add((here.st_dev, here.st_ino))
    for entry in entries:
        name = prefix + entry.name
        is_folder = _is_folder(entry)
        if entry.name.startswith("."):
            hidden.append(name + "/" * is_folder)
        elif is_folder:
            yield from _walk(Path(entry.path), seen, hidden, f"{name}/")
        else:
            yield Path(entry.path), name


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _pixels(path: Path, size: int) -> images.Pixels:
    """Read one image, uint8 (H, W, 3); raises UserError if it is none or cannot be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            raise UserError("bad-image", "It is no regular file.", "Remove it.")
        if path.stat().st_size > images.MAX_BYTES:
            raise UserError(
                "image-too-large", f"It has more than {images.MAX_BYTES / 1e6:.0f} MB.", "Make it smaller."
            )
        data = path.read_bytes()
    except OSError as error:
        raise UserError("bad-image", f"It cannot be read ({error.strerror}).", "Remove it.") from error
    return images.prepare(images.read(data), (3, size, size))


def _prepared(where: Place, listing: _Listing) -> tuple[_Kept, dict[str, NDArray[Any]]]:
    """Read all images of a folder, and keep what becomes of them."""
    read: list[tuple[str, images.Pixels]] = []
    broken: list[tuple[str, str]] = []
    show = progress_line(f"Reading {where.root.name}")
    for done, name in enumerate(listing.files, 1):
        try:
            read.append((name, _pixels(where.root / name, where.size)))
        except UserError as error:
            broken.append((name, error.problem))
        show(done, len(listing.files))
    left_out = _left_out(where.root, listing, broken)
    _check_count(where.root, len(read), broken, left_out)
    pixels = np.stack([image for _, image in read]).transpose(0, 3, 1, 2)
    grey = bool((pixels == pixels[:, :1]).all())
    classes, labels = classes_of([name for name, _ in read])
    test = held_out([name for name, _ in read])
    kept = _Kept(1 if grey else 3, classes, int((~test).sum()), int(test.sum()), left_out)
    arrays: dict[str, NDArray[Any]] = {
        "images": np.ascontiguousarray(pixels[:, :1] if grey else pixels),
        "labels": labels,
        "test": test,
    }
    _keep(where, listing, kept, arrays)
    return kept, arrays


def _check_count(root: Path, count: int, broken: Sequence[tuple[str, str]], left_out: str) -> None:
    remedy = f"Put {MINIMUM} images at least into it: PNG, JPEG, WebP, GIF, BMP or TIFF."
    if not count and not broken:
        raise UserError("no-images", f"There are no images in {root}.", f"{left_out} {remedy}".strip())
    if not count:
        raise UserError(
            "no-images", f"None of the files in {root} can be read as an image.", f"{left_out} {remedy}"
        )
    if count < MINIMUM:
        problem = f"There are only {count} images in {root}, and {MINIMUM} are needed."
        raise UserError("too-few-images", problem, f"{left_out} {remedy}".strip())


def _left_out(root: Path, listing: _Listing, broken: Sequence[tuple[str, str]]) -> str:
    """Word what is not used, and why; empty if all is."""
    parts: list[str] = []
    if listing.hidden:
        parts.append(f"{len(listing.hidden)} hidden ({some(listing.hidden)})")
    if broken:
        reasons = [f"{name}: {problem.rstrip('.')}" for name, problem in broken]
        parts.append(f"{len(broken)} that cannot be used ({some(reasons, '; ')})")
    return f"Left out of {shown(str(root))}: {' and '.join(parts)}." if parts else ""


def some(names: Sequence[str], between: str = ", ", count: int = 0) -> str:
    """Name the first of some files that are left out, and say how many more there are (of `count`, if given)."""
    more = (count or len(names)) - _NAMED
    return between.join([*map(shown, names[:_NAMED]), *([f"and {more} more"] if more > 0 else [])])


def classes_of(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names of the classes and that of each image; none unless every image is in one of several."""
    folders = [shown(name.partition("/")[0]) if "/" in name else "" for name in names]
    kinds = sorted(set(folders))
    if "" in kinds or len(kinds) < 2:
        return (), np.zeros(len(names), np.int64)
    return tuple(kinds), np.array([kinds.index(folder) for folder in folders], np.int64)


def held_out(names: Sequence[str]) -> NDArray[np.bool_]:
    """Choose the test images by a hash of their names: about a tenth, one at least."""
    hashes = [int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8]) / 2**64 for name in names]
    shares = np.array(hashes)
    return (shares < TEST_SHARE) | (shares == shares.min())


def _file(where: Place, listing: _Listing) -> Path:
    return paths.cache() / _KEPT / f"{_prefix(where)}{listing.key}.npz"


def _prefix(where: Place) -> str:
    return f"{hashlib.sha256(where.name.encode()).hexdigest()[:16]}-"


def _keep(where: Place, listing: _Listing, kept: _Kept, arrays: dict[str, NDArray[Any]]) -> None:
    path = _file(where, listing)
    meta = np.frombuffer(json.dumps(kept.__dict__).encode(), np.uint8)
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            cast(Any, np.savez)(file, meta=meta, **arrays)
        for old in path.parent.glob(f"{_prefix(where)}*.npz"):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        print(f"The images could not be kept for next time: {error}.", file=sys.stderr)


def _kept(where: Place, listing: _Listing) -> _Kept | None:
    try:
        with _file(where, listing).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return _read(stored["meta"])
    except _DAMAGED:
        return None


def _read(meta: NDArray[np.uint8]) -> _Kept:
    data = json.load(io.BytesIO(meta.tobytes()))
    return _Kept(data["channels"], tuple(data["classes"]), data["train"], data["test"], data["left_out"])
