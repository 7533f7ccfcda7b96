"""Requests to results: the one door through which the app, the command line and notebooks get pictures.

    render(RenderRequest) -> RenderResult;  stream(request, cancel) yields partial results, render is its last
    decoder(digest) -> Decoder, for who decodes latents of their own many times a second

Requests are plain values (`models.requests`), results plain arrays. Models are cached by the digest of their
weights and shared between sessions; nothing here changes them.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from models import catalog, checkpoints
from models.answers import ANSWERS
from models.core import Features, ImageModel, LatentModel
from models.directions import DIRECTIONS, Directions as DirectionSet, Origin
from models.errors import UserError
from models.plans import CHUNK, Scene, decoded, planned, preparing
from models.requests import Decode, Directions, Grid, Operation, Point, RenderRequest, Sample, Traverse
from models.results import RenderResult, array, pictures
from models.shared import Progress, Shared, Waiting, outcome, unheard
from models.values import Value

KEPT_MODELS = 16


class _Cache:
    """Models and their directions by digest; least recently used ones go first. Safe for threads."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()  # of the dictionaries; never held while something is loaded
        self._busy: dict[str, threading.Lock] = {}  # so that nothing is loaded twice at once
        self._models: OrderedDict[str, tuple[ImageModel, catalog.ModelInfo]] = OrderedDict()
        self._directions = Shared[DirectionSet](keep * len(DIRECTIONS))

    def _one_at_a_time(self, digest: str) -> threading.Lock:
        with self._lock:
            return self._busy.setdefault(digest, threading.Lock())

    def entry(
        self, digest: str, info: catalog.ModelInfo | None = None
    ) -> tuple[ImageModel, catalog.ModelInfo]:
        with self._one_at_a_time(digest):
            with self._lock:
                found = self._models.get(digest)
            if found is None:
                try:
                    info = info or catalog.find(digest)
                    found = (checkpoints.load(info), info)
                except BaseException:
                    with self._lock:  # or made-up digests would pile up here
                        self._busy.pop(digest, None)
                    raise
            with self._lock:
                self._models[digest] = found
                self._models.move_to_end(digest)
                while len(self._models) > self._keep:
                    self._models.popitem(last=False)
            return found

    def model(self, digest: str, info: catalog.ModelInfo | None = None) -> ImageModel:
        return self.entry(digest, info)[0]

    def directions(self, digest: str, axes: str) -> Waiting[DirectionSet]:
        """Return the directions of a kind; yields how far they are found."""
        finder = DIRECTIONS[axes]

        def find(progress: Progress) -> DirectionSet:
            model, info = self.entry(digest)
            origin = Origin(info.dataset, info.digest, info.path, info.run)
            return finder(_generator(model, digest), origin=origin, progress=progress)

        return self._directions.wait(f"{digest} {axes}", find)


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


def _check_pictures(model: LatentModel, name: str) -> None:
    if len(model.sample_shape) != 3:
        remedy = "Draw them with 'latent-explorer sample', or choose a model of images."
        raise UserError("no-pictures", f"'{name}' makes points, not pictures.", remedy)


def points(digest: str, op: Sample) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw samples of a model over points.

    Returns:
        Points, shape (N, 2), in [-1, 1], and their latents, shape (N, D).

    Raises:
        UserError: The model is not there, damaged or makes no points, or the request does not fit it.
    """
    scene = _scene(digest)
    if len(scene.model.sample_shape) != 1:
        problem = f"'{scene.info.id}' makes pictures, not points."
        raise UserError("no-points", problem, "Choose a model that was trained on points.")
    plan = outcome(planned(scene, op))
    with torch.inference_mode():
        return array(scene.model.decode(plan.z, plan.labels)), array(plan.z)


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
    scene, op = _scene(request.model), request.op
    _check_pictures(scene.model, scene.info.id)
    for result in _answered(scene, op):
        yield replace(result, seconds=time.perf_counter() - started)
        if cancel():
            return


def _scene(digest: str) -> Scene:
    model, info = _cache.entry(digest)

    def judge() -> tuple[Features, str] | None:
        found = catalog.classifier_for(info.dataset, model.sample_shape)
        classifier = _cache.model(found.digest, found) if found else None
        return (classifier, found.digest) if found and isinstance(classifier, Features) else None

    def directions(axes: str) -> DirectionSet:
        return outcome(_cache.directions(digest, axes))

    return Scene(_generator(model, info.id), directions, info, judge)


def _answered(scene: Scene, op: Operation) -> Iterator[RenderResult]:
    for axes in sorted(
        set(_kinds(op))
    ):  # so that the planners, which take them from the scene, need not wait
        yield from preparing(scene, _cache.directions(scene.info.digest, axes))
    yield from ANSWERS[op.op](scene, op) if op.op in ANSWERS else _decoded(scene, op)


def _kinds(value: object) -> Iterator[str]:
    """Yield the kinds of directions that an operation, or a part of one, works with."""
    match value:
        case Directions():
            yield value.axes
        case Traverse() | Grid():
            yield value.point.axes
        case Point():
            if value.edits:
                yield value.axes
        case Decode():
            yield value.points[0].axes
            yield from _kinds(value.points)
        case Value():
            yield from _kinds([part for _, part in value])
        case tuple() | list():
            for part in cast(Sequence[object], value):
                yield from _kinds(part)
        case _:
            pass


def _decoded(scene: Scene, op: Operation) -> Iterator[RenderResult]:
    """Plan the latents of an operation, then decode them chunk by chunk."""
    plan = yield from planned(scene, op)
    values = {name: array(v) if isinstance(v, torch.Tensor) else v.copy() for name, v in plan.values.items()}
    channels, height, width = scene.model.sample_shape
    images = np.empty((len(plan.z), height, width, channels), np.uint8)
    latents = array(plan.z)
    done = 0
    while True:
        part = slice(done, min(done + CHUNK, len(plan.z)))
        if part.stop > done:
            images[part] = decoded(scene.model, plan, part)
        done = part.stop
        share = done / len(plan.z) if len(plan.z) else 1.0
        measured = {name: measure(images[:done]) for name, measure in plan.measured.items()}
        yield RenderResult(images[:done], latents[:done], values | measured, done=share)
        if done >= len(plan.z):
            return


def render(request: RenderRequest, progress: Progress = unheard) -> RenderResult:
    """Answer a request completely, and tell how much of it is done; raises UserError as `stream` does."""
    last = None
    for last in stream(request):
        progress(last.done)
    assert last
    return last


@dataclass(frozen=True)
class Decoder:
    """A model's decoder as a function of arrays; safe for threads. Made by `decoder`.

    Args:
        model: Shared by all sessions; never changed.
    """

    model: LatentModel

    @property
    def latent_dim(self) -> int:
        """Dimensions D of the latent space."""
        return self.model.latent_dim

    @property
    def classes(self) -> int:
        """Labels that it is conditioned on; 0 if it is not."""
        return self.model.classes

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Channels, height, width of an image."""
        return self.model.sample_shape

    def __call__(self, z: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """Decode latents as they are: nothing is truncated.

        Args:
            z: Latents, shape (B, D), in prior standard deviations.
            labels: Classes in [0, classes), shape (B,), for a conditional model; else None.

        Returns:
            Images, shape (B, H, W, C): those of `render` for the same points.
        """
        with torch.inference_mode():
            x = self.model.decode(torch.as_tensor(z), None if labels is None else torch.as_tensor(labels))
            return pictures(x)


def decoder(digest: str) -> Decoder:
    """Return the decoder of a model, loading it if nobody did yet (which takes from 10 ms to seconds).

    Args:
        digest: sha256 of the weights, as the catalog gives it.

    Raises:
        UserError: There is no such model, it is damaged, or it makes no images.
    """
    model = _generator(_cache.model(digest), digest)
    _check_pictures(model, digest)
    return Decoder(model)
