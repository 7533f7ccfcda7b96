"""Requests to results: the one door through which the app, the command line and notebooks get pictures.

    render(RenderRequest) -> RenderResult;  stream(request, cancel) yields partial results, render is its last

Requests are plain values (`models.config`), results plain arrays. Models are cached by the digest of their
weights and shared between sessions; nothing here changes them.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import catalog, checkpoints
from models.config import RenderRequest
from models.core import ImageModel, LatentModel, to_pixels
from models.directions import DIRECTIONS, Directions as DirectionSet, Origin
from models.errors import UserError
from models.plans import PLANS, Scene

CHUNK = 256  # images decoded at once
KEPT_MODELS = 16


@dataclass(frozen=True)
class RenderResult:
    """What a request came to.

    Args:
        images: uint8, shape (N, H, W, C).
        latents: float32, shape (N, D), in prior standard deviations.
        values: Named arrays besides, float32 or words, e.g. `coordinates` (N, K) along the request's axes; of
            directions `vectors` (K, D) and `shares` (K,) and, empty where the kind has none, `names`,
            `attributes`, `scores` and `chances` (K,), see `models.directions.Directions`.
        seconds: Time that it took.
        done: Share of the images that are there, in [0, 1]; below 1 only in a stream.
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    seconds: float = 0.0
    done: float = 1.0


class _Cache:
    """Models and their directions by digest; least recently used ones go first. Safe for threads."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()  # of the dictionaries; never held while something is loaded
        self._busy: dict[tuple[str, str], threading.Lock] = {}  # so that nothing is loaded twice at once
        self._models: OrderedDict[str, tuple[ImageModel, Origin]] = OrderedDict()
        self._directions: dict[tuple[str, str], DirectionSet] = {}

    def _one_at_a_time(self, digest: str, axes: str = "") -> threading.Lock:
        with self._lock:
            return self._busy.setdefault((digest, axes), threading.Lock())

    def model(self, digest: str, info: catalog.ModelInfo | None = None) -> ImageModel:
        return self._known(digest, info)[0]

    def _known(self, digest: str, info: catalog.ModelInfo | None = None) -> tuple[ImageModel, Origin]:
        with self._one_at_a_time(digest):
            with self._lock:
                known = self._models.get(digest)
            if known is None:
                info = info or catalog.find(digest)
                known = checkpoints.load(info), Origin(info.dataset, info.digest)
            with self._lock:
                self._models[digest] = known
                self._models.move_to_end(digest)
                while len(self._models) > self._keep:
                    dropped, _ = self._models.popitem(last=False)
                    self._directions = {k: v for k, v in self._directions.items() if k[0] != dropped}
            return known

    def directions(self, digest: str, axes: str) -> DirectionSet:
        with self._one_at_a_time(digest, axes):
            with self._lock:
                found = self._directions.get((digest, axes))
            if found is None:
                model, origin = self._known(digest)
                found = DIRECTIONS[axes](_generator(model, digest), origin=origin)
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
    scene = Scene(model, partial(_cache.directions, request.model))
    # Never around the `yield`: the mode belongs to the thread, so the caller's code would run in it too.
    with torch.inference_mode():
        plan = PLANS[request.op.op](scene, request.op)
    values = {n: array(v) if isinstance(v, Tensor) else v.copy() for n, v in plan.values.items()}
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
