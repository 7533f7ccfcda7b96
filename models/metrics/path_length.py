"""Perceptual path length: how much the picture changes, in a network's features, along a way between two latents."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from models.latent import generator, slerp
from models.metrics import PATHS
from models.metrics.context import JUDGED, Context, finite

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 1e-4  # epsilon, as a share of the path
_STREAM = 9  # of random numbers


def path_lengths(
    picture: "Callable[[Tensor], Tensor]",
    start: Float[Tensor, "batch dim"],
    end: Float[Tensor, "batch dim"],
    where: Float[Tensor, " batch"],
    step: float = STEP,
) -> Float[Tensor, " batch"]:
    """Return |f(z(t + e)) - f(z(t))|^2 / e^2 of each pair of latents, on the great circle z between them.

    Its mean is the perceptual path length in Z over full paths. Features of a domain classifier, compared by their
    squared Euclidean distance, stand in for those of VGG16 (LPIPS), so values are not comparable with published ones.
    Single precision bears the small step: of shipped models it changed the mean by 0.03 % from that in double.

    Args:
        picture: From latents (B, D) to features (B, F).
        start: Latents, shape (N, D), of the prior, without truncation.
        end: Latents, shape (N, D).
        where: t of each pair, shape (N,), in [0, 1 - step].
        step: e.

    References:
        Karras, Laine & Aila (2019), arXiv:1812.04948, section 4.1, equation 2.
    """
    points = slerp(start, end, torch.stack([where, where + step]))
    here, there = picture(points.flatten(0, 1)).double().chunk(2)
    return (there - here).square().sum(1) / step**2


def _lengths(context: Context) -> Tensor:
    """Return the path lengths of the context's latents, shape (N,), on the CPU; the same each time."""
    judge, model = context.judge, context.latent_model
    assert judge is not None
    start = context.latents[:PATHS]
    rng = generator(context.seed, _STREAM)
    end = torch.randn(start.shape, generator=rng)
    where = torch.rand(len(start), generator=rng) * (1 - STEP)
    labels = context.labels  # of both ends, so that the way stays within a class
    found: list[Tensor] = []
    for first in range(0, len(start), JUDGED // 2):
        part = slice(first, first + JUDGED // 2)
        chosen = None if labels is None else labels[part].repeat(2).to(context.device)

        def picture(z: Tensor, chosen: Tensor | None = chosen) -> Tensor:
            return judge.features(finite(model.decode(z, chosen)))

        ends = (start[part].to(context.device), end[part].to(context.device), where[part].to(context.device))
        with torch.no_grad():
            found.append(path_lengths(picture, *ends).cpu())
    return torch.cat(found)


def measure(context: Context) -> dict[str, float]:
    """Measure the mean path length."""
    return {f"ppl_{context.network}": float(context.once(_lengths).mean())}


def trace(context: Context) -> dict[str, Tensor]:
    """Return the path length of each pair of latents."""
    return {f"ppl_{context.network}": context.once(_lengths)}
