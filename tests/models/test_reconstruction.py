"""PSNR and SSIM: known values on constructed images."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.metrics.reconstruction import psnr, ssim


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_psnr_follows_from_the_mean_squared_error() -> None:
    x = normal(2, 3, 8, 8).clamp(-1, 1)
    offsets = torch.tensor([0.2, 0.02])[:, None, None, None]
    assert torch.allclose(psnr(x, x + offsets), torch.tensor([20.0, 40.0]), atol=1e-3)
    assert float(psnr(x, x)[0]) == pytest.approx(100)
    y = normal(2, 3, 8, 8, seed=1).clamp(-1, 1)
    assert float(psnr(x, y)[1]) == pytest.approx(float(10 * (4 / F.mse_loss(x[1], y[1])).log10()), abs=1e-3)


def test_ssim_agrees_with_torchmetrics_inside_the_image() -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure  # costs seconds to import

    for shape, noise in (((3, 1, 16, 16), 0.05), ((3, 3, 32, 32), 0.5), ((2, 3, 24, 40), 0.2)):
        x = F.avg_pool2d(3 * normal(*shape), 3, stride=1, padding=1).clamp(-1, 1)
        y = (x + noise * normal(*shape, seed=1)).clamp(-1, 1)
        result = structural_similarity_index_measure(x, y, data_range=2.0, return_full_image=True)
        assert isinstance(result, tuple)
        # It pads by reflection; the windows that lie inside the image are those of the paper.
        expected = result[1][:, :, 5:-5, 5:-5].flatten(1).mean(1)
        assert torch.allclose(ssim(x, y), expected, atol=1e-4)


def test_ssim_is_one_for_the_same_image_and_symmetric() -> None:
    x, y = normal(3, 3, 16, 16).clamp(-1, 1), normal(3, 3, 16, 16, seed=1).clamp(-1, 1)
    assert torch.allclose(ssim(x, x), torch.ones(3))
    assert torch.allclose(ssim(x, y), ssim(y, x))
    assert (ssim(x, y) < 0.5).all()


def test_ssim_of_two_constants_is_its_luminance_term() -> None:
    one, other = torch.full((1, 1, 16, 16), 0.5), torch.full((1, 1, 16, 16), 0.25)
    constant = (0.01 * 2) ** 2
    expected = (2 * 0.125 + constant) / (0.25 + 0.0625 + constant)
    assert float(ssim(one, other)) == pytest.approx(expected, rel=1e-4)
