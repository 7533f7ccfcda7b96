"""The route to maps: what a browser fetches of one, piece by piece, and keeps for ever.

    {base}/api/maps/{key}/points                places, indices, sources of all points, and which of them have a latent
    {base}/api/maps/{key}/categories/{n}        codes of the n-th category, int16, -1: unknown
    {base}/api/maps/{key}/values/{n}            the n-th values, float32
    {base}/api/maps/{key}/latents/{block}       half floats (256, D): the latents of 256 points
    {base}/api/maps/{key}/pictures/{of}/{sheet}.png    the pictures of 64 points, eight a row; `of`: images, or decoded

All of it is little-endian, in the order of a space-filling curve: points in a row are near to each other on the map,
so that a browser finds those under a pointer by a few boxes, and one sheet holds the pictures of neighbours. The
`indices` of `points` tell which point of the map stands where in that order.

A map is known by its key, the digest of all that it holds, once `publish` was told of it; who does not know the key
learns no more than that there is nothing. The newest maps are kept; a page publishes its map on every run.
"""

import hashlib
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from explorer import map_pictures
from models.errors import UserError

if TYPE_CHECKING:  # the first page must not wait for numpy
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap

BLOCK = 256  # points whose latents are fetched at once; as in components/map/points.js
SHEET = 64  # points whose pictures are; as in components/map/store.js
_COLUMNS = 8  # pictures a row of a sheet
_PATH = "/api/maps"
_KEPT_BYTES = 1 << 30  # of maps, besides the newest
_NUMBER = re.compile(r"[0-9]{1,7}")
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
_NOT_KEPT = {"cache-control": "no-store"}


@dataclass(frozen=True, eq=False)
class Published:
    """A map that browsers can fetch.

    Args:
        key: Digest of its content.
        map: The map.
    """

    key: str
    map: "EmbeddingMap"

    @cached_property
    def order(self) -> "NDArray[np.int64]":
        """The map's points along the curve, shape (N,)."""
        return along_curve(self.map.positions)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return sum(part.nbytes for part in _arrays(self.map))


_lock = threading.Lock()
_published: OrderedDict[str, Published] = OrderedDict()
_keys: "weakref.WeakKeyDictionary[EmbeddingMap, str]" = weakref.WeakKeyDictionary()


def publish(found: "EmbeddingMap") -> str:
    """Let browsers fetch a map; returns its key. The least recently published ones go where there are too many."""
    with _lock:
        key = _keys.get(found)
    key = key or digest(found)  # of a large map this takes a moment, in which others need not wait
    with _lock:
        _keys[found] = key
        _published.setdefault(key, Published(key, found))
        _published.move_to_end(key)
        while len(_published) > 1 and sum(one.size for one in _published.values()) > _KEPT_BYTES:
            _published.popitem(last=False)
    return key


def published(key: str) -> Published | None:
    """Return the map of a key, None if nobody has published it, or long ago."""
    with _lock:
        return _published.get(key)


def digest(found: "EmbeddingMap") -> str:
    """Return the sha256 of all that a map holds, as 64 hex digits."""
    names = [(name, kind.names) for name, kind in found.categories.items()]
    known = hashlib.sha256(repr((found.spec.model_dump_json(), names, list(found.values))).encode())
    for part in _arrays(found):
        known.update(f"{part.dtype} {part.shape} ".encode())
        known.update(part.tobytes())
    return known.hexdigest()


def _arrays(found: "EmbeddingMap") -> "Sequence[NDArray[Any]]":
    given = (found.positions, found.latents, found.sources, found.indices)
    return (*given, *(kind.codes for kind in found.categories.values()), *found.values.values())


def along_curve(positions: "NDArray[np.float32]") -> "NDArray[np.int64]":
    """Return the order of points along a Z-order curve, so that near ones come together.

    Args:
        positions: Shape (N, 2).

    Returns:
        Indices, shape (N,).

    References:
        Morton (1966), "A computer oriented geodetic data base and a new technique in file sequencing".
    """
    import numpy as np

    low = positions.min(0)
    side = max(float(np.ptp(positions, axis=0).max()), 1e-12)
    cells = ((positions - low) / side * 0xFFFF).astype(np.uint32)

    def spread(bits: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
        for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
            bits = (bits | (bits << np.uint32(shift))) & np.uint32(mask)
        return bits

    return np.argsort(spread(cells[:, 0]) | (spread(cells[:, 1]) << np.uint32(1)), kind="stable")


# The route -------------------------------------------------------------------------------------------------


def routes(base: str) -> list[Route]:
    """Return the routes.

    Args:
        base: In front of all addresses, as `/apps/latent`; or empty.
    """
    at = f"{base}{_PATH}/{{key}}"
    return [
        Route(f"{at}/points", _points),
        Route(f"{at}/{{column}}/{{n}}", _column),
        Route(f"{at}/pictures/{{of}}/{{n}}.png", _sheet),
    ]


def address(base: str, key: str) -> str:
    """Return where a map is on this server.

    Args:
        base: As for `routes`.
        key: What `publish` returned.
    """
    return f"{base}{_PATH}/{key}"


def _nothing() -> Response:
    return PlainTextResponse("Not Found", 404, _NOT_KEPT)


def _binary(data: bytes) -> Response:
    return Response(data, headers=_FOR_EVER, media_type="application/octet-stream")


def _points(request: Request) -> Response:  # Starlette calls what is not async in a thread of its own
    found = published(request.path_params["key"])
    return _binary(points(found)) if found else _nothing()


def _column(request: Request) -> Response:
    found, wanted = published(request.path_params["key"]), request.path_params
    read = _COLUMNS_OF.get(wanted["column"])
    data = read(found, int(wanted["n"])) if found and read and _NUMBER.fullmatch(wanted["n"]) else None
    return _nothing() if data is None else _binary(data)


def _sheet(request: Request) -> Response:
    found, wanted = published(request.path_params["key"]), request.path_params
    of = wanted["of"]
    if not found or of not in ("images", "decoded") or not _NUMBER.fullmatch(wanted["n"]):
        return _nothing()
    try:
        picture = sheet(found, int(wanted["n"]), of)
    except map_pictures.LoadingError:
        return PlainTextResponse("Loading", 503, {**_NOT_KEPT, "retry-after": "1"})
    except (LookupError, OSError, UserError):
        return _nothing()
    return Response(picture, headers={**_FOR_EVER, "x-pictures": of}, media_type="image/png")


# What is fetched -------------------------------------------------------------------------------------------


def points(found: Published) -> bytes:
    """Return places, and what stands where.

    These are float32 places (N, 2), int32 indices (N,), int32 numbers in their split (N,), uint8 sources (N,), uint8
    whether there is a latent (N,).
    """
    whole, order = found.map, found.order
    parts = (
        whole.positions[order].astype("<f4"),
        order.astype("<i4"),
        whole.indices[order].astype("<i4"),
        whole.sources[order].astype("u1"),
        map_pictures.has_latent(whole)[order].astype("u1"),
    )
    return b"".join(part.tobytes() for part in parts)


def _codes(found: Published, n: int) -> bytes | None:
    every = list(found.map.categories.values())
    return every[n].codes[found.order].astype("<i2").tobytes() if n < len(every) else None


def _values(found: Published, n: int) -> bytes | None:
    every = list(found.map.values.values())
    return every[n][found.order].astype("<f4").tobytes() if n < len(every) else None


def _latents(found: Published, block: int) -> bytes | None:
    rows = found.order[block * BLOCK : (block + 1) * BLOCK]
    return found.map.latents[rows].astype("<f2").tobytes() if len(rows) else None


_COLUMNS_OF: dict[str, Callable[[Published, int], bytes | None]] = {
    "categories": _codes,
    "values": _values,
    "latents": _latents,
}


def sheet(found: Published, number: int, of: map_pictures.Kind) -> bytes:
    """Return the PNG of a sheet of pictures, eight a row.

    Args:
        found: The map.
        number: Of the sheet: it shows points 64 * number and those that follow along the curve.
        of: What the pictures are, see `map_pictures.pictures`.

    Raises:
        LookupError: There is no such sheet, or the data set is not what it was.
        LoadingError: The images are not in memory yet.
        UserError: The model or the data set is not there.
    """
    from models import media

    rows = found.order[number * SHEET : (number + 1) * SHEET]
    if not len(rows):
        raise LookupError(f"there is no sheet {number}")
    return media.png(media.contact_sheet(map_pictures.pictures(found.map, rows, of), _COLUMNS))
