"""Gradient penalties: how steep a discriminator may be, and where.

A penalty is a function of what a discriminator just judged, and the weight that suits it; `models.choices` names it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Judged(NamedTuple):
    """Real and fake images, and what a discriminator said of them.

    Args:
        real: Images, shape (B, C, H, W), that require gradients.
        fake: As many.
        real_logits: Of `real`, shape (B,), or (B / m,) where m images are judged together.
        fake_logits: Of `fake`, same shape.
        judge: Gives the logits of other images.
        rng: On their device.
    """

    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    judge: Callable[[Tensor], Tensor]
    rng: torch.Generator


class Penalty(NamedTuple):
    """A penalty: its value, a scalar, and its weight gamma for images of so many pixel values."""

    value: Callable[[Judged], Tensor]
    gamma: Callable[[int], float]


def gradient_norms(logits: Float[Tensor, " batch"], *images: Tensor) -> list[Tensor]:
    """Return the squared norm of a discriminator's gradient at each of its judgements, differentiable.

    Args:
        logits: Of all the images.
        images: Sets of equal size that the logits were computed from, each (B, C, H, W).

    Returns:
        For each set its share of the logits, shape (B,), or (B / m,) where m images are judged together.
    """
    gradients = torch.autograd.grad(logits.sum(), images, create_graph=True)
    count = len(logits) // len(images)
    return [gradient.float().square().reshape(count, -1).sum(1) for gradient in gradients]


def r1(judged: Judged) -> Tensor:
    """Return half the mean squared gradient at real images (Mescheder et al., 2018, arXiv:1801.04406, equation 9)."""
    return 0.5 * gradient_norms(judged.real_logits, judged.real)[0].mean()


def r2(judged: Judged) -> Tensor:
    """Return half the mean squared gradient at fake images (Mescheder et al., 2018, arXiv:1801.04406, equation 10)."""
    return 0.5 * gradient_norms(judged.fake_logits, judged.fake)[0].mean()


def r1r2(judged: Judged) -> Tensor:
    """Return the sum of both (Huang et al., 2024, arXiv:2501.05441, section 2.2), in one backward pass."""
    logits = torch.cat([judged.real_logits, judged.fake_logits])
    norms = gradient_norms(logits, judged.real, judged.fake)
    return 0.5 * torch.stack(norms).mean(1).sum()


def interpolated(judged: Judged) -> Tensor:
    """Return the mean squared distance of the gradient's norm from 1, between a real and a fake image.

    Gulrajani et al. (2017), arXiv:1704.00028, equation 3. Images that are judged together lie at the same place
    between real and fake.
    """
    together = len(judged.real) // len(judged.real_logits)
    ones = [1] * (judged.real.ndim - 1)
    share = torch.rand(len(judged.real_logits), *ones, generator=judged.rng, device=judged.real.device)
    share = share.repeat_interleave(together, 0)
    between = torch.lerp(judged.fake.detach(), judged.real.detach(), share).requires_grad_()
    squared = gradient_norms(judged.judge(between), between)[0]
    return (squared.add(1e-12).sqrt() - 1).square().mean()


def _by_pixels(pixels: int) -> float:
    # Gradients are per pixel: over more pixels, the same change of the image has a smaller gradient norm. Points in the
    # plane, which have two, need more than their share for all modes to stay.
    return max(pixels / 1024, 0.1)


def _ten(pixels: int) -> float:
    del pixels
    return 10.0  # Gulrajani et al. (2017), section 4: for every architecture and data set


R1 = Penalty(r1, _by_pixels)
R2 = Penalty(r2, _by_pixels)
R1R2 = Penalty(r1r2, _by_pixels)
GP = Penalty(interpolated, _ten)
