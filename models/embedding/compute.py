"""A map from a spec: what is mapped, the plane, and figures; from the shelf if it is there.

Two processes that want the same map compute it once: the second waits for the first, and reads what that wrote.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from models import shelf
from models.catalog import ModelInfo
from models.embedding import files, library, quality
from models.embedding.fit import plane
from models.embedding.gather import Points, gather
from models.embedding.maps import EmbeddingMap, MapSpec
from models.embedding.spec import Source
from models.metrics.fidelity import NEIGHBOURS, support
from models.shared import Progress, unheard

_GATHERED, _LAID = 0.5, 0.9  # shares of the time after which there are vectors, and places


def make(
    spec: MapSpec, info: ModelInfo, *, device: str = "cpu", fetch: bool = False, progress: Progress = unheard
) -> EmbeddingMap:
    """Compute a map.

    Args:
        spec: What is asked for.
        info: The model of that digest.
        device: Where to compute, as torch names it.
        fetch: Whether a data set may be downloaded.
        progress: Told the share that is done; may raise, to end it.

    Raises:
        UserError: See `models.embedding.gather.gather` and `models.embedding.fit.plane`.
    """
    points = gather(
        info, spec, device=device, fetch=fetch, progress=lambda share: progress(_GATHERED * share)
    )
    span = _LAID - _GATHERED
    positions = plane(
        points.vectors, spec, device=device, progress=lambda share: progress(_GATHERED + span * share)
    )
    label = points.categories.get("label")
    figures = quality.measured(
        points.vectors,
        positions,
        None if label is None else label.codes[: len(points.pixels)],
        points.pixels,
        lambda share: progress(_LAID + (1 - _LAID) * share),
    )
    return _assembled(spec, points, positions, {**figures, **_covered(spec, points)})


def _covered(spec: MapSpec, points: Points) -> Mapping[str, float]:
    """Return which share of the neighbourhoods of real images samples reach, where both are on the map.

    Naeem et al. (2020), arXiv:2002.09797, section 3, with k = 5, in the space that is mapped.
    """
    samples = points.sources == Source.GENERATED
    each = [np.flatnonzero(samples == generated) for generated in (False, True)]
    if spec.of == "latents" or min(map(len, each)) <= NEIGHBOURS:
        return {}
    real, fake = (torch.as_tensor(points.vectors[some[quality.subset(len(some))]]) for some in each)
    return {"coverage": support(real, fake).coverage}


def _assembled(
    spec: MapSpec, points: Points, positions: NDArray[np.float32], figures: Mapping[str, float]
) -> EmbeddingMap:
    return EmbeddingMap(
        spec,
        positions,
        points.latents,
        points.sources,
        points.indices,
        points.categories,
        {**points.values, "density": quality.density(positions)},
        figures,
    )


def obtain(
    spec: MapSpec, info: ModelInfo, *, device: str = "cpu", fetch: bool = False, progress: Progress = unheard
) -> EmbeddingMap:
    """Return a map: the shipped one, one that was computed before, or a new one, which is kept.

    One that cannot be kept is reported on stderr and done without. See `make`.
    """
    found = library.find(spec, info)
    if found is not None:
        return found
    name = library.key(spec, info)
    path = library.path_of(name)
    return shelf.obtain(
        path,
        lambda: library.cached(spec, info),
        lambda: make(spec, info, device=device, fetch=fetch, progress=progress),
        lambda made: files.write(path, made, name),
        progress,
    )
