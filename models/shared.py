"""What is costly and the same for all sessions: computed once, in a thread of its own, then kept.

Nobody holds a lock while something is computed: those who need it look on (`Shared.wait` tells how far it is),
may leave, and find it done when they come back.
"""

import os
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from models.errors import write_error

T = TypeVar("T")
Progress = Callable[[float], None]  # told the share that is done, in [0, 1]
_GLANCE = 0.1  # seconds between two looks at how far a computation is


class _Task(Generic[T]):
    """One computation, and what came of it."""

    def __init__(self, compute: Callable[[Progress], T]) -> None:
        self._compute = compute
        self._finished = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None
        self.share = 0.0
        threading.Thread(target=self._run, daemon=True, name="shared computation").start()

    def _run(self) -> None:
        try:
            self._value.append(self._compute(self._progress))
        except BaseException as error:
            self._error = error
        finally:
            self._finished.set()

    def _progress(self, share: float) -> None:
        self.share = share

    @property
    def failed(self) -> bool:
        return self._error is not None

    def done(self, seconds: float) -> bool:
        return self._finished.wait(seconds)

    def value(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value[0]


class Shared(Generic[T]):
    """Values by key, at most `keep` of them, the least recently used ones go first. Safe for threads."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._tasks: OrderedDict[str, _Task[T]] = OrderedDict()

    def wait(self, key: str, compute: Callable[[Progress], T]) -> Generator[float, None, T]:
        """Return the value of a key; until it is there, yield how far its computation is.

        Args:
            key: Names the value; must hold everything that it depends on.
            compute: Makes the value, if nobody has yet; runs in another thread.

        Yields:
            The share that is done, in [0, 1], some times a second; nothing if the value is there already.

        Raises:
            Exception: What `compute` raised; the next one who asks makes it try again.
        """
        with self._lock:
            task = self._tasks.get(key)
            if task is None or task.failed:
                task = self._tasks[key] = _Task(compute)
            self._tasks.move_to_end(key)
            while len(self._tasks) > self._keep:
                self._tasks.popitem(last=False)
        while not task.done(_GLANCE):
            yield task.share
        return task.value()


def from_disk(path: Path, compute: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """Return named tensors from a safetensors file, or compute them and write it.

    The file is renamed into place, so nobody reads half of one. One that is damaged is made again; one that
    cannot be written is reported on stderr and done without.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError):
        pass  # not there yet, or damaged
    tensors = compute()
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, temporary)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        print(f"Not kept for next time: {write_error(path, error).problem}", file=sys.stderr)
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)
    return tensors
