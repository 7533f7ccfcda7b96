"""Real images near to those of a model: what it has learnt, or learnt by heart.

The vectors of all training images (features of the data set's classifier, or posterior means) are computed once
and kept on disk; a search compares with all of them, exactly.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models import datasets, paths
from models.core import Encodes, Features, to_unit
from models.datasets import ImageData
from models.disk import from_disk
from models.errors import UserError
from models.plans import CHUNK, Scene, decoded, planned, preparing
from models.requests import Nearest
from models.results import RenderResult, array
from models.shared import Progress, Shared, Waiting

SPACES = ("features", "pixels", "latent")  # in which distances are measured
_VERSION = 1  # of the vectors: a change to how they are made must not read old files
_BATCH = 16  # images embedded at once: more take nearly twice as long each, their activations leave the cache
_SPARE = 8  # candidates that a search keeps beside the k nearest
_BLOCK = 8_388_608  # numbers of real images that queries are compared with at once: 32 MB


@dataclass(frozen=True)
class Gallery:
    """The training images of a data set.

    Args:
        data: The images and what is known of them.
        digest: sha256 of the pixels: what is computed from them is kept by it.
    """

    data: ImageData
    digest: str


@dataclass(frozen=True)
class Index:
    """What real images are compared by.

    Args:
        space: A name in `SPACES`: that which was asked for, or pixels where there is no classifier.
        vectors: One row for each image, shape (N, F): float32, or uint8 pixels.
        embed: Maps queries, uint8 pictures (B, C, H, W) and their latents (B, D), to float32 rows (B, F).
        scale: What Euclidean distances of rows are multiplied by.
    """

    space: str
    vectors: Tensor
    embed: Callable[[Tensor, Tensor], Tensor]
    scale: float = 1.0


_galleries = Shared[Gallery](keep=2)
_vectors = Shared[Tensor](keep=4)


def encoder_of(scene: Scene) -> Encodes:
    """Return the model's encoder; raises UserError if it has none."""
    if not isinstance(scene.model, Encodes):
        remedy = "Choose a VAE or an autoencoder, or look for the latent of an image by inversion."
        raise UserError("cannot-encode", f"'{scene.info.id}' has no encoder.", remedy)
    return scene.model


def gallery(scene: Scene) -> Waiting[Gallery]:
    """Return the training images of a model's data set; yields until they are in memory.

    Raises:
        UserError: They are not known, not on this machine (nothing is downloaded here), or of another shape than the
            model's.
    """
    name = scene.info.dataset
    if not name:
        problem = f"It is not known what '{scene.info.id}' was trained on."
        raise UserError("no-data", problem, "Choose a model whose config names its data set.")
    if not datasets.available(name):
        from models.datasets.standard import where_to_put

        problem = f"The training images, '{name}', are not on this machine."
        fetch = f"'latent-explorer evaluate {scene.info.id}' gets them; the app never does."
        raise UserError("no-data", problem, f"{where_to_put(name)} {fetch}")
    info = datasets.info(name)
    if info.sample_shape != scene.model.sample_shape:
        problem = f"The images of '{name}' have another shape than those of '{scene.info.id}'."
        raise UserError("shape-mismatch", problem, "Choose a model whose config names its own data set.")

    def load(progress: Progress) -> Gallery:
        data = datasets.load(name, "train")
        return Gallery(data, hashlib.sha256(data.images.contiguous().numpy().data).hexdigest())

    # The folder is part of the key: tests, and people, move it while the process lives.
    return _galleries.wait(f"{name} {datasets.state(name)}", load)


def vectors(
    real: Gallery, name: str, embed: Callable[[slice], Tensor]
) -> Waiting[Float[Tensor, "images features"]]:
    """Return a vector for each image of a gallery, from memory, disk (in half precision) or computed.

    Args:
        real: The images.
        name: Of the vectors, with the digest of the model that they come from.
        embed: Returns those of a slice of the images, shape (B, F).
    """
    key = f"{name}-{real.digest[:16]}-v{_VERSION}"

    def compute(progress: Progress) -> Tensor:
        def rows() -> dict[str, Tensor]:
            parts: list[Tensor] = []
            for start in range(0, len(real.data), _BATCH):
                with torch.inference_mode():
                    parts.append(embed(slice(start, start + _BATCH)).half())
                progress(start / len(real.data))
            return {"vectors": torch.cat(parts).clone()}

        return from_disk(paths.cache() / "vectors" / f"{key}.safetensors", rows)["vectors"].float()

    return _vectors.wait(key, compute)


def index(scene: Scene, real: Gallery, space: str) -> Waiting[Index]:
    """Return what to compare real images by; yields while their vectors are computed."""
    data, found = real.data, scene.judge() if space == "features" else None
    if found:
        classifier, digest = found
        rows = yield from vectors(
            real, f"features-{digest[:16]}", lambda part: classifier.features(data.floats(part))
        )
        return Index("features", rows, lambda pixels, _: features(classifier, to_unit(pixels)))
    if space == "latent":
        encoder, classes = encoder_of(scene), scene.model.classes

        def means(part: slice) -> Tensor:
            return encoder.encode(data.floats(part), data.labels_at(part) if classes else None).mean

        rows = yield from vectors(real, f"means-{scene.info.digest[:16]}", means)
        return Index("latent", rows, lambda _, z: z)
    flat = data.images.flatten(1)
    return Index(
        "pixels", flat, lambda pixels, _: pixels.flatten(1).float(), 1 / (255 * flat.shape[1] ** 0.5)
    )


def features(classifier: Features, x: Float[Tensor, "batch channels height width"]) -> Tensor:
    """Return a classifier's features of images in [-1, 1], shape (B, F), a few images at a time."""
    return torch.cat([classifier.features(x[start : start + _BATCH]) for start in range(0, len(x), _BATCH)])


def search(
    queries: Float[Tensor, "queries features"], rows: Tensor, k: int
) -> tuple[Float[Tensor, "queries k"], Int[Tensor, "queries k"]]:
    """Return the Euclidean distances and indices of the k nearest rows (N, F) of each query, nearest first."""
    # The products below round where vectors are long and close: some more candidates, then their differences.
    kept = k + _SPARE
    best = queries.new_empty(len(queries), 0)
    where = torch.empty(len(queries), 0, dtype=torch.long)
    at_once = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), at_once):
        block = rows[start : start + at_once].float()
        # |q - v|^2 less |q|^2, which changes no order
        near = torch.addmm(block.square().sum(1), queries, block.T, alpha=-2)
        values, found = near.topk(min(kept, len(block)), dim=1, largest=False)
        best, where = torch.cat([best, values], 1), torch.cat([where, found + start], 1)
        best, order = best.topk(min(kept, best.shape[1]), dim=1, largest=False)
        where = where.gather(1, order)
    distances = (rows[where].float() - queries[:, None]).square().sum(2).sqrt()
    distances, order = distances.topk(min(k, where.shape[1]), dim=1, largest=False)
    return distances, where.gather(1, order)


def nearest(scene: Scene, op: Nearest) -> Iterator[RenderResult]:
    """Look for the training images nearest to some pictures.

    Yields:
        Results that grow: images (N * k, H, W, C), the k real images of each picture in turn, nearest first;
        latents (N, D) of the pictures; values `indices` (N, k) in the training data, `distances` (N, k), `labels`
        (N, k) where the data have them, and `space` (1,), an index into `SPACES`: pixels where features were
        asked for and there is no classifier. Distances are Euclidean in features and latents, and the RMS
        difference in [0, 1] for pixels.
    """
    plan = yield from planned(scene, op.of)
    real = yield from preparing(scene, gallery(scene))
    by = yield from preparing(scene, index(scene, real, op.space))
    k = min(op.k, len(real.data))
    distances = np.empty((len(plan.z), k), np.float32)
    indices = np.empty((len(plan.z), k), np.int64)
    for start in range(0, len(plan.z), CHUNK):
        part = slice(start, min(start + CHUNK, len(plan.z)))
        with torch.inference_mode():
            pixels = torch.as_tensor(decoded(scene.model, plan, part)).permute(0, 3, 1, 2)
            found, where = search(by.embed(pixels, plan.z[part]), by.vectors, k)
        distances[part], indices[part] = found.numpy() * by.scale, where.numpy()
        chosen = torch.as_tensor(indices[: part.stop])
        values = {
            "indices": array(chosen),
            "distances": distances[: part.stop],
            "space": np.asarray([SPACES.index(by.space)], np.float32),
        }
        if real.data.labels is not None:
            values["labels"] = array(real.data.labels[chosen])
        shown = real.data.images[chosen.flatten()].permute(0, 2, 3, 1).contiguous().numpy()
        yield RenderResult(shown, array(plan.z[: part.stop]), values, done=part.stop / len(plan.z))
