"""Memorisation: whether samples lie nearer to training images than images that the model has never seen do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.latent import generator
from models.metrics import MEMORY_IMAGES
from models.neighbours import search

if TYPE_CHECKING:
    from models.datasets import ImageData
    from models.metrics.context import Context

COPY = 1 / 3  # of the distance to held-out images, below which a sample counts as a copy of a training image
_SIDE = 32  # pixels; larger images are averaged to that
_HALVES = 10  # stream of random numbers
_BLOCK = 4096  # images that are averaged at once


@dataclass(frozen=True)
class Nearest:
    """What is nearest to each of some images.

    Args:
        train: Distance to the nearest training image, shape (N,): root mean squared difference, of pixels in [0, 1].
        test: The same to the nearest held-out image.
        index: Of the nearest training image, shape (N,).
    """

    train: Float[Tensor, " batch"]
    test: Float[Tensor, " batch"]
    index: Int[Tensor, " batch"]

    @property
    def ratio(self) -> float:
        """Mean distance to training images over that to held-out ones; 1 where both are 0."""
        return float(_over(self.train.mean(), self.test.mean()))

    @property
    def ratios(self) -> Float[Tensor, " batch"]:
        """The ratio of each image; 1 where both distances are 0, as of images that are in both sets."""
        return _over(self.train, self.test)


def _over(train: Tensor, test: Tensor) -> Tensor:
    # Next to nothing on both sides of the line: 0/0 is 1, and a distance over 0 stays finite.
    return (train.double() + 1e-9) / (test.double() + 1e-9)


def nearest(
    images: Float[Tensor, "batch pixels"],
    train: Float[Tensor, "many pixels"],
    test: Float[Tensor, "other pixels"],
) -> Nearest:
    """Look for the nearest of two sets for each image; all are rows of pixels in [0, 255], integers or not."""
    scale = 1 / (255 * images.shape[1] ** 0.5)
    (to_train, index), (to_test, _) = (search(images.float(), rows, 1) for rows in (train, test))
    return Nearest(to_train[:, 0] * scale, to_test[:, 0] * scale, index[:, 0])


def _pixels(images: Tensor) -> Tensor:
    """Return uint8 images as rows of pixels, averaged to 32x32 where they are larger."""
    pool = max(1, images.shape[-1] // _SIDE)
    if pool == 1:
        return images.flatten(1)
    return torch.cat([F.avg_pool2d(part.float(), pool).flatten(1) for part in torch.split(images, _BLOCK)])


def _halves(context: "Context") -> tuple[Tensor, Tensor]:
    """Return indices of held-out images: of those that are asked the same as samples are, and of all in the other half.

    That half stands against the training images. These being more, their nearest is nearer: the figure of held-out
    images shows by how much.
    """
    count = len(context.data)
    order, half = torch.randperm(count, generator=generator(0, _HALVES)), max(1, count // 2)
    return order[: min(half, MEMORY_IMAGES, context.n)], order[half:]


def _nearest(context: "Context", images: Tensor) -> Nearest:
    train, (_, held_out) = cast("ImageData", context.train), _halves(context)
    return nearest(*map(_pixels, (images, train.images, context.data.images[held_out])))


def _of_samples(context: "Context") -> Nearest:
    asked, _ = _halves(context)
    return _nearest(context, context.samples.images[: len(asked)])


def _of_real(context: "Context") -> Nearest:
    asked, _ = _halves(context)
    return _nearest(context, context.data.images[asked])


def measure(context: "Context") -> dict[str, float]:
    """Measure samples, and held-out images for comparison."""
    samples, real = context.once(_of_samples), context.once_of_data(_of_real)
    return {
        "nearest_ratio": samples.ratio,
        "nearest_ratio_real": real.ratio,
        "copies_share": float((samples.ratios < COPY).double().mean()),
        "copies_share_real": float((real.ratios < COPY).double().mean()),
    }


def trace(context: "Context") -> dict[str, Tensor]:
    """Return what is nearest to each sample, in the order of `Context.samples`."""
    samples = context.once(_of_samples)
    return {
        "nearest_ratio_each": samples.ratios,
        "nearest_train": samples.index,
        "nearest_train_distance": samples.train,
    }
