"""Time a 64-frame interpolation with the nearest real image of each frame, warm.

    uv run python tests/benchmarks/nearest.py MODEL [--frames 64] [--repeats 15] [--limit-ms 200]

On one thread. `interpolate` decodes the frames, `nearest` decodes them and finds their neighbours in the features of
the data set's classifier; the first call, which may compute the features of all training images, is apart.
Exit code 1 if the median of `nearest` is above the limit.
"""

import argparse
import json
import statistics
import sys
import time

import torch

from models import catalog, render
from models.neighbours import SPACES
from models.requests import Interpolate, Nearest, Operation, Point, RenderRequest


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--limit-ms", type=float, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    digest = render.admit(catalog.find(arguments.model))
    path = Interpolate(points=(Point(seed=1), Point(seed=2)), frames=arguments.frames)

    def milliseconds(op: Operation) -> tuple[float, float]:
        started, worked = time.perf_counter(), time.process_time()
        render.render(RenderRequest(model=digest, op=op))
        return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - worked)

    ops: dict[str, Operation] = {"interpolate": path, "nearest": Nearest(of=path)}
    report: dict[str, object] = {"first_nearest_ms": milliseconds(ops["nearest"])[0]}
    median = 0.0
    for name, op in ops.items():
        times, work = zip(*(milliseconds(op) for _ in range(arguments.repeats)), strict=True)
        median = statistics.median(times)
        # The processor's time does not count what else the machine is busy with.
        report[f"{name}_ms"] = {"median": median, "min": min(times), "cpu": statistics.median(work)}
    result = render.render(RenderRequest(model=digest, op=ops["nearest"]))
    report["space"] = SPACES[int(result.values["space"][0])]
    print(json.dumps(report, indent=2))
    return 0 if median <= arguments.limit_ms else 1


if __name__ == "__main__":
    sys.exit(main())
