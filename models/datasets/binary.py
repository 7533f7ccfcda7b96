"""Static binarisation: grey images become black and white, each pixel once and for all."""

import torch
from torch import Tensor

from models.datasets import ImageData
from models.latent import generator

_CHUNK = 1000  # images at a time: bounds memory


def binarised(data: ImageData) -> ImageData:
    """Return the same data with each pixel white with the probability that its grey value in [0, 1] is.

    Where x > u, with u uniform in [0, 1) from a generator of a fixed seed, drawn for the images in their order: the
    same picture each time, so that likelihoods can be compared (Salakhutdinov & Murray, 2008, section 5, whose own
    draw of MNIST is another one). Three channels are binarised one by one.
    """
    rng = generator(0)
    white = [_white(part, rng) for part in torch.split(data.images, _CHUNK)]
    return ImageData(data.info, torch.cat(white), data.labels, data.factors)


def _white(images: Tensor, rng: torch.Generator) -> Tensor:
    uniform = torch.rand(images.shape, generator=rng).to(images.device)
    return (images > 255 * uniform).to(torch.uint8) * 255
