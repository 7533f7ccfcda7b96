"""What a map is: points in the plane, the latents behind them, and what is known of each. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.embedding.spec import (
    MapSpec as MapSpec,
    Method as Method,
    Metric as Metric,
    Of as Of,
    Source as Source,
)


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
        latents: Shape (N, D), float32 (half precision on disk): what the model decodes to the point's picture. Rows
            of NaN for real images where the model has no encoder.
        sources: Shape (N,), uint8, a `Source` each.
        indices: Shape (N,), int32: the row in its split; of a generated point the seed of its sample.
        categories: By name: "label" and each categorical factor, as far as they are known; of generated points what
            the data set's classifier says, but the label that a conditional model was given.
        values: By name, shape (N,), float32, NaN where unknown: continuous factors, "density" (of points around it,
            relative to the mean), "error" (of reconstruction, mean squared in [-1, 1]), "score" (the discriminator's).
        quality: By name: "trustworthiness", "knn_map", "knn_space", "knn_pixels" (accuracies), "coverage" (of
            real images by samples), in [0, 1].
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
