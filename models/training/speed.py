"""How fast a training is, what part of the time it spends in steps, and how much memory it took."""

import sys
from pathlib import Path
from typing import NamedTuple

import torch

_MB = 1e6  # bytes


class Mark(NamedTuple):
    """What the clocks and counters of a training show at one moment.

    Args:
        clock: The time, in seconds.
        images: Seen so far.
        seconds: Spent so far on batches and steps.
        stepping: Spent so far in steps alone, with the wait for the device to end them.
    """

    clock: float
    images: int
    seconds: float
    stepping: float


class Speed(NamedTuple):
    """What a training did between two moments.

    Args:
        images_per_s: Over the time spent on batches and steps.
        idle_share: Share of the time in which no step was taken, in [0, 1]: batches, pictures, validation, files.
        memory_mb: Most memory that was taken at once so far, in 10^6 bytes: of a CUDA device what tensors took
            there, else what the process took; None where the system does not say.
    """

    images_per_s: float
    idle_share: float
    memory_mb: float | None

    def rounded(self) -> dict[str, float]:
        """Return the values that are known, by name, with the digits that mean something."""
        known = {"images_per_s": round(self.images_per_s, 1), "idle_share": round(self.idle_share, 4)}
        return known if self.memory_mb is None else {**known, "memory_mb": round(self.memory_mb, 1)}


def between(start: Mark, end: Mark, device: torch.device) -> Speed:
    """Return what happened between two moments of one process."""
    seconds, wall = end.seconds - start.seconds, end.clock - start.clock
    idle = 1 - (end.stepping - start.stepping) / wall if wall > 0 else 0.0
    rate = (end.images - start.images) / max(seconds, 1e-9)
    return Speed(rate, min(1.0, max(0.0, idle)), peak_memory(device))


def peak_memory(device: torch.device) -> float | None:
    """Return the most memory that was taken so far, in 10^6 bytes; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MB
    return _peak_of_process()


def _peak_of_process() -> float | None:
    # On Linux the maximum of `getrusage` is that of the parent too, which may have been larger (getrusage(2)).
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024 / _MB
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB
