"""Zips that somebody else packed: looked through before anything is unpacked, and read no further than is allowed.

    with opened(content) as archive:
        entries = files(archive)          # safe places, no links, no password
        limit(entries, most, largest, remedy)
        with reading(archive, entries[0]) as source: ...

Torch-free. Nothing is written here: where a file goes is decided by who reads it, never by the zip.
"""

import contextlib
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator, Sequence
from pathlib import PureWindowsPath
from typing import IO, BinaryIO

from models.errors import UserError

_DAMAGED = (  # what zipfile raises for a file that is damaged
    zipfile.BadZipFile,
    RuntimeError,  # packed in an unknown way
    MemoryError,  # the dictionary of LZMA is as large as the zip says
    ValueError,  # names that are no text, and places before the file's beginning
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
_HEADER = b"PK\x01\x02"  # what each entry of that list begins with
_CHUNK = 2**20
# Folders among them, and the hidden file that macOS packs with each. They are counted before they are listed: each
# costs half a kilobyte of memory then, and a zip of 64 MB can name a million.
ENTRIES = 150_000
_LOCKED = 0x1  # bit of an entry's flags: it is encrypted


def opened(content: bytes | BinaryIO) -> zipfile.ZipFile:
    """Open a zip, to be closed by the caller.

    Args:
        content: The file's content, or the file itself.

    Raises:
        UserError: It is no zip, is damaged, or has more than `ENTRIES` entries.
    """
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    if _entries(file, ENTRIES) > ENTRIES:
        raise _too_many(ENTRIES)
    try:
        return zipfile.ZipFile(file)
    except _DAMAGED as error:
        problem = "This is no zip file, or a damaged one."
        raise UserError("bad-zip", problem, "Download or pack it again.") from error


def _entries(file: BinaryIO, most: int) -> int:
    """Count what could be headers of entries, also of zips within, until there are more than `most`.

    Never fewer than there are, whatever the zip says of their number: what does not begin so, zipfile refuses.
    """
    count, rest = 0, b""
    file.seek(0)
    while count <= most and (chunk := file.read(_CHUNK)):
        count += (rest + chunk).count(_HEADER)
        rest = (rest + chunk)[1 - len(_HEADER) :]
    file.seek(0)
    return count


def place(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the folders and the name of a file in a zip, from the outermost on; both slashes part them."""
    return PureWindowsPath(entry.filename).parts


def files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files in a zip, but those without a name.

    Raises:
        UserError: One of them would lie elsewhere (`../`, an absolute path, a link), or is locked with a password.
    """
    entries = [entry for entry in archive.infolist() if place(entry) and not entry.is_dir()]
    for entry in entries:
        path = PureWindowsPath(entry.filename)
        if path.anchor or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
            problem = f"This zip wants to write outside its folder: '{entry.filename}'."
            raise UserError("outside-folder", problem, "Do not use it, unless you know who made it.")
        if entry.flag_bits & _LOCKED:
            problem = f"This zip is locked with a password: '{entry.filename}'."
            raise UserError("locked-zip", problem, "Pack it again without one.")
    return entries


def limit(entries: Sequence[zipfile.ZipInfo], most: int, largest: int, remedy: str) -> None:
    """Raise UserError if there are too many files, or too many bytes of them by what the zip says.

    What it says binds it: zipfile gives out no more of a file than that.

    Args:
        entries: From `files`.
        most: Files.
        largest: Bytes of all of them together, unpacked.
        remedy: What to do about it.
    """
    if len(entries) > most:
        raise _too_many(most, remedy)
    if sum(entry.file_size for entry in entries) > largest:
        problem = f"This zip holds more than {largest // 2**20:,} MB unpacked."
        raise UserError("too-large", problem, remedy)


def _too_many(most: int, remedy: str = "Pack fewer.") -> UserError:
    return UserError("too-large", f"This zip holds more than {most:,} files.", remedy)


@contextlib.contextmanager
def reading(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Generator[IO[bytes], None, None]:
    """Open a file in a zip; raises UserError, also later while it is read, if it is damaged."""
    try:
        with archive.open(entry) as source:
            yield source
    except _DAMAGED as error:
        problem = f"'{entry.filename}' in this zip is damaged, or packed in an unknown way."
        raise UserError("bad-zip", problem, "Pack it again.") from error
