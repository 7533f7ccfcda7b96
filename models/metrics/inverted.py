"""How near a model can come to held-out images: by search for their latents, and by its encoder if it has one.

The images are the first of `Context.real`, so that models of one data set meet the same ones.
"""

from typing import cast

import torch
from torch import Tensor

from models.core import Encodes, LatentModel, to_pixels, to_unit
from models.inversion import fit_guess, invert, starts
from models.metrics import INVERTED
from models.metrics.context import Context, finite
from models.metrics.reconstruction import psnr, ssim

_RESTARTS, _STEPS = 8, 150  # as in the app


def inverted(context: Context) -> Tensor:
    """Search for the latents of the images; returns what they decode to, on the CPU, shape (N, C, H, W)."""
    model, real = context.cpu_model, context.real
    guess = fit_guess(model, seed=context.seed)
    found: list[Tensor] = []
    for index in range(min(INVERTED, len(real))):
        x = real.floats(slice(index, index + 1))
        labels = real.labels_at(slice(index, index + 1)).expand(_RESTARTS) if model.classes else None
        *_, last = invert(model, x, starts(guess(x).expand(_RESTARTS, -1), index), labels, steps=_STEPS)
        found.append(last.x)
    return torch.stack(found)


@torch.no_grad()
def _encoded(model: LatentModel, context: Context) -> Tensor:
    part = slice(0, INVERTED)
    labels = context.real.labels_at(part) if model.classes else None
    return model.decode(cast(Encodes, model).encode(context.real.floats(part), labels).mean, labels)


def _each(context: Context) -> dict[str, Tensor]:
    found = {"inversion": inverted(context)}
    if isinstance(context.model, Encodes):
        found["encoding"] = _encoded(context.cpu_model, context)
    real = context.real.floats(slice(0, INVERTED))
    result: dict[str, Tensor] = {}
    for way, x in found.items():
        shown = to_unit(to_pixels(finite(x)))  # rounded, as all images are
        result |= {f"{way}_psnr_db": psnr(shown, real), f"{way}_ssim": ssim(shown, real)}
    return result


def measure(context: Context) -> dict[str, float]:
    """Measure the first held-out images."""
    return {name: float(values.mean()) for name, values in context.once(_each).items()}


def trace(context: Context) -> dict[str, Tensor]:
    """Return the values of each image, in the order of `Context.real`."""
    return context.once(_each)
