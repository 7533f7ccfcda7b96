"""Sharpness: the variance of an image's Laplacian and its power spectrum, always read as ratios to real images."""

from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from models.metrics.context import Context

_QUANTILES = (0.1, 0.5, 0.9)
LEAST = 1e-9  # in squared units of [-1, 1]: below that, rounding is all that real images show


def sharpness(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
    """Return the variance of the 3x3 Laplacian of each image's luminance.

    Observation noise of variance s^2 adds 20 s^2 (the sum of the squared kernel; a third of it in RGB, where
    the noise of three channels is averaged), so it is measured on decoder means; above the value of real
    images it means noise or checkerboard, not quality.

    Args:
        x: Images in [-1, 1], shape (B, C, H, W); colour is averaged over the channels first.

    References:
        Tolstikhin et al. (2018), arXiv:1711.01558, section 5.
    """
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=x.device)
    edges = F.conv2d(x.float().mean(1, keepdim=True), kernel[None, None])
    return edges.flatten(1).var(dim=1)


def spectrum(x: Float[Tensor, "batch channels size size"]) -> Float[Tensor, "batch frequencies"]:
    """Return the power of each image's luminance at each radial frequency, mean over directions.

    With F the discrete Fourier transform, |F(k)|^2 / (H W)^2 is averaged over the wave vectors k whose length rounds to
    r = 0, 1, ..., S / 2 cycles an image; those in the corners, beyond the Nyquist frequency of the axes, are left out.

    Args:
        x: Square images in [-1, 1], shape (B, C, S, S); colour is averaged over the channels first.

    Returns:
        Shape (B, S // 2 + 1), in squared units of [-1, 1]; at `frequencies(S)` cycles a pixel.

    References:
        Durall, Keuper & Keuper (2020), arXiv:2003.01826, equation 3.
    """
    power, lengths = _power(x)
    bins, radius = x.shape[-1] // 2 + 1, lengths.round().long()
    kept = (radius < bins).flatten()
    index = radius.flatten()[kept]
    sums = power.new_zeros(len(x), bins).index_add_(1, index, power.flatten(1)[:, kept])
    return sums / torch.bincount(index, minlength=bins)


def frequencies(size: int) -> Float[Tensor, " frequencies"]:
    """Return the radial frequencies of a `spectrum`, from 0 to 0.5 cycles a pixel."""
    return torch.arange(size // 2 + 1) / size


def high_frequency_energy(x: Float[Tensor, "batch channels size size"]) -> Float[Tensor, " batch"]:
    """Return the energy of each image's luminance above half the Nyquist frequency of the axes, 0.25 cycles a pixel.

    By Parseval's theorem it is that part of the mean square of the pixels. White noise of variance s^2 has the share of
    wave vectors beyond, about 1 - pi / 16 = 0.80 of s^2.

    Args:
        x: Square images in [-1, 1], shape (B, C, S, S).
    """
    power, lengths = _power(x)
    return power[:, lengths > x.shape[-1] / 4].sum(1)


def _power(x: Tensor) -> tuple[Float[Tensor, "batch size size"], Float[Tensor, "size size"]]:
    """Return |F|^2 / (H W)^2 of the luminance at each wave vector, and their lengths in cycles an image."""
    size = x.shape[-1]
    fft = cast(Any, torch.fft)
    transformed: Tensor = fft.fft2(x.float().mean(1), norm="forward")
    waves: Tensor = fft.fftfreq(size, 1 / size, device=x.device)
    lengths = (waves[:, None].square() + waves.square()).sqrt()
    return transformed.abs().square(), lengths


def measure(context: "Context") -> dict[str, float]:
    """Measure the sharpness of samples and of real images; without the ratios to what real images have nothing of."""
    detail, detail_real = (context.rows(sharpness, images) for images in (context.samples, context.real))
    energy, energy_real = (
        context.rows(high_frequency_energy, images).mean() for images in (context.samples, context.real)
    )
    pairs = {"sharpness_ratio": (detail.mean(), detail_real.mean())}
    for share in _QUANTILES:
        pairs[f"sharpness_ratio_q{round(100 * share)}"] = (
            detail.quantile(share),
            detail_real.quantile(share),
        )
    pairs["high_frequency_ratio"] = (energy, energy_real)
    ratios = {key: float(samples / real) for key, (samples, real) in pairs.items() if real > LEAST}
    return {**ratios, "sharpness_real": float(detail_real.mean())}


def trace(context: "Context") -> dict[str, Tensor]:
    """Return the sharpness of each image, and the mean spectra."""
    return {
        "sharpness": context.rows(sharpness, context.samples),
        "sharpness_real": context.rows(sharpness, context.real),
        "spectrum_frequency": frequencies(context.real.info.size),
        "spectrum": context.rows(spectrum, context.samples).mean(0),
        "spectrum_real": context.rows(spectrum, context.real).mean(0),
    }
