"""Train the default GAN recipe on every data set with several seeds, and check that none of them collapses.

    uv run python tests/benchmarks/gan_stability.py [--seeds 3] [--budget 60s] [--datasets digits,mnist]

A run counts as healthy if no loss became NaN (training stops then), the mean pairwise distance of its samples
is at least 0.6 of that of real images (in the features of the data set's classifier, in pixels where there is
none) and the sharpness ratio is within 0.35 and 1.5. Prints one line a run; exit code 1 if one is not healthy.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from models import catalog, checkpoints
from models.classifier import Classifier
from models.config import Budget
from models.datasets import DATASETS, load
from models.errors import UserError
from models.metrics.evaluation import evaluate
from models.training import session


def judge(dataset: str) -> Classifier | None:
    """Return the data set's shipped classifier, if there is one."""
    info = catalog.classifier_for(dataset)
    model = checkpoints.load(info) if info else None
    return model if isinstance(model, Classifier) else None


def main() -> int:
    """Run the grid and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--datasets", default=",".join(name for name, info in DATASETS.items() if not info.points)
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="60s")
    arguments = parser.parse_args()
    failures = 0
    print(f"{'data set':<15}{'seed':>5}{'steps':>8}{'distance':>10}{'in':>10}{'sharpness':>11}")
    for dataset in arguments.datasets.split(","):
        data = load(dataset, "train"), load(dataset, "test")
        classifier = judge(dataset)
        for seed in range(arguments.seeds):
            config = session.configure(dataset, "gan", budget=Budget.parse(arguments.budget), seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    outcome = session.train(session.new_run(config, Path(folder) / "run"), data=data)
                except UserError as error:
                    print(f"{dataset:<15}{seed:>5}  {error}")
                    failures += 1
                    continue
                model = checkpoints.load(outcome.checkpoint)
                found = evaluate(
                    model, data[1], metrics=["sharpness", "diversity"], n=2000, classifier=classifier
                )
            space = "feature" if classifier else "pairwise"
            distance, sharpness = found[f"{space}_distance_ratio"], found["sharpness_ratio"]
            healthy = distance >= 0.6 and 0.35 <= sharpness <= 1.5
            failures += not healthy
            where = "features" if classifier else "pixels"
            row = f"{dataset:<15}{seed:>5}{outcome.steps:>8}{distance:>10.3f}{where:>10}{sharpness:>11.3f}"
            print(row + ("" if healthy else "  not healthy"), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
