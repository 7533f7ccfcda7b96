"""The maps that pages show of a model: those that are there, and a quick one that always is."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from explorer import cache, controls
from explorer.text import N_
from models import datasets
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import Codes, default_label
from models.shared import COSTLY, Progress, Shared, Task

if TYPE_CHECKING:  # the first page must not wait for numpy
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap
    from models.embedding.spec import MapSpec

QUICK = 2000  # points of a quick map
_KEPT = 8  # maps in memory
_maps: "Shared[EmbeddingMap]" = Shared(keep=_KEPT)
_planes: "weakref.WeakKeyDictionary[EmbeddingMap, tuple[EmbeddingMap, Task[Mapping[str, float]]]]" = (
    weakref.WeakKeyDictionary()
)
_there: "OrderedDict[str, EmbeddingMap]" = OrderedDict()
_last: "OrderedDict[str, EmbeddingMap]" = OrderedDict()  # quick maps of runs, by their names
_lock = threading.Lock()
_VALUES = {"density": N_("Density"), "error": N_("Reconstruction error"), "score": N_("Discriminator score")}


def ready(info: ModelInfo, spec: "MapSpec | None" = None) -> "EmbeddingMap | None":
    """Return a map that need not be computed: it came with the project, or was computed before; None if there is none.

    Args:
        info: The model.
        spec: The map; None: the one that is shown first.
    """
    from models.embedding import library

    name = library.key(spec or library.default_spec(info), info)
    with _lock:
        found = _there.get(name)
    if found is None:
        shipped = library.shipped(info.digest) if spec is None else None
        found = shipped or library.find(spec or library.default_spec(info), info)
        if found is None:
            return None
    with _lock:
        _there[name] = found
        _there.move_to_end(name)
        while len(_there) > _KEPT:
            _there.popitem(last=False)
    return found


def quick(info: ModelInfo, count: int = QUICK) -> "EmbeddingMap | None":
    """Return the map of a model that takes no time, its principal components; None for a model without pictures.

    Of encoded images where these are at hand, else of samples. That of a model that still trains is turned to lie as
    the one before did.

    Args:
        info: The model.
        count: Points at most.

    Raises:
        UserError: The model is not there, or damaged, or its weights have diverged.
    """
    if not info.can("picture") or (info.latent_dim or 0) < 2:
        return None

    def make(progress: Progress) -> "EmbeddingMap":
        del progress
        known = bool(info.dataset) and datasets.known(info.dataset) is not None
        images = known and info.can("encode") and datasets.available(info.dataset)
        found = _of_images(info, count) if images else _of_samples(info, count)
        return _followed(info.id, found) if info.run else found

    return _maps.begin(f"{info.digest} {count}", make).value()


def principal(found: "EmbeddingMap") -> "EmbeddingMap | None":
    """Return the map of the two principal components of a map's latents, of those points that have one.

    It takes no time, but for its figures: they come later, see `measuring`. None where that is no other map.

    Args:
        found: The map.
    """
    from models.embedding.maps import MapSpec

    spec = MapSpec.model_validate({**found.spec.model_dump(), "of": "latents", "method": "pca"})
    if spec == found.spec or found.latents.shape[1] < 3:
        return None
    with _lock:
        plane, task = _planes.get(found, (None, None))
    if plane is None or task is None:
        plane = _principal(found, spec)
        if plane is None:
            return None
        task = Task(partial(_figures, plane))
    elif not plane.quality and not task.running and not task.failed:
        plane = replace(plane, quality=task.value())
    with _lock:
        _planes[found] = (plane, task)
    return plane


def measuring(found: "EmbeddingMap") -> bool:
    """Tell whether the figures of what `principal` made of a map are still to come."""
    with _lock:
        _, task = _planes.get(found, (None, None))
    return task is not None and task.running


def _principal(found: "EmbeddingMap", spec: "MapSpec") -> "EmbeddingMap | None":
    import numpy as np

    from explorer.map_pictures import has_latent
    from models.embedding.maps import Categories, EmbeddingMap

    known = np.flatnonzero(has_latent(found))
    if len(known) < 3:
        return None
    latents = found.latents[known]
    return EmbeddingMap(
        spec,
        plane_of(latents),
        latents,
        found.sources[known],
        found.indices[known],
        {name: Categories(kind.codes[known], kind.names) for name, kind in found.categories.items()},
        {
            name: values[known] for name, values in found.values.items() if name != "density"
        },  # of another plane
    )


def _figures(plane: "EmbeddingMap", progress: Progress) -> "Mapping[str, float]":
    from models.embedding import quality
    from models.embedding.maps import Source

    label = plane.categories.get("label")
    real = plane.sources != Source.GENERATED
    with COSTLY:
        return quality.measured(
            plane.latents, plane.positions, None if label is None else label.codes[real], None, progress
        )


def value_title(name: str) -> str:
    """Return the untranslated title of values, of a factor its name."""
    return _VALUES.get(name, name)


def _of_images(info: ModelInfo, count: int) -> "EmbeddingMap":
    import numpy as np

    from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source

    result = cache.render(controls.ask(info, Codes(count=count)))
    data = datasets.info(info.dataset)
    categories: dict[str, Categories] = {}
    values: dict[str, NDArray[np.float32]] = {}
    if "labels" in result.values and data.classes:
        categories["label"] = Categories(result.values["labels"].astype(np.int16), data.classes)
    for number, factor in enumerate(data.factors if "factors" in result.values else ()):
        column = result.values["factors"][:, number]
        if factor.kind == "categorical":
            categories[factor.name] = Categories(column.astype(np.int16), tuple(factor.values))
        else:
            values[factor.name] = column.astype(np.float32)
    latents = result.latents
    if not np.isfinite(latents).all():
        problem = "The model encodes some images as what are no finite numbers."
        raise UserError("bad-latents", problem, "Train it again: its weights have diverged.")
    return EmbeddingMap(
        MapSpec(model=info.digest, dataset=info.dataset, method="pca", count=len(latents)),
        plane_of(latents),
        latents,
        np.full(len(latents), Source.TRAIN, np.uint8),
        result.values["indices"].astype(np.int32),
        categories,
        values,
    )


def _of_samples(info: ModelInfo, count: int) -> "EmbeddingMap":
    import numpy as np

    from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source
    from models.latent import prior

    latents = prior(range(count), info.latent_dim or 0).numpy()
    labels = [default_label(seed, len(info.labels)) for seed in range(count)] if info.labels else []
    known = {"label": Categories(np.asarray(labels, np.int16), info.labels)} if labels else {}
    return EmbeddingMap(
        MapSpec(model=info.digest, method="pca", count=count, generated=count),
        plane_of(latents),
        latents,
        np.full(count, Source.GENERATED, np.uint8),
        np.arange(count, dtype=np.int32),
        known,
    )


def _followed(run: str, found: "EmbeddingMap") -> "EmbeddingMap":
    """Return the map of a run, turned as the one before, and remember it."""
    with _lock:
        before = _last.get(run)
        if before is not None and before.indices.tolist() == found.indices.tolist():
            found = replace(found, positions=turned(found.positions, before.positions))
        _last[run] = found
        _last.move_to_end(run)
        while len(_last) > _KEPT:
            _last.popitem(last=False)
    return found


def turned(places: "NDArray[np.float32]", like: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return places (N, 2) turned, and mirrored if need be, to lie as nearly as they can as others (N, 2) of the same.

    Principal components have no sign, and change places where they account for as much as each other.

    References:
        Schönemann (1966), "A generalized solution of the orthogonal Procrustes problem".
    """
    import numpy as np

    left, _scales, right = np.linalg.svd(places.T @ like)
    return _fitted(places @ (left @ right))


def _fitted(flat: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return places so that the larger extent of the two fills [-1, 1], the centre at the origin."""
    import numpy as np

    flat = flat - (flat.max(0) + flat.min(0)) / 2
    return np.ascontiguousarray(flat / max(float(np.abs(flat).max()), 1e-12), np.float32)


def plane_of(latents: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return the first two principal components of latents (N, D), the larger extent of the two filling [-1, 1]."""
    import numpy as np

    centred = latents - latents.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return _fitted(centred @ vectors[:, :-3:-1])
