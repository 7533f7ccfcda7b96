"""Work in the background: it grows, ends, can be cancelled, and says what went wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from explorer import background
from explorer.background import Work
from models.errors import UserError
from models.requests import Decode, Point, RenderRequest
from models.results import RenderResult

REQUEST = RenderRequest(model="0" * 64, op=Decode(points=(Point(),)))
OTHER = RenderRequest(model="1" * 64, op=Decode(points=(Point(),)))


def answer(done: float, images: int = 1, *, waiting: bool = False) -> RenderResult:
    latents = np.zeros((images, 3), np.float32)
    return RenderResult(np.zeros((images, 2, 2, 1), np.uint8), latents, done=done, waiting=waiting)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    return state


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Iterator[RenderResult]]], None]:
    return lambda stream: monkeypatch.setattr("models.render.stream", stream)


def test_it_grows_until_it_is_done(streams) -> None:
    steps = [threading.Event() for _ in range(3)]

    def stream(request: RenderRequest, cancel: Callable[[], bool]) -> Iterator[RenderResult]:
        for i, (step, images) in enumerate(zip(steps, (0, 1, 1), strict=True)):
            step.wait(10)
            yield answer((i + 1) / 3, images)

    def comes(share: float) -> bool:
        deadline = time.monotonic() + 10
        while work.share < share and time.monotonic() < deadline:
            time.sleep(0.005)
        return work.share == pytest.approx(share)

    streams(stream)
    work = Work(REQUEST)
    assert work.running and work.shown is None and work.share == 0
    steps[0].set()
    assert comes(1 / 3) and work.shown is None  # no pictures yet
    steps[1].set()
    assert comes(2 / 3) and work.running and work.shown is work.latest
    steps[2].set()
    assert not work.wait(10).running and work.share == 1


def test_cancelled_work_keeps_what_is_there(streams) -> None:
    first, asked = threading.Event(), threading.Event()

    def stream(request: RenderRequest, cancel: Callable[[], bool]) -> Iterator[RenderResult]:
        for i in range(1000):
            yield answer((i + 1) / 1000)
            first.set()
            asked.wait(10)
            if cancel():
                return

    streams(stream)
    work = Work(REQUEST)
    assert first.wait(10)
    work.cancel()
    asked.set()
    assert not work.wait(10).running
    assert work.shown is not None and work.share == pytest.approx(0.001)


@pytest.mark.parametrize(
    "error", [UserError("no-upload", "It is gone.", "Upload it again."), ValueError("x")]
)
def test_what_went_wrong_is_raised_where_it_is_shown(streams, error: Exception) -> None:
    def stream(request: RenderRequest, cancel: Callable[[], bool]) -> Iterator[RenderResult]:
        yield answer(0.5)
        raise error

    streams(stream)
    work = Work(REQUEST).wait(10)
    assert not work.running
    with pytest.raises(type(error), match=str(error)):
        _ = work.shown


def test_a_slot_holds_one_request_and_cancels_the_former(streams, session) -> None:
    ended: list[str] = []

    def stream(request: RenderRequest, cancel: Callable[[], bool]) -> Iterator[RenderResult]:
        while not cancel():
            yield answer(0.5)
            time.sleep(0.005)
        ended.append(request.model)

    streams(stream)
    first = background.follow("slot", REQUEST)
    assert background.follow("slot", REQUEST) is first is background.current("slot")
    second = background.follow("slot", OTHER)
    assert not first.wait(10).running and second.running and ended == [REQUEST.model]
    third = background.start("slot", OTHER)
    assert third is not second and not second.wait(10).running
    background.forget("slot")
    assert background.current("slot") is None and not third.wait(10).running


class Crowd:
    """Counts how many are inside at once, and the most there ever were."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self.inside -= 1


def test_work_that_nobody_looks_at_any_more_ends_and_what_is_done_stays(
    streams, session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_PLACES", threading.BoundedSemaphore(4))
    ended: list[RenderRequest] = []

    def stream(request: RenderRequest, cancelled: Callable[[], bool]) -> Iterator[RenderResult]:
        yield answer(0.1)
        while request == REQUEST and not cancelled():
            time.sleep(0.005)
        if request == REQUEST:
            ended.append(request)
        else:
            yield answer(1)

    streams(stream)
    going = {slot: background.start(slot, REQUEST) for slot in ("compare-0-a", "compare-0-b", "other")}
    for work in going.values():
        work.wait_for_news()
    done = background.start("compare-0-c", OTHER).wait(5)
    background.leave("compare-0-", ["compare-0-b"])
    assert not going["compare-0-a"].wait(5).running and len(ended) == 1
    assert background.current("compare-0-a") is None, "it is begun anew when it is asked for again"
    assert going["compare-0-b"].running and going["other"].running
    assert background.current("compare-0-c") is done
    background.leave("")
    assert not any(work.wait(5).running for work in going.values()) and len(ended) == 3


def test_no_more_answers_at_a_time_than_there_are_places(streams, monkeypatch) -> None:
    monkeypatch.setattr(background, "_PLACES", threading.BoundedSemaphore(1))
    go, crowd = threading.Event(), Crowd()

    def stream(request: RenderRequest, cancel: Callable[[], bool]) -> Iterator[RenderResult]:
        with crowd:
            go.wait(10)
        yield answer(1.0)

    streams(stream)
    works = [Work(REQUEST) for _ in range(4)]
    works[-1].cancel()
    go.set()
    assert all(not work.wait(10).running for work in works) and crowd.most == 1


def test_those_who_only_wait_leave_their_places_to_others(streams, monkeypatch) -> None:
    monkeypatch.setattr(background, "_PLACES", threading.BoundedSemaphore(1))
    there, crowd = threading.Event(), Crowd()

    def stream(request: RenderRequest, cancel: Callable[[], bool]) -> Iterator[RenderResult]:
        if request == OTHER:
            while not there.wait(0.01):
                yield answer(0.5, 0, waiting=True)
            yield answer(0.9, 0)  # what was waited for is there: from now on it computes
        with crowd:
            time.sleep(0.05)
        yield answer(1.0)

    streams(stream)
    waiting = [Work(OTHER) for _ in range(5)]
    assert not Work(REQUEST).wait(10).running, "nobody who waits holds it up"
    assert all(work.running for work in waiting)
    there.set()
    assert all(work.wait(10).share == 1 for work in waiting) and crowd.most == 1


def test_a_place_is_not_waited_for_by_who_is_gone(streams, monkeypatch) -> None:
    places = threading.BoundedSemaphore(1)
    monkeypatch.setattr(background, "_PLACES", places)
    streams(lambda request, cancel: iter([answer(1.0)]))
    with places:
        work = Work(REQUEST)
        assert work.wait(0.1).running
        work.cancel()
        assert not work.wait(10).running and work.shown is None
    assert Work(REQUEST).wait(10).share == 1
