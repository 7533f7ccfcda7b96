"""Operations to latents: what a request asks a model to decode.

A planner is a function of a scene and an operation; those that must first prepare something costly are generators
that tell how far that is. The pictures are made by who asked for the plan, with `decoded`.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import latent, plane
from models.catalog import ModelInfo
from models.choices import ROUTES
from models.core import Features, LatentModel
from models.directions import Directions as DirectionSet
from models.errors import UserError
from models.requests import Analogy, Decode, Directions, Grid, Interpolate, Operation, Point, Sample, Traverse
from models.results import RenderResult, pictures
from models.tables import Table

T = TypeVar("T")
CHUNK = 256  # images decoded at once


@dataclass(frozen=True)
class Scene:
    """What an operation works with.

    Args:
        model: Decodes the latents.
        directions: Finds the model's directions by the name of their kind.
        info: The model as the catalog knows it: its digest, its data set.
        judge: Finds the classifier of the model's data set, with its digest; None if there is none.
    """

    model: LatentModel
    directions: Callable[[str], DirectionSet]
    info: ModelInfo
    judge: Callable[[], tuple[Features, str] | None]


@dataclass(frozen=True)
class Plan:
    """Latents to decode.

    Args:
        z: Shape (N, D).
        labels: Their classes, shape (N,), or None.
        values: Named numbers or words that go into the result.
        measured: Names arrays that are measured on the pictures, uint8, shape (N, H, W, C), once there are some.
    """

    z: Tensor
    labels: Tensor | None
    values: Mapping[str, Tensor | NDArray[np.str_]] = field(
        default_factory=dict[str, Tensor | NDArray[np.str_]]
    )
    measured: Mapping[str, "Measure"] = field(default_factory=dict[str, "Measure"])


Measure = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Planning = Generator[float, None, Plan]  # yields the share of the preparations that is done
Route = Callable[[Scene, Interpolate], Plan | Planning]


def preparing(scene: Scene, work: Generator[float, None, T]) -> Generator[RenderResult, None, T]:
    """Return what some work comes to; until then yield empty results that tell how much of it is done."""
    channels, height, width = scene.model.sample_shape
    nothing = np.empty((0, height, width, channels), np.uint8)
    while True:
        try:
            share = next(work)
        except StopIteration as stop:
            return cast(T, stop.value)
        # Never 1, which would say that the pictures are there.
        latents = np.empty((0, scene.model.latent_dim), np.float32)
        yield RenderResult(nothing, latents, done=0.99 * share, waiting=share < 1)


def planned(scene: Scene, op: Operation) -> Generator[RenderResult, None, Plan]:
    """Return the plan of an operation; yields as `preparing` does."""
    # Never around the `yield`: the mode belongs to the thread, so the caller's code would run in it too.
    with torch.inference_mode():
        plan = PLANS[op.op](scene, op)
    return plan if isinstance(plan, Plan) else (yield from preparing(scene, plan))


def decoded(model: LatentModel, plan: Plan, part: slice | None = None) -> NDArray[np.uint8]:
    """Return the pictures of a plan, or of a part of it, shape (N, H, W, C)."""
    start, stop, _ = (part or slice(None)).indices(len(plan.z))
    shown: list[NDArray[np.uint8]] = []
    with torch.inference_mode():
        for first in range(start, stop, CHUNK):
            some = slice(first, min(first + CHUNK, stop))
            labels = None if plan.labels is None else plan.labels[some]
            shown.append(pictures(model.decode(plan.z[some], labels)))
    return np.concatenate(shown)


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
    vectors, moves = _vectors(scene, point, [index for index, _ in point.edits])
    return latent.set_coordinates(z, vectors, torch.tensor([value for _, value in point.edits]), moves)


def _vectors(scene: Scene, point: Point, indices: Sequence[int]) -> tuple[Tensor, Tensor | None]:
    """Return some of the directions that a point is edited along, (K, D), and what it moves along if others stay."""
    found = scene.directions(point.axes)
    _check(found, point.axes, [*indices, *point.keep])
    return found.vectors[list(indices)], found.moves(indices, point.keep) if point.keep else None


def _check(found: DirectionSet, axes: str, indices: Sequence[int]) -> None:
    if any(index >= len(found.vectors) for index in indices):
        problem = f"The model has {len(found.vectors)} directions of kind '{axes}'."
        raise UserError("bad-direction", problem, f"Choose one from 0 to {len(found.vectors) - 1}.")


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
    values = torch.linspace(-op.span, op.span, op.steps)
    rows = [row for index in op.directions for row in _walked(scene, op.point, index, values)]
    labels = None if start.labels is None else start.labels.expand(len(rows))
    return Plan(torch.stack(rows), labels, {"coordinates": values})


def _walked(scene: Scene, point: Point, index: int, values: Tensor) -> list[Tensor]:
    """Return where a point is with other coordinates along one direction, its other edits staying."""
    others = {i: value for i, value in point.edits if i != index}
    vectors, moves = _vectors(scene, point, [*others, index])
    rest = torch.tensor([*others.values()])
    z = _start(scene.model, point)
    return [latent.set_coordinates(z, vectors, torch.cat([rest, value[None]]), moves) for value in values]


def _grid(scene: Scene, op: Grid) -> Plan:
    start = points(scene, [op.point])
    vectors, _ = _vectors(scene, op.point, op.directions)
    across = torch.tensor(plane.positions(op.steps, op.span, op.spacing))
    up = across.flip(0)  # pictures are listed from the top row down, and the second coordinate grows upwards
    corner, right, upwards = map(torch.as_tensor, plane.spanned(start.z[0].numpy(), vectors.numpy()))
    z = corner + up[:, None, None] * upwards + across[None, :, None] * right
    labels = None if start.labels is None else start.labels.expand(op.steps**2)
    return Plan(z.flatten(0, 1), labels, {"across": across, "up": up})


def _interpolate(scene: Scene, op: Interpolate) -> Plan | Planning:
    return ROUTES[op.method](scene, op)


def closed(scene: Scene, op: Interpolate) -> Plan:
    """Return the plan of a route by a formula, one of `models.latent.PATHS`."""
    keys = points(scene, op.points)
    return walk(keys, latent.through(keys.z, op.frames, op.method))


def walk(keys: Plan, z: Tensor) -> Plan:
    """Return the plan of a path (T, D) through key points, evenly spread; measures `step` on its pictures."""
    measured = {"step": steps_between}
    if keys.labels is None:
        return Plan(z, None, measured=measured)
    nearest_key = torch.linspace(0, len(keys.z) - 1, len(z)).round().long()
    return Plan(z, keys.labels[nearest_key], measured=measured)


def steps_between(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far consecutive images (N, H, W, C) are apart: the RMS difference of pixels in [0, 1], (N-1,)."""
    flat = images.reshape(len(images), -1)
    # Pair by pair: as floats all at once, 2,000 frames of 64x64 RGB would take 100 MB.
    squares = [float(np.square((b.astype(np.float32) - a) / 255).mean()) for a, b in pairwise(flat)]
    return np.sqrt(np.asarray(squares, np.float64)).astype(np.float32)


def _analogy(scene: Scene, op: Analogy) -> Plan:
    """Radford, Metz & Chintala (2016), arXiv:1511.06434, section 6.3.2, with single points for their means."""
    plan = points(scene, [op.a, op.b, op.c])
    a, b, c = plan.z.unsqueeze(1)
    z = latent.PATHS[op.method](a, a - b + c, torch.tensor([op.strength]))[0]
    return Plan(z, None if plan.labels is None else plan.labels[:1])


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
    if op.keep:
        _check(found, op.axes, op.keep)
        values["moves"] = found.moves(range(len(found.vectors)), op.keep)
    return Plan(torch.empty(0, scene.model.latent_dim), None, values)


# A planner takes the operation that it is named after, which a Callable type cannot say.
PLANS = Table[Callable[[Scene, Any], Plan | Planning]](
    "operation",
    {
        "sample": _sample,
        "decode": _decode,
        "traverse": _traverse,
        "interpolate": _interpolate,
        "analogy": _analogy,
        "grid": _grid,
        "directions": _directions,
    },
)
