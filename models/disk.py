"""Files and folders that are there in full or not at all; tensors that are computed once and kept.

Torch-free until then.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import write_error
from models.shared import COSTLY

if TYPE_CHECKING:
    from torch import Tensor


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Give a temporary file beside a path, which takes its place when the block ends well, and else is deleted.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # made so that only its owner can read it
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: bytes | str) -> None:
    """Write a file, at once or not at all, and its folder; raises UserError where it cannot be written."""
    data = content.encode() if isinstance(content, str) else content
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise write_error(path, error) from error


@contextlib.contextmanager
def making(folder: Path) -> Generator[Path, None, None]:
    """Give a temporary folder beside a path, which is renamed to it when the block ends well, and else is deleted.

    Raises:
        OSError: It cannot be written, or there is one with something in it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()  # within it: the outer one only its owner can read
        yield made
        made.rename(folder)


def discard(folder: Path) -> None:
    """Delete a folder, which a reader sees the whole of or nothing; raises OSError if it cannot be."""
    with tempfile.TemporaryDirectory(prefix=".deleted-", dir=folder.parent) as temporary:
        folder.rename(Path(temporary) / folder.name)


def from_disk(path: Path, compute: Callable[[], "Mapping[str, Tensor]"]) -> "Mapping[str, Tensor]":
    """Return named tensors from a safetensors file, or compute them, when it is their turn, and write it.

    One that is damaged is made again; one that cannot be written is reported on stderr and done without.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]

    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError):
        pass  # not there yet, or damaged
    with COSTLY:
        tensors = compute()
    try:
        with replacing(path) as temporary:
            save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, temporary)
    except (OSError, SafetensorError) as error:
        print(f"Not kept for next time: {write_error(path, error).problem}", file=sys.stderr)
    return tensors
