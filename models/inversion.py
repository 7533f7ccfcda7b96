"""Inversion: from an image to the latent whose picture comes nearest, for models that have no encoder.

A ridge regression from pixels to latents, fitted on samples of the model itself, gives the first guess; several
starts around it are improved by gradient descent, and the worse half of them is dropped again and again. (Measured
on Fashion-MNIST: a convolutional network trained for 15 s in its place ended 0.4 to 1.4 dB lower; starts drawn from
the prior alone, 0.3 dB lower than those around the guess.)

References:
    Zhu, Kraehenbuehl, Shechtman & Efros (2016), arXiv:1609.03552, section 3.1 (predict, then optimise).
    Jamieson & Talwalkar (2015), arXiv:1502.07943 (successive halving).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models import paths
from models.core import LatentModel
from models.disk import from_disk
from models.latent import generator
from models.metrics.reconstruction import psnr
from models.shared import Progress, Shared, Waiting, unheard

REACH = 4.0  # prior standard deviations that a coordinate may be from 0
SAMPLES = 4096  # of the model, that the first guess is learnt from
_CHUNK = 256
_SIDE = 32  # pixels that images are averaged to before the regression, at three channels half of it
_RIDGE = 10.0  # weight of |W|^2 against the squared error summed over samples
_RATE, _BETA1, _BETA2 = 0.1, 0.9, 0.99  # Adam
_PRIOR = 1e-3  # weight of |z|^2 / D against the mean squared error of pixels in [-1, 1]
_SPREAD = 0.4  # of the other starts around the first guess
_REPORT = 8  # steps between two reports
_VERSION = 1  # of the first guess: a change to how it is made must not read old files


@dataclass(frozen=True)
class Guess:
    """A linear map from images to latents.

    Args:
        weight: Shape (1 + F, D), over 1 and the averaged pixels of an image.
        pool: Pixels, in each direction, that are averaged.
    """

    weight: Float[Tensor, "features dim"]
    pool: int

    def __call__(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch dim"]:
        """Return latents for images in [-1, 1]."""
        return _inputs(x, self.pool) @ self.weight


def _inputs(x: Tensor, pool: int) -> Tensor:
    flat = (F.avg_pool2d(x, pool) if pool > 1 else x).flatten(1)
    return torch.cat([flat.new_ones(len(flat), 1), flat], 1)


def _pool(model: LatentModel) -> int:
    channels, height, _ = model.sample_shape
    return max(1, height // (_SIDE if channels == 1 else _SIDE // 2))


@torch.no_grad()
def fit_guess(model: LatentModel, *, seed: int = 0, progress: Progress = unheard) -> Guess:
    """Fit the map by ridge regression on samples of the model, with random labels where it takes some."""
    rng, pool = generator(seed, 2), _pool(model)
    gram: Tensor | None = None
    moment = torch.zeros(())
    for start in range(0, SAMPLES, _CHUNK):
        z = torch.randn(_CHUNK, model.latent_dim, generator=rng)
        labels = torch.randint(model.classes, (_CHUNK,), generator=rng) if model.classes else None
        a = _inputs(model.decode(z, labels), pool)
        gram = a.T @ a if gram is None else gram + a.T @ a
        moment = moment + a.T @ z
        progress((start + _CHUNK) / SAMPLES)
    assert gram is not None
    gram.diagonal().add_(_RIDGE)
    factor = cast(Tensor, torch.linalg.cholesky(gram))  # pyright: ignore[reportUnknownMemberType]
    return Guess(torch.cholesky_solve(moment, factor), pool)


_guesses = Shared[Guess](keep=16)


def guess_for(model: LatentModel, digest: str) -> Waiting[Guess]:
    """Return the first guess of a model by its digest, from memory, disk or a fit; yields how far a fit is."""
    path = paths.cache() / "inversion" / f"{digest}-v{_VERSION}.safetensors"

    def compute(progress: Progress) -> Guess:
        stored = from_disk(path, lambda: {"weight": fit_guess(model, progress=progress).weight})
        return Guess(stored["weight"], _pool(model))

    return _guesses.wait(digest, compute)


@dataclass(frozen=True)
class Inversion:
    """The best latent so far.

    Args:
        z: Shape (D,), each coordinate in [-REACH, REACH].
        x: Its picture, shape (C, H, W), in [-1, 1].
        label: The class that it was decoded with; None if the model takes none.
        psnr: Of the picture against the image, in dB.
        done: Share of the steps that are done.
        evaluations: Pictures that were decoded for it so far.
    """

    z: Float[Tensor, " dim"]
    x: Float[Tensor, "channels height width"]
    label: int | None
    psnr: float
    done: float
    evaluations: int


def starts(first: Float[Tensor, "starts dim"], seed: int, *, exact: int = 1) -> Float[Tensor, "starts dim"]:
    """Scatter first guesses, all but the first `exact` of them.

    Returns:
        sqrt(1 - s^2) * guess + s * N(0, I) with s = 0.4, shape (R, D): guesses like draws of the prior stay so.
    """
    noise = torch.randn(first.shape, generator=generator(seed, 3))
    scattered = math.sqrt(1 - _SPREAD**2) * first + _SPREAD * noise
    return torch.cat([first[:exact], scattered[exact:]]).clamp(-REACH, REACH)


def survivors(restarts: int, steps: int, step: int) -> int:
    """Return how many starts are still followed at a step: halved at even intervals, one in the second half."""
    rungs = math.ceil(math.log2(restarts)) if restarts > 1 else 0
    passed = math.floor(2 * step / steps * rungs) if rungs else 0
    return max(1, math.ceil(restarts / 2 ** min(passed, rungs)))


def invert(
    model: LatentModel,
    x: Float[Tensor, "1 channels height width"],
    z: Float[Tensor, "starts dim"],
    labels: Int[Tensor, " starts"] | None = None,
    *,
    steps: int = 150,
) -> Iterator[Inversion]:
    """Minimise the mean squared error of the pixels, with a weak pull to the prior, from several starts at once.

    Adam (Kingma & Ba, 2014, arXiv:1412.6980) on each start by itself; the rate falls in the second half. The
    worst starts are dropped on the way (`survivors`).

    Args:
        model: Decodes; it is not changed.
        x: The image, shape (1, C, H, W), in [-1, 1].
        z: Starts, shape (R, D).
        labels: The class of each, shape (R,), for a conditional model.
        steps: Steps of the starts that are not dropped.

    Yields:
        The best of all so far, every few steps; the last one is complete.
    """
    total, first, second = len(z), torch.zeros_like(z), torch.zeros_like(z)
    best, least, evaluations = None, math.inf, 0
    for step in range(steps + 1):
        error, gradient, shown = _errors(model, x, z, labels)
        evaluations += len(z)
        winner = int(error.argmin())
        if best is None or float(error[winner]) < least:
            least = float(error[winner])
            label = None if labels is None else int(labels[winner])
            best = (z[winner].clone(), shown[winner].clone(), label)
        if step % _REPORT == 0 or step == steps:
            yield Inversion(*best, float(psnr(best[1][None], x)[0]), step / steps, evaluations)
        kept = error.argsort()[: survivors(total, steps, step)]
        z, first, second, gradient = z[kept], first[kept], second[kept], gradient[kept]
        labels = None if labels is None else labels[kept]
        first = _BETA1 * first + (1 - _BETA1) * gradient
        second = _BETA2 * second + (1 - _BETA2) * gradient.square()
        scale = (second / (1 - _BETA2 ** (step + 1))).sqrt() + 1e-8
        rate = _RATE * min(1.0, 2 * (1 - step / steps))
        z = (z - rate * first / (1 - _BETA1 ** (step + 1)) / scale).clamp(-REACH, REACH)


def _errors(model: LatentModel, x: Tensor, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the errors (R,) of the pictures of latents, the gradients (R, D) of the loss, and the pictures."""
    # The caller's thread may be in inference mode, where nothing has a gradient.
    with torch.inference_mode(False), torch.enable_grad():
        z = z.clone().requires_grad_()
        shown = model.decode(z, labels)
        error = (shown - x).square().flatten(1).mean(1)
        loss = (error + _PRIOR * z.square().mean(1)).sum()
        (gradient,) = torch.autograd.grad(loss, z)
    return error.detach(), gradient, shown.detach()
