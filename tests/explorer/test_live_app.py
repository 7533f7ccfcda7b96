"""The live route inside the app, in a process of its own: under attack, at its end and after a restart."""

import contextlib
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from explorer import live
from explorer.bench.serving import Server, serving
from explorer.bench.startup import free_port
from explorer.live_protocol import HEADER, Code, Decode, pack_request
from explorer.sitemap import PAGES
from models import catalog

PATIENCE = 30.0  # seconds
CONNECTS = 1000


@pytest.fixture(scope="module")
def environment(zoo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the variables of an app whose only models are those of the zoo."""
    variables = {
        "EXPLORER_MODELS_DIR": str(zoo_folder),
        "EXPLORER_ASSETS_DIR": str(tmp_path_factory.mktemp("no-assets")),
        "EXPLORER_WARM_UP": "false",
        "OMP_NUM_THREADS": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), environment) as found:
        yield found


def cookie_of(server: Server, cookie: str = "") -> str:
    """Open the page as a browser does; returns the cookie that it then has."""
    with urlopen(Request(server.address, headers={"Cookie": cookie}), timeout=PATIENCE) as page:
        given = page.headers["set-cookie"]
    return given.partition(";")[0] if given else cookie


def socket(server: Server, cookie: str, origin: str = "", max_queue: int = 16) -> ClientConnection:
    """Connect as the app's own page does."""
    headers = {"Cookie": cookie, "Origin": origin or server.address}
    where = f"ws://127.0.0.1:{server.port}{live.PATH}"
    return connect(
        where,
        additional_headers=headers,
        proxy=None,
        compression=None,
        open_timeout=PATIENCE,
        max_queue=max_queue,
    )


def opened(connection: ClientConnection, model: str = "tiny-vae", stream: int = 1) -> int:
    """Open a stream; returns the model's dimensions."""
    digest = catalog.find(model).digest
    assert json.loads(connection.recv(PATIENCE))["hello"] == 1
    connection.send(json.dumps({"open": stream, "model": digest, "priority": 0}))
    answer = json.loads(connection.recv(PATIENCE))
    assert answer.get("opened") == stream, answer
    return answer["dim"]


def decode(connection: ClientConnection, dim: int, sequence: int) -> float:
    """Decode one picture; returns the seconds that it took."""
    started = time.perf_counter()
    connection.send(pack_request(Decode(1, sequence, -1, 1.0, np.zeros((1, dim), np.float32))))
    reply = connection.recv(PATIENCE)
    assert isinstance(reply, bytes) and HEADER.unpack_from(reply)[3] == sequence and len(reply) == 20 + 256
    return time.perf_counter() - started


def end_of(connection: ClientConnection) -> int:
    """Return the code with which a connection ends."""
    try:
        while True:
            connection.recv(PATIENCE)
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else 1006


def test_a_page_gives_the_cookie_that_the_socket_asks_for_and_the_health_check_none(server: Server) -> None:
    cookie = cookie_of(server)
    with socket(server, cookie) as connection:
        assert decode(connection, opened(connection), 0) > 0
    assert cookie_of(server, cookie) == cookie
    with urlopen(f"{server.address}/api/health", timeout=PATIENCE) as answer:
        assert "set-cookie" not in answer.headers


def attack(server: Server, origin: str, cookie: str, message: str | bytes | None) -> "Counter[int]":
    """Connect again and again, and perhaps send something; returns how often it ended with which code."""
    codes = Counter[int]()
    for _ in range(CONNECTS // 4):
        try:
            with socket(server, cookie, origin) as connection:
                if message is not None:
                    connection.send(message)
                codes[end_of(connection)] += 1
        except (ConnectionClosed, InvalidHandshake, OSError):
            codes[-1] += 1
    return codes


def test_a_thousand_connects_that_are_refused_leave_the_others_their_pace(server: Server) -> None:
    cookie = cookie_of(server)
    wrong = json.dumps({"open": 1, "model": catalog.find("tiny-vae").digest, "priority": 9})
    attackers = [
        ("http://evil.example", cookie, None),
        ("", "", None),
        ("", cookie, b"\1\2\3"),
        ("", cookie, wrong),
    ]
    with socket(server, cookie_of(server)) as connection, ThreadPoolExecutor(len(attackers)) as pool:
        dim = opened(connection)
        before = [decode(connection, dim, sequence) for sequence in range(200)]
        attacks = [pool.submit(attack, server, *how) for how in attackers]
        during: list[float] = []
        while not all(future.done() for future in attacks):
            during.append(decode(connection, dim, 200 + len(during)))
            time.sleep(0.01)  # a pointer's pace: this test's own threads share one interpreter
        after = [decode(connection, dim, 10**6 + sequence) for sequence in range(200)]
    codes = sum((future.result() for future in attacks), Counter[int]())
    share = CONNECTS // 4
    assert codes == {Code.FOREIGN_ORIGIN: share, Code.NO_IDENTITY: share, Code.MALFORMED: 2 * share}
    assert len(during) > 20
    usual = statistics.median(before)
    print(f"ms before {1000 * usual:.1f}", *(f"{1000 * statistics.median(s):.1f}" for s in (during, after)))
    # Loose: the attackers run in this process, beside the one who measures, and take most of the machine.
    assert statistics.median(during) < max(5 * usual, 0.05)
    assert statistics.median(after) < max(5 * usual, 0.02)


def test_a_message_larger_than_any_of_the_route_is_not_received(server: Server) -> None:
    with socket(server, cookie_of(server)) as connection:
        with contextlib.suppress(ConnectionClosed):
            connection.send(bytes(live.LARGEST + 1))  # the app's server takes uploads of 32 MB elsewhere
        assert end_of(connection) == 1009


def test_connections_that_are_kept_are_limited_for_each_browser(server: Server) -> None:
    cookie = cookie_of(server)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket(server, cookie)) for _ in range(13)]
        assert end_of(sockets[12]) == Code.TOO_MANY_HERE
        assert opened(sockets[0]) == 6
        with socket(server, cookie_of(server)) as other:
            assert opened(other) == 6


@pytest.mark.slow
def test_a_client_goes_on_after_a_restart(environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        with serving(tmp_path, environment, port) as server:
            cookie = cookie_of(server)
            connection = stack.enter_context(socket(server, cookie))
            dim = opened(connection)
            decode(connection, dim, 0)
            # Ctrl+C, with a request on its way and a tab that is only open.
            idle = stack.enter_context(socket(server, cookie))
            connection.send(pack_request(Decode(1, 1, -1, 1.0, np.zeros((64, dim), np.float32))))
            started = time.monotonic()
            server.process.send_signal(signal.SIGINT)
            assert [end_of(connection), end_of(idle)] == [1012, 1012]
            assert server.process.wait(PATIENCE) == 0
            assert time.monotonic() - started < 10
        with serving(tmp_path, environment, port) as server, socket(server, cookie) as connection:
            decode(connection, opened(connection), 2)


@pytest.mark.slow
def test_who_reads_nothing_does_not_hold_up_the_end(environment: dict[str, str], tmp_path: Path) -> None:
    # The server ends before the socket is closed, whose sender is blocked until then.
    with contextlib.ExitStack() as stack, serving(tmp_path, environment) as server:
        deaf = stack.enter_context(socket(server, cookie_of(server), max_queue=1))
        big = pack_request(Decode(1, 1, -1, 1.0, np.zeros((64, opened(deaf)), np.float32)))

        def flood() -> None:
            with contextlib.suppress(ConnectionClosed, OSError):
                while True:
                    deaf.send(big)

        threading.Thread(target=flood, daemon=True).start()
        time.sleep(4)  # until the buffers of both sides are full
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert server.process.wait(PATIENCE) == 0
        assert time.monotonic() - started < 15


def test_the_routes_follow_the_base_path_of_streamlit(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "class/latent"\n')
    code = "from explorer.app import routes; print(*(route.path for route in routes))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    paths = result.stdout.split()
    assert all(path.startswith("/class/latent/") for path in paths)
    assert {path.removeprefix("/class/latent/") for path in paths} == {
        "api/health",
        "api/live",
        "api/runs/{id}/{kind}/{step}.png",
        "api/maps/{key}/points",
        "api/maps/{key}/{column}/{n}",
        "api/maps/{key}/pictures/{of}/{n}.png",
        *(page.path for page in PAGES.values()),
    }
