"""The space that a map was made in, found again: there, new pictures have neighbours among its points.

A map's file holds latents and places. What was mapped, where that is not the latents themselves, is computed anew: of
samples from their latents, of real images from these where they are at hand, else from what the model decodes of their
latents. Images that neither can be had of are left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import datasets
from models.catalog import ModelInfo
from models.core import Encodes, to_unit
from models.embedding.gather import classifier_of
from models.embedding.maps import EmbeddingMap, MapSpec
from models.embedding.place import place
from models.embedding.spec import Source
from models.errors import UserError
from models.render import decoder
from models.shared import Progress, unheard

BATCH = 32  # images at once: many more take longer each, their activations leave the cache
Vectors = NDArray[np.float32]
_SPLITS: dict[Source, datasets.Split] = {Source.TRAIN: "train", Source.TEST: "test"}


class Sight:
    """Sees pictures as a map does that was made of them.

    Args:
        spec: Of the map.
        info: Its model.

    Raises:
        UserError: The model is not there, or there is no classifier any more where the map is one of features.
    """

    def __init__(self, spec: MapSpec, info: ModelInfo) -> None:
        self.model = decoder(spec.model).model
        self._spec = spec
        name = datasets.sized_for(spec.dataset or info.dataset, info.model.size)
        self._features = classifier_of(info, name).features if spec.of == "features" else None

    @property
    def encodes(self) -> bool:
        """Whether what is mapped are posterior means."""
        return self._spec.of == "latents" and isinstance(self.model, Encodes)

    def samples(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return what is mapped of latents of the map's own model, shape (B, D), as rows (B, F)."""
        if self.encodes:
            return z
        if self._spec.of == "latents":
            return self.model.hidden(z, labels)
        return self.images(self.model.decode(z, labels), labels)

    def images(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return what is mapped of images (B, C, H, W) in [-1, 1], as rows (B, F).

        Args:
            x: The images.
            labels: What a conditional encoder is told of them.

        Raises:
            UserError: The map is of latents, and its model cannot encode.
        """
        if self._spec.of == "pixels":
            return x.flatten(1)
        if self._features is not None:
            return self._features(x)
        if not isinstance(self.model, Encodes):
            problem = "This map is of latents, and its model cannot encode pictures of other models."
            raise UserError("cannot-encode", problem, "Make a map of what a classifier sees, or of pixels.")
        return self.model.encode(x, labels).mean


@dataclass(frozen=True, eq=False)
class Space:
    """Where the points of a map are in what was mapped.

    Args:
        found: The map.
        rows: Those of its points whose place in the space is known, shape (K,).
        vectors: That place, shape (K, F).
        rebuilt: How many of them are real images of which only the reconstruction was at hand.
        sight: Brings other pictures there.
    """

    found: EmbeddingMap = field(repr=False)
    rows: NDArray[np.int64]
    vectors: Vectors
    rebuilt: int
    sight: Sight

    def place(self, vectors: Vectors) -> Vectors:
        """Return where on the map something belongs, shape (B, 2), by its place in the space, shape (B, F)."""
        if self.found.spec.metric == "cosine":
            return place(_unit(vectors), _unit(self.vectors), self.found.positions[self.rows])
        return place(vectors, self.vectors, self.found.positions[self.rows])


def space_of(found: EmbeddingMap, info: ModelInfo, progress: Progress = unheard) -> Space:
    """Return the space of a map; takes seconds where the map is not of posterior means.

    Args:
        found: The map.
        info: Its model.
        progress: Told the share that is done; may raise, to end it.

    Raises:
        UserError: None of its points can be reached ("no-space"): they are real images that are not on this machine, of
            a model without an encoder. See also `Sight`.
    """
    sight = Sight(found.spec, info)
    known = np.isfinite(found.latents).all(axis=1)
    if sight.encodes:
        rows = np.flatnonzero(known)
        return Space(found, rows, found.latents[rows], 0, sight)
    generated = found.sources == Source.GENERATED
    images = _real_images(found, info) if found.spec.of != "latents" else None
    seen = np.zeros(len(found), bool) if images is None else ~generated
    decoded = np.flatnonzero(known & ~seen)
    parts = [*_batches(decoded, lambda some: _decoded(found, sight, some))]
    real = np.flatnonzero(seen)
    parts += [*_batches(real, lambda some: sight.images(images(some)) if images else torch.empty(0))]
    total, vectors = len(decoded) + len(real), list[Vectors]()
    if not total:
        problem = "The images of this map are not on this machine, and its model cannot rebuild them."
        raise UserError("no-space", problem, "Make a map with samples on it.")
    with torch.inference_mode():
        for part in parts:
            vectors.append(part().float().numpy())
            progress(sum(map(len, vectors)) / total)
    rebuilt = int((~generated[decoded]).sum())
    return Space(found, np.concatenate([decoded, real]), np.concatenate(vectors), rebuilt, sight)


def _batches(
    rows: NDArray[np.int64], read: Callable[[NDArray[np.int64]], Tensor]
) -> Iterator[Callable[[], Tensor]]:
    for start in range(0, len(rows), BATCH):
        yield lambda some=rows[start : start + BATCH]: read(some)


def _decoded(found: EmbeddingMap, sight: Sight, rows: NDArray[np.int64]) -> Tensor:
    return sight.samples(torch.as_tensor(found.latents[rows]), labels_of(found, sight.model.classes, rows))


def labels_of(found: EmbeddingMap, classes: int, rows: NDArray[np.int64]) -> Tensor | None:
    """Return what a conditional model is told of points of its map, the first class where it is not known."""
    if not classes:
        return None
    known = found.categories.get("label")
    codes = np.zeros(len(rows), np.int64) if known is None else known.codes[rows].clip(0, classes - 1)
    return torch.as_tensor(codes.astype(np.int64))


def _real_images(found: EmbeddingMap, info: ModelInfo) -> Callable[[NDArray[np.int64]], Tensor] | None:
    """Return what reads the real images of a map, in [-1, 1]; None where they are not at hand."""
    name = datasets.sized_for(found.spec.dataset, info.model.size) if found.spec.dataset else ""
    if not name or datasets.known(name) is None or not datasets.available(name):
        return None
    loaded = {source: datasets.load(name, split).images for source, split in _SPLITS.items()}

    def read(rows: NDArray[np.int64]) -> Tensor:
        pairs = zip(found.sources[rows].tolist(), found.indices[rows].tolist(), strict=True)
        return to_unit(torch.stack([loaded[Source(source)][index] for source, index in pairs]))

    for source, images in loaded.items():
        if (found.indices[found.sources == source] >= len(images)).any():
            return None  # others than the map was made of
    return read


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
