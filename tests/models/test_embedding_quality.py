"""Figures of maps, against scikit-learn and closed forms."""

import numpy as np
import pytest

from models.embedding import quality

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("k", [1, 5, 15])
def test_trustworthiness_is_that_of_scikit_learn(k: int) -> None:
    from sklearn.manifold import trustworthiness

    vectors, positions = (
        RNG.normal(size=(300, 12)).astype(np.float32),
        RNG.normal(size=(300, 2)).astype(np.float32),
    )
    wanted = trustworthiness(vectors, positions, n_neighbors=k)
    assert quality.trustworthiness(vectors, positions, k) == pytest.approx(wanted, abs=1e-6)


def test_a_map_of_the_plane_itself_is_trusted() -> None:
    positions = RNG.normal(size=(100, 2)).astype(np.float32)
    shares: list[float] = []
    assert quality.trustworthiness(positions, 3 * positions, progress=shares.append) == 1
    assert shares[-1] == 1


def test_few_points_are_measured_with_fewer_neighbours() -> None:
    assert quality.trustworthiness(np.eye(3, dtype=np.float32), np.eye(3, 2, dtype=np.float32)) <= 1
    assert quality.trustworthiness(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)) == 1


def test_knn_accuracy_is_the_share_that_most_neighbours_agree_with() -> None:
    line = np.array([[0], [1], [3], [10], [11], [13]], np.float32)
    assert quality.knn_accuracy(line, np.array([0, 0, 0, 1, 1, 1]), 2) == 1
    # The third is alone among the others; the first two have level votes, of which the lower label counts.
    assert quality.knn_accuracy(line, np.array([0, 0, 1, 1, 1, 1]), 2) == pytest.approx(5 / 6)


def test_the_subset_is_fixed_and_all_where_they_are_few() -> None:
    np.testing.assert_array_equal(quality.subset(5, 10), np.arange(5))
    some = quality.subset(100, 10)
    assert len(np.unique(some)) == 10 and some.max() < 100
    np.testing.assert_array_equal(some, quality.subset(100, 10))


def test_accuracies_need_two_classes() -> None:
    vectors, pixels = (
        RNG.normal(size=(30, 4)).astype(np.float32),
        RNG.integers(0, 256, (20, 9)).astype(np.uint8),
    )
    positions = vectors[:, :2]
    one = quality.measured(vectors, positions, np.zeros(20, np.int16), pixels)
    none = quality.measured(vectors, positions, None, pixels)
    unknown = quality.measured(vectors, positions, np.full(20, -1, np.int16), pixels)
    assert set(one) == set(none) == set(unknown) == {"trustworthiness"}
    two = quality.measured(vectors, positions, np.arange(20, dtype=np.int16) % 2, pixels)
    assert set(two) == {"trustworthiness", "knn_map", "knn_space", "knn_pixels"}
    assert all(0 <= value <= 1 for value in two.values())


def test_density_is_relative_and_higher_where_there_are_more_points() -> None:
    near, far = RNG.normal(0, 0.01, (900, 2)) + 0.5, RNG.uniform(-1, 0, (100, 2))
    found = quality.density(np.concatenate([near, far]).astype(np.float32))
    assert found.mean() == pytest.approx(1, abs=1e-5)
    assert found[:900].min() > 5 * found[900:].mean() > 0
