"""Maps as files: safetensors with a header of JSON, so that opening one runs nothing; read whole or refused.

Positions are kept in 16 bits over [-1, 1], finer than any screen; latents and values in half precision, which is
how weights are kept too. Torch-free.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models import disk
from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source
from models.errors import UserError
from models.values import Value, parse

FORMAT = 1
SUFFIX = ".safetensors"
_LEVELS = 65_535  # of a position
_HALF = 65_504.0  # the largest number of half precision
_MOST_HEADER = 1 << 20  # bytes
_META = "map"

Arrays = Mapping[str, NDArray[Any]]


class Header(Value):
    """What a map's file says besides its arrays.

    Args:
        format: Of the file.
        key: Names what the map was computed from, see `models.embedding.library.key`; empty where it is shipped.
        spec: What was asked for.
        names: Of each set of categories.
        quality: Figures by name.
        digest: sha256 of the arrays and of all other fields.
    """

    format: int = FORMAT
    key: str = ""
    spec: MapSpec
    names: dict[str, tuple[str, ...]] = Field(default={})
    quality: dict[str, float] = Field(default={})
    digest: str = ""


def write(path: Path, found: EmbeddingMap, key: str = "") -> None:
    """Write a map: at once or not at all.

    Args:
        path: Where to; its folder is made.
        found: The map.
        key: Names what it was computed from.

    Raises:
        UserError: It cannot be written.
    """
    from safetensors.numpy import save

    arrays = _packed(found)
    names = {name: one.names for name, one in found.categories.items()}
    header = Header(key=key, spec=found.spec, names=names, quality=dict(found.quality))
    signed = header.model_copy(update={"digest": _digest(header, arrays)})
    disk.write(path, save(dict(arrays), {_META: signed.model_dump_json()}))


def read(path: Path, key: str = "") -> EmbeddingMap:
    """Read a map, after checking all of it.

    Args:
        path: The file.
        key: What it must have been computed from.

    Raises:
        UserError: There is none ("no-map"); it is damaged, of another version, or not what the key says ("bad-map").
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problem = f"There is no map {path.name}."
        raise UserError("no-map", problem, "Compute it with 'latent-explorer embed'.") from None
    except OSError as error:
        raise _bad(path, error.strerror or "it cannot be read") from error
    header, arrays = _header(path, content), _arrays(path, content)
    if header.digest != _digest(header, arrays):
        raise _bad(path, "its content is not what its digest says")
    if header.key != key:
        raise _bad(path, "it was computed from something else")
    try:
        return _checked(_unpacked(header, arrays))
    except (KeyError, ValueError, IndexError) as error:
        raise _bad(path, str(error)) from error


def spec_of(path: Path) -> MapSpec:
    """Return what a map's file says was asked for, without reading its arrays; raises UserError as `read` does."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            file.seek(0)
            return _header(path, file.read(8 + min(length, _MOST_HEADER))).spec
    except OSError as error:
        raise _bad(path, error.strerror or "it cannot be read") from error


def _bad(path: Path, why: str) -> UserError:
    return UserError("bad-map", f"The map {path.name} cannot be used: {why}.", "Compute it again.")


def _header(path: Path, content: bytes) -> Header:
    length = int.from_bytes(content[:8], "little")
    try:
        raw = cast(dict[str, Any], json.loads(content[8 : 8 + length])) if length <= _MOST_HEADER else {}
        data = json.loads(raw["__metadata__"][_META])
        version = data["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _bad(path, "it is damaged or not a map") from None
    if version != FORMAT:
        raise _bad(path, "another version wrote it")
    return parse(Header, data, what=f"The map {path.name}", code="bad-map")


def _arrays(path: Path, content: bytes) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _bad(path, "it is truncated or damaged") from error


def _digest(header: Header, arrays: Arrays) -> str:
    rest = header.model_dump(mode="json", exclude={"digest"})
    found = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _packed(found: EmbeddingMap) -> dict[str, NDArray[Any]]:
    """Return the arrays of a map as they are kept; latents only of the points that have some."""
    known = np.asarray(np.isfinite(found.latents).all(axis=1))
    return {
        "positions": np.round((found.positions.clip(-1, 1) + 1) * (_LEVELS / 2)).astype(np.uint16),
        "latents": _half(found.latents[known]),
        "known": np.asarray(known, np.uint8),
        "sources": found.sources.astype(np.uint8),
        "indices": found.indices.astype(np.int32),
        **{f"category/{name}": one.codes.astype(np.int16) for name, one in found.categories.items()},
        **{f"value/{name}": _half(one) for name, one in found.values.items()},
    }


def _half(values: NDArray[Any]) -> NDArray[Any]:
    """Round to half precision, unless a number would become infinite."""
    known = values[np.isfinite(values)]
    fits = not known.size or float(np.abs(known).max()) <= _HALF
    return np.ascontiguousarray(values, np.float16 if fits else np.float32)


def _unpacked(header: Header, arrays: Arrays) -> EmbeddingMap:
    known = arrays["known"].astype(bool)
    latents = np.full((len(known), arrays["latents"].shape[1]), np.nan, np.float32)
    latents[known] = arrays["latents"]
    kinds = {
        kind: {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{kind}/")}
        for kind in ("category", "value")
    }
    return EmbeddingMap(
        header.spec,
        (arrays["positions"].astype(np.float32) * (2 / _LEVELS) - 1).astype(np.float32),
        latents,
        arrays["sources"],
        arrays["indices"],
        {name: Categories(codes, header.names[name]) for name, codes in kinds["category"].items()},
        {name: values.astype(np.float32) for name, values in kinds["value"].items()},
        header.quality,
    )


def _checked(found: EmbeddingMap) -> EmbeddingMap:
    """Return a map whose parts fit together; raises ValueError else."""
    count = len(found.positions)
    rows = {"sources": found.sources, "indices": found.indices, **found.values}
    rows |= {name: one.codes for name, one in found.categories.items()}
    if found.positions.shape != (count, 2) or len(found.latents) != count or count == 0:
        raise ValueError("its points have no place or no latent")
    wrong = next((name for name, row in rows.items() if row.shape != (count,)), None)
    if wrong:
        raise ValueError(f"'{wrong}' does not have a value for each point")
    if np.isinf(found.latents).any() or any(np.isinf(row).any() for row in found.values.values()):
        raise ValueError("it holds numbers that are not finite")
    if found.sources.max() > max(Source) or found.indices.min() < 0:
        raise ValueError("it has points from nowhere")
    if any(one.codes.max() >= len(one.names) or one.codes.min() < -1 for one in found.categories.values()):
        raise ValueError("it has points of a category without a name")
    return found
