"""Augmentation of what a discriminator sees."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

# DiffAugment (Zhao et al., 2020, arXiv:2006.10738): (images, generator) -> images, differentiable
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def _uniform(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, generator=rng, device=x.device)


def color(x: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness by up to 0.5, saturation by a factor in [0, 2] and contrast by one in [0.5, 1.5]."""
    x = x + (_uniform(x, rng) - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * _uniform(x, rng)) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, rng) + 0.5) + mean


def translation(x: Tensor, rng: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its size, with zeros moving in."""
    size = x.shape[-1]
    reach = size // 8
    moves = torch.randint(0, 2 * reach + 1, (2, len(x)), generator=rng, device=x.device)
    padded = F.pad(x, (reach, reach, reach, reach))
    line = torch.arange(size, device=x.device)
    rows = (moves[0][:, None] + line)[:, :, None]
    columns = (moves[1][:, None] + line)[:, None, :]
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)


def cutout(x: Tensor, rng: torch.Generator) -> Tensor:
    """Blank a square of half the image's size, centred anywhere."""
    size = x.shape[-1]
    half = size // 4
    centre = torch.randint(0, size + 1, (2, len(x), 1, 1), generator=rng, device=x.device)  # between pixels
    line = torch.arange(size, device=x.device)
    rows, columns = line[None, :, None] - centre[0], line[None, None, :] - centre[1]
    inside = (rows >= -half) & (rows < half) & (columns >= -half) & (columns < half)
    return x * ~inside[:, None]
