"""Directions of attributes as files, in a checkpoint's folder and in the cache: they cost thousands of pictures.

A file names the key of everything that it depends on. It holds arrays only, no pickles. One that is missing,
damaged, or of another model, judge or version is answered with None: then the next place is asked, and in the end
they are computed again.
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import paths
from models.directions import Directions
from models.disk import replacing

_LARGEST = 1 << 26  # bytes of a file's arrays: more are not those of any attributes
_ROWS = 64  # of effects that are kept for each attribute
_LEAST_EFFECT = 1e-6  # mean squared change of a probability below which an attribute counts as constant


def in_cache(key: str) -> Path:
    """Return where the directions with a key are kept for the next time."""
    return paths.cache() / "attributes" / f"{key}.npz"


def factored(scatter: Tensor) -> Tensor:
    """Return the strongest rows A of a factor of a scatter matrix (D, D), scaled so that its trace is D: A^T A.

    There are no rows where an attribute never changes.
    """
    dim = len(scatter)
    if float(scatter.trace()) < _LEAST_EFFECT * dim:
        return torch.zeros(0, dim)
    values, vectors = cast(
        tuple[Tensor, Tensor],
        torch.linalg.eigh(scatter.double() * (dim / scatter.trace())),  # pyright: ignore[reportUnknownMemberType]
    )
    rows = (vectors * values.clamp_min(0).sqrt()).T
    return rows.flip(0)[:_ROWS].float()


def write(path: Path, key: str, found: Directions) -> None:
    """Write directions; raises OSError.

    Effects are kept as the triangles of A^T A, in half precision: a quarter of the bytes of the rows A.
    """
    triangle = np.tril_indices(found.vectors.shape[1])
    arrays = {
        "key": np.array(key),
        "vectors": found.vectors.numpy(),
        "shares": found.shares.numpy(),
        "title": np.array(found.title),
        "names": np.array(found.names, np.str_),
        "attributes": np.array(found.attributes, np.str_),
        "scores": _numbers(found.scores),
        "chances": _numbers(found.chances),
        **{
            f"effects/{name}": (rows.T @ rows).numpy()[triangle].astype(np.float16)
            for name, rows in found.effects.items()
        },
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **cast(dict[str, Any], arrays))


def _numbers(values: Tensor | None) -> NDArray[np.float32]:
    return np.empty(0, np.float32) if values is None else values.numpy()


def read(path: Path, key: str, dim: int) -> Directions | None:
    """Return the directions with a key, of a latent space of `dim` dimensions; None if a file holds no such ones."""
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            if sum(part.file_size for part in archive.infolist()) > _LARGEST:
                return None
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as file:
                if str(file["key"]) != key:
                    return None
                arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
        return _directions(arrays, dim)
    # numpy raises these for a file that is cut short, of another kind or of another layout.
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        MemoryError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ):
        return None


def _directions(arrays: dict[str, NDArray[Any]], dim: int) -> Directions | None:
    names, attributes = (tuple(map(str, arrays[name])) for name in ("names", "attributes"))
    count = len(names)
    shapes = {"vectors": (count, dim), "shares": (count,), "scores": (count,), "chances": (count,)}
    numbers = {name: _tensor(arrays[name], shape) for name, shape in shapes.items()}
    effects = {
        name.removeprefix("effects/"): factored(_square(packed, dim))
        for name, packed in arrays.items()
        if name.startswith("effects/")
    }
    if len(attributes) != count:
        return None
    return Directions(
        title=str(arrays["title"]), names=names, attributes=attributes, effects=effects, **numbers
    )


def _tensor(array: NDArray[Any], shape: tuple[int, ...]) -> Tensor:
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError("no numbers of this shape")
    return torch.as_tensor(array, dtype=torch.float32)


def _square(packed: NDArray[Any], dim: int) -> Tensor:
    """Return the symmetric matrix (D, D) with a lower triangle."""
    lower = torch.zeros(dim, dim)
    lower[tuple(torch.tril_indices(dim, dim))] = _tensor(packed, (math.comb(dim + 1, 2),))
    return lower + lower.tril(-1).T
