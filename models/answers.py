"""Operations whose result is more than decoded latents: one table, and those about a person's own image.

An answer is a generator of growing results; `models.render.stream` passes them on. What is computed once for all
sessions (`models.shared`) announces itself by results without images.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import images
from models.core import Encodes, LatentModel, to_unit
from models.errors import UserError
from models.inversion import Inversion, guess_for, invert, starts
from models.latent import generator
from models.metrics.reconstruction import psnr
from models.neighbours import encoder_of, gallery
from models.plans import CHUNK, Scene, preparing
from models.requests import Codes, Encode, Invert
from models.results import RenderResult, array, pictures
from models.tables import Table

_GAIN = 8.0  # at most: the differences of a near perfect reconstruction are not blown up to noise


def _image(scene: Scene, reference: str) -> Tensor:
    """Return a kept image, shape (1, C, H, W), in [-1, 1]."""
    pixels = images.kept(reference, scene.model.sample_shape)
    return to_unit(torch.tensor(pixels)).permute(2, 0, 1)[None].contiguous()


def _label(model: LatentModel, label: int | None) -> int | None:
    if label is None or not model.classes:
        return None
    if label >= model.classes:
        problem = f"The model has {model.classes} labels."
        raise UserError("bad-label", problem, f"Choose one from 0 to {model.classes - 1}.")
    return label


def _compared(x: Tensor, y: Tensor) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]:
    """Return an image, what a model makes of it and their difference, (3, H, W, C), with figures about them.

    The difference is that of the pixels, by its absolute value, times `gain`: as much as its largest value
    allows, 8 at most. `psnr_db` is over all channels.
    """
    difference = (x - y).abs() / 2
    gain = min(_GAIN, 1 / max(float(difference.max()), 1e-6))
    shown = torch.cat([x, y, 2 * gain * difference - 1])
    return pictures(shown), {"psnr_db": array(psnr(x, y)), "gain": np.asarray([gain], np.float32)}


def encode(scene: Scene, op: Encode) -> Iterator[RenderResult]:
    """Encode an image and decode the posterior's mean.

    Yields:
        One result: images [input, reconstruction, difference]; latents (1, D), the posterior's mean; values
        `psnr_db` (1,), `gain` (1,) of the difference, `logvar` (1, D), and `label` (1,) where the model takes one.
    """
    model, encoder = scene.model, encoder_of(scene)
    x, label = _image(scene, op.image), _label(scene.model, op.label)
    with torch.inference_mode():
        # Without a label each is tried: the posterior of a wrong class reconstructs worse.
        tried = [label] if label is not None else list(range(model.classes or 1))
        labels = torch.tensor(tried) if model.classes else None
        q = encoder.encode(x.expand(len(tried), -1, -1, -1), labels)
        y = model.decode(q.mean, labels)
        best = int(psnr(x.expand_as(y), y).argmax())
        shown, values = _compared(x, y[best : best + 1])
        values["logvar"] = array(q.logvar[best : best + 1])
        if labels is not None:
            values["label"] = array(labels[best : best + 1])
        latents = array(q.mean[best : best + 1])
    yield RenderResult(shown, latents, values)


def search(scene: Scene, op: Invert) -> Iterator[RenderResult]:
    """Look for the latent of an image by optimisation.

    Yields:
        Every few steps, the best so far: images [input, picture, difference]; latents (1, D); values `psnr_db`
        (1,), `gain` (1,), `evaluations` (1,), `trace` (reports, 2) of step and PSNR, and `label` (1,) where the
        model takes one.
    """
    if not scene.info.can("invert"):
        problem = f"'{scene.info.id}' has no gradient that a search could follow: it was imported."
        raise UserError("cannot-invert", problem, "Choose a model that was trained with Latent Explorer.")
    model, x = scene.model, _image(scene, op.image)
    labels = _labels(model, op)
    count = op.restarts if labels is None else len(labels)
    if isinstance(model, Encodes):
        with torch.no_grad():
            first = model.encode(x.expand(count, -1, -1, -1), labels).mean
    else:
        guess = yield from preparing(scene, guess_for(model, scene.info.digest))
        first = guess(x).expand(count, -1)
    exact = model.classes if op.label is None else 1  # each class starts from the guess itself
    trace: list[tuple[float, float]] = []
    for found in invert(model, x, starts(first, op.seed, exact=max(1, exact)), labels, steps=op.steps):
        trace.append((found.done * op.steps, found.psnr))
        yield _searched(x, found, trace)


def _labels(model: LatentModel, op: Invert) -> Tensor | None:
    """Return the class of each start: the one that is asked for, else all in turn, each at least once."""
    if not model.classes:
        return None
    label = _label(model, op.label)
    if label is not None:
        return torch.full((op.restarts,), label)
    return torch.arange(max(op.restarts, model.classes)) % model.classes


def _searched(x: Tensor, found: Inversion, trace: list[tuple[float, float]]) -> RenderResult:
    shown, values = _compared(x, found.x[None])
    values["evaluations"] = np.asarray([found.evaluations], np.float32)
    values["trace"] = np.asarray(trace, np.float32)
    if found.label is not None:
        values["label"] = np.asarray([found.label], np.float32)
    return RenderResult(shown, array(found.z[None]), values, done=found.done)


def codes(scene: Scene, op: Codes) -> Iterator[RenderResult]:
    """Encode training images, drawn at random but always the same ones.

    Yields:
        Results that grow: no images; latents (N, D), posterior means; values `indices` (N,) of the images in the
        training data, and `labels` (N,) and `factors` (N, F) where the data have them.
    """
    model, encoder = scene.model, encoder_of(scene)
    data = (yield from preparing(scene, gallery(scene))).data
    order = torch.randperm(len(data), generator=generator(0, 4))[: op.count]
    channels, height, width = model.sample_shape
    means: list[Tensor] = []
    for start in range(0, len(order), CHUNK):
        part = order[start : start + CHUNK]
        with torch.inference_mode():
            labels = data.labels_at(part) if model.classes else None
            means.append(encoder.encode(data.floats(part), labels).mean)
        latents = array(torch.cat(means))
        index = order[: len(latents)]
        known = {"labels": data.labels, "factors": data.factors}
        values = {name: array(table[index]) for name, table in known.items() if table is not None}
        values["indices"] = array(index)
        nothing = np.empty((0, height, width, channels), np.uint8)
        yield RenderResult(nothing, latents, values, done=len(latents) / len(order))


# An answer takes the operation that it is named after, which a Callable type cannot say.
ANSWERS = Table[Callable[[Scene, Any], Iterator[RenderResult]]](
    "operation",
    {
        "encode": encode,
        "invert": search,
        "codes": codes,
        "nearest": "models.neighbours:nearest",
    },
)
