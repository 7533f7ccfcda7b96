"""Invert held-out images with a model, and compare with the best of many random samples.

    uv run python tests/benchmarks/inversion.py MODEL [--n 64] [--steps 150] [--restarts 8] [--json]

On one thread. Each image is compared with the best, in PSNR, of ten times as many samples of the prior as its
inversion decoded pictures. The first guess is fitted beforehand (`fit_s`): that is done once for each model. Exit
code 1 if the median PSNR is below 18 dB, an image takes more than 5 s, or random samples come nearer in the median.
"""

import argparse
import json
import sys
import time

import torch

from models import catalog, checkpoints, datasets, images, render
from models.core import LatentModel, to_unit
from models.inversion import fit_guess
from models.latent import generator
from models.metrics.reconstruction import psnr
from models.requests import Invert, RenderRequest

CHUNK = 250


@torch.inference_mode()
def best_of_random(model: LatentModel, x: torch.Tensor, count: int) -> torch.Tensor:
    """Return the PSNR of the best of `count` samples for each image, shape (N,)."""
    rng, best = generator(1, 0), torch.zeros(len(x))
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        labels = torch.randint(model.classes, (size,), generator=rng) if model.classes else None
        shown = model.decode(torch.randn(size, model.latent_dim, generator=rng), labels)
        ratios = [psnr(shown, one[None].expand_as(shown)).max() for one in x]
        best = torch.maximum(best, torch.stack(ratios))
    return best


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--steps", type=int, default=Invert.model_fields["steps"].default)
    parser.add_argument("--restarts", type=int, default=Invert.model_fields["restarts"].default)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    info = catalog.find(arguments.model)
    digest = render.admit(info)
    model = checkpoints.load(info)
    assert isinstance(model, LatentModel), f"{info.id} decodes nothing"
    data = datasets.load(info.dataset, "test")
    chosen = torch.randperm(len(data), generator=generator(0, 0))[: arguments.n]
    x = to_unit(data.images[chosen])
    started = time.perf_counter()
    fit_guess(model)
    fit = time.perf_counter() - started
    ratios: list[float] = []
    seconds: list[float] = []
    evaluations = 0
    for i, pixels in enumerate(data.images[chosen].permute(0, 2, 3, 1).numpy()):
        op = Invert(image=images.keep(pixels), steps=arguments.steps, restarts=arguments.restarts, seed=i)
        result = render.render(RenderRequest(model=digest, op=op))
        if i == 0:  # the guess was read from disk or fitted
            result = render.render(RenderRequest(model=digest, op=op))
        ratios.append(float(result.values["psnr_db"][0]))
        seconds.append(result.seconds)
        evaluations = max(evaluations, int(result.values["evaluations"][0]))
    random = best_of_random(model, x, 10 * evaluations)
    found = torch.tensor(ratios)
    report = {
        "model": info.id,
        "dataset": info.dataset,
        "n": len(ratios),
        "psnr_db": {"median": float(found.median()), "p10": float(found.quantile(0.1)), "min": min(ratios)},
        "random_psnr_db": {"median": float(random.median()), "samples": 10 * evaluations},
        "better_than_random": float((found > random).float().mean()),
        "evaluations": evaluations,
        "seconds": {"median": sorted(seconds)[len(seconds) // 2], "max": max(seconds)},
        "fit_s": fit,
    }
    print(json.dumps(report, indent=None if arguments.json else 2))
    passed = found.median() >= 18 and max(seconds) <= 5 and found.median() > random.median()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
