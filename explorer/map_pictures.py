"""The pictures of a map's points: their images where the data set is at hand, else what the model decodes."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

from models import datasets
from models.shared import Progress, Shared

if TYPE_CHECKING:  # the first page must not wait for numpy
    import numpy as np
    from numpy.typing import NDArray

    from models.datasets import Split
    from models.embedding.maps import EmbeddingMap
    from models.images import Pixels

Kind = Literal["images", "decoded"]
LABEL = "label"  # the category that a conditional model is asked for
_PATIENCE = 8.0  # seconds that images which are being loaded are waited for
_decoding = threading.BoundedSemaphore(1)  # pictures of a map leave the other processors to what moves


class LoadingError(Exception):
    """The images are being loaded: ask again in a moment."""


_images: "Shared[Pixels]" = Shared(keep=4)


def kind(found: "EmbeddingMap") -> Kind:
    """Tell what `pictures` shows: images of the data set if it is at hand, or only what the model decodes."""
    name = found.spec.dataset
    known = bool(name) and datasets.known(name) is not None and datasets.available(name)
    return "images" if known and bool((found.sources != _generated()).any()) else "decoded"


def pictures(found: "EmbeddingMap", rows: "Sequence[int] | NDArray[np.integer]", of: Kind) -> "Pixels":
    """Return the pictures of some points, uint8, shape (B, H, W, C).

    Args:
        found: The map.
        rows: Which of its points.
        of: `images`: those of the data set; of points that the model has made itself, its own. `decoded`: what the
            model makes of the latents of all. Black where there is neither.

    Raises:
        LoadingError: The images are not in memory yet.
        LookupError: The data set is not what it was when the map was made.
        UserError: The model or the data set is not there.
    """
    import numpy as np

    chosen = np.asarray(rows, np.int64)
    own = (found.sources[chosen] == _generated()) | (of == "decoded")
    parts = {
        int(source): _of_split(found, chosen[~own], int(source)) for source in _splits(found, chosen[~own])
    }
    if own.any():
        parts[-1] = decoded(found, found.latents[chosen[own]], _labels(found, chosen[own]))
    some = next(iter(parts.values()))
    result = np.empty((len(chosen), *some.shape[1:]), np.uint8)
    for source, images in parts.items():
        place = own if source < 0 else ~own & (found.sources[chosen] == source)
        if images.shape[1:] != some.shape[1:]:
            raise LookupError("the images have another shape than the model's")
        result[place] = images
    return result


def decoded(
    found: "EmbeddingMap", latents: "NDArray[np.float32]", labels: "NDArray[np.int64] | None"
) -> "Pixels":
    """Return what the model of a map makes of latents (B, D), uint8 (B, H, W, C), black of NaN; raises UserError.

    Args:
        found: The map.
        latents: As they are, nothing is truncated.
        labels: Classes for a conditional model, shape (B,); None: the first class.
    """
    import numpy as np

    from models.render import decoder

    decode = decoder(found.spec.model)
    given = None
    if decode.classes:
        given = np.zeros(len(latents), np.int64) if labels is None else labels.clip(0, decode.classes - 1)
    known = np.asarray(np.isfinite(latents).all(axis=1), bool)
    with _decoding:
        images = decode(np.where(known[:, None], latents, 0).astype(np.float32), given)
    images[~known] = 0
    return images


def has_latent(found: "EmbeddingMap") -> "NDArray[np.bool_]":
    """Tell which points have a latent, shape (N,): an image has none where the model cannot encode it."""
    import numpy as np

    return np.asarray(np.isfinite(found.latents).all(axis=1), bool)


def label_of(found: "EmbeddingMap", row: int) -> int | None:
    """Return the class of a point that a conditional model decodes it with; None where it is not known."""
    known = found.categories.get(LABEL)
    code = -1 if known is None else int(known.codes[row])
    return code if code >= 0 else None


def load_ahead(found: "EmbeddingMap") -> None:
    """Begin to load the images of a map, in the background: who looks at one then need not wait."""
    import numpy as np

    if kind(found) == "images":
        for source in np.unique(found.sources[found.sources != _generated()]):
            _begin(found.spec.dataset, _split(int(source)))


def _generated() -> int:
    from models.embedding.maps import Source

    return Source.GENERATED


def _split(source: int) -> "Split":
    from models.embedding.maps import Source

    return "train" if source == Source.TRAIN else "test"


def _splits(found: "EmbeddingMap", rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
    import numpy as np

    return np.unique(found.sources[rows])


def _labels(found: "EmbeddingMap", rows: "NDArray[np.int64]") -> "NDArray[np.int64] | None":
    import numpy as np

    known = found.categories.get(LABEL)
    return None if known is None else known.codes[rows].astype(np.int64)


def _begin(name: str, split: "Split"):
    def load(progress: Progress) -> "Pixels":
        del progress
        return datasets.load(name, split).images.permute(0, 2, 3, 1).contiguous().numpy()

    # What lies on the disk is part of the key: people put other files there while the process lives.
    return _images.begin(f"{name} {split} {datasets.state(name)}", load)


def _of_split(found: "EmbeddingMap", rows: "NDArray[np.int64]", source: int) -> "Pixels":
    task = _begin(found.spec.dataset, _split(source)).wait(_PATIENCE)
    if task.running:
        raise LoadingError
    images = task.value()
    indices = found.indices[rows[found.sources[rows] == source]]
    if len(indices) and (indices.min() < 0 or indices.max() >= len(images)):
        raise LookupError(f"the data set has {len(images)} images")
    return cast("Pixels", images[indices])
