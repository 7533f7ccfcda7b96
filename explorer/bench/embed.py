"""How fast a map is, against umap-learn with its defaults on the same latents.

Both lay out the posterior means of the shipped `fashion-vae` for Fashion-MNIST's training images, in one process, after
each has run once on a few of them: what is compiled then is compiled. The trustworthiness of both is measured on the
same points. The cache is measured with a map of as many points, from the file to the checked arrays.
"""

import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from models import catalog, checkpoints, datasets
from models.core import Encodes
from models.embedding import files, fit, quality
from models.embedding.maps import EmbeddingMap, MapSpec
from models.errors import UserError
from models.training.session import Device, device as choose

MODEL, DATASET = "fashion-vae", "fashion_mnist"
_WARM = 5000  # points of the first runs: umap-learn looks for neighbours in another way below 4,096
_BATCH = 256

Vectors = NDArray[np.float32]


def measure(n: int, device: Device) -> dict[str, Any]:
    """Measure both, and the cache.

    Args:
        n: Latents, at most as many as there are training images.
        device: Where ours looks for neighbours.

    Returns:
        What `bench embed --json` prints; `peak_mb` is the memory of the process up to the end of ours.
    """
    where = choose(device).type
    latents = _latents(n)
    spec = MapSpec(model=catalog.find(MODEL).digest, dataset=DATASET, count=len(latents))
    for lay in (lambda z: fit.plane(z, spec, device=where), _umap_learn):
        lay(latents[:_WARM])
    positions, seconds = _timed(lambda: fit.plane(latents, spec, device=where))
    peak = _peak_mb()
    theirs, their_seconds = _timed(lambda: _umap_learn(latents))
    some = quality.subset(len(latents))
    return {
        "n": len(latents),
        "seconds": round(seconds, 2),
        "umap_learn_seconds": round(their_seconds, 2),
        "ratio": round(seconds / their_seconds, 3),
        "trustworthiness": round(quality.trustworthiness(latents[some], positions[some]), 4),
        "umap_learn_trustworthiness": round(quality.trustworthiness(latents[some], theirs[some]), 4),
        "cached_seconds": round(_cached(spec, positions, latents), 3),
        "peak_mb": round(peak),
    }


def _latents(n: int) -> Vectors:
    """Return posterior means of training images, shape (n, D)."""
    if not datasets.available(DATASET):
        from models.datasets.standard import where_to_put

        problem = f"The images of '{DATASET}' are not on this machine."
        raise UserError("no-data", problem, where_to_put(DATASET))
    encoder = cast(Encodes, checkpoints.load(catalog.find(MODEL)))
    data = datasets.load(DATASET, "train")
    starts = range(0, min(n, len(data)), _BATCH)
    with torch.inference_mode():
        means = [encoder.encode(data.floats(slice(start, min(start + _BATCH, n)))).mean for start in starts]
    return torch.cat(means).numpy()


def _umap_learn(latents: Vectors) -> Vectors:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tensorflow and threads, not about this
        import umap

        return cast(Vectors, umap.UMAP().fit_transform(latents))


def _timed(run: Any) -> tuple[Vectors, float]:
    started = time.perf_counter()
    result = run()
    return result, time.perf_counter() - started


def _cached(spec: MapSpec, positions: Vectors, latents: Vectors) -> float:
    count = len(latents)
    made = EmbeddingMap(spec, positions, latents, np.zeros(count, np.uint8), np.arange(count, dtype=np.int32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"map{files.SUFFIX}"
        files.write(path, made)
        started = time.perf_counter()
        files.read(path)
        return time.perf_counter() - started


def _peak_mb() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
