"""Directions of attributes on disk: they cost thousands of pictures, and are the same each time.

A file is named by a key of everything that it depends on, and written under another name first. It holds arrays
only, no pickles. One that is missing, damaged or of another model is answered with None, and computed again.
"""

import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import paths
from models.directions import Directions


def path_of(key: str) -> Path:
    """Return where the directions with a key are kept."""
    return paths.cache() / "attributes" / f"{key}.npz"


def write(key: str, found: Directions) -> None:
    """Keep directions. A cache that cannot be written is none: they are computed again the next time."""
    arrays = {
        "vectors": found.vectors.numpy(),
        "shares": found.shares.numpy(),
        "title": np.array(found.title),
        "names": np.array(found.names, np.str_),
        "attributes": np.array(found.attributes, np.str_),
        "scores": _numbers(found.scores),
        "chances": _numbers(found.chances),
        **{f"effects/{name}": rows.numpy() for name, rows in found.effects.items()},
    }
    target = path_of(key)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, allow_pickle=False, **arrays)
        temporary.replace(target)
    except OSError:
        if temporary:
            temporary.unlink(missing_ok=True)


def _numbers(values: Tensor | None) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.empty(0, np.float32) if values is None else values.numpy()


def read(key: str, dim: int) -> Directions | None:
    """Return the directions with a key, of a latent space of `dim` dimensions; None if there are none."""
    try:
        # Opened here, because numpy leaves a file that is no archive open.
        with path_of(key).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = Directions(
            torch.as_tensor(arrays["vectors"]),
            torch.as_tensor(arrays["shares"]),
            str(arrays["title"]),
            tuple(map(str, arrays["names"])),
            tuple(map(str, arrays["attributes"])),
            torch.as_tensor(arrays["scores"]),
            torch.as_tensor(arrays["chances"]),
            {
                name.removeprefix("effects/"): torch.as_tensor(rows)
                for name, rows in arrays.items()
                if name.startswith("effects/")
            },
        )
    # numpy raises these for a file that is cut short, of another kind or of another layout.
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ):
        return None
    count = len(found.names)
    parts = (found.shares, found.scores, found.chances)
    fits = found.vectors.shape == (count, dim) and len(found.attributes) == count
    fits = fits and all(part is not None and part.shape == (count,) for part in parts)
    return found if fits and all(rows.shape[1:] == (dim,) for rows in found.effects.values()) else None
