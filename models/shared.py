"""What is costly and the same for all sessions: computed once, in a thread of its own, then kept.

Nobody holds a lock while something is computed: those who need it look on (`Shared.wait` tells how far it is),
may leave, and find it done when they come back. Torch-free.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Generic, TypeVar, cast

T = TypeVar("T")
Progress = Callable[[float], None]  # told the share that is done, in [0, 1]
Waiting = Generator[float, None, T]  # yields the share that is done
# Held by what computes for long: more at once would take the memory, and the pace of everyone who uses the app.
COSTLY = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))
_GLANCE = 0.1  # seconds between two looks at how far a computation is


def unheard(share: float) -> None:
    """Be told how far something is, where nobody looks on."""
    del share


class Task(Generic[T]):
    """One computation, and what came of it; those who look on share it.

    Args:
        compute: Makes the value; given a function that it tells how far it is.
    """

    def __init__(self, compute: Callable[[Progress], T]) -> None:
        self._finished = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None
        self.share = 0.0  # that is done, in [0, 1]
        threading.Thread(target=self._run, args=(compute,), daemon=True, name="shared computation").start()

    def _run(self, compute: Callable[[Progress], T]) -> None:
        try:
            self._value.append(compute(self._progress))
        except BaseException as error:
            self._error = error
        finally:
            self._finished.set()

    def _progress(self, share: float) -> None:
        self.share = share

    @property
    def running(self) -> bool:
        """Whether there is no value yet, and no error."""
        return not self._finished.is_set()

    @property
    def failed(self) -> bool:
        """Whether there will be no value."""
        return self._error is not None

    def wait(self, seconds: float | None = None) -> "Task[T]":
        """Return when it is done, or after some seconds; None: only when it is done."""
        self._finished.wait(seconds)
        return self

    def value(self) -> T:
        """Wait for the value and return it; raises what kept it from coming."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._value[0]


class Shared(Generic[T]):
    """Values by key, at most `keep` of them besides those that are being made. Safe for threads.

    The least recently used ones go first.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._tasks: OrderedDict[str, Task[T]] = OrderedDict()

    def begin(self, key: str, compute: Callable[[Progress], T]) -> Task[T]:
        """Return the task that makes the value of a key; it is begun if nobody has yet, or if it failed.

        Args:
            key: Names the value; must hold everything that it depends on.
            compute: Makes the value; runs in another thread.
        """
        with self._lock:
            task = self._tasks.get(key)
            if task is None or task.failed:
                task = self._tasks[key] = Task(compute)
            self._tasks.move_to_end(key)
            # Those that still run are looked at by someone, and would only be begun again.
            done = [name for name, one in self._tasks.items() if not one.running]
            for name in done[: max(0, len(self._tasks) - self._keep)]:
                del self._tasks[name]
        return task

    def wait(self, key: str, compute: Callable[[Progress], T]) -> Waiting[T]:
        """Return the value of a key, see `begin`; until it is there, yield how far its computation is.

        Yields:
            The share that is done, in [0, 1), some times a second, and 1 once the value is there: what follows is
            the work of who asked. Nothing if it is there already.

        Raises:
            Exception: What `compute` raised; the next one who asks makes it try again.
        """
        task = self.begin(key, compute)
        if task.running:
            while task.wait(_GLANCE).running:
                yield min(task.share, 0.99)
            yield 1.0
        return task.value()

    def there(self, key: str) -> T | None:
        """Return the value of a key if it is made already; nobody begins to make it."""
        with self._lock:
            task = self._tasks.get(key)
        return None if task is None or task.running or task.failed else task.value()

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._tasks.clear()


def outcome(work: Generator[object, None, T]) -> T:
    """Run a generator to its end, whatever it yields, and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return cast(T, stop.value)
