"""Distances of distributions: closed forms, plain implementations, and the packages that others publish with."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import UserError
from models.metrics import fidelity
from models.metrics.fidelity import frechet_distance, kernel_distance, subsets, support


def features(count: int, dim: int = 24, *, seed: int = 0, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    """Return correlated features that are not negative, like those of a classifier."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=torch.Generator().manual_seed(99)) / dim**0.5
    return (scale * torch.randn(count, dim, generator=rng) @ mixing + shift).relu()


def plain(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """Return what `support` does, with matrices of all pairs."""
    within = [torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") for x in (real, fake)]
    real_radii, fake_radii = (d.sort(1).values[:, k] for d in within)
    between = torch.cdist(real, fake, compute_mode="donot_use_mm_for_euclid_dist")
    near = between < real_radii[:, None]
    return {
        "precision": float(near.any(0).double().mean()),
        "recall": float((between < fake_radii).any(1).double().mean()),
        "density": float(near.double().sum(0).mean()) / k,
        "coverage": float(near.any(1).double().mean()),
    }


def unbiased(x: Tensor, y: Tensor) -> float:
    """Return the kernel distance of two small sets by its definition, pair by pair."""

    def k(a: Tensor, b: Tensor) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


# Fréchet distance -----------------------------------------------------------------------------------------------------


def test_the_frechet_distance_of_diagonal_gaussians_is_the_closed_form() -> None:
    x = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]).double()
    y = torch.tensor([3.0, 0.5]).double() * x + torch.tensor([2.0, -1.0]).double()
    deviation = (4 / 3) ** 0.5  # of each column of x
    expected = 4 + 1 + deviation**2 * ((3 - 1) ** 2 + (0.5 - 1) ** 2)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-12)


def test_fewer_samples_than_dimensions_need_no_inverse() -> None:
    x, y = features(10, 64), features(12, 64, seed=1)
    scipy = pytest.importorskip("scipy.linalg")
    covariances = [np.cov(a.double().numpy(), rowvar=False) for a in (x, y)]
    root = scipy.sqrtm(covariances[0] @ covariances[1] + 1e-12 * np.eye(64)).real
    expected = float((x.mean(0) - y.mean(0)).square().sum())
    expected += np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-3)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


# Parity ---------------------------------------------------------------------------------------------------------------

PAIRS = [(features(300), features(280, seed=1)), (features(300), features(300, seed=2, shift=0.2, scale=0.5))]


@pytest.mark.parametrize(("real", "fake"), PAIRS)
def test_frechet_distances_are_those_of_torch_fidelity(real: Tensor, fake: Tensor) -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    moments = [fid.fid_features_to_statistics(x.double()) for x in (real, fake)]
    expected = fid.fid_statistics_to_metric(*moments, verbose=False)[fid.KEY_METRIC_FID]
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("real", "fake"), PAIRS)
def test_kernel_distances_are_those_of_torch_fidelity_on_the_same_subsets(real: Tensor, fake: Tensor) -> None:
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    options: dict[str, Any] = {"kid_subsets": 8, "kid_subset_size": 100, "rng_seed": 7, "verbose": False}
    expected = kid.kid_features_to_metric(real.double(), fake.double(), **options)
    rng = np.random.RandomState(7)
    pairs = [
        (torch.as_tensor(rng.choice(len(real), 100, replace=False)),
         torch.as_tensor(rng.choice(len(fake), 100, replace=False)))
        for _ in range(8)
    ]  # fmt: skip
    assert kernel_distance(real, fake, pairs) == pytest.approx(
        expected["kernel_inception_distance_mean"], rel=1e-4
    )


@pytest.mark.parametrize(("real", "fake"), PAIRS)
@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_density_and_coverage_are_those_of_prdc(real: Tensor, fake: Tensor, k: int) -> None:
    prdc = pytest.importorskip("prdc")
    expected = prdc.compute_prdc(real.double().numpy(), fake.double().numpy(), k)
    assert vars(support(real, fake, k)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("real", "fake"), PAIRS)
def test_all_are_those_of_plain_implementations(
    real: Tensor, fake: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fidelity, "_BLOCK", 37 * 300)  # blocks that do not divide the rows
    assert vars(support(real, fake)) == pytest.approx(plain(real.double(), fake.double(), 5), rel=1e-12)
    small = [x[:20].double() for x in (real, fake)]
    whole = [(torch.arange(20), torch.arange(20))]
    assert kernel_distance(small[0], small[1], whole) == pytest.approx(unbiased(*small), rel=1e-9)


# What they see --------------------------------------------------------------------------------------------------------


def test_subsets_follow_the_seed_and_repeat_no_row() -> None:
    one, again, other = (
        subsets(50, 40, 1, count=3, size=30),
        subsets(50, 40, 1, count=3, size=30),
        subsets(50, 40, 2, count=3, size=30),
    )
    assert all(torch.equal(a, b) for x, y in zip(one, again, strict=True) for a, b in zip(x, y, strict=True))
    assert not torch.equal(one[0][0], other[0][0])
    assert all(len(rows.unique()) == 30 for pair in one for rows in pair)
    assert all(len(rows) == 10 for rows in subsets(10, 20, 0, count=1)[0])


def test_the_kernel_distance_is_unbiased() -> None:
    values = [
        kernel_distance(features(40, seed=2 * i), features(40, seed=2 * i + 1), subsets(40, 40, 0, count=1))
        for i in range(40)
    ]
    mean, error = float(np.mean(values)), float(np.std(values)) / 40**0.5
    assert abs(mean) < 3 * error
    assert min(values) < 0


def test_one_mode_of_two_has_precision_without_recall() -> None:
    far = torch.zeros(24)
    far[0] = 50
    real = torch.cat([features(150), features(150, seed=1) + far])
    one = support(real, features(300, seed=2))
    both = support(real, torch.cat([features(150, seed=3), features(150, seed=4) + far]))
    assert one.precision > 0.8
    assert one.recall < 0.6 * both.recall
    assert one.coverage < 0.55 < 0.8 < both.coverage


def test_an_outlier_among_real_images_raises_precision_but_not_density() -> None:
    real = torch.cat([features(200), torch.full((1, 24), 30.0)])
    between = torch.full((50, 24), 15.0) + 0.1 * features(50, seed=5)
    found = support(real, between)
    assert found.precision == 1
    assert found.density == pytest.approx(1 / 5)


def test_copies_of_one_point_have_empty_neighbourhoods() -> None:
    real, same = features(100), features(1).expand(60, -1)
    assert support(real, same).recall == 0
    assert vars(support(same, same)) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    assert frechet_distance(same, same) == pytest.approx(0, abs=1e-12)


def test_real_images_themselves_are_covered_whole() -> None:
    found = support(features(200), features(200))
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "fake", "code"),
    [
        (features(20), torch.full((20, 24), torch.nan), "not-finite"),
        (features(20), torch.full((20, 24), torch.inf), "not-finite"),
        (features(20), features(20, 12), "feature-mismatch"),
        (features(1), features(20), "too-few-images"),
    ],
)
def test_what_cannot_be_compared_is_refused(real: Tensor, fake: Tensor, code: str) -> None:
    whole = [(torch.arange(1), torch.arange(1))]
    for call in (frechet_distance, support, lambda x, y: kernel_distance(x, y, whole)):
        with pytest.raises(UserError) as caught:
            call(real, fake)
        assert caught.value.code == code
        assert caught.value.problem.endswith(".") and caught.value.remedy.endswith(".")


def test_neighbourhoods_need_more_points_than_neighbours() -> None:
    with pytest.raises(UserError, match="needs 6 of each kind"):
        support(features(5), features(100))
