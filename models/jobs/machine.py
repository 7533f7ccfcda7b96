"""What this machine has for jobs: devices, threads, memory, room on the disk. Torch-free."""

import os
import platform
import shutil
from pathlib import Path

from models.errors import UserError

FREE_DISK = 500  # MB that must be there before a job starts
FREE_MEMORY = 700  # MB: torch takes 300, small data sets and their training the rest
_MB = 1_000_000
_MEMINFO = Path("/proc/meminfo")
# Where GPUs show that CUDA's (or ROCm's, which torch calls by the same name) libraries reach without numbers.
_DRIVERS = (Path("/dev/dxg"), Path("/dev/kfd"))


def gpus() -> tuple[str, ...]:
    """Return the GPUs' names for CUDA_VISIBLE_DEVICES, without asking torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        end = next((n for n, name in enumerate(names) if name in ("", "-1", "NoDevFiles")), len(names))
        return tuple(names[:end])
    count = len([path for path in Path("/dev").glob("nvidia*") if path.name[6:].isdigit()])
    count = count or int(any(path.exists() for path in _DRIVERS))
    return tuple(map(str, range(count)))


def queue_of(device: str) -> str:
    """Return the device in whose queue a job waits that may have asked for "auto"."""
    if device != "auto":
        return device
    if gpus():
        return "cuda"
    return "mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"


def limits() -> dict[str, int]:
    """Return how many jobs run at a time on each device: one on each GPU, one on the CPU."""
    return {"cpu": 1, "cuda": max(1, len(gpus())), "mps": 1}


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def environment(device: str, place: int, threads: int) -> dict[str, str]:
    """Return the environment of a job: one GPU (or none for a job on the CPU), some threads.

    Args:
        device: "cpu", "cuda" or "mps".
        place: Which of the device's jobs it is, from 0.
        threads: CPU threads.
    """
    found = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    # Threads that wait do not spin: the app decodes beside them.
    found |= {"OMP_WAIT_POLICY": "passive", "PYTHONUNBUFFERED": "1"}
    names = gpus()
    if device == "cpu":
        found["CUDA_VISIBLE_DEVICES"] = ""
    elif device == "cuda" and len(names) > 1:
        found["CUDA_VISIBLE_DEVICES"] = names[place % len(names)]
    return found


def _free_memory() -> int | None:
    """Return MB of memory that are free or can be freed, None where the system does not say."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(found) * 1024 // _MB if found else None


def check_room(folder: Path, jobs: int = 1) -> None:
    """Raise UserError if there is too little room where a folder is, or memory, to start a job, or several."""
    free = shutil.disk_usage(folder).free // _MB
    if free < FREE_DISK:
        problem = f"Only {free} MB are free on the disk, and a job needs {FREE_DISK}."
        raise UserError("disk-full", problem, "Free some space, for example by removing old runs.")
    memory = _free_memory()
    if memory is not None and memory < jobs * FREE_MEMORY:
        problem = f"Only {memory} MB of memory are free, and a job needs {FREE_MEMORY}."
        raise UserError("memory-full", problem, "Close other programs, or wait until other jobs have ended.")
