"""The ASGI app: page script, routes, error page. Started by `streamlit run explorer/app.py` or by `serve`."""

import contextlib
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import FrameType

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from explorer import first_paint, live, map_data, run_pictures, sitemap, starting
from explorer.identity import Identity
from explorer.panels.problem import on_script_error
from explorer.settings import streamlit_options
from models.errors import UserError

# OpenMP's default spin-wait makes two script threads that decode at once many times slower than one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
_RESTART = "An update to the [server] config option section was detected"
_GRACE = 5.0  # seconds from the first signal to the end


async def _health(request: Request) -> JSONResponse:
    del request
    return JSONResponse({"status": "ok"})


@contextlib.asynccontextmanager
async def _lifespan(app: st.App) -> AsyncIterator[None]:
    """End within seconds when told to: a client that reads nothing would hold up uvicorn for ever.

    uvicorn waits until every connection is closed, unless it is interrupted a second time. Its signal handlers are
    in place by now, and it puts back those from before at its end.
    """
    del app
    impatience = threading.Timer(_GRACE, signal.raise_signal, (signal.SIGINT,))
    impatience.daemon = True

    def handle(
        before: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the second signal; the timer is started already
            impatience.start()
        before(number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, partial(handle, before))
    threading.Thread(target=starting.prepare, name="prepare", daemon=True).start()
    try:
        yield
    finally:
        impatience.cancel()


# Streamlit puts this in front of its own routes only.
_base = sitemap.base()
routes = [
    Route(f"{_base}/api/health", _health),
    WebSocketRoute(f"{_base}{live.PATH}", live.Live()),
    run_pictures.route(_base),
    *map_data.routes(_base),
    *first_paint.routes(_base),
]
starting.skip_manifests()
app = st.App(
    Path(__file__).resolve().with_name("main.py"),
    routes=routes,
    middleware=[Middleware(Identity)],
    lifespan=_lifespan,
    on_script_error=on_script_error,
)


def _check(host: str, port: int) -> None:
    """Raise UserError if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OverflowError:
        remedy = "Choose one from 1 to 65535 with --port."
        raise UserError("bad-port", f"{port} is not a port.", remedy) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = f"Choose another with --port {min(port + 1, 65535)}, or end the program that uses it."
            raise UserError("port-in-use", f"Port {port} is in use.", remedy) from None
        if error.errno == errno.EACCES:
            remedy = "Choose a port above 1023 with --port."
            raise UserError("port-not-allowed", f"Port {port} is not open to this user.", remedy) from None
        reason = error.strerror or str(error)
        remedy = "Choose an address of this machine with --host, such as 127.0.0.1."
        raise UserError("bad-host", f"Nothing can listen on {host} ({reason}).", remedy) from None


def _end(number: int, frame: FrameType | None) -> None:
    """End the program as done: uvicorn, which shuts down first, raises the signal that it caught again.

    A further signal ends it at once: it may meet a thread that is still to come to its end.
    """
    del number, frame
    for another in (signal.SIGINT, signal.SIGTERM):
        signal.signal(another, lambda *_: os._exit(0))
    raise SystemExit(0)


def serve(host: str, port: int, browser: bool) -> None:
    """Serve the app until SIGINT or SIGTERM, either of which is a good end.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        browser: Open a browser window.

    Raises:
        UserError: Nothing can listen there.
    """
    _check(host, port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    options = streamlit_options() | {
        "server.address": host,
        "server.port": port,
        "server.headless": not browser,
    }
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    # Streamlit has read its options already, when the routes were made, and would warn that these are others.
    logging.getLogger("streamlit.config").addFilter(lambda record: _RESTART not in record.getMessage())
    print(f"Latent Explorer runs at http://{shown}:{port} (Ctrl+C ends it).", flush=True)
    app.run(config=options)
