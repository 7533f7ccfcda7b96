"""Metrics of latent spaces and of spectra against closed forms on constructed cases."""

import math

import pytest
import torch
from torch import Tensor

from models.datasets.factors import Factor
from models.metrics.dci import concentration, dci, dci_of
from models.metrics.disentanglement import BINS, mutual_information_gaps
from models.metrics.path_length import path_lengths
from models.metrics.separability import surest, unexplained
from models.metrics.sharpness import frequencies, high_frequency_energy, spectrum


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Mutual information gap -----------------------------------------------------------------------------------------------


def test_the_gap_of_a_constructed_case_is_the_closed_form() -> None:
    # A factor of four equally frequent values; one dimension says all of it, another which half, a third nothing.
    values = torch.arange(4).repeat_interleave(500)
    noise = torch.arange(2000) % 5
    latents = torch.stack([values.float(), (values // 2).float(), noise.float()], 1)
    known = (Factor("kind", "categorical", ("a", "b", "c", "d")),)
    gap = mutual_information_gaps(latents, values[:, None].float(), known)["kind"]
    assert gap == pytest.approx((math.log(4) - math.log(2)) / math.log(4), abs=1e-9)


def test_the_gap_of_a_noisy_copy_is_that_of_a_symmetric_channel() -> None:
    # The copy is wrong in one case of ten; then I = log 2 - H(0.1), and nothing else tells anything.
    values = torch.arange(2).repeat_interleave(1000)
    wrong = torch.arange(2000) % 10 == 0
    copy = torch.where(wrong, 1 - values, values)
    even = torch.arange(2000) % 2
    known = (Factor("on", "categorical", ("no", "yes")),)
    gap = mutual_information_gaps(torch.stack([copy, even], 1).float(), values[:, None].float(), known)["on"]
    entropy = -(0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    assert gap == pytest.approx((math.log(2) - entropy) / math.log(2), abs=1e-9)
    assert BINS == 20


# DCI ------------------------------------------------------------------------------------------------------------------


def test_dci_of_a_permuted_diagonal_is_one_and_of_an_even_matrix_none() -> None:
    assert dci_of(torch.eye(4)[[2, 0, 3, 1]].double()) == (1, 1)
    assert dci_of(torch.ones(4, 4).double()) == pytest.approx((0, 0), abs=1e-9)


def test_disentanglement_and_completeness_are_told_apart() -> None:
    spread = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]]).double()  # two dimensions for each factor
    assert dci_of(spread) == pytest.approx((1, 1 - math.log(2) / math.log(4)))
    assert dci_of(spread.T) == pytest.approx((1 - math.log(2) / math.log(4), 1))


def test_dimensions_count_by_their_importance_and_dead_ones_not_at_all() -> None:
    importance = torch.tensor([[3.0, 0], [0.5, 0.5], [0, 0]]).double()
    assert concentration(importance).tolist() == pytest.approx([1, 0, 0], abs=1e-9)
    assert dci_of(importance)[0] == pytest.approx(3 / 4)


def test_forests_find_factors_that_have_a_dimension_each_and_those_that_are_mixed() -> None:
    shape = torch.randint(3, (600,), generator=rng()).float()
    size = torch.rand(600, generator=rng(1))
    known = (
        Factor("shape", "categorical", ("a", "b", "c")),
        Factor("size", "continuous"),
        Factor("same", "continuous"),
    )
    factors = torch.stack([shape, size, torch.full((600,), 0.5)], 1)
    own = dci(torch.stack([size, shape, *torch.randn(4, 600, generator=rng(2))], 1), factors, known)
    turned = torch.stack([size + shape / 2, size - shape / 2, torch.randn(600, generator=rng(2))], 1)
    mixed = dci(turned, factors, known)
    assert own.disentanglement > 0.97 and own.completeness > 0.97 and own.informativeness > 0.99
    assert mixed.disentanglement < own.disentanglement - 0.3
    assert mixed.completeness < own.completeness - 0.2
    constant = dci(turned, torch.zeros(600, 3), known)
    assert vars(constant) == {"disentanglement": 0, "completeness": 0, "informativeness": 0}


# Path length ----------------------------------------------------------------------------------------------------------


def test_the_path_length_of_an_isometry_is_the_squared_angle() -> None:
    start, end = torch.eye(6)[:2], torch.eye(6)[2:4]  # of length 1, at right angles
    turn = torch.linalg.qr(torch.randn(12, 6, generator=rng())).Q
    where = torch.tensor([0.2, 0.7])
    found = path_lengths(lambda z: z @ turn.T, start, end, where, step=1e-3)
    assert found.tolist() == pytest.approx([(math.pi / 2) ** 2] * 2, rel=2e-3)
    tripled = path_lengths(lambda z: 3 * z @ turn.T, start, end, where, step=1e-3)
    assert torch.allclose(tripled, 9 * found, rtol=1e-3)


def test_a_collapsed_model_has_no_path_length() -> None:
    z = torch.randn(5, 6, generator=rng())
    constant = path_lengths(lambda z: torch.ones(len(z), 3), z, z.flip(0), torch.full((5,), 0.5))
    assert constant.tolist() == [0] * 5


# Separability ---------------------------------------------------------------------------------------------------------


def test_what_a_plane_parts_is_known_and_what_nothing_parts_keeps_its_entropy() -> None:
    z = torch.randn(800, 5, generator=rng())
    flat = (z[:, 0] + z[:, 1] > 0).long()
    assert unexplained(z, flat) < 0.1
    coin = torch.randint(2, (800,), generator=rng(1))
    assert unexplained(z, coin) == pytest.approx(math.log(2), abs=0.03)
    ring = (z[:, 0].abs() > 0.6745).long()  # two halves, but not by a plane
    assert unexplained(z, ring) > 0.5
    # Fewer than dimensions: any labels are parted where the rule is fitted.
    assert unexplained(torch.randn(60, 80, generator=rng(2)), coin[:60]) > 0.5
    # All that it is read on is the same.
    assert unexplained(z, torch.arange(800) % 2) == pytest.approx(0, abs=1e-9)


def test_the_surest_half_is_kept_in_its_order() -> None:
    sure = torch.tensor([0.9, 0.5, 0.99, 0.6, 0.7])
    assert surest(torch.stack([sure, 1 - sure], 1)).tolist() == [0, 2, 4]


# Spectrum -------------------------------------------------------------------------------------------------------------


def waves(*cycles: tuple[int, int], size: int = 32) -> Tensor:
    line = torch.arange(size) / size
    return sum(
        (torch.cos(2 * math.pi * (a * line[:, None] + b * line)) for a, b in cycles), torch.zeros(size, size)
    )[None, None]


def test_a_wave_lies_at_its_radius_with_its_power() -> None:
    found = spectrum(0.5 * waves((3, 4)))[0]
    assert int(found.argmax()) == 5
    # |F|^2 / N^4 is (0.5 / 2)^2 at two of the wave vectors of length about 5.
    line = torch.fft.fftfreq(32, 1 / 32)
    count = int(((line[:, None].square() + line.square()).sqrt().round() == 5).sum())
    assert float(found[5]) == pytest.approx(2 * 0.0625 / count, rel=1e-4)
    assert float(found[[0, 1, 2, 3, 4, 6, 7]].abs().max()) < 1e-9
    assert frequencies(32).tolist() == pytest.approx([i / 32 for i in range(17)])


def test_energy_above_half_nyquist_is_of_high_waves_only() -> None:
    assert float(high_frequency_energy(waves((3, 4)))) == pytest.approx(0, abs=1e-9)
    assert float(high_frequency_energy(waves((3, 4), (9, 3)))) == pytest.approx(
        0.5, rel=1e-4
    )  # mean of cos^2


def test_white_noise_is_flat_and_mostly_above_half_nyquist() -> None:
    x = 0.1 * torch.randn(200, 1, 32, 32, generator=rng())
    assert float(high_frequency_energy(x).mean()) == pytest.approx(0.01 * (1 - math.pi / 16), rel=0.02)
    assert torch.allclose(spectrum(x).mean(0)[1:], torch.tensor(0.01 / 1024), rtol=0.15)


def test_colour_is_averaged() -> None:
    x = torch.randn(2, 3, 16, 16, generator=rng())
    assert torch.allclose(spectrum(x), spectrum(x.mean(1, keepdim=True)))
