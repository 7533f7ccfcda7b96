"""Who a browser is: the cookie, the key that signs it, and the pages that give it."""

import asyncio
import logging
import stat
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from starlette.types import Message, Receive, Scope, Send

from explorer import identity
from explorer.identity import COOKIE, KEY_FILE, Identity, new_cookie, owner


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in a thread: the browser tests leave playwright's loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a state folder of its own, that is not there yet."""
    monkeypatch.setenv("EXPLORER_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_cookie_proves_its_owner() -> None:
    first, second = new_cookie(), new_cookie()
    assert owner({COOKIE: first}) and owner({COOKIE: first}) == owner({COOKIE: first, "other": "x"})
    assert owner({COOKIE: first}) != owner({COOKIE: second})


def test_no_cookie_proves_nobody() -> None:
    assert owner({}) is None


@pytest.mark.parametrize(
    "forge",
    [
        lambda value: value[:-1],
        lambda value: value + "A",
        lambda value: "A" + value,
        lambda value: value.partition(".")[0],
        lambda value: value.partition(".")[0] + ".",
        lambda value: "." + value.partition(".")[2],
        lambda value: "me." + value.partition(".")[2],
        lambda value: "",
        lambda value: ".",
        lambda value: "\u00e4\ud800.\u00e4",
    ],
)
def test_a_forged_cookie_proves_nobody(forge: Any) -> None:
    assert owner({COOKIE: forge(new_cookie())}) is None


@given(st.text())
def test_no_text_proves_anybody(text: str) -> None:
    assert owner({COOKIE: text}) is None


def test_another_key_signs_for_others(state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cookie = new_cookie()
    monkeypatch.setenv("EXPLORER_STATE_DIR", str(tmp_path / "elsewhere"))
    assert owner({COOKIE: cookie}) is None
    monkeypatch.setenv("EXPLORER_STATE_DIR", str(state))
    assert owner({COOKIE: cookie})


def test_the_key_outlives_the_process_and_only_its_user_can_read_it(state: Path) -> None:
    cookie = new_cookie()
    assert stat.S_IMODE((state / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in state.iterdir()] == [KEY_FILE]
    identity._key.cache_clear()
    assert owner({COOKIE: cookie})


def test_those_who_start_at_once_agree_on_the_key(state: Path) -> None:
    # Threads that bypass the cache stand for processes: what makes it safe is in the file system.
    start = threading.Barrier(16)

    def first_key(_: int) -> bytes:
        start.wait(10)
        return identity._key.__wrapped__(state)

    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(first_key, range(16)))
    assert keys == {(state / KEY_FILE).read_bytes()}


def test_a_folder_that_cannot_be_used_costs_a_warning_only(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state.write_text("a file, not a folder")
    with caplog.at_level(logging.WARNING):
        cookie = new_cookie()
        assert owner({COOKIE: cookie})
    assert len(caplog.records) == 1 and KEY_FILE in caplog.text and "after a restart" in caplog.text


def test_a_damaged_key_is_neither_used_nor_replaced(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    state.mkdir()
    (state / KEY_FILE).write_bytes(b"")
    assert owner({COOKIE: new_cookie()})
    assert (state / KEY_FILE).read_bytes() == b"" and "0 bytes" in caplog.text


PAGE = {"status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8"), (b"etag", b"1")]}


def ask(
    answer: dict[str, Any], headers: dict[str, str] | None = None, scheme: str = "http"
) -> dict[str, list[str]]:
    """Send a request through the middleware; returns the headers of the answer."""
    found: dict[str, list[str]] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", **answer, "headers": list(answer["headers"])})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        for name, value in message.get("headers", ()):
            found.setdefault(name.decode(), []).append(value.decode())

    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": scheme, "headers": sent}
    run(Identity(app)(scope, receive, send))
    return found


def test_a_page_brings_a_cookie_that_no_script_and_no_other_site_can_use() -> None:
    headers = ask(PAGE)
    (line,) = headers["set-cookie"]
    morsel = SimpleCookie(line)[COOKIE]
    assert owner({COOKIE: morsel.value})
    assert morsel["httponly"] and morsel["samesite"] == "Lax" and morsel["path"] == "/"
    assert not morsel["secure"] and not morsel["domain"] and int(morsel["max-age"]) > 30 * 86400
    assert headers["cache-control"] == ["private, no-cache"] and headers["etag"] == ["1"]


def test_who_has_a_cookie_keeps_it() -> None:
    headers = ask(PAGE, {"cookie": f"a=b; {COOKIE}={new_cookie()}"})
    assert "set-cookie" not in headers and "cache-control" not in headers


def test_who_has_a_forged_cookie_gets_a_new_one() -> None:
    assert "set-cookie" in ask(PAGE, {"cookie": f"{COOKIE}=me.AAAA"})


@pytest.mark.parametrize("kind", ["application/json", "text/javascript", "image/png"])
def test_other_answers_bring_none(kind: str) -> None:
    headers = ask({"status": 200, "headers": [(b"content-type", kind.encode())]})
    assert list(headers) == ["content-type"]


def test_a_page_that_the_browser_still_has_brings_a_cookie_too() -> None:
    unchanged = {"status": 304, "headers": []}
    assert "set-cookie" in ask(unchanged, {"accept": "text/html,*/*;q=0.8"})
    assert "set-cookie" not in ask(unchanged, {"accept": "image/avif,*/*"})


@pytest.mark.parametrize(
    ("scheme", "headers", "secure"),
    [
        ("http", {}, False),
        ("https", {}, True),
        ("http", {"x-forwarded-proto": "https"}, True),
        ("http", {"x-forwarded-proto": "HTTPS, http"}, True),
        ("https", {"x-forwarded-proto": "http"}, False),
    ],
)
def test_the_cookie_is_secure_where_the_page_is(scheme: str, headers: dict[str, str], secure: bool) -> None:
    (line,) = ask(PAGE, headers, scheme)["set-cookie"]
    assert ("Secure" in line.split("; ")) == secure


def test_sockets_pass_untouched() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    scope = {"type": "websocket"}
    run(Identity(app)(scope, nothing, nothing))
    assert scopes == [scope]
