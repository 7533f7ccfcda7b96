"""Estimate -log p(x) of held-out images with many importance samples, for the figures that papers give.

    python tests/benchmarks/nll.py CHECKPOINT [CHECKPOINT ...] [--samples 5000] [--images 1000]

`latent-explorer evaluate --metrics likelihood` draws 50 samples of each posterior, enough to compare models; figures
that are published on static-binarised MNIST take 5,000 (Burda, Grosse & Salakhutdinov, 2015, arXiv:1509.00519,
section 5). Images are the first of the test set, binarised once with a fixed seed where the model's pixels are black
or white. 1,000 images with 5,000 samples take some minutes on a CPU.
"""

import argparse
import json
from typing import cast

import torch

from models import catalog, checkpoints
from models.core import Explains
from models.datasets import load
from models.datasets.binary import binarised
from models.latent import generator
from models.metrics.likelihood import bounds


@torch.no_grad()
def estimate(name: str, samples: int, images: int) -> dict[str, float]:
    """Return the estimate and the negative ELBO, in nats an image."""
    info = catalog.find(name)
    model = cast(Explains, checkpoints.load(info))
    data = load(info.dataset, "test")
    data = binarised(data) if model.binary else data
    rng, found = generator(0, 7), list[torch.Tensor]()
    for part in torch.split(torch.arange(min(images, len(data))), 20):
        labels = data.labels_at(part, "cpu") if getattr(info.model, "classes", 0) else None
        pair = bounds(model, data.floats(part), labels, samples, rng, chunk=100)
        found.append(torch.stack(pair, 1).double())
    elbo, evidence = torch.cat(found).mean(0).tolist()
    return {"nll_nats": -evidence, "negative_elbo_nats": -elbo}


def main() -> None:
    """Print one JSON object: checkpoint -> figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--images", type=int, default=1000)
    chosen = parser.parse_args()
    print(
        json.dumps(
            {name: estimate(name, chosen.samples, chosen.images) for name in chosen.checkpoints}, indent=2
        )
    )


if __name__ == "__main__":
    main()
