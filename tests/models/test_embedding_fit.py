"""Vectors to places in the plane: neighbours, UMAP's graph and layout, and every method on good and bad vectors."""

from typing import Any, get_args

import numpy as np
import pytest

from models.embedding import graph, knn
from models.embedding.fit import METHODS, plane
from models.embedding.maps import MapSpec, Method
from models.embedding.quality import knn_accuracy, trustworthiness
from models.errors import UserError

Vectors = np.ndarray


class Ended(Exception):
    """Somebody wants it to end."""


def blobs(count: int = 150, dim: int = 8, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Return points of three well separated Gaussians, and which each is of."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = 10 * np.eye(3, dim)
    return (centres[labels] + rng.normal(size=(count, dim))).astype(np.float32), labels


def spec(method: Method = "umap", **options: object) -> MapSpec:
    return MapSpec.model_validate({"model": "x", "method": method, **options})


def brute(vectors: Vectors, k: int) -> tuple[Vectors, Vectors]:
    distances = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors, axis=2)
    np.fill_diagonal(distances, np.inf)
    order = distances.argsort(1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, 1)


@pytest.mark.parametrize(("count", "k"), [(3, 2), (33, 32), (700, 14)])
def test_neighbours_are_exact(count: int, k: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    indices, distances = knn.nearest(vectors, k)
    wanted, apart = brute(vectors, k)
    np.testing.assert_array_equal(indices, wanted)
    np.testing.assert_allclose(distances, apart, rtol=1e-4)


def test_neighbours_are_exact_over_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "_ROWS", 16)
    vectors = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    shares: list[float] = []
    np.testing.assert_array_equal(knn.nearest(vectors, 7, progress=shares.append)[0], brute(vectors, 7)[0])
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 4


def test_a_point_is_not_its_own_neighbour_even_among_copies() -> None:
    indices, distances = knn.nearest(np.zeros((40, 3), np.float32), 5)
    assert (indices != np.arange(40)[:, None]).all() and (indices < 40).all()
    assert (distances == 0).all()


def test_the_graph_is_symmetric_and_each_view_weighs_the_same() -> None:
    indices, distances = knn.nearest(blobs()[0], 9)
    rho, near = distances[:, :1].astype(np.float64), distances.astype(np.float64)
    scales = graph._scales(near - rho, near, np.log2(10))
    np.testing.assert_allclose(np.exp(-(near - rho) / scales[:, None]).sum(1), np.log2(10), rtol=1e-6)
    found = graph.fuzzy(indices, distances)
    dense = np.zeros((150, 150))
    for row, (start, end) in enumerate(zip(found.starts[:-1], found.starts[1:], strict=True)):
        dense[row, found.ends[start:end]] = found.weights[start:end]
    np.testing.assert_allclose(dense, dense.T)
    np.testing.assert_allclose(dense[np.arange(150), indices[:, 0]], 1)
    assert dense.max() <= 1 and (dense.diagonal() == 0).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_graph_is_that_of_umap_learn() -> None:
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set

    vectors, own = blobs(300)[0], np.arange(300)[:, None]
    indices, distances = knn.nearest(vectors, 14)
    theirs: Any = fuzzy_simplicial_set(
        vectors,
        15,
        np.random.RandomState(0),
        "euclidean",
        knn_indices=np.hstack([own, indices]),
        knn_dists=np.hstack([np.zeros((300, 1), np.float32), distances]),
    )[0]
    theirs = theirs.tocsr()
    theirs.sort_indices()
    ours = graph.fuzzy(indices, distances)
    np.testing.assert_array_equal(ours.ends, theirs.indices)
    np.testing.assert_allclose(ours.weights, theirs.data, atol=1e-4)
    np.testing.assert_allclose(graph.curve(0.1), find_ab_params(1.0, 0.1), rtol=1e-4)


def test_the_curve_is_near_what_it_stands_for() -> None:
    a, b = graph.curve(0.1)
    assert (a, b) == pytest.approx((1.577, 0.895), abs=1e-3)  # umap-learn's for its defaults
    at = np.linspace(0, 3, 100)
    wanted = np.where(at < 0.1, 1, np.exp(-(at - 0.1)))
    assert np.abs(1 / (1 + a * at ** (2 * b)) - wanted).max() < 0.1


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_keeps_clusters_apart(method: Method) -> None:
    vectors, labels = blobs(90)
    positions = plane(vectors, spec(method, neighbours=10))
    extent = np.ptp(positions, axis=0)
    assert positions.dtype == np.float32 and positions.shape == (90, 2)
    assert extent.max() == pytest.approx(2) and np.abs(positions).max() == pytest.approx(1)
    assert knn_accuracy(positions, labels, 5) == 1
    assert trustworthiness(vectors, positions, 10) > 0.75


def test_the_table_is_what_can_be_asked_for() -> None:
    assert tuple(METHODS) == get_args(Method)


def test_the_same_seed_gives_the_same_map_on_any_number_of_threads() -> None:
    import numba

    vectors, threads = blobs()[0], numba.get_num_threads()
    once = plane(vectors, spec(seed=3))
    numba.set_num_threads(1)
    try:
        again = plane(vectors, spec(seed=3))
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, plane(vectors, spec(seed=4)))


def test_the_cosine_ignores_lengths() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = blobs(90)
    longer = vectors * rng.uniform(0.1, 50, (90, 1)).astype(np.float32)
    assert knn_accuracy(plane(longer, spec(metric="cosine")), labels, 5) > 0.95
    np.testing.assert_allclose(
        plane(longer, spec("pca", metric="cosine")), plane(vectors, spec("pca", metric="cosine")), atol=1e-4
    )


def test_long_vectors_are_reduced_first() -> None:
    vectors, labels = blobs(60, dim=500)
    assert knn_accuracy(plane(vectors, spec(neighbours=8)), labels, 3) == 1


@pytest.mark.parametrize("method", get_args(Method))
@pytest.mark.parametrize("count", [3, 6])
def test_fewer_points_than_neighbours_still_make_a_map(method: Method, count: int) -> None:
    positions = plane(blobs(count)[0], spec(method))
    assert positions.shape == (count, 2) and np.isfinite(positions).all()
    assert len(np.unique(positions, axis=0)) == count


@pytest.mark.parametrize("method", get_args(Method))
@pytest.mark.filterwarnings("ignore:.*divide.*:RuntimeWarning")  # of scikit-learn's own initial scale
def test_identical_points_still_make_a_map(method: Method) -> None:
    positions = plane(np.ones((20, 4), np.float32), spec(method))
    assert np.isfinite(positions).all() and np.abs(positions).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused(bad: float) -> None:
    vectors = blobs()[0]
    vectors[7, 2] = bad
    with pytest.raises(UserError) as caught:
        plane(vectors, spec())
    assert caught.value.code == "bad-latents"


def test_two_points_are_no_map() -> None:
    with pytest.raises(UserError) as caught:
        plane(blobs(2)[0], spec())
    assert caught.value.code == "too-few-points"


def test_it_tells_how_far_it_is_and_ends_when_told() -> None:
    shares: list[float] = []

    def tell(share: float) -> None:
        shares.append(share)
        if share > 0.7:
            raise Ended

    with pytest.raises(Ended):
        plane(blobs()[0], spec(), progress=tell)
    assert shares == sorted(shares) and len(shares) > 3
    assert shares[-1] < 0.75  # at once


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_neighbours_among_very_many_points_are_nearly_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(5000, 8)).astype(np.float32)
    exact, distances = knn.nearest(vectors, 14)
    monkeypatch.setattr(knn, "EXACT", 1000)
    found, apart = knn.nearest(vectors, 14, seed=1)
    assert found.shape == exact.shape and (found != np.arange(5000)[:, None]).all()
    recall = np.mean([len(np.intersect1d(a, b)) / 14 for a, b in zip(exact, found, strict=True)])
    assert recall > 0.95
    np.testing.assert_allclose(np.median(apart, 0), np.median(distances, 0), rtol=0.02)
