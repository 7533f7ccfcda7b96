"""Interpolation through the data: from key point to key point over latents that the model is known to use.

Nodes are posterior means of training images or, for a model without encoder, draws of the prior; edges join
neighbours only. An edge costs the square of how much the picture changes along it, so that a path of many small
changes is cheaper than a leap: a sample version of the Fermat distance, whose geodesics keep to where the data are
dense.

References:
    Groisman, Jonckheere & Sapienza (2018), arXiv:1810.09398, definition 2.1, with alpha = 2.
    Chen, Klushyn, Kurle, Jiang, Bayer & van der Smagt (2018), arXiv:1711.01204 (lengths in the space of images).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from models import paths
from models.core import Encodes, Features, LatentModel
from models.disk import from_disk
from models.latent import generator, lerp, slerp
from models.neighbours import Gallery, features, gallery, search
from models.plans import CHUNK, Planning, Scene, points, walk
from models.requests import Interpolate
from models.shared import Progress, Shared, Waiting, unheard

NODES = 1500
DEGREE = 8  # neighbours that each node is joined to
_FINE = 12  # places on each edge of a path where its length is measured, for frames at equal distances
_VERSION = 1  # of the graph: a change to how it is made must not read old files


@dataclass(frozen=True)
class Graph:
    """Latents that the model is known to use, and what it costs to go from one to another.

    Args:
        z: Nodes, shape (N, D).
        places: What nodes are neighbours by, shape (N, F): latents, features or pixels.
        edges: Pairs of nodes, shape (E, 2).
        costs: Of each edge, shape (E,).
    """

    z: Float[Tensor, "nodes dim"]
    places: Float[Tensor, "nodes features"]
    edges: Int[Tensor, "edges 2"]
    costs: Float[Tensor, " edges"]


@dataclass(frozen=True)
class Space:
    """How latents of one class are joined and compared.

    Posterior means lie close together where their images are alike, and straight lines join them. Draws of the
    prior in many dimensions are all about equally far apart: they are neighbours where their pictures are, and
    great circles between them keep the norm.

    Args:
        model: Decodes.
        label: The class; None if the model takes none.
        classifier: Sees which pictures of a model without encoder are alike; None: by their pixels.
    """

    model: LatentModel
    label: int | None = None
    classifier: Features | None = None

    def decode(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch channels height width"]:
        """Return pictures in [-1, 1]."""
        parts: list[Tensor] = []
        with torch.no_grad():
            for start in range(0, len(z), CHUNK):
                some = z[start : start + CHUNK]
                labels = None if self.label is None else torch.full((len(some),), self.label)
                parts.append(self.model.decode(some, labels))
        return torch.cat(parts)

    def places(
        self, z: Float[Tensor, "batch dim"], x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features"]:
        """Return what latents with some pictures are neighbours by: themselves, features, or pixels."""
        if isinstance(self.model, Encodes):
            return z.clone()  # tensors that share memory cannot be stored together
        with torch.no_grad():
            return x.flatten(1) if self.classifier is None else features(self.classifier, x)

    def between(self, start: Tensor, end: Tensor, t: Float[Tensor, " time"]) -> Tensor:
        """Interpolate between latents (B, D), shape (T, B, D)."""
        return (lerp if isinstance(self.model, Encodes) else slerp)(start, end, t)

    def costs(self, z: Float[Tensor, "pair batch dim"], x: Tensor) -> Float[Tensor, " batch"]:
        """Return the squared lengths of edges: how much pictures change to that of the middle and from there.

        Args:
            z: Where edges start and end, shape (2, B, D).
            x: The pictures of these, shape (2, B, C, H, W).
        """
        middle = self.decode(self.between(z[0], z[1], torch.tensor([0.5]))[0])
        return (rms(x[0], middle) + rms(middle, x[1])).square()


def rms(x: Tensor, y: Tensor) -> Float[Tensor, " batch"]:
    """Return the RMS difference of pixels in [0, 1] of each pair of images in [-1, 1], shape (B,)."""
    return (x - y).flatten(1).square().mean(1).sqrt() / 2


def build(space: Space, z: Float[Tensor, "nodes dim"], progress: Progress = unheard) -> Graph:
    """Join each latent to its nearest neighbours."""
    x = space.decode(z)
    places = space.places(z, x)
    progress(0.2)
    _, near = search(places, places, DEGREE + 1)
    index = torch.arange(len(z))[:, None].expand_as(near)
    pairs = torch.stack([torch.minimum(index, near), torch.maximum(index, near)], 2).flatten(0, 1)
    edges = cast(Tensor, torch.unique(pairs[pairs[:, 0] != pairs[:, 1]], dim=0))  # pyright: ignore[reportUnknownMemberType]
    costs = torch.empty(len(edges))
    for start in range(0, len(edges), CHUNK):
        part = edges[start : start + CHUNK].T
        costs[start : start + CHUNK] = space.costs(z[part], x[part])
        progress(0.2 + 0.8 * start / len(edges))
    return Graph(z, places, edges, costs)


def shortest(space: Space, graph: Graph, ends: Float[Tensor, "2 dim"]) -> tuple[Tensor, float]:
    """Return the cheapest path between two latents, themselves included, shape (M, D), and what it costs.

    The two are joined to their nearest nodes, and to each other only if they are as near. Where no edges lead from
    one to the other, there is only the direct way.
    """
    from scipy.sparse import coo_array, csgraph  # pyright: ignore[reportMissingTypeStubs]

    count = len(graph.z)
    z = torch.cat([graph.z, ends])
    places = space.places(ends, space.decode(ends))
    distances, near = search(places, graph.places, DEGREE)
    joined = [(count + side, int(node)) for side in (0, 1) for node in near[side]]
    if float((places[0] - places[1]).square().sum().sqrt()) <= float(distances.max()):
        joined.append((count, count + 1))
    extra = torch.tensor(joined)
    edges = torch.cat([graph.edges, extra])
    x = torch.stack([space.decode(z[extra[:, side]]) for side in (0, 1)])
    costs = torch.cat([graph.costs, space.costs(z[extra.T], x)])
    # An edge of no cost would be read as none.
    weights = costs.double().clamp_min(1e-12).numpy()
    matrix: Any = coo_array(
        (weights, (edges[:, 0].numpy(), edges[:, 1].numpy())), shape=(count + 2, count + 2)
    )
    found = cast(Any, csgraph).dijkstra(
        matrix.tocsr(), directed=False, indices=count, return_predecessors=True
    )
    cost, before = cast(tuple[NDArray[np.float64], NDArray[np.int32]], found)
    if not np.isfinite(cost[count + 1]):
        x = space.decode(ends)
        return ends, float(space.costs(ends[:, None], x[:, None])[0])
    path = [count + 1]
    while path[-1] != count:
        path.append(int(before[path[-1]]))
    return z[torch.tensor(path[::-1])], float(cost[count + 1])


def spread(
    space: Space, path: Float[Tensor, "nodes dim"], t: Float[Tensor, " time"]
) -> Float[Tensor, "time dim"]:
    """Return places on a path through latents at shares `t` of its length, as the pictures change.

    Args:
        space: How pictures are compared.
        path: Latents, shape (M, D), M >= 2.
        t: Ascending, in [0, 1]; 0 and 1 give the ends exactly.
    """
    fine = torch.arange(_FINE) / _FINE
    hops = [space.between(a[None], b[None], fine)[:, 0] for a, b in pairwise(path)]
    z = torch.cat([*hops, path[-1:]])
    x = space.decode(z)
    passed = torch.cat([torch.zeros(1), rms(x[:-1], x[1:]).cumsum(0)])
    if not passed[-1] > 0:  # nothing changes on the way
        passed = torch.linspace(0, 1, len(z))
    wanted = t * passed[-1]
    right = torch.searchsorted(passed, wanted).clamp(1, len(z) - 1)
    gap = passed[right] - passed[right - 1]
    share = ((wanted - passed[right - 1]) / gap.clamp_min(1e-12)).clamp(0, 1)[:, None]
    # So fine a piece is straight; the ends are put back as they are.
    rows = z[right - 1] * (1 - share) + z[right] * share
    rows = torch.where((t <= 0)[:, None], path[0], rows)
    return torch.where((t >= 1)[:, None], path[-1], rows)


_graphs = Shared[Graph](keep=16)


def graph_of(scene: Scene, label: int | None) -> Waiting[tuple[Space, Graph]]:
    """Return the graph of a model, and of a class if it takes one; yields while it is computed."""
    model = scene.model
    real = (yield from gallery(scene)) if isinstance(model, Encodes) else None
    judge = None if real else scene.judge()
    space = Space(model, label, judge[0] if judge else None)
    by = f"means-{real.digest[:16]}" if real else f"features-{judge[1][:16]}" if judge else "pixels"
    name = f"{scene.info.digest[:16]}-{by}-{'all' if label is None else label}-v{_VERSION}"
    path = paths.cache() / "graphs" / f"{name}.safetensors"

    def compute(progress: Progress) -> Graph:
        stored = from_disk(path, lambda: vars(build(space, _nodes(space, real), progress)))
        return Graph(**stored)

    return space, (yield from _graphs.wait(name, compute))


def _nodes(space: Space, real: Gallery | None) -> Float[Tensor, "nodes dim"]:
    """Return posterior means of random training images (of the label's class), or draws of the prior."""
    model, label = space.model, space.label
    if real is None or not isinstance(model, Encodes):
        return torch.randn(NODES, model.latent_dim, generator=generator(0, 5))
    data = real.data
    order = torch.randperm(len(data), generator=generator(0, 5))
    if label is not None:
        order = order[data.labels_at(order) == label]
    means: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, min(NODES, len(order)), CHUNK):
            part = order[start : min(start + CHUNK, NODES)]
            labels = None if label is None else torch.full((len(part),), label)
            means.append(model.encode(data.floats(part), labels).mean)
    return torch.cat(means)


def plan(scene: Scene, op: Interpolate) -> Planning:
    """Plan a path through the data, with the frames of each segment at equal distances of their pictures.

    Between key points of different classes the graph is that of the first.
    """
    with torch.inference_mode():
        keys = points(scene, op.points)
    z = keys.z
    position = torch.linspace(0, len(z) - 1, op.frames, dtype=torch.float64)
    segment = position.long().clamp_max(len(z) - 2)
    rows: list[Tensor] = []
    for first in range(len(z) - 1):
        t = (position[segment == first] - first).float()
        if not len(t):
            continue
        label = None if keys.labels is None else int(keys.labels[first])
        space, graph = yield from graph_of(scene, label)
        route, _ = shortest(space, graph, z[first : first + 2])
        rows.append(spread(space, route, t))
    return walk(keys, torch.cat(rows))
