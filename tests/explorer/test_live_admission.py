"""Who may connect to the live route: whose page it is, and whom an address counts for."""

import pytest
from starlette.datastructures import Headers

from explorer.live_admission import _address, is_own_origin


@pytest.mark.parametrize(
    ("own", "headers"),
    [
        (True, {"host": "Class.example:80", "origin": "http://class.example"}),
        (True, {"host": "class.example", "origin": "https://CLASS.example:443"}),
        (
            True,
            {"host": "inner:8501", "x-forwarded-host": "class.example, b", "origin": "https://class.example"},
        ),
        (True, {"host": "[::1]:8501", "origin": "http://[::1]:8501"}),
        (False, {"host": "class.example:443", "origin": "http://class.example"}),
        (False, {"host": "class.example", "x-forwarded-host": "b", "origin": "https://evil.example"}),
        (False, {"host": "class.example", "origin": "https://class.example.evil.example"}),
        (False, {"host": "", "origin": "https://"}),
        (False, {"host": "class.example", "origin": "http://[class.example"}),
    ],
)
def test_the_own_origin_is_known_behind_a_proxy_too(own: bool, headers: dict[str, str]) -> None:
    assert is_own_origin(Headers(headers)) is own


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),  # a machine may have any address of its network
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "unknown", False),  # a socket of another kind, a name that a proxy gave
    ],
)
def test_addresses_of_one_machine_count_together(one: str, other: str, same: bool) -> None:
    assert (_address(one) == _address(other)) is same
