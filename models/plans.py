"""Operations to latents: what a request asks a model to decode. Pure: the pictures are made in `models.render`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import latent
from models.config import Decode, Directions, Interpolate, Point, Sample, Traverse
from models.core import LatentModel
from models.directions import Directions as DirectionSet
from models.errors import UserError
from models.tables import Table


@dataclass(frozen=True)
class Scene:
    """What an operation works with.

    Args:
        model: Decodes the latents.
        directions: Finds the model's directions by the name of their kind.
    """

    model: LatentModel
    directions: Callable[[str], DirectionSet]


@dataclass(frozen=True)
class Plan:
    """Latents to decode, with their labels, and named values that go into the result: numbers or words."""

    z: Tensor
    labels: Tensor | None
    values: Mapping[str, Tensor | NDArray[np.str_]] = field(
        default_factory=dict[str, Tensor | NDArray[np.str_]]
    )


def _labels(model: LatentModel, chosen: Sequence[int | None], seeds: Sequence[int]) -> Tensor | None:
    """Return labels: the chosen ones; where none is chosen, the one that goes with the seed."""
    if not model.classes:
        return None
    if any(label is not None and label >= model.classes for label in chosen):
        remedy = f"Choose one from 0 to {model.classes - 1}."
        raise UserError("bad-label", f"The model has {model.classes} labels.", remedy)
    drawn = latent.default_labels(seeds, model.classes)
    return torch.tensor([int(d) if label is None else label for label, d in zip(chosen, drawn, strict=True)])


def _start(model: LatentModel, point: Point) -> Tensor:
    """Return where a point is without its edits, shape (D,)."""
    if not point.latent:
        return latent.truncate(latent.prior([point.seed], model.latent_dim), point.truncation)[0]
    if len(point.latent) != model.latent_dim:
        problem = f"The point has {len(point.latent)} coordinates, the model {model.latent_dim} dimensions."
        raise UserError("bad-latent", problem, "Open it with the model that it was made with.")
    return latent.truncate(torch.tensor(point.latent), point.truncation)


def _place(scene: Scene, point: Point) -> Tensor:
    """Return the latent of a point, shape (D,)."""
    z = _start(scene.model, point)
    if not point.edits:
        return z
    vectors = _vectors(scene, point.axes, [index for index, _ in point.edits])
    return latent.set_coordinates(z, vectors, torch.tensor([value for _, value in point.edits]))


def _vectors(scene: Scene, axes: str, indices: Sequence[int]) -> Tensor:
    vectors = scene.directions(axes).vectors
    if any(index >= len(vectors) for index in indices):
        problem = f"The model has {len(vectors)} directions of kind '{axes}'."
        raise UserError("bad-direction", problem, f"Choose one from 0 to {len(vectors) - 1}.")
    return vectors[list(indices)]


def _sample(scene: Scene, op: Sample) -> Plan:
    seeds = range(op.seed, op.seed + op.count)
    z = latent.truncate(latent.prior(seeds, scene.model.latent_dim), op.truncation)
    return Plan(z, _labels(scene.model, [op.label] * op.count, seeds))


def points(scene: Scene, places: Sequence[Point]) -> Plan:
    """Return the latents and the labels of some points."""
    z = torch.stack([_place(scene, point) for point in places])
    return Plan(z, _labels(scene.model, [p.label for p in places], [p.seed for p in places]))


def _decode(scene: Scene, op: Decode) -> Plan:
    plan = points(scene, op.points)
    vectors = scene.directions(op.points[0].axes).vectors
    return Plan(plan.z, plan.labels, {"coordinates": latent.coordinates(plan.z, vectors)})


def _traverse(scene: Scene, op: Traverse) -> Plan:
    start = points(scene, [op.point])
    vectors = _vectors(scene, op.point.axes, op.directions)
    values = torch.linspace(-op.span, op.span, op.steps)
    rows = [latent.set_coordinates(start.z[0], v[None], value[None]) for v in vectors for value in values]
    labels = None if start.labels is None else start.labels.expand(len(rows))
    return Plan(torch.stack(rows), labels, {"coordinates": values})


def _interpolate(scene: Scene, op: Interpolate) -> Plan:
    keys = points(scene, op.points)
    z = latent.through(keys.z, op.frames, op.method)
    if keys.labels is None:
        return Plan(z, None)
    nearest_key = torch.linspace(0, len(keys.z) - 1, op.frames).round().long()
    return Plan(z, keys.labels[nearest_key])


def _directions(scene: Scene, op: Directions) -> Plan:
    found = scene.directions(op.axes)
    none = torch.empty(0)
    values: dict[str, Tensor | NDArray[np.str_]] = {
        "vectors": found.vectors,
        "shares": found.shares,
        "names": np.array(found.names, np.str_),
        "attributes": np.array(found.attributes, np.str_),
        "scores": none if found.scores is None else found.scores,
        "chances": none if found.chances is None else found.chances,
    }
    return Plan(torch.empty(0, scene.model.latent_dim), None, values)


# A planner takes the operation that it is named after, which a Callable type cannot say.
PLANS = Table[Callable[[Scene, Any], Plan]](
    "operation",
    {
        "sample": _sample,
        "decode": _decode,
        "traverse": _traverse,
        "interpolate": _interpolate,
        "directions": _directions,
    },
)
