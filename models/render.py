"""Requests to results: the one door through which the app, the command line and notebooks get pictures.

    render(RenderRequest) -> RenderResult;  stream(request, cancel) yields partial results, render is its last

Requests are plain values (`models.config`), results plain arrays. Models are cached by the digest of their
weights and shared between sessions; nothing here changes them.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import catalog, checkpoints, latent
from models.config import Decode, Directions, Interpolate, Point, RenderRequest, Sample, Traverse
from models.core import ImageModel, LatentModel, to_pixels
from models.directions import DIRECTIONS, Directions as DirectionSet
from models.errors import UserError
from models.tables import Table

CHUNK = 256  # images decoded at once
KEPT_MODELS = 16


@dataclass(frozen=True)
class RenderResult:
    """What a request came to.

    Args:
        images: uint8, shape (N, H, W, C).
        latents: float32, shape (N, D), in prior standard deviations.
        values: Named arrays besides, e.g. `coordinates` (N, K) along the request's axes.
        seconds: Time that it took.
        done: Share of the images that are there, in [0, 1]; below 1 only in a stream.
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]])
    seconds: float = 0.0
    done: float = 1.0


class _Cache:
    """Models and their directions by digest; least recently used ones go first. Safe for threads."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()  # of the dictionaries; never held while something is loaded
        self._busy: dict[tuple[str, str], threading.Lock] = {}  # so that nothing is loaded twice at once
        self._models: OrderedDict[str, ImageModel] = OrderedDict()
        self._directions: dict[tuple[str, str], DirectionSet] = {}

    def _one_at_a_time(self, digest: str, axes: str = "") -> threading.Lock:
        with self._lock:
            return self._busy.setdefault((digest, axes), threading.Lock())

    def model(self, digest: str, info: catalog.ModelInfo | None = None) -> ImageModel:
        with self._one_at_a_time(digest):
            with self._lock:
                model = self._models.get(digest)
            if model is None:
                model = checkpoints.load(info or catalog.find(digest))
            with self._lock:
                self._models[digest] = model
                self._models.move_to_end(digest)
                while len(self._models) > self._keep:
                    dropped, _ = self._models.popitem(last=False)
                    self._directions = {k: v for k, v in self._directions.items() if k[0] != dropped}
            return model

    def directions(self, digest: str, axes: str) -> DirectionSet:
        with self._one_at_a_time(digest, axes):
            with self._lock:
                found = self._directions.get((digest, axes))
            if found is None:
                found = DIRECTIONS[axes](_generator(self.model(digest), digest))
                with self._lock:
                    self._directions[digest, axes] = found
            return found


_cache = _Cache(KEPT_MODELS)


def admit(info: catalog.ModelInfo) -> str:
    """Load a checkpoint, which need not be in the catalog, and return the digest that requests name it by.

    Raises:
        UserError: It is damaged or tampered with.
    """
    _cache.model(info.digest, info)
    return info.digest


def _generator(model: ImageModel, name: str) -> LatentModel:
    if not isinstance(model, LatentModel):
        remedy = "Choose a model with a latent space, such as a VAE or a GAN."
        raise UserError("cannot-decode", f"'{name}' makes no images.", remedy)
    return model


@dataclass(frozen=True)
class _Plan:
    """Latents to decode, with their labels, and named arrays that go into the result."""

    z: Tensor
    labels: Tensor | None
    values: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


def _labels(model: LatentModel, chosen: Sequence[int | None], seeds: Sequence[int]) -> Tensor | None:
    """Return labels: the chosen ones; where none is chosen, the one that goes with the seed."""
    if not model.classes:
        return None
    if any(label is not None and label >= model.classes for label in chosen):
        remedy = f"Choose one from 0 to {model.classes - 1}."
        raise UserError("bad-label", f"The model has {model.classes} labels.", remedy)
    drawn = latent.default_labels(seeds, model.classes)
    return torch.tensor([int(d) if label is None else label for label, d in zip(chosen, drawn, strict=True)])


def _place(model: LatentModel, digest: str, point: Point) -> Tensor:
    """Return the latent of a point, shape (D,)."""
    z = latent.truncate(latent.prior([point.seed], model.latent_dim), point.truncation)[0]
    if not point.edits:
        return z
    vectors = _vectors(model, digest, point.axes, [index for index, _ in point.edits])
    return latent.set_coordinates(z, vectors, torch.tensor([value for _, value in point.edits]))


def _vectors(model: LatentModel, digest: str, axes: str, indices: Sequence[int]) -> Tensor:
    vectors = _cache.directions(digest, axes).vectors
    if any(index >= len(vectors) for index in indices):
        problem = f"The model has {len(vectors)} directions of kind '{axes}'."
        raise UserError("bad-direction", problem, f"Choose one from 0 to {len(vectors) - 1}.")
    return vectors[list(indices)]


def _sample(model: LatentModel, digest: str, op: Sample) -> _Plan:
    del digest
    seeds = range(op.seed, op.seed + op.count)
    z = latent.truncate(latent.prior(seeds, model.latent_dim), op.truncation)
    return _Plan(z, _labels(model, [op.label] * op.count, seeds))


def _points(model: LatentModel, digest: str, points: Sequence[Point]) -> _Plan:
    z = torch.stack([_place(model, digest, point) for point in points])
    return _Plan(z, _labels(model, [p.label for p in points], [p.seed for p in points]))


def _decode(model: LatentModel, digest: str, op: Decode) -> _Plan:
    plan = _points(model, digest, op.points)
    axes = _cache.directions(digest, op.points[0].axes)
    return _Plan(plan.z, plan.labels, {"coordinates": latent.coordinates(plan.z, axes.vectors)})


def _traverse(model: LatentModel, digest: str, op: Traverse) -> _Plan:
    start = _points(model, digest, [op.point])
    vectors = _vectors(model, digest, op.point.axes, op.directions)
    values = torch.linspace(-op.span, op.span, op.steps)
    rows = [latent.set_coordinates(start.z[0], v[None], value[None]) for v in vectors for value in values]
    labels = None if start.labels is None else start.labels.expand(len(rows))
    return _Plan(torch.stack(rows), labels, {"coordinates": values})


def _interpolate(model: LatentModel, digest: str, op: Interpolate) -> _Plan:
    keys = _points(model, digest, op.points)
    z = latent.through(keys.z, op.frames, op.method)
    if keys.labels is None:
        return _Plan(z, None)
    nearest_key = torch.linspace(0, len(keys.z) - 1, op.frames).round().long()
    return _Plan(z, keys.labels[nearest_key])


def _directions(model: LatentModel, digest: str, op: Directions) -> _Plan:
    found = _cache.directions(digest, op.axes)
    values = {"vectors": found.vectors, "shares": found.shares}
    return _Plan(torch.empty(0, model.latent_dim), None, values)


# A planner takes the operation that it is named after, which a Callable type cannot say.
_PLANS = Table[Callable[[LatentModel, str, Any], _Plan]](
    "operation",
    {
        "sample": _sample,
        "decode": _decode,
        "traverse": _traverse,
        "interpolate": _interpolate,
        "directions": _directions,
    },
)


def stream(request: RenderRequest, cancel: Callable[[], bool] = lambda: False) -> Iterator[RenderResult]:
    """Answer a request piece by piece.

    Args:
        request: What to show.
        cancel: Asked between pieces; True ends the stream.

    Yields:
        Results that grow; the last one is complete.

    Raises:
        UserError: The model is not there or damaged, or the request does not fit it.
    """
    started = time.perf_counter()
    model = _generator(_cache.model(request.model), request.model)
    # Never around the `yield`: the mode belongs to the thread, so the caller's code would run in it too.
    with torch.inference_mode():
        plan = _PLANS[request.op.op](model, request.model, request.op)
    values = {name: array(value) for name, value in plan.values.items()}
    channels, height, width = model.sample_shape
    images = np.empty((len(plan.z), height, width, channels), np.uint8)
    latents = array(plan.z)
    done = 0
    while True:
        part = slice(done, min(done + CHUNK, len(plan.z)))
        if part.stop > done:
            with torch.inference_mode():
                x = model.decode(plan.z[part], None if plan.labels is None else plan.labels[part])
                images[part] = to_pixels(x).permute(0, 2, 3, 1).numpy()
        done = part.stop
        share = done / len(plan.z) if len(plan.z) else 1.0
        seconds = time.perf_counter() - started
        yield RenderResult(images[:done], latents[:done], values, seconds, share)
        if done >= len(plan.z) or cancel():
            return


def render(request: RenderRequest) -> RenderResult:
    """Answer a request completely; raises UserError as `stream` does."""
    *_, last = stream(request)
    return last


def array(tensor: Tensor) -> NDArray[np.float32]:
    """Return a tensor as a float32 array of its own: some tensors are shared by all sessions."""
    return tensor.float().numpy().copy()
