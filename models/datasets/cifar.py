"""CIFAR-10 from its binary version, out of a folder or the archive.

The python version of the data set is pickles, which can run any program when they are opened: it is never read.
https://www.cs.toronto.edu/~kriz/cifar.html describes the format and gives the checksum.
"""

import hashlib
import http.client
import ssl
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from models import paths
from models.datasets import DatasetInfo, Split
from models.datasets.files import CIFAR_ARCHIVE, cifar_files, cifar_names, progress_line
from models.disk import replacing
from models.errors import UserError, write_error

URL = f"https://www.cs.toronto.edu/~kriz/{CIFAR_ARCHIVE}"
_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
_RECORD = 1 + 3 * 32 * 32  # bytes: a label, then red, green and blue, row by row
_MAX_BYTES = 10_000 * _RECORD  # of a file
_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_BROKEN = (
    urllib.error.URLError,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
    http.client.HTTPException,
)


def cifar10(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor, None]:
    """Return CIFAR-10, uint8 (N, 3, 32, 32), and its labels; downloads the archive if there are no files.

    Raises:
        UserError: There are none and no network, or they are damaged.
    """
    found = cifar_files(info, split)
    if found is None:
        _download()
        found = cifar_files(info, split)
    if found is None:
        raise UserError("no-data", f"The files of '{info.name}' are incomplete.", where_to_put())
    try:
        content = b"".join(
            _unpacked(found[0], split) if len(found) == 1 and _is_archive(found[0]) else _plain(found)
        )
        records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
        expected = info.train if split == "train" else info.test
        if len(records) != expected or records[:, 0].max(initial=0) >= len(info.classes):
            raise ValueError(f"{expected:,} images with labels below {len(info.classes)} are expected")
    except (OSError, EOFError, ValueError, KeyError, tarfile.TarError, zlib.error) as error:
        problem = f"The files of '{info.name}' in {found[0].parent} cannot be read: {error}."
        raise UserError("bad-data", problem, "Delete them and fetch the data set again.") from error
    records = torch.tensor(records)
    return records[:, 1:].reshape(-1, 3, 32, 32).contiguous(), records[:, 0].long(), None


def _is_archive(path: Path) -> bool:
    return path.name == CIFAR_ARCHIVE


def _plain(files: tuple[Path, ...]) -> list[bytes]:
    for path in files:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"{path.name} is too large")
    return [path.read_bytes() for path in files]


def _unpacked(archive: Path, split: Split) -> list[bytes]:
    """Return the content of the files of a split, in memory: nothing of an archive is written anywhere."""
    content: dict[str, bytes] = {}
    with tarfile.open(archive, "r:gz") as packed:
        for member in packed:
            name = member.name.rpartition("/")[2]
            if member.isfile() and name in cifar_names(split) and member.size <= _MAX_BYTES:
                file = packed.extractfile(member)
                content[name] = file.read(_MAX_BYTES) if file else b""
    return [content[name] for name in cifar_names(split)]


def where_to_put() -> str:
    """Say what to do about missing files."""
    text = (
        f"Put {CIFAR_ARCHIVE}, or its folder cifar-10-batches-bin, into {paths.data()}, or set EXPLORER_DATA_DIR to "
        "the folder that holds it; 'digits', 'avatars' and 'sprites' are always there."
    )
    pickles = [n for root in paths.data_sources() for n in _PICKLED if (root / n).exists()]
    if pickles:
        text += (
            f" {pickles[0]} is not read: it holds pickles, which can run any program when they are opened."
        )
    return text


_PICKLED = ("cifar-10-batches-py", "cifar-10-python.tar.gz")


def _download() -> None:
    """Fetch the archive into the data folder; it counts only whole and with the checksum that its page gives."""
    target = paths.data() / CIFAR_ARCHIVE
    try:
        with urllib.request.urlopen(URL, timeout=_TIMEOUT) as response, replacing(target) as temporary:
            found = _copy(response, temporary, int(response.headers.get("Content-Length") or 0))
            if found != _MD5:
                raise urllib.error.URLError("what came has another checksum")
    except _BROKEN as error:  # most of them are errors of the system, as a full disk is
        reason = getattr(error, "reason", None) or str(error) or "no answer"
        problem = f"The data set 'cifar10' is not on this machine and could not be downloaded ({reason})."
        raise UserError("no-data", problem, where_to_put()) from error
    except OSError as error:
        raise write_error(target, error) from error


def _copy(response: IO[bytes], path: Path, total: int) -> str:
    """Write what a server sends to a file; returns its MD5."""
    digest, done, show = hashlib.md5(usedforsecurity=False), 0, progress_line("Downloading CIFAR-10 (bytes)")
    with path.open("wb") as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            show(done, max(total, done))
    return digest.hexdigest()
