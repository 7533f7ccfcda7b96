"""What a map is asked to be. Without torch and numpy, so that jobs and links can name one at once."""

from enum import IntEnum
from typing import Literal

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
        of: What is near to what: posterior means (of a GAN: its styles, or its first features), features of the
            data set's classifier, or pixels.
        method: How the plane is found.
        count: How many points at most, of all sources together.
        generated: How many of them are samples of the model.
        neighbours: Of a point that count as near for UMAP, itself included; the perplexity of t-SNE, which looks at
            three times as many. Fewer where there are too few points.
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
