"""Data sets of a person's own, taken in from a zip of images: `own:<name>`, as the folder of images that it is.

    data/own/NAME/set.json     what is known of it (OwnSet)
    data/own/NAME/images/      000000.png ..., or CLASS/000000.png ... where sub-folders are classes

What is packed is read, checked and drawn anew: kept are the pixels of the square in the middle, at most 128 wide, under
a name of our own. So nothing of a file but its picture lies on the disk (no place where a photo was taken, no program
in a picture), and no path comes from the zip. Torch-free.
"""

import itertools
import re
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, Literal

from pydantic import ValidationError

from models import archives, images
from models.datasets import DatasetInfo, folder, places
from models.datasets.places import OWN, own_folder, place, shown
from models.disk import discard, making
from models.errors import UserError, write_error
from models.media import png
from models.paths import own_data
from models.tables import nearest
from models.values import Value

MINIMUM = folder.MINIMUM  # images: a tenth is kept to evaluate with, two at least to validate with
MAXIMUM = folder.MAXIMUM  # files: more images do not fit into memory
LARGEST = 2 * 2**30  # bytes unpacked: pictures hardly become smaller in a zip, and the page takes 64 MB of it
LARGEST_FILE = images.MAX_BYTES  # of one image, as of any that is uploaded
PIXELS = 5 * 10**9  # of all images, minutes of reading: 400 photos; a few MB can hold a thousand times more
SIDE = 128  # pixels that are kept: twice the side of the largest images that models have, so that those are sharp

_MANIFEST = "set.json"
_NAMED = 5  # of the files that were left out for one reason
_LONGEST = 50  # letters of a name, and of a class
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # what file managers put beside pictures
_REMEDY = f"Pack {MINIMUM} images at least: PNG, JPEG, WebP, GIF, BMP or TIFF; sub-folders are classes."
_FEWER = "Pack fewer or smaller images."
_REASONS = {  # code of the error: what is wrong with a file that is left out
    "not-an-image": "no image",
    "bad-image": "damaged",
    "bad-zip": "damaged in the zip",
    "image-too-large": "too large",
}

Progress = Callable[[int, int], None]


class Skipped(Value):
    """Files that were left out for one reason.

    Args:
        reason: `not-an-image`, `bad-image`, `bad-zip` or `image-too-large`.
        count: How many.
        names: Of the first of them, as they are in the zip.
    """

    reason: str
    count: int
    names: tuple[str, ...]


class OwnSet(Value):
    """What is known of a data set of a person's own.

    Args:
        name: Its short name, of lower-case letters, digits and dashes.
        title: Its name for people.
        images: How many there are.
        train: Training images among them.
        test: Test images among them.
        channels: 1 if all are grey, else 3.
        classes: Names of its classes; empty if it has none.
        skipped: Files of the zip that are left out; hidden ones are not counted.
        date: When it was taken in, ISO 8601, UTC.
    """

    name: str
    title: str
    images: int
    train: int
    test: int
    channels: Literal[1, 3]
    classes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    date: str

    @property
    def id(self) -> str:
        """The name that data sets are named by elsewhere: `own:cats`."""
        return OWN + self.name

    @property
    def left_out(self) -> str:
        """A sentence on what is left out, and why; empty if nothing is."""
        return _left_out(self.skipped)


def take_in(content: bytes | BinaryIO, name: str, progress: Progress = lambda done, total: None) -> OwnSet:
    """Make a data set of a zip of images: all of it, or nothing where something is wrong.

    Folders that all images lie in are left away; of what is in them, sub-folders are classes. Files that are no images
    or damaged are left out and counted.

    Args:
        content: The zip, or an open file of it.
        name: Its name for people, or that of the zip; the short name is made of it, with a number if it is taken.
        progress: Told (done, total) of the files; what it raises ends the work, and nothing is kept.

    Raises:
        UserError: It is no zip, a locked or damaged one, a bomb, wants to write elsewhere, holds too many files or too
            few images; or the disk is full.
    """
    title = _title(name)
    with archives.opened(content) as archive:
        entries = [entry for entry in archives.files(archive) if not _is_junk(archives.place(entry))]
        archives.limit(entries, MAXIMUM, LARGEST, _FEWER)
        target = _free(_slug(title))
        try:
            with making(target) as made:
                known = _known(target.name, title, *_unpack(archive, entries, made, progress))
                (made / _MANIFEST).write_text(known.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise write_error(target, error) from error
    return known


def own() -> tuple[OwnSet, ...]:
    """Return the data sets that were taken in, by name; those whose files are damaged are left out."""
    found: list[OwnSet] = []
    for path in sorted(own_data().glob(f"*/{_MANIFEST}")):
        try:
            found.append(find(path.parent.name))
        except UserError:
            continue  # one that is just being made, or somebody else's folder
    return tuple(found)


def find(name: str) -> OwnSet:
    """Return what is known of a set by its short name; raises UserError if there is none, or it is damaged."""
    path = own_folder(name) / _MANIFEST
    try:
        return OwnSet.model_validate_json(path.read_text()).model_copy(update={"name": name})
    except ValidationError as error:
        problem = f"What is known of the data set '{OWN}{name}' is damaged ({path})."
        raise UserError("bad-data", problem, "Delete its folder and upload it again.") from error
    except (OSError, ValueError) as error:
        problem = f"There is no data set '{OWN}{name}'."
        others = [OWN + one.parent.name for one in own_data().glob(f"[!.]*/{_MANIFEST}") if one != path]
        remedy = nearest(OWN + name, others) if others else "Upload a zip of images to make one."
        raise UserError("unknown-data-set", problem, remedy) from error


def delete(name: str) -> None:
    """Delete a set by its short name, for good, with what is kept of its images in the cache; raises UserError."""
    target = own_folder(find(name).name)
    try:
        discard(target)
        for size in places.SIZES:
            folder.forget(f"{OWN}{name}?size={size}")
    except OSError as error:
        raise write_error(target, error) from error


def describe(name: str) -> DatasetInfo:
    """Return what is known of `own:<name>`, without reading an image; raises UserError if there is none."""
    where = place(name)
    known = find(where.own)
    return DatasetInfo(
        where.name,
        known.title,
        known.channels,
        where.size,
        known.train,
        known.test,
        "models.datasets.folder:load",
        "not known",
        f"Your own images, taken in on {known.date[:10]}",
        known.classes,
        likelihood="gaussian-optimal",
    )


def remembered(name: str) -> tuple[DatasetInfo, str] | None:
    """Return what is known of `own:<name>` and a key of its present state; None if it is not here."""
    try:
        info = describe(name)
        return info, f"{info.name} {find(place(name).own).date}"
    except UserError:
        return None


@dataclass
class _Unpacked:
    """What came out of a zip so far: where each image lay in it, whether all are grey, what is left out and why."""

    folders: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    pixels: int = 0
    grey: bool = True
    skipped: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def reasons(self) -> tuple[Skipped, ...]:
        """What is left out, by reason."""
        return tuple(
            Skipped(reason=reason, count=len(names), names=tuple(names[:_NAMED]))
            for reason, names in sorted(self.skipped.items())
        )


def _unpack(
    archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], made: Path, progress: Progress
) -> tuple[_Unpacked, list[str]]:
    """Draw the images of a zip into a folder; returns what came out, and their names, with those of their classes."""
    flat = made / "unsorted"
    flat.mkdir()
    out = _Unpacked()
    for done, entry in enumerate(entries, 1):
        try:
            data = _content(archive, entry)
            out.pixels += images.area(data)
            if out.pixels > PIXELS:
                problem = (
                    f"The images in this zip have more than {PIXELS // 10**6:,} million pixels together."
                )
                raise UserError("too-large", problem, _FEWER)
            pixels = _drawn(data)
        except UserError as error:
            if error.code not in _REASONS:
                raise
            out.skipped.setdefault(error.code, []).append(shown(entry.filename))
        else:
            (flat / _file(len(out.folders))).write_bytes(png(pixels))
            out.folders.append(archives.place(entry)[:-1])
            out.grey = out.grey and pixels.shape[-1] == 1
        progress(done, len(entries))
    _check_count(len(out.folders), out.reasons())
    names = _names(out.folders)
    for number, name in enumerate(names):
        target = made / places.IMAGES / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (flat / _file(number)).rename(target)
    flat.rmdir()
    return out, names


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the content of a file; raises UserError if it is too large or damaged."""
    if entry.file_size > LARGEST_FILE:
        raise UserError("image-too-large", f"'{entry.filename}' is too large.", "Make it smaller.")
    with archives.reading(archive, entry) as source:
        return source.read(LARGEST_FILE + 1)  # never more, whatever the zip says of its size


def _drawn(data: bytes) -> images.Pixels:
    """Return what is kept of an image, (H, W, C), square, grey if it is; raises UserError if it cannot be read."""
    image = images.read(data)
    side = min(SIDE, *image.shape[:2])
    square = images.prepare(image, (3, side, side))
    return square[..., :1] if (square == square[..., :1]).all() else square


def _file(number: int) -> str:
    return f"{number:06}.png"


def _names(folders: Sequence[tuple[str, ...]]) -> list[str]:
    """Name each image, with its class before it: the first of its folders that not all images lie in."""
    ends = zip(min(folders), max(folders), strict=False)  # what these two share, all between them do
    shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], ends))
    kinds = (f"{_class(parts[shared])}/" if len(parts) > shared else "" for parts in folders)
    return [kind + _file(number) for number, kind in enumerate(kinds)]


def _class(name: str) -> str:
    """Return the name of a class as that of a folder on any system."""
    text = re.sub(r'[<>:"|?*]', "_", shown(unicodedata.normalize("NFC", name)))
    return text[:_LONGEST].strip(" .") or "_"


def _known(name: str, title: str, out: _Unpacked, names: Sequence[str]) -> OwnSet:
    test = int(folder.held_out(names).sum())
    return OwnSet(
        name=name,
        title=title,
        images=len(names),
        train=len(names) - test,
        test=test,
        channels=1 if out.grey else 3,
        classes=folder.classes_of(names)[0],
        skipped=out.reasons(),
        date=datetime.now(UTC).isoformat(),
    )


def _check_count(count: int, skipped: Sequence[Skipped]) -> None:
    remedy = f"{_left_out(skipped)} {_REMEDY}".strip()
    if not count:
        problem = "None of the files in this zip can be read as an image."
        raise UserError("no-images", problem if skipped else "There are no images in this zip.", remedy)
    if count < MINIMUM:
        problem = f"There are only {count} images in this zip, and {MINIMUM} are needed."
        raise UserError("too-few-images", problem, remedy)


def _left_out(skipped: Sequence[Skipped]) -> str:
    parts = [
        f"{one.count} × {_REASONS.get(one.reason, one.reason)} ({folder.some(one.names, count=one.count)})"
        for one in skipped
    ]
    return f"Left out: {'; '.join(parts)}." if parts else ""


def _is_junk(parts: Sequence[str]) -> bool:
    """Tell whether a file is hidden, or one that file managers put beside pictures."""
    return any(part.startswith(".") or part in _JUNK for part in parts)


def _title(name: str) -> str:
    """Return a name for people, given one or the name of a zip."""
    last = PureWindowsPath(name).name
    return shown(re.sub(r"\.zip$", "", last, flags=re.IGNORECASE)).strip()[:_LONGEST] or "Images"


def _slug(title: str) -> str:
    """Return the short name that a title makes."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "images"


def _free(slug: str) -> Path:
    """Return where a new set goes: under its short name, or the first of name-2, name-3 and so on that is free."""
    names = itertools.chain([slug], (f"{slug}-{number}" for number in itertools.count(2)))
    return next(path for path in map(own_folder, names) if not path.exists())
