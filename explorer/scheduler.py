"""Which latents are decoded next: the queue of the live route, without sockets, threads or clocks of its own.

- *Newest wins*: a lane (one stream of one socket) decodes one request at a time and keeps the newest other one.
- *Urgent first*: by priority. A waiting request gains one level each `AGEING` seconds, so that a filmstrip comes
  some time even while thirty people drag.
- *Fair*: within a level, the client that was served longest ago; of one client, the request that came first.
- *Batches*: requests of one priority for one decoder are decoded together, up to what takes `BUDGET` seconds.
  Larger requests are decoded in chunks, so that a more urgent one waits for a chunk at most. Where several clients
  are active, an urgent request waits `GATHER` seconds for company.
- *Back pressure*: the next request of a lane is looked at only when the reply to the last one is on its way.

All of it runs on one thread, that of the event loop; only `Batch.decode` may run in any. Times are monotonic
seconds, given by the caller.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from explorer.live_protocol import Decode

if TYPE_CHECKING:  # imported where it is needed: the first page must not wait for it
    import numpy as np
    from numpy.typing import NDArray

AGEING = 0.25
BUDGET, URGENT_BUDGET = 0.008, 0.024
GATHER = 0.0015
ACTIVE = 1.0  # seconds after a request for which its client counts as active
SHARE = 8  # rows of one lane in a batch, as long as others want the room
MAX_ROWS = 64
_FIRST_PACE = 0.002  # seconds a row, before any was measured
_SMOOTHING = 0.2


class Decoder(Protocol):
    """What decodes latents, such as `models.render.Decoder`; hashable, equal ones share batches."""

    @property
    def latent_dim(self) -> int:
        """Dimensions of a latent."""
        ...

    @property
    def classes(self) -> int:
        """Labels of the model; 0 if it is not conditional."""
        ...

    def __call__(
        self, z: "NDArray[np.float32]", labels: "NDArray[np.int64] | None" = None
    ) -> "NDArray[np.uint8]":
        """Return images (B, H, W, C) of latents (B, D)."""
        ...


@dataclass(eq=False)
class Work:
    """A request on its way.

    Args:
        request: What is asked for.
        arrived: When it came.
        chunks: Images that are there, in order; None in the place of those that failed.
        taken: Rows that were given to a decoder.
        seconds: Time that the decoding of its batches took.
    """

    request: Decode
    arrived: float
    chunks: "list[NDArray[np.uint8] | None]" = field(default_factory=list)
    taken: int = 0
    seconds: float = 0.0

    @property
    def left(self) -> int:
        """Rows that no decoder was given yet."""
        return len(self.request.latents) - self.taken

    @property
    def pixels(self) -> "NDArray[np.uint8] | None":
        """Images, shape (n, H, W, C), of a work that is done; None if it failed."""
        import numpy as np

        whole = [chunk for chunk in self.chunks if chunk is not None]
        return np.concatenate(whole) if len(whole) == len(self.chunks) else None


@dataclass(eq=False)
class Lane:
    """One stream of one socket.

    Args:
        client: Whom it belongs to; all lanes of one client have equal ones.
        decoder: What decodes its latents.
        priority: 0 is the most urgent.
        reply: Called with each work that is done; `Scheduler.sent` is due when the reply is on its way.
    """

    client: Hashable
    decoder: Decoder
    priority: int
    reply: Callable[[Work], None]
    active: Work | None = None
    waiting: Work | None = None
    busy: bool = False  # rows are with a decoder, or a reply is not sent yet
    closed: bool = False

    def level(self, now: float) -> int:
        """Return how urgent it is now: its priority, less what its request has waited."""
        assert self.active
        return max(0, self.priority - int((now - self.active.arrived) / AGEING))


@dataclass(frozen=True)
class Part:
    """Rows `start` to `stop` of a lane's work."""

    lane: Lane
    work: Work
    start: int
    stop: int


@dataclass(frozen=True)
class Batch:
    """Rows that are decoded together."""

    decoder: Decoder
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """How many they are."""
        return sum(part.stop - part.start for part in self.parts)

    def decode(self) -> "NDArray[np.uint8]":
        """Decode them, shape (rows, H, W, C)."""
        import numpy as np

        requests = [part.work.request for part in self.parts]
        z = [
            request.latents[part.start : part.stop] * np.float32(request.truncation)
            for request, part in zip(requests, self.parts, strict=True)
        ]
        labels = None
        if self.decoder.classes:
            each = np.array([max(0, request.label) for request in requests], np.int64)
            labels = np.repeat(each, [len(rows) for rows in z])
        return self.decoder(np.concatenate(z), labels)


@dataclass
class _Traffic:
    """What is known of a decoder: its lanes, seconds a row, and when each client last asked."""

    lanes: int = 0
    pace: float = _FIRST_PACE
    asked: dict[Hashable, float] = field(default_factory=dict)

    def rows(self, priority: int) -> int:
        """Return how many rows fit the budget of a batch."""
        budget = BUDGET if priority else URGENT_BUDGET
        return max(1, min(MAX_ROWS, int(budget / max(self.pace, 1e-6))))

    def crowded(self, now: float) -> bool:
        """Tell whether company may come: several clients are active."""
        return sum(now - asked < ACTIVE for asked in self.asked.values()) > 1


class Scheduler:
    """The queue. `put`, then `take` as often as there are workers, `finish` each batch, `sent` each reply."""

    def __init__(self) -> None:
        self._ready: dict[Lane, None] = {}  # a set that keeps the order
        self._traffic: dict[Decoder, _Traffic] = {}
        self._lanes: dict[Hashable, int] = {}  # of each client
        self._served: dict[Hashable, int] = {}  # when each client last had its turn, counted in turns
        self._turn = 0

    def open(self, client: Hashable, decoder: Decoder, priority: int, reply: Callable[[Work], None]) -> Lane:
        """Make a lane; see there."""
        self._traffic.setdefault(decoder, _Traffic()).lanes += 1
        self._lanes[client] = self._lanes.get(client, 0) + 1
        return Lane(client, decoder, priority, reply)

    def close(self, lane: Lane) -> None:
        """Drop a lane and what it waits for; rows that are with a decoder come to nothing."""
        if lane.closed:
            return
        lane.closed, lane.active, lane.waiting = True, None, None
        self._ready.pop(lane, None)
        traffic = self._traffic[lane.decoder]
        traffic.lanes -= 1
        if not traffic.lanes:
            del self._traffic[lane.decoder]
        self._lanes[lane.client] -= 1
        if not self._lanes[lane.client]:
            del self._lanes[lane.client]
            self._served.pop(lane.client, None)
            for traffic in self._traffic.values():
                traffic.asked.pop(lane.client, None)

    def put(self, lane: Lane, request: Decode, now: float) -> None:
        """Add a request; one of the same lane that has not begun is forgotten."""
        if lane.closed:
            return
        self._traffic[lane.decoder].asked[lane.client] = now
        work = Work(request, now)
        if lane.active and (lane.busy or lane.active.taken):
            lane.waiting = work
            return
        if lane.active:  # keeps its place in the queue: whoever drags must not fall behind by it
            work.arrived = lane.active.arrived
        lane.active = work
        self._ready[lane] = None

    def delay(self, now: float) -> float | None:
        """Return how long to wait before `take`: seconds, or None if there is nothing to do."""
        if not self._ready:
            return None
        first = min(self._ready, key=lambda lane: self._order(lane, now))
        traffic = self._traffic[first.decoder]
        if first.priority or not traffic.crowded(now):
            return 0.0
        company = [lane.active for lane in self._company(first) if lane.active]
        if sum(work.left for work in company) >= traffic.rows(0):
            return 0.0
        return max(0.0, min(work.arrived for work in company) + GATHER - now)

    def take(self, now: float) -> Batch | None:
        """Return the rows to decode next; None if there are none."""
        if not self._ready:
            return None
        first = min(self._ready, key=lambda lane: self._order(lane, now))
        lanes = sorted(self._company(first), key=lambda lane: self._order(lane, now))
        room = self._traffic[first.decoder].rows(first.priority)
        rows = dict.fromkeys(lanes, 0)
        for limit in (SHARE, MAX_ROWS):  # first a share for everyone, then what is left of the room
            for lane in lanes:
                assert lane.active
                more = min(limit, lane.active.left, rows[lane] + room) - rows[lane]
                rows[lane] += more
                room -= more
        return Batch(first.decoder, tuple(self._part(lane, count) for lane, count in rows.items() if count))

    def finish(self, batch: Batch, pixels: "NDArray[np.uint8] | None", seconds: float) -> None:
        """Note that a batch is decoded, and let the lanes whose work is done by it reply.

        Args:
            batch: Which one.
            pixels: Its images; None if the decoding failed.
            seconds: Time that it took.
        """
        if pixels is not None and (traffic := self._traffic.get(batch.decoder)):
            traffic.pace += _SMOOTHING * (seconds / batch.rows - traffic.pace)
        row = 0
        for part in batch.parts:
            rows = slice(row, row + part.stop - part.start)
            row = rows.stop
            part.work.chunks.append(None if pixels is None else pixels[rows])
            part.work.seconds += seconds
            if part.lane.closed:
                continue
            if pixels is not None and part.work.left:
                part.lane.busy = False
                self._ready[part.lane] = None
            else:
                part.lane.reply(part.work)

    def sent(self, lane: Lane) -> None:
        """Note that the reply to a lane's work is on its way; what waits comes next."""
        lane.busy = False
        lane.active, lane.waiting = lane.waiting, None
        if lane.active:
            self._ready[lane] = None

    def _order(self, lane: Lane, now: float) -> tuple[int, int, float]:
        assert lane.active
        return lane.level(now), self._served.get(lane.client, 0), lane.active.arrived

    def _company(self, first: Lane) -> list[Lane]:
        """Return the lanes that may be decoded together with one: never a filmstrip with an urgent picture."""
        return [
            lane for lane in self._ready if lane.priority == first.priority and lane.decoder == first.decoder
        ]

    def _part(self, lane: Lane, rows: int) -> Part:
        assert lane.active
        work = lane.active
        part = Part(lane, work, work.taken, work.taken + rows)
        work.taken += rows
        lane.busy = True
        self._ready.pop(lane, None)
        self._turn += 1
        self._served[lane.client] = self._turn
        return part
