"""The queue of the live route: what is decoded next, and with what."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer import scheduler as module
from explorer.live_protocol import Decode
from explorer.scheduler import AGEING, GATHER, SHARE, Batch, Lane, Scheduler, Work

FAST, SLOW = 0.0001, 0.004  # seconds a row


@dataclass(frozen=True)
class Double:
    """Stands for a model: the pixel of a latent is twice its first coordinate, plus 100 times the label."""

    name: str = "model"
    classes: int = 0
    latent_dim: int = 2

    def __call__(self, z: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        shift = 0 if labels is None else 100 * labels
        return (2 * z[:, 0] + shift).astype(np.uint8)[:, None, None, None]


def request(sequence: int, n: int = 1, *, label: int = -1, truncation: float = 1.0) -> Decode:
    """Return a request whose latents are sequence, sequence + 1, and so on."""
    first = np.arange(sequence, sequence + n, dtype=np.float32)
    return Decode(0, sequence, label, truncation, np.stack([first, first], 1))


@dataclass
class Bench:
    """A scheduler with the replies that it made, by sequence."""

    queue: Scheduler = field(default_factory=Scheduler)
    replies: dict[int, list[int] | None] = field(default_factory=dict[int, Any])
    pace: float = FAST

    def lane(self, client: Hashable = "a", priority: int = 0, decoder: Double | None = None) -> Lane:
        def reply(work: Work) -> None:
            pixels = work.pixels
            self.replies[work.request.sequence] = None if pixels is None else pixels.ravel().tolist()
            self.queue.sent(lane)

        lane = self.queue.open(client, decoder or Double(), priority, reply)
        return lane

    def finish(self, batch: Batch | None) -> list[int]:
        """Decode a batch; returns the sequences that it held rows of, in order."""
        assert batch
        self.queue.finish(batch, batch.decode(), self.pace * batch.rows)
        return [part.work.request.sequence for part in batch.parts]

    def step(self, now: float = 0.0) -> list[int]:
        """Take a batch and decode it."""
        return self.finish(self.queue.take(now))

    def learn(self, pace: float) -> None:
        """Let the scheduler find out how long a row takes."""
        self.pace = pace
        lane = self.lane("somebody else")
        for _ in range(40):
            self.queue.put(lane, request(0), 0.0)
            self.step()
        self.queue.close(lane)
        self.replies.clear()


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.lane("somebody else")  # keeps what is learned of the model
    return found


def test_nothing_to_do(bench: Bench) -> None:
    assert bench.queue.delay(0) is None and bench.queue.take(0) is None


def test_the_newest_request_wins(bench: Bench) -> None:
    lane = bench.lane()
    bench.queue.put(lane, request(1), 0)
    batch = bench.queue.take(0)
    for sequence in (2, 3, 4):
        bench.queue.put(lane, request(sequence), 0)
    assert bench.queue.take(0) is None, "one request of a stream is decoded at a time"
    assert bench.finish(batch) == [1] and bench.step() == [4]
    assert bench.replies == {1: [2], 4: [8]} and bench.queue.take(0) is None


def test_a_request_that_has_not_begun_is_replaced_in_its_place(bench: Bench) -> None:
    bench.learn(1.0)  # one row a batch
    first, second = bench.lane(), bench.lane()
    bench.queue.put(first, request(1), 0.00)
    bench.queue.put(second, request(2), 0.01)
    bench.queue.put(first, request(3), 0.02)
    assert [bench.step(0.03), bench.step(0.03)] == [[3], [2]]


def test_the_next_request_waits_until_the_reply_is_sent(bench: Bench) -> None:
    done: list[Work] = []
    lane = bench.queue.open("a", Double(), 0, done.append)
    bench.queue.put(lane, request(1), 0)
    bench.step()
    bench.queue.put(lane, request(2), 0)
    assert len(done) == 1 and bench.queue.take(0) is None
    bench.queue.sent(lane)
    assert bench.step() == [2] and len(done) == 2


def test_urgent_requests_go_first_and_keep_to_themselves(bench: Bench) -> None:
    strip, pointer = bench.lane(priority=3), bench.lane(priority=0)
    bench.queue.put(strip, request(50, 2), 0.0)
    bench.queue.put(pointer, request(1), 0.1)
    assert [bench.step(0.1), bench.step(0.1)] == [[1], [50]]


def test_large_requests_are_decoded_in_chunks_between_which_urgent_ones_go(bench: Bench) -> None:
    bench.learn(SLOW)
    strip, pointer = bench.lane(priority=3), bench.lane(priority=0)
    bench.queue.put(strip, request(50, 6), 0.0)
    order: list[list[int]] = []
    for sequence in range(1, 3):
        order.append(bench.step(0.0))
        bench.queue.put(pointer, request(sequence), 0.0)
        order.append(bench.step(0.0))
    order.append(bench.step(0.0))
    assert order == [[50], [1], [50], [2], [50]]
    assert list(bench.replies) == [1, 2, 50] and bench.replies[50] == [100, 102, 104, 106, 108, 110]


def test_a_large_request_ends_although_newer_ones_come(bench: Bench) -> None:
    bench.learn(SLOW)
    strip = bench.lane(priority=3)
    bench.queue.put(strip, request(10, 4), 0)
    first = bench.step()
    bench.queue.put(strip, request(20, 4), 0)
    bench.queue.put(strip, request(30, 4), 0)
    rest = [bench.step() for _ in range(3)]
    assert [first, *rest] == [[10], [10], [30], [30]] and list(bench.replies) == [10, 30]


def test_what_waits_long_becomes_urgent(bench: Bench) -> None:
    bench.learn(1.0)
    strip, pointer = bench.lane(priority=3), bench.lane("b", priority=0)
    bench.queue.put(strip, request(50), 0.0)
    bench.queue.put(pointer, request(1), 3 * AGEING - 0.01)
    assert bench.step(3 * AGEING - 0.01) == [1]
    bench.queue.put(pointer, request(2), 3 * AGEING + 0.01)
    assert bench.step(3 * AGEING + 0.01) == [50]


def test_requests_of_several_clients_become_one_batch_with_a_label_and_a_truncation_each(
    bench: Bench,
) -> None:
    model = Double(classes=3)
    lanes = [bench.lane(client, decoder=model) for client in "abc"]
    for lane, sent in zip(
        lanes, (request(10, label=2), request(20, truncation=0.5), request(30, 2, label=-1)), strict=True
    ):
        bench.queue.put(lane, sent, 0)
    assert bench.step() == [10, 20, 30]
    assert bench.replies == {10: [220], 20: [20], 30: [60, 62]}


def test_models_are_not_mixed(bench: Bench) -> None:
    for sequence, name in ((1, "one"), (2, "two"), (3, "one")):
        bench.queue.put(bench.lane(decoder=Double(name)), request(sequence), sequence)
    assert [bench.step(3), bench.step(3)] == [[1, 3], [2]]


def test_company_is_awaited_only_where_several_clients_are_active(bench: Bench) -> None:
    first, second = bench.lane("a"), bench.lane("b")
    bench.queue.put(first, request(1), 0.0)
    assert bench.queue.delay(0.0) == 0.0
    bench.step()
    bench.queue.put(second, request(2), 0.5)
    assert bench.queue.delay(0.5) == pytest.approx(GATHER)
    assert bench.queue.delay(0.5 + GATHER / 2) == pytest.approx(GATHER / 2)
    assert bench.queue.delay(0.6) == 0.0
    bench.step(0.6)
    bench.queue.put(second, request(3), 5.0)
    assert bench.queue.delay(5.0) == 0.0, "the other one has been quiet for long"


def test_a_full_batch_and_a_filmstrip_wait_for_nobody(bench: Bench) -> None:
    bench.learn(1.0)
    first, second, strip = bench.lane("a"), bench.lane("b"), bench.lane("c", priority=2)
    bench.queue.put(strip, request(9), 0.0)
    bench.queue.put(first, request(1), 0.0)
    assert bench.queue.delay(0.0) == 0.0, "one row fills a batch of so slow a model"
    bench.step()
    assert bench.queue.delay(0.0) == 0.0
    bench.step()
    bench.queue.put(second, request(2), 0.0)
    assert bench.step() == [2]


def test_a_client_that_asks_for_much_gets_its_turn_only(bench: Bench) -> None:
    bench.learn(1.0)  # one row a batch
    greedy = [bench.lane("greedy") for _ in range(10)]
    for index, lane in enumerate(greedy):
        bench.queue.put(lane, request(10 * index + 10, 5), 0.0)
    modest = bench.lane("modest")
    turns: list[bool] = []
    for sequence in range(1, 6):
        bench.queue.put(modest, request(sequence), 0.1)
        turns += [bench.step(0.1) == [sequence], bench.step(0.1) == [sequence]]
    assert turns.count(True) == 5, "every second turn"
    assert [s for s in bench.replies if s < 6] == [1, 2, 3, 4, 5]


def test_each_gets_a_share_of_a_batch_before_one_fills_it(bench: Bench) -> None:
    bench.learn(module.URGENT_BUDGET / (SHARE + 4))
    large, small = bench.lane("a"), bench.lane("b")
    bench.queue.put(large, request(1, 40), 0.0)
    bench.queue.put(small, request(100, 2), 0.0)
    batch = bench.queue.take(0.0)
    assert batch and batch.rows == pytest.approx(SHARE + 4, abs=1)
    counts = {part.work.request.sequence: part.stop - part.start for part in batch.parts}
    assert counts[100] == 2 and counts[1] == batch.rows - 2


def test_a_closed_lane_is_forgotten_also_while_it_is_decoded(bench: Bench) -> None:
    lane, other = bench.lane("a"), bench.lane("b")
    bench.queue.put(lane, request(1), 0)
    bench.queue.put(other, request(2), 0)
    batch = bench.queue.take(0)
    bench.queue.put(lane, request(3), 0)
    bench.queue.close(lane)
    bench.queue.put(lane, request(4), 0)
    bench.finish(batch)
    assert bench.queue.take(0) is None and list(bench.replies) == [2]
    bench.queue.close(lane)  # twice does no harm


def test_nothing_is_kept_of_those_who_left() -> None:
    bench = Bench()
    for client in range(100):
        lane = bench.lane(client)
        bench.queue.put(lane, request(client), 0)
        bench.step()
        bench.queue.close(lane)
    kept = [value for value in vars(bench.queue).values() if isinstance(value, dict)]
    assert len(kept) == 4 and not any(kept)


def test_a_failure_is_replied_to_and_the_lane_goes_on(bench: Bench) -> None:
    bench.learn(SLOW)
    lane = bench.lane(priority=2)
    bench.queue.put(lane, request(1, 6), 0)
    bench.step()
    batch = bench.queue.take(0)
    assert batch
    bench.queue.finish(batch, None, 0.0)
    bench.queue.put(lane, request(9), 0)
    assert bench.step() == [9]
    assert bench.replies == {1: None, 9: [18]}
