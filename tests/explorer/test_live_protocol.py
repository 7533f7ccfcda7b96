"""The messages of the live route: whatever bytes come, a valid message or a code for why not."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from explorer.live_protocol import (
    FAILED,
    HEADER,
    MAX_BINARY,
    MAX_DIM,
    MAX_PICTURES,
    REASONS,
    Close,
    Code,
    Decode,
    Open,
    ProtocolError,
    hello,
    opened,
    pack_reply,
    pack_request,
    parse_binary,
    parse_text,
    refused,
)
from models.config import GeneratorConfig

DIGEST = "0123456789abcdef" * 4
FIELDS = ["version", "operation", "stream", "sequence", "n", "dim", "label", "status", "truncation"]
NAN = float("nan")


def message(latents: bytes | None = None, **changes: Any) -> bytes:
    """Return a request of 2 x 3 latents with some fields of its header changed."""
    fields = dict(zip(FIELDS, (1, 1, 7, 5, 2, 3, -1, 0, 1.0), strict=True)) | changes
    return HEADER.pack(*fields.values()) + (bytes(24) if latents is None else latents)


def test_a_request_survives_packing() -> None:
    latents = np.array([[1, -2, 100], [0.5, 0, -100]], np.float32)
    found = parse_binary(pack_request(Decode(65535, 2**32 - 1, 9, 0.5, latents)))
    assert (found.stream, found.sequence, found.label, found.truncation) == (65535, 2**32 - 1, 9, 0.5)
    assert found.latents.dtype == np.float32 and np.array_equal(found.latents, latents)


def test_the_header_is_as_the_browser_reads_it() -> None:
    sent = pack_request(Decode(0x0102, 0x03040506, -2 + 1, 0.5, np.ones((1, 2), np.float32)))
    assert (
        sent.hex(" ") == "01 01 02 01 06 05 04 03 01 00 02 00 ff ff 00 00 00 00 00 3f 00 00 80 3f 00 00 80 3f"
    )


def test_a_reply_holds_the_pixels_and_the_time() -> None:
    request = parse_binary(message())
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    reply = pack_reply(request, pixels, 2.5)
    assert HEADER.unpack_from(reply) == (1, 1, 7, 5, 2, 3, -1, 0, 2.5) and reply[20:] == pixels.tobytes()
    failure = pack_reply(request, None, 0.0)
    assert HEADER.unpack(failure) == (1, 1, 7, 5, 0, 3, -1, FAILED, 0.0)


def test_every_model_fits_a_message() -> None:
    limits = GeneratorConfig.model_fields["latent_dim"].metadata
    assert any(getattr(limit, "le", None) == MAX_DIM for limit in limits)
    largest = Decode(0, 0, -1, 1.0, np.zeros((MAX_PICTURES, MAX_DIM), np.float32))
    assert len(pack_request(largest)) == MAX_BINARY and parse_binary(pack_request(largest))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", Code.MALFORMED),
        (message()[:19], Code.MALFORMED),
        (message()[:-1], Code.MALFORMED),
        (message() + b"\0", Code.MALFORMED),
        (message(version=2), Code.MALFORMED),
        (message(operation=0), Code.MALFORMED),
        (message(operation=2), Code.MALFORMED),
        (message(status=1), Code.MALFORMED),
        (message(label=-2), Code.MALFORMED),
        (message(n=0), Code.MALFORMED),
        (message(b"", n=0), Code.MALFORMED),
        (message(b"", dim=0), Code.MALFORMED),
        (message(dim=4), Code.MALFORMED),
        (message(n=MAX_PICTURES + 1), Code.TOO_LARGE),
        (bytes(MAX_BINARY + 1), Code.TOO_LARGE),
        (message(struct.pack("<6f", 0, 0, 0, 0, 0, NAN)), Code.BAD_LATENTS),
        (message(struct.pack("<6f", float("-inf"), 0, 0, 0, 0, 0)), Code.BAD_LATENTS),
        (message(struct.pack("<6f", 0, 100.01, 0, 0, 0, 0)), Code.BAD_LATENTS),
        (message(truncation=NAN), Code.BAD_LATENTS),
        (message(truncation=-0.1), Code.BAD_LATENTS),
        (message(truncation=2.1), Code.BAD_LATENTS),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(sent: bytes, code: Code) -> None:
    with pytest.raises(ProtocolError) as error:
        parse_binary(sent)
    assert error.value.code == code and str(error.value)


def test_control_messages() -> None:
    assert parse_text(json.dumps({"open": 3, "model": DIGEST, "priority": 2})) == Open(3, DIGEST, 2)
    assert parse_text('{"close": 65535}') == Close(65535)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.MALFORMED),
        ("null", Code.MALFORMED),
        ("[" * 1024, Code.MALFORMED),
        ("{}", Code.MALFORMED),
        ('{"close": true}', Code.MALFORMED),
        ('{"close": 1.0}', Code.MALFORMED),
        ('{"close": -1}', Code.MALFORMED),
        ('{"close": 65536}', Code.MALFORMED),
        ('{"close": 1, "more": 2}', Code.MALFORMED),
        (json.dumps({"open": 1, "model": DIGEST, "priority": 4}), Code.MALFORMED),
        (json.dumps({"open": 1, "model": DIGEST}), Code.MALFORMED),
        (json.dumps({"open": 1, "model": DIGEST.upper(), "priority": 0}), Code.MALFORMED),
        (json.dumps({"open": 1, "model": "../../etc/passwd", "priority": 0}), Code.MALFORMED),
        (json.dumps({"open": 1, "model": 5, "priority": 0}), Code.MALFORMED),
        ('{"close": 1}' + " " * 1024, Code.TOO_LARGE),
        ('{"close": "' + "\u00e4" * 600 + '"}', Code.TOO_LARGE),
    ],
)
def test_a_control_message_that_breaks_a_rule_is_refused(text: str, code: Code) -> None:
    with pytest.raises(ProtocolError) as error:
        parse_text(text)
    assert error.value.code == code


def outcome(parse: Callable[[Any], Any], sent: Any) -> Any:
    """Return the message that was parsed, or the code for why not; any other exception is a mistake."""
    try:
        return parse(sent)
    except ProtocolError as error:
        return error.code


def keeps_to_limits(request: Decode) -> bool:
    """Tell whether a request that was let through keeps to all limits."""
    n, dim = request.latents.shape
    return bool(
        1 <= n <= MAX_PICTURES
        and 1 <= dim <= MAX_DIM * MAX_PICTURES
        and np.isfinite(request.latents).all()
        and np.abs(request.latents).max() <= 100
        and 0 <= request.truncation <= 2
        and -1 <= request.label < 2**15
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    found = outcome(parse_binary, data)
    assert found in REASONS or keeps_to_limits(found)


@given(
    st.fixed_dictionaries(
        {
            "stream": st.integers(0, 2**16 - 1),
            "sequence": st.integers(0, 2**32 - 1),
            "n": st.integers(0, 5),
            "dim": st.integers(0, 5),
            "label": st.integers(-3, 20),
            "truncation": st.floats(width=32),
        }
    ),
    st.binary(max_size=100),
)
def test_any_body_of_a_sound_header_is_a_request_or_refused(fields: dict[str, Any], body: bytes) -> None:
    request = outcome(parse_binary, message(body, **fields))
    if request in REASONS:
        return
    assert keeps_to_limits(request)
    assert (request.stream, request.sequence) == (fields["stream"], fields["sequence"])
    # Not one bit of the latents has changed, whatever they are (-0.0, denormal numbers).
    assert request.latents.tobytes() == body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["open", "close", "model", "priority", "x"]), inner, max_size=4)
    ),
)


@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_any_text_is_a_control_message_or_refused(text: str) -> None:
    found = outcome(parse_text, text)
    assert found in REASONS or 0 <= found.stream < 2**16


def test_what_the_server_says_is_what_the_protocol_says() -> None:
    assert json.loads(hello(16)) == {"hello": 1, "batch": 64, "streams": 16}
    shape = {"opened": 3, "dim": 32, "classes": 10, "shape": [48, 64, 3]}
    assert json.loads(opened(3, 32, 10, (3, 48, 64))) == shape
    refusal = {"refused": 3, "code": 4404, "reason": "Gone."}
    assert json.loads(refused(3, Code.UNKNOWN_MODEL, "Gone.")) == refusal


def test_every_code_has_a_reason_that_fits_a_close_frame() -> None:
    assert set(REASONS) == set(Code)
    assert all(4000 <= code < 5000 and 0 < len(reason.encode()) <= 123 for code, reason in REASONS.items())
