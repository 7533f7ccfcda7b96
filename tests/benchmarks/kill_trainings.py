"""Kill the app, the training, or both at random moments, again and again: nothing may be lost.

    python tests/benchmarks/kill_trainings.py --kills 20 --seed 0

Trainings of a fixed number of steps wait in the queue of a real app. After each kill the app is started again where it
was hit; a training that was hit must be found dead by it, and is resumed. It counts how far back each had to go, looks
for processes that are left over and for two on one device, and compares the weights with those of trainings that nobody
disturbed.
"""

import argparse
import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from explorer.bench.startup import free_port, wait_for_port
from models.config import Budget, RunConfig
from models.errors import UserError
from models.jobs import Job, Jobs, keep, training
from models.training import session
from models.training.loop import SAVE_SECONDS
from models.training.record import Record
from models.training.runs import Run

STEPS = 1200
TARGETS = ("app", "training", "both")
PATIENCE = 120.0  # seconds for what must happen


def config(seed: int) -> RunConfig:
    return session.configure("digits", "vae", budget=Budget(steps=STEPS), seed=seed, where="cpu")


def wait(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"after {PATIENCE:.0f} s: {what}")
        time.sleep(0.05)


def workers(root: Path) -> list[int]:
    """Return the processes that work on a job below a folder."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(root) in words and "models.jobs" in words:
            found.append(int(path.parent.name))
    return found


class App:
    """The app, which can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "EXPLORER_HOME": str(home), "EXPLORER_RUNS_DIR": str(home / "runs")}
        self.start()

    def start(self) -> None:
        port = free_port()
        command = [sys.executable, "-m", "explorer", "run", "--no-browser", "--port", str(port)]
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=self.environment, stdout=nowhere, stderr=nowhere)
        wait_for_port(self.process, port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "checkpoint" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


def undisturbed(root: Path) -> Path:
    """Return the folder of a training that nobody disturbs; as a job, because the number of threads counts."""
    root.mkdir()
    queue = Jobs(root)
    job = queue.submit(training(config(0), title="whole"))
    keep(queue)
    wait(lambda: queue.get(job.id).over, "the undisturbed training never ends")
    return queue.folder(job.id)


def hit(target: str, app: App, root: Path) -> None:
    """Kill what is to be killed."""
    pids = workers(root) if target != "app" else []
    if target != "training":
        app.kill()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def behind(folder: Path) -> float:
    """Return the seconds of training since the last save of a run."""
    try:
        saved = Run(folder).load_state()
    except UserError:
        return math.inf
    return float(Record(folder).last().get("seconds", 0.0)) - (saved[2] if saved else 0.0)


def revive(queue: Jobs) -> int:
    """Resume what died; return how many that are."""
    dead: list[Job] = [job for job in queue.all() if job.state == "died"]
    for job in dead:
        queue.resume(job.id)
    return len(dead)


def main() -> None:
    """Run it, and print what was found as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    home = Path(tempfile.mkdtemp(prefix="latent-explorer-kills-"))
    root = home / "runs"
    root.mkdir()
    whole = undisturbed(home / "whole")
    queue = Jobs(root)
    ids = [
        queue.submit(training(config(0), title="one")).id,
        queue.submit(training(config(1), title="two")).id,
    ]
    app = App(home)
    died, most, lost = 0, 0, 0.0
    counts = dict.fromkeys(TARGETS, 0)
    for number in range(chosen.kills):
        wait(lambda: workers(root), "no training runs")
        time.sleep(rng.uniform(0.1, 6.0))
        target = TARGETS[number % len(TARGETS)]
        counts[target] += 1
        hit(target, app, root)
        if target != "training":
            app.start()
        time.sleep(1.5)
        most = max(most, len(workers(root)))
        dead = [job.id for job in queue.all() if job.state == "died"]
        lost = max([lost, *(behind(queue.folder(name)) for name in dead)])
        died += revive(queue)
        if all(job.state == "done" for job in queue.all()):  # more to do
            ids.append(queue.submit(training(config(0), title=f"more {number}")).id)
    wait(lambda: not revive(queue) and all(job.over for job in queue.all()), "a training never ends")
    wait(lambda: not workers(root), "a process is left over")
    app.kill()
    result = {
        "kills": counts,
        "trainings": len(ids),
        "died_and_resumed": died,
        "most_lost_s": round(lost, 1),
        "most_at_a_time": most,
        "done": sum(job.state == "done" for job in queue.all()),
        "same_weights": all(
            same(whole, queue.folder(job.id)) for job in queue.all() if job.spec.arguments["seed"] == 0
        ),
        "interval_s": SAVE_SECONDS,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
