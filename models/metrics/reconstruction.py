"""How near a reconstruction is to its image: PSNR and SSIM."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from models.core import to_unit
from models.media import Pixels
from models.metrics.sharpness import LEAST, sharpness

if TYPE_CHECKING:
    from models.metrics.context import Context

_WINDOW, _SIGMA = 11, 1.5  # pixels; Wang et al. (2004), section III-C
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # (K L)^2 with the data range L = 2


def psnr(x: Float[Tensor, "batch channels height width"], y: Tensor) -> Float[Tensor, " batch"]:
    """Return the peak signal-to-noise ratio of each pair of images, in dB.

    Args:
        x: Images in [-1, 1], shape (B, C, H, W); the peak-to-peak range is 2.
        y: Images to compare with, same shape. Identical images give 100 dB.
    """
    mse = (x.float() - y.float()).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / mse.clamp_min(4e-10))


def ssim(x: Float[Tensor, "batch channels height width"], y: Tensor) -> Float[Tensor, " batch"]:
    """Return the structural similarity of each pair of images, at most 1.

    Means over all 11x11 Gaussian windows (sigma 1.5) that lie inside the image, and over the channels.

    Args:
        x: Images in [-1, 1], shape (B, C, H, W), at least 11 pixels wide and high.
        y: Images to compare with, same shape.

    References:
        Wang, Bovik, Sheikh & Simoncelli (2004), "Image quality assessment: from error visibility to
        structural similarity", IEEE Transactions on Image Processing 13(4), equation 13.
    """
    x, y = x.float(), y.float()
    rows, columns = (_windows(size, x.device) for size in x.shape[2:])
    moments = torch.stack([x, y, x.square(), y.square(), x * y])
    mean_x, mean_y, xx, yy, xy = rows @ moments @ columns.T
    covariance = xy - mean_x * mean_y
    variances = (xx - mean_x.square()) + (yy - mean_y.square())
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    return (luminance * (2 * covariance + _C2) / (variances + _C2)).flatten(1).mean(1)


@dataclass(frozen=True)
class Likeness:
    """How near a picture is to the image that it is to be.

    Args:
        psnr_db: See `psnr`.
        ssim: See `ssim`.
        sharpness_ratio: Of the picture over that of the image, see `models.metrics.sharpness`: below 1 it is blurred.
            None where the image has no detail to blur.
    """

    psnr_db: float
    ssim: float
    sharpness_ratio: float | None


def likeness(image: Pixels, made: Pixels) -> Likeness:
    """Measure a picture against an image, both as they are shown: uint8, shape (H, W, C), 11 pixels wide at least."""
    x, y = (to_unit(torch.tensor(pixels)).permute(2, 0, 1)[None] for pixels in (image, made))
    real, shown = (float(sharpness(each)) for each in (x, y))
    return Likeness(float(psnr(x, y)), float(ssim(x, y)), shown / real if real > LEAST else None)


def _windows(size: int, device: torch.device) -> Tensor:
    """Return the matrix (size - 10, size) that averages a line over Gaussian windows inside it.

    Products with such matrices, for rows and columns, are many times faster on a CPU than the convolution.
    """
    line = torch.arange(_WINDOW, device=device) - _WINDOW // 2
    weights = torch.exp(-0.5 * (line / _SIGMA).square())
    matrix = torch.zeros(size - _WINDOW + 1, size, device=device)
    for row in range(len(matrix)):
        matrix[row, row : row + _WINDOW] = weights / weights.sum()
    return matrix


def _each(context: "Context") -> dict[str, Tensor]:
    pairs = (context.real, context.reconstructions)
    return {"psnr_db": context.each(psnr, *pairs), "ssim": context.each(ssim, *pairs)}


def measure(context: "Context") -> dict[str, float]:
    """Measure reconstructions of held-out images from their posterior means."""
    real, decoded = (
        float(context.rows(sharpness, images).mean()) for images in (context.real, context.reconstructions)
    )
    return {
        **{name: float(values.mean()) for name, values in context.once(_each).items()},
        "reconstruction_sharpness_ratio": decoded / max(real, 1e-12),
    }


def trace(context: "Context") -> dict[str, Tensor]:
    """Return the values of each image, in the order of `Context.real`."""
    return context.once(_each)
