"""Compare the app's placing of new points on a map, and its way back to latents, with umap-learn's own.

    uv run python tests/benchmarks/map_inverse.py [MODEL] [--n 10000] [--queries 200]

umap-learn lays out posterior means of training images. Held-out ones are then placed on its map, by its `transform`
and by `models.embedding.place`, and what either made of them is brought back to latents, by its `inverse_transform`
and by `inverse`. `pixel_mse` is the mean squared difference, in [-1, 1], of what these latents and the true ones
decode to; `knn_agreement` the share of the 15 nearest points on the map that are among the 15 nearest latents.
`reliability` is the rank correlation of the app's figure with the error of each point, which should be negative.
"""

import argparse
import json
import sys
import time
import warnings
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from models import catalog, checkpoints, datasets
from models.core import Encodes, LatentModel
from models.datasets import ImageData
from models.embedding.maps import EmbeddingMap, MapSpec
from models.embedding.place import inverse, nearest, place

_K, _BATCH = 15, 256

Vectors = NDArray[np.float32]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="fashion-vae")
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    import umap

    info = catalog.find(arguments.model)
    model = cast(LatentModel, checkpoints.load(info))
    known = _means(model, datasets.load(info.dataset, "train"), arguments.n)
    held = _means(model, datasets.load(info.dataset, "test"), arguments.queries)
    fitted: Any = umap.UMAP(random_state=0)
    positions = cast(Vectors, fitted.fit_transform(known))
    shown = EmbeddingMap(
        MapSpec(model=info.digest),
        positions,
        known,
        np.zeros(len(known), np.uint8),
        np.arange(len(known), dtype=np.int32),
    )
    reliability: list[Vectors] = []

    def back(places: Vectors) -> Vectors:
        found = inverse(shown, places)
        reliability.append(found.reliability)
        return found.latents

    report: dict[str, dict[str, float]] = {}
    ways = {
        "app": (lambda z: place(z, known, positions), back),
        "umap_learn": (fitted.transform, fitted.inverse_transform),
    }
    errors: dict[str, Vectors] = {}
    for name, (there, again) in ways.items():
        placed, place_s = _timed(there, held)
        latents, inverse_s = _timed(again, placed)
        errors[name] = _errors(model, latents, held)
        report[name] = {
            "place_s": place_s,
            "knn_agreement": _agreement(held, placed, known, positions),
            "inverse_s": inverse_s,
            "pixel_mse": float(errors[name].mean()),
        }
    report["app"]["reliability"] = _rank_correlation(reliability[0], errors["app"])
    report["mean_latent"] = {
        "pixel_mse": float(_errors(model, known.mean(0)[None].repeat(len(held), 0), held).mean())
    }
    print(json.dumps(report, indent=2))
    return 0


def _means(model: LatentModel, data: ImageData, count: int) -> Vectors:
    starts = range(0, min(count, len(data)), _BATCH)
    with torch.inference_mode():
        parts = [
            cast(Encodes, model).encode(data.floats(slice(s, min(s + _BATCH, count)))).mean for s in starts
        ]
    return torch.cat(parts).numpy()


def _timed(run: Any, given: Vectors) -> tuple[Vectors, float]:
    started = time.perf_counter()
    return np.asarray(run(given), np.float32), round(time.perf_counter() - started, 3)


def _errors(model: LatentModel, latents: Vectors, true: Vectors) -> Vectors:
    with torch.inference_mode():
        made, wanted = (model.decode(torch.as_tensor(np.ascontiguousarray(z))) for z in (latents, true))
        return (made - wanted).square().flatten(1).mean(1).numpy()


def _agreement(held: Vectors, placed: Vectors, known: Vectors, positions: Vectors) -> float:
    near, shown = nearest(held, known, _K)[1], nearest(placed, positions, _K)[1]
    return float(np.mean([len(np.intersect1d(a, b)) / _K for a, b in zip(near, shown, strict=True)]))


def _rank_correlation(x: Vectors, y: Vectors) -> float:
    return float(np.corrcoef(x.argsort().argsort(), y.argsort().argsort())[0, 1])


if __name__ == "__main__":
    sys.exit(main())
