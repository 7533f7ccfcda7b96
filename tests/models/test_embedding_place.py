"""New points on a map, and places of the plane back to latents."""

import numpy as np
import pytest

from models.embedding.maps import EmbeddingMap, MapSpec
from models.embedding.place import inverse, nearest, place, place_latents, spacing
from models.errors import UserError


@pytest.fixture
def flat() -> EmbeddingMap:
    """A map whose points lie as their latents do: on a square, one unit along each of two of four dimensions."""
    side = np.linspace(-1, 1, 41, dtype=np.float32)
    positions = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    latents = np.concatenate([positions + 3, np.full_like(positions, 2)], 1)
    return EmbeddingMap(
        MapSpec(model="x"),
        positions,
        latents,
        np.zeros(len(positions), np.uint8),
        np.arange(len(positions), dtype=np.int32),
    )


def test_neighbours_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    queries, rows = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(90, 5)).astype(np.float32)
    distances, found = nearest(queries, rows, 4)
    all_of_them = np.linalg.norm(queries[:, None] - rows, axis=2)
    np.testing.assert_array_equal(found, all_of_them.argsort(1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(all_of_them, 1)[:, :4], rtol=1e-5)


def test_known_points_are_placed_where_they_are(flat: EmbeddingMap) -> None:
    np.testing.assert_allclose(place_latents(flat, flat.latents[::50]), flat.positions[::50], atol=1e-4)


def test_new_points_are_placed_between_their_neighbours(flat: EmbeddingMap) -> None:
    wanted = np.random.default_rng(1).uniform(-0.9, 0.9, (50, 2)).astype(np.float32)
    latents = np.concatenate([wanted + 3, np.full_like(wanted, 2)], 1)
    np.testing.assert_allclose(place_latents(flat, latents), wanted, atol=0.05)


def test_places_have_the_latents_around_them(flat: EmbeddingMap) -> None:
    wanted = np.random.default_rng(2).uniform(-0.9, 0.9, (50, 2)).astype(np.float32)
    found = inverse(flat, wanted)
    np.testing.assert_allclose(found.latents[:, :2], wanted + 3, atol=0.05)
    np.testing.assert_allclose(found.latents[:, 2:], 2, atol=0.05)
    assert found.reliability.min() > 0.6
    assert np.abs(flat.positions[found.nearest] - wanted).max() <= 0.026


def test_reliability_falls_where_there_are_no_points(flat: EmbeddingMap) -> None:
    away = np.array([[0, 0], [1.2, 0], [1.5, 0], [3, 0]], np.float32)
    reliability = inverse(flat, away).reliability
    assert (np.diff(reliability) < 0).all()
    assert 0 <= reliability[-1] < 0.01 and reliability[0] <= 1


def test_reliability_falls_where_latents_disagree(flat: EmbeddingMap) -> None:
    latents = np.random.default_rng(3).normal(size=flat.latents.shape).astype(np.float32)
    random = EmbeddingMap(flat.spec, flat.positions, latents, flat.sources, flat.indices)
    places = np.array([[0.024, 0.026], [0.324, -0.524]], np.float32)
    found = inverse(random, places)
    assert (found.reliability < 0.8 * inverse(flat, places).reliability).all()
    # They keep the length of the latents around, where a mean would be much shorter.
    assert np.linalg.norm(found.latents, axis=1).min() > 1


def test_spacing_is_that_of_a_grid(flat: EmbeddingMap) -> None:
    mean = 0.05 * (1 + np.sqrt(2)) / 2  # of the eight points around one
    assert spacing(flat.positions) == pytest.approx(mean, rel=0.01)


def test_points_without_latents_are_left_out(flat: EmbeddingMap) -> None:
    latents = flat.latents.copy()
    latents[::2] = np.nan
    found = inverse(
        EmbeddingMap(flat.spec, flat.positions, latents, flat.sources, flat.indices), flat.positions
    )
    assert np.isfinite(found.latents).all() and (found.nearest % 2 == 1).all()
    none = EmbeddingMap(flat.spec, flat.positions, np.full_like(latents, np.nan), flat.sources, flat.indices)
    with pytest.raises(UserError) as caught:
        inverse(none, flat.positions[:1])
    assert caught.value.code == "no-latents"


@pytest.mark.parametrize("bad", [np.full((1, 4), np.nan), np.zeros((1, 3)), np.zeros(4)])
def test_what_is_no_latent_is_refused(flat: EmbeddingMap, bad: np.ndarray) -> None:
    with pytest.raises(UserError) as caught:
        place_latents(flat, bad.astype(np.float32))
    assert caught.value.code == "bad-latent"


def test_points_in_one_place_have_finite_weights() -> None:
    same = np.ones((5, 2), np.float32)
    np.testing.assert_allclose(place(same[:1], same, same), 1)
