"""Gradient penalties of discriminators."""

import torch
from jaxtyping import Float
from torch import Tensor


def gradient_penalty(logits: Float[Tensor, " batch"], x: Tensor) -> Float[Tensor, " batch"]:
    """Return half the squared norm of the discriminator's gradient at each image, differentiable.

    With real images this is R1 (Mescheder et al., 2018, arXiv:1801.04406, equation 9), with fake ones R2.

    Args:
        logits: Of `x`, computed with `x.requires_grad_()`.
        x: Images, shape (B, C, H, W).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * gradient.float().square().flatten(1).sum(1)
