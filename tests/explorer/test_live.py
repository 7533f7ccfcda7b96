"""The live route on real sockets: what it answers, and what it refuses."""

import contextlib
import json
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from explorer import identity, live
from explorer.live_protocol import HEADER, MAX_BINARY, REASONS, Code, Decode, pack_request
from explorer.settings import Settings
from models import catalog
from models.render import render
from models.requests import Decode as Points, Point, RenderRequest

PATIENCE = 20.0  # seconds


@dataclass
class Client:
    """A browser tab's end of a socket."""

    socket: ClientConnection
    hello: dict[str, Any] = field(default_factory=dict[str, Any])
    sequences: "count[int]" = field(default_factory=count)

    def say(self, **message: Any) -> dict[str, Any]:
        """Send a control message and return the answer."""
        self.socket.send(json.dumps(message))
        return json.loads(self.socket.recv(PATIENCE))

    def open(self, stream: int, model: str, priority: int = 0) -> dict[str, Any]:
        """Open a stream with a model of the zoo."""
        return self.say(open=stream, model=catalog.find(model).digest, priority=priority)

    def ask(self, stream: int, latents: NDArray[Any], label: int = -1, truncation: float = 1.0) -> int:
        """Send a request; returns its sequence."""
        sequence = next(self.sequences)
        request = Decode(stream, sequence, label, truncation, np.asarray(latents, np.float32))
        self.socket.send(pack_request(request))
        return sequence

    def reply(self) -> tuple[int, int, NDArray[np.uint8]]:
        """Wait for a reply; returns stream, sequence and pixels, flat."""
        data = self.socket.recv(PATIENCE)
        assert isinstance(data, bytes)
        version, operation, stream, sequence, _, _, _, status, _ = HEADER.unpack_from(data)
        assert (version, operation, status) == (1, 1, 0)
        return stream, sequence, np.frombuffer(data, np.uint8, offset=HEADER.size)

    def decode(self, stream: int, latents: NDArray[Any], **options: Any) -> NDArray[np.uint8]:
        """Ask and wait for the pixels, flat."""
        asked = stream, self.ask(stream, latents, **options)
        *answered, pixels = self.reply()
        assert tuple(answered) == asked
        return pixels

    def end(self) -> tuple[int, str]:
        """Wait for the end of the connection; returns its code and reason."""
        try:
            while True:
                self.socket.recv(PATIENCE)
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")


@dataclass(frozen=True)
class Server:
    """A server of the route alone, in a thread."""

    port: int
    live: live.Live

    @contextlib.contextmanager
    def client(
        self, cookie: str | None = None, headers: dict[str, str] | None = None, **options: Any
    ) -> Iterator[Client]:
        """Connect as the app's own page does, with some headers changed."""
        sent = {
            "Origin": f"http://127.0.0.1:{self.port}",
            "Cookie": f"{identity.COOKIE}={identity.new_cookie() if cookie is None else cookie}",
        } | (headers or {})
        present = {name: value for name, value in sent.items() if value}
        where = f"ws://127.0.0.1:{self.port}{live.PATH}"
        with connect(where, additional_headers=present, proxy=None, compression=None, **options) as socket:
            yield Client(socket)

    @contextlib.contextmanager
    def tab(self, cookie: str | None = None, **options: Any) -> Iterator[Client]:
        """Connect and be admitted."""
        with self.client(cookie, **options) as client:
            client.hello = json.loads(client.socket.recv(PATIENCE))
            yield client

    def eventually(self, check: Callable[[], bool]) -> bool:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not check() and time.monotonic() < deadline:
            time.sleep(0.02)
        return check()


@contextlib.contextmanager
def serving(**limits: Any) -> Iterator[Server]:
    route = live.Live(Settings(**limits))
    app = Starlette(routes=[WebSocketRoute(live.PATH, route)])
    config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", ws_max_size=32 << 20)
    server = uvicorn.Server(config)
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield Server(listener.getsockname()[1], route)
        server.should_exit = True
        thread.join(PATIENCE)
    assert not thread.is_alive(), "the server does not end"


@pytest.fixture(scope="module", autouse=True)
def environment(zoo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the zoo be the only models there are, and give identities a key of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_MODELS_DIR", str(zoo_folder))
        patch.setenv("EXPLORER_ASSETS_DIR", str(zoo_folder / "no-assets"))
        patch.setenv("EXPLORER_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def tab(server: Server) -> Iterator[Client]:
    with server.tab() as client:
        yield client


def test_the_server_says_hello_and_what_a_model_needs(tab: Client) -> None:
    assert tab.hello == {"hello": 1, "batch": 64, "streams": 16}
    assert tab.open(7, "tiny-cgan") == {"opened": 7, "dim": 12, "classes": 10, "shape": [16, 16, 1]}


@pytest.mark.parametrize(("model", "label"), [("tiny-vae", None), ("tiny-gan", None), ("tiny-cvae", 4)])
@pytest.mark.parametrize("truncation", [1.0, 0.7])
def test_pictures_are_those_of_render(tab: Client, model: str, label: int | None, truncation: float) -> None:
    points = tuple(Point(seed=seed, label=label) for seed in range(5))
    plain = render(RenderRequest(model=catalog.find(model).digest, op=Points(points=points)))
    scaled = tuple(Point(seed=seed, label=label, truncation=truncation) for seed in range(5))
    expected = render(RenderRequest(model=catalog.find(model).digest, op=Points(points=scaled)))
    tab.open(1, model)
    pixels = tab.decode(1, plain.latents, label=-1 if label is None else label, truncation=truncation)
    assert np.array_equal(pixels.reshape(expected.images.shape), expected.images)


def test_a_conditional_model_without_a_label_takes_the_first(tab: Client) -> None:
    tab.open(1, "tiny-cgan")
    z = np.ones((1, 12))
    first, none, other = (tab.decode(1, z, label=label) for label in (0, -1, 1))
    assert np.array_equal(first, none) and not np.array_equal(first, other)


def test_the_newest_request_wins(tab: Client) -> None:
    tab.open(1, "tiny-vae")
    asked = [tab.ask(1, np.full((64, 6), index / 100)) for index in range(200)]
    answered = [tab.reply()[1]]
    while answered[-1] != asked[-1]:
        answered.append(tab.reply()[1])
    assert answered == sorted(set(answered)) and len(answered) < len(asked)


def test_a_stream_opened_again_shows_the_other_model(tab: Client) -> None:
    tab.open(1, "tiny-vae")
    tab.decode(1, np.zeros((1, 6)))
    assert tab.open(1, "tiny-gan")["dim"] == 12
    tab.decode(1, np.zeros((1, 12)))


def test_requests_for_streams_that_are_not_there_are_ignored(tab: Client) -> None:
    tab.open(1, "tiny-vae")
    tab.open(2, "tiny-vae")
    tab.socket.send('{"close": 2}')
    tab.socket.send('{"close": 9}')
    for stream in (2, 3):
        tab.ask(stream, np.zeros((1, 6)))
    assert tab.decode(1, np.zeros((1, 6))).size == 256


@pytest.mark.parametrize(
    ("model", "words"), [("0" * 64, REASONS[Code.UNKNOWN_MODEL]), ("tiny-classifier", "makes no images")]
)
def test_an_unknown_model_is_refused_and_the_others_live_on(tab: Client, model: str, words: str) -> None:
    tab.open(1, "tiny-vae")
    digest = model if len(model) == 64 else catalog.find(model).digest
    answer = tab.say(open=2, model=digest, priority=0)
    assert (answer["refused"], answer["code"]) == (2, Code.UNKNOWN_MODEL) and words in answer["reason"]
    tab.ask(2, np.zeros((1, 6)))
    assert tab.decode(1, np.zeros((1, 6))).size == 256


def test_a_model_that_breaks_while_it_is_loaded_is_refused(
    tab: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(live, "_load", lambda digest: {}[digest])
        answer = tab.open(1, "tiny-vae")
    assert (answer["refused"], answer["code"]) == (1, Code.UNKNOWN_MODEL)
    assert "could not be loaded" in answer["reason"] and "KeyError" in caplog.text
    assert "opened" in tab.open(1, "tiny-vae")


def test_a_socket_has_so_many_streams_and_not_more(tab: Client) -> None:
    for stream in range(live.STREAMS):
        assert "opened" in tab.open(stream, "tiny-vae")
    assert tab.open(99, "tiny-vae")["code"] == Code.FULL
    assert "opened" in tab.open(3, "tiny-gan"), "one that is there may be opened again"
    tab.socket.send('{"close": 5}')
    assert "opened" in tab.open(99, "tiny-vae")


def test_a_flood_of_streams_closes_the_socket(tab: Client) -> None:
    digest = catalog.find("tiny-vae").digest
    with contextlib.suppress(ConnectionClosed):
        for stream in range(200):
            tab.socket.send(json.dumps({"open": stream, "model": digest, "priority": 0}))
    assert tab.end() == (Code.TOO_LARGE, REASONS[Code.TOO_LARGE])


HEADERS = {
    "foreign": ({"Origin": "http://evil.example"}, Code.FOREIGN_ORIGIN),
    "none": ({"Origin": ""}, Code.FOREIGN_ORIGIN),
    "sandboxed": ({"Origin": "null"}, Code.FOREIGN_ORIGIN),
    "another port": ({"Origin": "http://127.0.0.1:1"}, Code.FOREIGN_ORIGIN),
    "own host as a user": ({"Origin": "http://127.0.0.1@evil.example"}, Code.FOREIGN_ORIGIN),
    "another scheme": ({"Origin": "file://127.0.0.1"}, Code.FOREIGN_ORIGIN),
    "no cookie": ({"Cookie": ""}, Code.NO_IDENTITY),
    "forged cookie": ({"Cookie": f"{identity.COOKIE}=me.AAAA"}, Code.NO_IDENTITY),
}


@pytest.mark.parametrize("case", HEADERS)
def test_strangers_are_refused_with_a_reason(server: Server, case: str) -> None:
    headers, code = HEADERS[case]
    with server.client(headers=headers) as client:
        assert client.end() == (code, REASONS[code])


def request(n: int, dim: int, fill: float = 0.0, **options: Any) -> bytes:
    fields = {"label": -1, "truncation": 1.0} | options
    return pack_request(Decode(1, 0, latents=np.full((n, dim), fill, np.float32), **fields))


MESSAGES: dict[str, tuple[str | bytes, Code]] = {
    "oversized": (bytes(MAX_BINARY + 1), Code.TOO_LARGE),
    "oversized control": (" " * 2000, Code.TOO_LARGE),
    "too many pictures": (request(65, 6), Code.TOO_LARGE),
    "truncated": (request(2, 6)[:-4], Code.MALFORMED),
    "no header": (b"\1\1", Code.MALFORMED),
    "empty": (b"", Code.MALFORMED),
    "wrong length": (request(2, 6) + b"\0\0\0\0", Code.MALFORMED),
    "wrong dim": (request(1, 5), Code.MALFORMED),
    "wrong label": (request(1, 6, label=10), Code.MALFORMED),
    "not JSON": ("hello?", Code.MALFORMED),
    "NaN": (request(1, 6, float("nan")), Code.BAD_LATENTS),
    "too far out": (request(1, 6, 101.0), Code.BAD_LATENTS),
    "bad truncation": (request(1, 6, truncation=3.0), Code.BAD_LATENTS),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_a_message_that_breaks_a_rule_ends_with_a_reason(server: Server, tab: Client, case: str) -> None:
    message, code = MESSAGES[case]
    tab.open(1, "tiny-cvae")
    with server.tab() as neighbour:
        neighbour.open(1, "tiny-vae")
        tab.socket.send(message)
        assert tab.end() == (code, REASONS[code])
        assert neighbour.decode(1, np.zeros((1, 6))).size == 256


def test_a_message_beyond_all_bounds_is_not_even_received(tab: Client) -> None:
    with contextlib.suppress(ConnectionClosed):
        tab.socket.send(bytes(live.LARGEST + 1))  # much less than other routes of the server take
    assert tab.end()[0] == 1009  # "message too big": the server closes before the route sees it


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(messages=st.lists(st.binary(max_size=64) | st.text(max_size=64), min_size=1, max_size=4))
def test_whatever_is_sent_ends_with_a_known_code(server: Server, messages: list[str | bytes]) -> None:
    with server.tab() as client:
        with contextlib.suppress(ConnectionClosed):
            for message in messages:
                client.socket.send(message)
        code, reason = client.end()
        assert REASONS[Code(code)] == reason


def test_nothing_is_left_of_those_who_went(server: Server) -> None:
    with server.tab() as client:
        client.open(1, "tiny-vae")
        client.ask(1, np.zeros((64, 6)))
    assert server.eventually(lambda: not server.live.admission.total)
    assert not server.live.scheduler._lanes and not server.live.scheduler._ready


def test_connections_are_limited_for_each_browser_and_in_total() -> None:
    cookies = [identity.new_cookie() for _ in range(3)]
    with serving(live_connections=3, live_connections_each=2) as server, contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(server.tab(cookie)) for cookie in (cookies[0], cookies[0], cookies[1])]
        with server.client(cookies[0]) as client:
            assert client.end() == (Code.TOO_MANY_HERE, REASONS[Code.TOO_MANY_HERE])
        with server.client(cookies[2]) as client:
            assert client.end() == (Code.FULL, REASONS[Code.FULL])
        tabs[0].socket.close()
        assert server.eventually(lambda: server.live.admission.total == 2)
        with server.tab(cookies[2]) as client:
            assert "opened" in client.open(1, "tiny-vae")


def test_connections_are_limited_for_each_address_whatever_their_cookies() -> None:
    with serving(live_connections_address=2) as server, contextlib.ExitStack() as stack:
        here = [stack.enter_context(server.tab()) for _ in range(2)]
        with server.client() as client:
            assert client.end() == (Code.FULL, REASONS[Code.FULL])
        for other in ("192.0.2.7", "2001:db8::1", "2001:db8::2"):  # as a proxy on this machine says
            stack.enter_context(server.tab(headers={"X-Forwarded-For": other}))
        with server.client(headers={"X-Forwarded-For": "2001:db8::3"}) as client:
            assert client.end()[0] == Code.FULL
        here[0].socket.close()
        assert server.eventually(lambda: server.live.admission.total == 4)
        stack.enter_context(server.tab())


def test_a_class_of_forty_behind_one_address_is_let_in() -> None:
    with serving() as server, contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(server.tab()) for _ in range(80)]  # of two tabs each
        assert "opened" in tabs[-1].open(1, "tiny-vae")


def test_who_opens_no_stream_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "UNOPENED", 0.6)
    load = live._load

    def slow(digest: str) -> object:
        time.sleep(1.5)
        return load(digest)

    monkeypatch.setattr(live, "_load", slow)
    with serving() as server, server.tab() as silent, server.tab() as busy, server.tab() as user:
        assert "opened" in user.open(1, "tiny-vae"), "what is being opened may take its time"
        assert silent.end() == (Code.IDLE, REASONS[Code.IDLE])
        with contextlib.suppress(ConnectionClosed):
            while True:
                busy.socket.send('{"close": 7}')
                busy.ask(7, np.zeros((1, 6)))
                time.sleep(0.1)
        assert busy.end() == (Code.IDLE, REASONS[Code.IDLE])
        time.sleep(1)
        assert user.decode(1, np.zeros((1, 6))).size == 256
        user.socket.send('{"close": 1}')
        assert user.end() == (Code.IDLE, REASONS[Code.IDLE])


def test_who_asks_for_nothing_is_let_go() -> None:
    with serving(live_idle=0.5) as server, server.tab() as client:
        client.open(1, "tiny-vae")
        for _ in range(4):
            time.sleep(0.2)
            client.decode(1, np.zeros((1, 6)))
        started = time.monotonic()
        assert client.end() == (Code.IDLE, REASONS[Code.IDLE])
        assert time.monotonic() - started > 0.3


def test_who_reads_nothing_gets_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STALLED", 1.0)
    decoded: list[int] = []
    with serving() as server, server.tab(max_queue=1) as deaf, server.tab() as neighbour:
        finish = server.live.scheduler.finish

        def count_rows(batch: Any, *result: Any) -> None:
            decoded.append(batch.rows)
            finish(batch, *result)

        monkeypatch.setattr(server.live.scheduler, "finish", count_rows)
        for stream in range(live.STREAMS):
            deaf.open(stream, "tiny-vae")
        neighbour.open(1, "tiny-vae")

        def flood() -> None:
            with contextlib.suppress(ConnectionClosed, OSError):
                while True:
                    for stream in range(live.STREAMS):
                        deaf.ask(stream, np.zeros((64, 6)))

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        assert server.eventually(lambda: server.live.admission.total == 1), "it is given up"
        before = sum(decoded)
        assert neighbour.decode(1, np.zeros((1, 6))).size == 256
        assert server.eventually(lambda: len(server.live.scheduler._lanes) == 1)
        assert sum(decoded) == before + 1
        deaf.socket.socket.shutdown(sockets.SHUT_RDWR)  # wakes the thread, which close does not
        thread.join(PATIENCE)
    # What was decoded for it fits the buffers of the two sockets.
    assert before * 256 < 64 * 2**20


def test_a_decoder_that_fails_is_told_and_does_not_end_the_stream(
    tab: Client, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tab.open(1, "tiny-vae")
    with monkeypatch.context() as patch:
        patch.setattr("explorer.scheduler.Batch.decode", lambda self: 1 / 0)
        tab.ask(1, np.zeros((2, 6)))
        data = tab.socket.recv(PATIENCE)
        assert isinstance(data, bytes) and HEADER.unpack(data)[4] == 0 and HEADER.unpack(data)[7] == 1
    assert tab.decode(1, np.zeros((2, 6))).size == 512
    assert "could not be decoded" in caplog.text
