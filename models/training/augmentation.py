"""Random changes of training images, one option each: shifts, crops and mirror images. For every family alike.

They make more of few images by showing what does not matter. What they change is learned as not mattering, too: a
generator that sees mirrored digits makes mirrored digits, and a factor that a change moves cannot be predicted. For
discriminators alone see DiffAugment (`models.choices.AUGMENTATIONS`), which a generator does not learn.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from models.config import TrainingConfig
from models.datasets import DatasetInfo
from models.errors import UserError


def augmented(
    x: Float[Tensor, "batch channels height width"], config: TrainingConfig, rng: torch.Generator
) -> Tensor:
    """Return images changed as the options of a training say; no random number is drawn for what is off."""
    if config.flip:
        x = flipped(x, rng)
    if config.crop:
        x = cropped(x, config.crop, rng)
    if config.shift:
        x = shifted(x, config.shift, rng)
    return x


def flipped(x: Float[Tensor, "batch channels height width"], rng: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability one half."""
    mirror = torch.rand(len(x), 1, 1, 1, generator=rng, device=x.device) < 0.5
    return torch.where(mirror, x.flip(3), x)


def shifted(x: Float[Tensor, "batch channels height width"], reach: int, rng: torch.Generator) -> Tensor:
    """Shift each image by up to `reach` pixels each way, with its border repeated where it leaves room."""
    count, _, height, width = x.shape
    moves = torch.randint(-reach, reach + 1, (2, count, 1), generator=rng, device=x.device)
    rows, columns = (
        (torch.arange(side, device=x.device) + move).clamp(0, side - 1)
        for side, move in zip((height, width), moves, strict=True)
    )
    batch = torch.arange(count, device=x.device)[:, None, None]
    return x.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cropped(x: Float[Tensor, "batch channels height width"], most: float, rng: torch.Generator) -> Tensor:
    """Cut a random square out of each image, smaller by up to a share `most` of the side, and enlarge it again."""
    size, across, down = torch.rand(3, len(x), generator=rng, device=x.device)
    side = 1 - most * size
    room = 1 - side  # to either edge, in units of half the image
    matrix = torch.zeros(len(x), 2, 3, device=x.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = side
    matrix[:, 0, 2], matrix[:, 1, 2] = room * (2 * across - 1), room * (2 * down - 1)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def check(config: TrainingConfig, info: DatasetInfo, predicts_factors: bool) -> None:
    """Refuse changes that a data set does not bear.

    Args:
        config: The training.
        info: Its data set.
        predicts_factors: Whether the model learns to tell the factors of an image.

    Raises:
        UserError: Points are to be changed or binarised, or a change moves what is to be predicted.
    """
    for name in ("augment", "binarise"):
        if info.points and getattr(config, name, None):
            problem = f"'{name}' is for images, and '{info.name}' holds points."
            raise UserError("bad-option", problem, f"Leave --set {name} out.")
    for name in ("shift", "crop", "flip"):
        if not getattr(config, name):
            continue
        if info.points:
            problem = f"'{name}' changes images, and '{info.name}' holds points."
            raise UserError("bad-option", problem, f"Leave --set {name} out.")
        moved = (
            [factor.name for factor in info.factors if name in factor.moved_by] if predicts_factors else []
        )
        if moved:
            problem = f"'{name}' changes what is to be predicted: {', '.join(moved)}."
            raise UserError("bad-option", problem, f"Give --set {name}={'0' if name != 'flip' else 'false'}.")
