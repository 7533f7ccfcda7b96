"""The live route: a WebSocket at /api/live that turns latents into pictures while a pointer moves.

One socket per browser tab serves all canvases of its page; each canvas is a *stream* with a model and a priority.
`explorer.live_protocol` lists the messages byte by byte.

1. The browser connects with the identity cookie (`explorer.identity`) and its Origin. A socket that is refused is
   accepted first and then closed with a code of `live_protocol.Code` and a reason, because a browser tells its
   page neither of a refused handshake. When the server stops, sockets close with 1012: connect again.
2. The server says `{"hello": 1, "batch": pictures per request, "streams": streams per socket}`.
3. The client opens streams and waits for `opened` (or `refused`) of each. Opening a stream again replaces it, and
   requests meanwhile are ignored, as are those for a stream that is not there.
4. The client sends requests to decode as fast as it likes. A newer one replaces the one of its stream that waits,
   which gets no reply: newest wins. Sequences of the replies of a stream only rise. The order of everything else
   is the business of `explorer.scheduler`.

A message that breaks the rules closes the socket. Nothing is decoded or loaded on the event loop, and a client
that does not read its replies gets no more of them.

What one person can take from the others is bounded:

- *Memory*: the server takes messages of any route up to `server.maxMessageSize`, 32 MB, because Streamlit's sockets
  carry uploads, and ASGI knows no limit of one route. So each socket of this route is narrowed to `LARGEST`, half a
  megabyte, by asking uvicorn's own object for it: a larger message closes the socket (1009) when its header comes.
  Under another server the route still refuses it, but after it was received.
- *Connections*: of one cookie, and, because anyone can have many cookies, of one address too: enough for a class
  behind one. A reverse proxy on this machine is believed who its clients are; uvicorn's FORWARDED_ALLOW_IPS names
  others to believe.
- *Time*: a socket without any stream is closed after `UNOPENED` seconds, one that asks for nothing after
  EXPLORER_LIVE_IDLE, one that takes nothing after `STALLED`.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from explorer.live_admission import Admission, narrow
from explorer.live_protocol import (
    MAX_BINARY,
    REASONS,
    Close,
    Code,
    Decode,
    Open,
    ProtocolError,
    hello,
    opened,
    pack_reply,
    parse_binary,
    parse_text,
    refused,
)
from explorer.scheduler import Batch, Lane, Scheduler, Work
from explorer.settings import Settings, settings
from explorer.text import _
from models.errors import UserError

if TYPE_CHECKING:  # importing them for more than annotations would import torch
    import numpy as np
    from numpy.typing import NDArray

    from models.render import Decoder

PATH = "/api/live"
STREAMS = 16  # of a socket
LARGEST = (
    2 * MAX_BINARY
)  # bytes of a message that are received at all: what is a little too large gets a reason
UNOPENED = 30.0  # seconds without a stream after which a socket ends; a page itself lets go of it as early
STALLED = 10.0  # seconds in which a client takes nothing, after which it is given up
_REASON_BYTES = 123  # that fit a close frame (RFC 6455, section 5.5)
_log = logging.getLogger(__name__)


class Live:
    """The route's end point, an ASGI app: admits sockets and decodes for all of them.

    Args:
        limits: How many connections there may be, for how long, and how many threads decode.
    """

    def __init__(self, limits: Settings | None = None) -> None:
        self._limits = limits or settings()
        self.admission = Admission(self._limits)
        self.scheduler = Scheduler()
        self._free = self._limits.live_workers
        self._workers = ThreadPoolExecutor(self._limits.live_workers, "live-decode", _one_thread)
        self._loader = ThreadPoolExecutor(1, "live-load", _one_thread)
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a socket until it ends."""
        narrow(receive, LARGEST)
        socket = WebSocket(scope, receive, send)
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):  # it has gone, or takes nothing any more
            await socket.accept()
            try:
                with self.admission.admitted(socket) as owner:
                    await _Session(self, socket, owner, self._limits.live_idle).run()
            except ProtocolError as error:
                _log.debug("A live connection was closed: %s", error)
                reason = REASONS[error.code].encode()[:_REASON_BYTES].decode(errors="ignore")
                async with _patience():
                    await socket.close(error.code, reason)

    async def load(self, digest: str) -> "Decoder":
        """Return a model's decoder, loaded and warmed up in a thread; raises UserError."""
        return await asyncio.get_running_loop().run_in_executor(self._loader, _load, digest)

    def pump(self) -> None:
        """Give work to the workers that are free; called whenever there may be some."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._free:
            now = time.monotonic()
            delay = self.scheduler.delay(now)
            if delay:
                self._timer = loop.call_later(delay, self.pump)
                return
            batch = self.scheduler.take(now)
            if batch is None:
                return
            self._free -= 1
            future = loop.run_in_executor(self._workers, _timed, batch)
            future.add_done_callback(partial(self._decoded, batch))

    def _decoded(self, batch: Batch, future: "asyncio.Future[tuple[NDArray[np.uint8], float]]") -> None:
        self._free += 1
        if future.cancelled():
            return
        if error := future.exception():
            _log.error("A batch of %d could not be decoded.", batch.rows, exc_info=error)
        pixels, seconds = (None, 0.0) if error else future.result()
        self.scheduler.finish(batch, pixels, seconds)
        self.pump()


class _Session:
    """One admitted socket.

    Args:
        live: Decodes for it.
        socket: Accepted.
        owner: Whose it is.
        idle: Seconds without a message after which it ends.
    """

    def __init__(self, live: Live, socket: WebSocket, owner: str, idle: float) -> None:
        self._live, self._socket, self._owner, self._idle = live, socket, owner, idle
        self._lanes: dict[int, Lane] = {}
        self._wanted: dict[int, Open] = {}  # streams to open
        self._wants = asyncio.Event()
        self._end = 0.0  # when it ends if nothing happens, on the loop's clock
        self._replies: asyncio.Queue[Work] = asyncio.Queue()  # at most one of each lane

    async def run(self) -> None:
        """Serve it until it ends, or a message breaks the rules: then raises ProtocolError."""
        await self._send(hello(STREAMS))
        self._extend()
        parts = (self._receive(), self._open_streams(), self._reply(), self._expire())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for lane in self._lanes.values():
                self._live.scheduler.close(lane)

    def _extend(self) -> None:
        """Let it live on for a while from now; while streams are being opened, as long as that takes."""
        seconds = self._idle if self._lanes else min(UNOPENED, self._idle)
        self._end = math.inf if self._wanted else asyncio.get_running_loop().time() + seconds

    async def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._end - loop.time()) > 0:
            await asyncio.sleep(min(left, UNOPENED))  # the end may come nearer meanwhile
        raise ProtocolError(Code.IDLE, "no stream, or nothing asked for, for too long")

    async def _receive(self) -> None:
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            if (data := message.get("bytes")) is not None:
                self._request(parse_binary(data))
            else:
                self._control(parse_text(message.get("text") or ""))
            await asyncio.sleep(0)  # a message that is there already is received without giving way

    def _control(self, message: Open | Close) -> None:
        known = isinstance(message, Open) or message.stream in self._lanes | self._wanted
        if lane := self._lanes.pop(message.stream, None):
            self._live.scheduler.close(lane)
        self._wanted.pop(message.stream, None)
        if isinstance(message, Open):
            if len(self._lanes) + len(self._wanted) >= 2 * STREAMS:
                raise ProtocolError(Code.TOO_LARGE, "many more streams than a socket may have")
            self._wanted[message.stream] = message
            self._wants.set()
        if known:
            self._extend()

    def _request(self, request: Decode) -> None:
        lane = self._lanes.get(request.stream)
        if lane is None:
            return
        self._extend()
        decoder = lane.decoder
        dim = request.latents.shape[1]
        if dim != decoder.latent_dim or (decoder.classes and request.label >= decoder.classes):
            raise ProtocolError(Code.MALFORMED, f"{dim} dimensions, label {request.label}")
        self._live.scheduler.put(lane, request, time.monotonic())
        self._live.pump()

    async def _open_streams(self) -> None:
        """Open what is wanted, one after the other: nobody can keep the loader for themselves."""
        while await self._wants.wait():
            self._wants.clear()
            while self._wanted:
                wanted = next(iter(self._wanted.values()))
                found = await self._find(wanted)
                # Meanwhile it may have been closed, or another model been chosen: then nobody waits for this one.
                if self._wanted.get(wanted.stream) is wanted:
                    del self._wanted[wanted.stream]
                    answer = found if isinstance(found, str) else self._opened(wanted, found)
                    self._extend()
                    await self._send(answer)

    async def _find(self, wanted: Open) -> "Decoder | str":
        """Return the decoder of a stream, or the refusal to send."""
        if len(self._lanes) >= STREAMS:
            return refused(wanted.stream, Code.FULL, _("The page shows too many pictures at once."))
        try:
            return await self._live.load(wanted.model)
        except UserError as error:
            unknown = error.code == "unknown-model"  # nothing is said of what the server does have
            reason = REASONS[Code.UNKNOWN_MODEL] if unknown else str(error)
        except Exception:
            _log.exception("The model %s could not be loaded.", wanted.model)
            reason = _("This model could not be loaded. Choose another.")
        return refused(wanted.stream, Code.UNKNOWN_MODEL, reason)

    def _opened(self, wanted: Open, decoder: "Decoder") -> str:
        lane = self._live.scheduler.open(self._owner, decoder, wanted.priority, self._replies.put_nowait)
        self._lanes[wanted.stream] = lane
        return opened(wanted.stream, decoder.latent_dim, decoder.classes, decoder.sample_shape)

    async def _reply(self) -> None:
        while True:
            work = await self._replies.get()
            request = work.request
            # The stream may be closed by now, or be one of another model.
            lane = self._lanes.get(request.stream)
            if lane and lane.active is work:
                await self._send(pack_reply(request, work.pixels, 1000 * work.seconds))
                self._live.scheduler.sent(lane)
                self._live.pump()

    async def _send(self, message: str | bytes) -> None:
        try:
            async with asyncio.timeout(STALLED):
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
        except RuntimeError as error:  # the server has closed the socket itself
            raise WebSocketDisconnect(1006) from error


@contextlib.asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """Say good-bye to a client that may be gone, or not listen."""
    with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(STALLED):
            yield


def _one_thread() -> None:
    """Let this thread compute alone: threads that spin for each other make small decodes slower.

    Threads that start later take the number over, so from the first socket on the whole server computes so.
    """
    import torch

    torch.set_num_threads(1)


def _load(digest: str) -> "Decoder":
    import numpy as np

    from models.render import decoder

    found = decoder(digest)
    found(np.zeros((1, found.latent_dim), np.float32), np.zeros(1, np.int64) if found.classes else None)
    return found


def _timed(batch: Batch) -> "tuple[NDArray[np.uint8], float]":
    started = time.perf_counter()
    pixels = batch.decode()
    return pixels, time.perf_counter() - started
