"""The messages of the live route, packed and parsed: pure functions. `explorer.live` tells how they are used.

Control messages are text: JSON objects of at most 1 KB.

    -> {"open": S, "model": "<64 hex digits>", "priority": P}    S: stream, 0 to 65535; P: 0 (urgent) to 3
    <- {"opened": S, "dim": D, "classes": K, "shape": [H, W, C]}
    <- {"refused": S, "code": 4404, "reason": "..."}             or 4429: too many streams; the others live on
    -> {"close": S}

Requests and replies are binary, little-endian: a header of 20 bytes, and then float32 latents (n, D) in a request,
uint8 pixels (n, H, W, C) in a reply.

| bytes | type | field | in a request | in a reply |
|---|---|---|---|---|
| 0 | u8 | version | 1 | 1 |
| 1 | u8 | operation | 1: decode; others are reserved | the same |
| 2 | u16 | stream | | the same |
| 4 | u32 | sequence | the client's own count | the same |
| 8 | u16 | n | pictures, 1 to the `batch` of hello | the same; 0 if it failed |
| 10 | u16 | dim | D of the stream's model | the same |
| 12 | i16 | label | of all n pictures; -1: none, a conditional model then takes 0 | the same |
| 14 | u16 | status | 0 | 0: done, 1: failed (the server's log says why) |
| 16 | f32 | truncation | psi in [0, 2], which multiplies the latents | milliseconds that the decoding took |
"""

import json
import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from explorer.text import _

if TYPE_CHECKING:  # imported where it is needed: the first page must not wait for it
    import numpy as np
    from numpy.typing import NDArray

VERSION = 1
DECODE = 1
DONE, FAILED = 0, 1
HEADER = struct.Struct("<BBHIHHhHf")
MAX_TEXT = 1024  # bytes
MAX_PICTURES = 64  # of a request
MAX_DIM = 1024  # of a latent: what `models.requests` allows
MAX_BINARY = HEADER.size + 4 * MAX_PICTURES * MAX_DIM  # bytes
MAX_LATENT = 100.0  # prior standard deviations
MAX_TRUNCATION = 2.0
PRIORITIES = 4


class Code(IntEnum):
    """Why a socket is closed, or a stream refused: close codes of the range that is free for applications."""

    MALFORMED = 4400
    NO_IDENTITY = 4401
    FOREIGN_ORIGIN = 4403
    UNKNOWN_MODEL = 4404
    IDLE = 4408
    TOO_MANY_HERE = 4409
    TOO_LARGE = 4413
    BAD_LATENTS = 4422
    FULL = 4429


REASONS: dict[Code, str] = {
    Code.MALFORMED: _("The server did not understand the page. Reload it."),
    Code.NO_IDENTITY: _("This browser sent no valid cookie. Allow cookies and reload the page."),
    Code.FOREIGN_ORIGIN: _("Only the app's own pages may connect. Open the app at its own address."),
    Code.UNKNOWN_MODEL: _("This model is not there any more. Choose another."),
    Code.IDLE: _("Nothing was asked for a long while. Move a control to connect again."),
    Code.TOO_MANY_HERE: _("Too many tabs of this browser are connected. Close some."),
    Code.TOO_LARGE: _("The page asked for too much at once. Reload it."),
    Code.BAD_LATENTS: _("The point is not a number or too far out. Reset it."),
    Code.FULL: _("The server has as many connections as it can serve. Try again later."),
}
"""What a page shows for each code; a close frame holds at most 123 bytes of it."""


class ProtocolError(Exception):
    """A message that closes its socket.

    Args:
        code: Why.
        detail: What exactly is wrong, for the log.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Open:
    """Make a stream, or let an existing one show another model."""

    stream: int
    model: str
    priority: int


@dataclass(frozen=True)
class Close:
    """End a stream."""

    stream: int


@dataclass(frozen=True, eq=False)
class Decode:
    """Ask for pictures.

    Args:
        stream: Which stream asks.
        sequence: Number that the reply repeats.
        label: Class of all pictures, -1 for none.
        truncation: Factor of the latents, in [0, 2].
        latents: Shape (n, D), finite, in [-100, 100].
    """

    stream: int
    sequence: int
    label: int
    truncation: float
    latents: "NDArray[np.float32]"


def parse_text(text: str) -> Open | Close:
    """Parse a control message; raises ProtocolError."""
    if len(text) > MAX_TEXT or len(text.encode(errors="replace")) > MAX_TEXT:
        raise ProtocolError(Code.TOO_LARGE, f"a control message of more than {MAX_TEXT} bytes")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError(Code.MALFORMED, "a control message that is not JSON") from None
    match data:
        case {"open": stream, "model": str(model), "priority": priority, **rest} if not rest:
            if not re.fullmatch(r"[0-9a-f]{64}", model):
                raise ProtocolError(Code.MALFORMED, "a model that is not named by its digest")
            return Open(_whole(stream, 1 << 16), model, _whole(priority, PRIORITIES))
        case {"close": stream, **rest} if not rest:
            return Close(_whole(stream, 1 << 16))
        case _:
            raise ProtocolError(Code.MALFORMED, "a control message of no known kind")


def _whole(value: object, limit: int) -> int:
    if type(value) is int and 0 <= value < limit:  # a bool is an int too
        return value
    raise ProtocolError(Code.MALFORMED, f"a number that is not one from 0 to {limit - 1}")


def parse_binary(message: bytes) -> Decode:
    """Parse a request to decode; raises ProtocolError. Whether it fits its stream is asked later."""
    import numpy as np

    if len(message) > MAX_BINARY:
        raise ProtocolError(Code.TOO_LARGE, f"a request of {len(message)} bytes")
    if len(message) < HEADER.size:
        raise ProtocolError(Code.MALFORMED, f"a request of {len(message)} bytes, which is no header")
    version, operation, stream, sequence, n, dim, label, status, truncation = HEADER.unpack_from(message)
    if (version, operation, status) != (VERSION, DECODE, 0):
        raise ProtocolError(Code.MALFORMED, f"version {version}, operation {operation}, status {status}")
    if n > MAX_PICTURES:
        raise ProtocolError(Code.TOO_LARGE, f"a request for {n} pictures")
    if not n or not dim or label < -1 or len(message) != HEADER.size + 4 * n * dim:
        raise ProtocolError(
            Code.MALFORMED, f"{len(message)} bytes for {n} x {dim} latents with label {label}"
        )
    latents = np.frombuffer(message, "<f4", offset=HEADER.size).reshape(n, dim)
    if not (np.abs(latents) <= MAX_LATENT).all():  # nor is a NaN
        raise ProtocolError(Code.BAD_LATENTS, f"latents that are not all in [-{MAX_LATENT}, {MAX_LATENT}]")
    if not 0 <= truncation <= MAX_TRUNCATION:
        raise ProtocolError(Code.BAD_LATENTS, f"truncation {truncation}")
    return Decode(stream, sequence, label, truncation, latents.astype(np.float32, copy=False))


def pack_request(request: Decode) -> bytes:
    """Pack a request as a client does."""
    n, dim = request.latents.shape
    header = HEADER.pack(
        VERSION, DECODE, request.stream, request.sequence, n, dim, request.label, 0, request.truncation
    )
    return header + request.latents.astype("<f4").tobytes()


def pack_reply(request: Decode, pixels: "NDArray[np.uint8] | None", milliseconds: float) -> bytes:
    """Pack the reply to a request.

    Args:
        request: What was asked for.
        pixels: Shape (n, H, W, C); None if the decoding failed.
        milliseconds: Time that it took.
    """
    n, status = (0, FAILED) if pixels is None else (len(pixels), DONE)
    header = HEADER.pack(
        VERSION,
        DECODE,
        request.stream,
        request.sequence,
        n,
        request.latents.shape[1],
        request.label,
        status,
        milliseconds,
    )
    return header if pixels is None else header + pixels.tobytes()


def hello(streams: int) -> str:
    """Return the server's first message: what a client may ask for."""
    return json.dumps({"hello": VERSION, "batch": MAX_PICTURES, "streams": streams})


def opened(stream: int, dim: int, classes: int, shape: tuple[int, ...]) -> str:
    """Return the answer to a stream that is there now; `shape` is (C, H, W), as everywhere in `models`."""
    channels, height, width = shape
    return json.dumps({"opened": stream, "dim": dim, "classes": classes, "shape": [height, width, channels]})


def refused(stream: int, code: Code, reason: str) -> str:
    """Return the answer to a stream that cannot be had."""
    return json.dumps({"refused": stream, "code": int(code), "reason": reason})
