"""Time all offline metrics of a model and how much memory they take, and precision and recall in blocks and whole.

    python tests/benchmarks/metrics_speed.py [MODEL] [--n 10000] [--device auto] [--limit-s 90] [--limit-gb 2]

Three processes, so that the memory of one does not count for another: all metrics that apply but the likelihood, with
floors, which the limits are for; the likelihood and the inversion of 64 images, counted apart; and precision, recall,
density and coverage of N = 10,000 features by `models.metrics.fidelity.support` and with matrices of all pairs, which
must be the same. Memory is the largest resident set of each process; of CUDA, what torch allocated is told beside it.
Exit code 1 above a limit, or where the two differ.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch
from torch import Tensor

APART = ("likelihood", "inversion")
_GB = 1_048_576 if sys.platform == "linux" else 1_073_741_824  # of what `ru_maxrss` counts in


def peak_gb() -> float:
    """Return the largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _GB


def measure(name: str, n: int, device: str, *, apart: bool) -> dict[str, Any]:
    """Measure a model, by metric."""
    from typing import cast

    from models import catalog, checkpoints, datasets
    from models.classifier import Classifier
    from models.metrics import METRICS
    from models.metrics.evaluation import applicable, prepare
    from models.metrics.repeats import report

    info = catalog.find(name)
    judge = catalog.classifier_for(info.dataset, info.sample_shape)
    model, test, train = (
        checkpoints.load(info),
        datasets.load(info.dataset, "test"),
        datasets.load(info.dataset, "train"),
    )
    classifier = cast(Classifier, checkpoints.load(judge)) if judge else None
    fits = applicable(prepare(model, test, n=n, classifier=classifier, train=train))
    chosen = [name for name in fits if (name in APART) == apart and (apart or not METRICS[name].slow)]
    spent: dict[str, float] = {}
    last = ["start", time.perf_counter()]
    before, started, worked = peak_gb(), time.perf_counter(), time.process_time()

    def tick(metric: str, done: int, total: int) -> None:
        now = time.perf_counter()
        spent[last[0]] = round(spent.get(last[0], 0) + now - last[1], 2)
        last[:] = [metric, now]

    report(
        model, test, metrics=chosen, n=n, classifier=classifier, network=judge.id if judge else "", train=train,
        device=device, progress=tick,
    )  # fmt: skip
    result = {"seconds": time.perf_counter() - started, "peak_gb": peak_gb(), "before_gb": before}
    # The processors' time does not count what else the machine is busy with.
    result["cpu_seconds"] = time.process_time() - worked
    if device == "cuda":
        result["cuda_gb"] = torch.cuda.max_memory_allocated() / 2**30
    return {**result, "by_metric": spent}


def plain(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """Return what `support` does, with three matrices of all pairs."""
    within = [torch.cdist(x, x).topk(k + 1, largest=False).values[:, k] for x in (real, fake)]
    between = torch.cdist(real, fake)
    near = between < within[0][:, None]
    return {
        "precision": float(near.any(0).double().mean()),
        "recall": float((between < within[1]).any(1).double().mean()),
        "density": float(near.double().sum(0).mean()) / k,
        "coverage": float(near.any(1).double().mean()),
    }


def neighbours(n: int, *, whole: bool) -> dict[str, Any]:
    """Compare correlated features of two distributions."""
    from models.metrics.fidelity import support

    rng = torch.Generator().manual_seed(0)
    mixing = torch.randn(128, 128, generator=rng).double() / 128**0.5
    real = (torch.randn(n, 128, generator=rng).double() @ mixing).relu()
    fake = (0.9 * torch.randn(n, 128, generator=rng).double() @ mixing).relu()
    before, started = peak_gb(), time.perf_counter()
    found = plain(real, fake, 5) if whole else dict(vars(support(real, fake, 5)))
    return {"seconds": time.perf_counter() - started, "extra_gb": peak_gb() - before, "result": found}


def apart(words: list[str]) -> dict[str, Any]:
    """Run a part of this in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="fashion-vae")
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--limit-s", type=float, default=90)
    parser.add_argument("--limit-gb", type=float, default=2)
    parser.add_argument("--threads", type=int, default=2, help="On a CPU.")
    parser.add_argument(
        "--skip-apart", action="store_true", help="Leave the likelihood and the inversion out."
    )
    parser.add_argument("--part", choices=["all", "apart", "blocks", "whole"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.part:
        parts = {
            "all": lambda: measure(chosen.model, chosen.n, chosen.device, apart=False),
            "apart": lambda: measure(chosen.model, 1000, chosen.device, apart=True),
            "blocks": lambda: neighbours(chosen.n, whole=False),
            "whole": lambda: neighbours(chosen.n, whole=True),
        }
        print(json.dumps(parts[chosen.part]()))
        return 0
    words = [chosen.model, "--n", str(chosen.n), "--device", chosen.device]
    words += ["--threads", str(chosen.threads), "--part"]
    names = ["all", *([] if chosen.skip_apart else ["apart"]), "blocks", "whole"]
    found = {name: apart([*words, name]) for name in names}
    same = all(
        abs(found["blocks"]["result"][key] - value) <= 1e-9 for key, value in found["whole"]["result"].items()
    )
    within = found["all"]["seconds"] <= chosen.limit_s and found["all"]["peak_gb"] <= chosen.limit_gb
    print(
        json.dumps(
            {"model": chosen.model, "n": chosen.n, "device": chosen.device, **found, "same": same}, indent=2
        )
    )
    less = found["blocks"]["extra_gb"] < found["whole"]["extra_gb"]
    return 0 if same and within and less else 1


if __name__ == "__main__":
    sys.exit(main())
