"""What a map is: points in the plane, the latents behind them, and what is known of each. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.requests import Seed
from models.values import Value

Method = Literal["umap", "pca", "tsne"]
Of = Literal["latents", "features", "pixels"]
Metric = Literal["euclidean", "cosine"]


class Source(IntEnum):
    """Where a point comes from."""

    TRAIN = 0
    TEST = 1
    GENERATED = 2


class MapSpec(Value):
    """What a map is asked to be; with the weights and the images it says all that the result depends on.

    Args:
        model: The digest of the weights.
        dataset: Whose images are shown; empty: samples of the model alone.
        of: What is near to what: posterior means (of a GAN: its styles, or z), features of the data set's classifier,
            or pixels.
        method: How the plane is found.
        count: How many points at most, of all sources together.
        generated: How many of them are samples of the model.
        neighbours: Of a point that count as near, for UMAP; a third of the perplexity's effect, for t-SNE.
        min_dist: How close UMAP may pack points.
        metric: Of distances in the space that is mapped.
        seed: Same seed, same map.
    """

    model: str
    dataset: str = ""
    of: Of = "latents"
    method: Method = "umap"
    count: int = Field(default=10_000, ge=3, le=1_000_000)
    generated: int = Field(default=0, ge=0, le=1_000_000)
    neighbours: int = Field(default=15, ge=2, le=200)
    min_dist: float = Field(default=0.1, ge=0, le=1)
    metric: Metric = "euclidean"
    seed: Seed = 0


@dataclass(frozen=True)
class Categories:
    """One of a few names for each point.

    Args:
        codes: Shape (N,), int16: an index into `names`; -1 where it is not known.
        names: In the order in which a legend lists them.
    """

    codes: NDArray[np.int16]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """A map: row i of everything is point i.

    Args:
        spec: What was asked for.
        positions: Shape (N, 2), float32; the larger extent of the two fills [-1, 1], the centre is the origin.
        latents: Shape (N, D), float32 (half precision on disk): what the model decodes to the point's picture.
        sources: Shape (N,), uint8, a `Source` each.
        indices: Shape (N,), int32: the row in its split; of a generated point the seed of its sample.
        categories: By name: "label" and each categorical factor, as far as they are known.
        values: By name, shape (N,), float32, NaN where unknown: continuous factors, "density" (of points around it,
            relative to the mean), "error" (of reconstruction, mean squared in [-1, 1]), "score" (the discriminator's).
        quality: By name: "trustworthiness", "knn_map", "knn_space", "knn_pixels" (accuracies), in [0, 1].
    """

    spec: MapSpec
    positions: NDArray[np.float32]
    latents: NDArray[np.float32]
    sources: NDArray[np.uint8]
    indices: NDArray[np.int32]
    categories: Mapping[str, Categories] = field(default_factory=dict[str, Categories])
    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]])
    quality: Mapping[str, float] = field(default_factory=dict[str, float])

    def __len__(self) -> int:
        return len(self.positions)
