"""Zips of others: what is not a zip, or a damaged one, never raises anything but what a person can read."""

import io
import random
import zipfile
from collections import Counter

import pytest

from models import archives
from models.errors import UserError


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def read(content: bytes) -> dict[tuple[str, ...], bytes]:
    found = {}
    with archives.opened(content) as archive:
        for entry in archives.files(archive):
            with archives.reading(archive, entry) as source:
                found[archives.place(entry)] = source.read()
    return found


def test_files_are_read_under_the_folders_that_they_lie_in() -> None:
    content = zipped(
        {"a/é.txt": b"x" * 500, "b\\c.txt": b"y", "12:30.txt": b"z", "empty/": b"", ".": b"no name"}
    )
    assert read(content) == {("a", "é.txt"): b"x" * 500, ("b", "c.txt"): b"y", ("12:30.txt",): b"z"}


def test_a_file_without_a_name_is_passed_over() -> None:
    assert read(zipped({"qq": b"x", "a": b"y"}).replace(b"qq", b"\0q")) == {("a",): b"y"}


def test_no_damage_raises_anything_else() -> None:
    content = zipped({f"a/{number}é.txt": bytes(range(number, 250)) for number in range(3)})
    start = content.index(b"PK\x01\x02")
    rng = random.Random(0)
    outcomes: Counter[str] = Counter()
    for _ in range(1000):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 2, 4))):
            where = rng.randrange(rng.choice((0, start)), len(content))
            damaged[where] = rng.choice((0, 1, 255, rng.randrange(256)))
        try:
            read(bytes(damaged))
        except UserError as error:
            outcomes[error.code] += 1
        else:
            outcomes["read"] += 1
    assert set(outcomes) <= {"read", "bad-zip", "locked-zip", "outside-folder", "too-large"}
    assert outcomes["bad-zip"] > 100 and outcomes["read"] > 100


def test_limits() -> None:
    with archives.opened(zipped({"a": bytes(2**21), "b": b""})) as archive:
        entries = archives.files(archive)
    archives.limit(entries, 2, 2**21, "")
    with pytest.raises(UserError, match=r"more than 1 files\. Do this"):
        archives.limit(entries, 1, 2**21, "Do this.")
    with pytest.raises(UserError, match=r"more than 1 MB unpacked\. Do this"):
        archives.limit(entries, 2, 2**20, "Do this.")


@pytest.mark.parametrize("most", [0, 4, 5, 100])
def test_headers_are_counted_across_pieces(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_CHUNK", 7)
    file = io.BytesIO(zipped({str(number): b"" for number in range(5)}))
    counted = archives._entries(file, most)
    assert (counted > most) == (most < 5) and counted <= 5 and file.tell() == 0
    assert most < 5 or counted == 5
