"""Latent-space mathematics: samples of the prior, truncation, paths, coordinates, conditional moves."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

from models import latent
from models.errors import UserError

quick = settings(deadline=None, database=None, derandomize=True, max_examples=30)
seeds = st.integers(0, 2**31 - 1)
dims = st.integers(2, 40)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Prior -----------------------------------------------------------------------------------------------------


@quick
@given(st.lists(seeds, min_size=1, max_size=8), dims)
def test_a_seed_draws_the_same_latent_whatever_the_batch(batch: list[int], dim: int) -> None:
    together = latent.prior(batch, dim)
    assert together.shape == (len(batch), dim)
    for row, seed in zip(together, batch, strict=True):
        assert torch.equal(row, latent.prior([seed], dim)[0])


def test_no_seeds_give_an_empty_batch() -> None:
    assert latent.prior([], 5).shape == (0, 5)


def test_neighbouring_seeds_draw_from_a_standard_normal() -> None:
    z = latent.prior(range(2000), 16)
    assert abs(float(z.mean())) < 5 / math.sqrt(z.numel())
    assert torch.allclose(z.mean(0), torch.zeros(16), atol=5 / math.sqrt(len(z)))
    assert torch.allclose(torch.cov(z.T), torch.eye(16), atol=5 * math.sqrt(2 / len(z)))
    assert abs(float((z**4).mean()) - 3) < 0.15
    successive = (z[:-1] * z[1:]).mean()
    assert abs(float(successive)) < 5 / math.sqrt(z.numel())


def test_a_stream_depends_on_every_seed_of_the_tuple_and_on_their_order() -> None:
    tuples = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]
    first = {float(torch.rand((), generator=latent.generator(*t), dtype=torch.float64)) for t in tuples}
    assert len(first) == len(tuples)


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    latent.prior(range(4), 3)
    assert torch.equal(before, torch.get_rng_state())


def test_truncation_scales_towards_the_mean() -> None:
    z = normal(5, 7)
    assert torch.equal(latent.truncate(z, 1.0), z)
    assert torch.equal(latent.truncate(z, 0.0), torch.zeros(5, 7))
    assert torch.allclose(latent.truncate(z, 0.7).norm(dim=1), 0.7 * z.norm(dim=1))


# Paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", latent.PATHS)
@quick
@given(seed=seeds, dim=dims)
def test_paths_start_and_end_where_they_should(name: str, seed: int, dim: int) -> None:
    start, end = normal(2, 3, dim, seed=seed)
    path = latent.PATHS[name](start, end, torch.tensor([0.0, 0.3, 1.0]))
    assert path.shape == (3, 3, dim)
    assert torch.allclose(path[0], start, atol=1e-4)
    assert torch.allclose(path[2], end, atol=1e-4)


@quick
@given(seed=seeds, dim=st.integers(3, 40))
def test_slerp_keeps_the_norm_and_turns_at_constant_speed(seed: int, dim: int) -> None:
    start, end = torch.nn.functional.normalize(normal(2, 4, dim, seed=seed).double(), dim=-1) * math.sqrt(dim)
    path = latent.slerp(start, end, torch.linspace(0, 1, 9, dtype=torch.float64))
    assert torch.allclose(path.norm(dim=-1), torch.full((9, 4), math.sqrt(dim), dtype=torch.float64))
    chords = (path[1:] - path[:-1]).norm(dim=-1)
    assert torch.allclose(chords, chords[:1].expand_as(chords))


def test_slerp_of_a_right_angle_is_known() -> None:
    start, end = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    middle = latent.slerp(start, end, torch.tensor([1 / 3]))[0, 0]
    assert torch.allclose(middle, 2 * torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)]))


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, 0.0])
def test_slerp_between_parallel_latents_is_a_straight_line(factor: float) -> None:
    start = normal(2, 6).double()
    steps = torch.linspace(0, 1, 5, dtype=torch.float64)
    path = latent.slerp(start, factor * start, steps)
    assert torch.allclose(path, latent.lerp(start, factor * start, steps))
    assert torch.isfinite(path).all()


def test_lerp_of_independent_latents_shortens_the_middle_and_slerp_does_not() -> None:
    start, end = normal(2, 200, 64)
    half = torch.tensor([0.5])
    typical = start.norm(dim=1).mean()
    assert latent.lerp(start, end, half).norm(dim=-1).mean() < 0.75 * typical
    assert latent.slerp(start, end, half).norm(dim=-1).mean() > 0.95 * typical


@pytest.mark.parametrize("name", latent.PATHS)
def test_a_path_passes_through_its_key_frames(name: str) -> None:
    keys = normal(4, 8)
    frames = latent.through(keys, 13, name)
    assert frames.shape == (13, 8)
    assert torch.allclose(frames[::4], keys, atol=1e-5)


def test_frames_are_spread_evenly_over_the_segments() -> None:
    keys = torch.tensor([[0.0], [1.0], [3.0]])
    frames = latent.through(keys, 7, "lerp")[:, 0]
    assert torch.allclose(frames, torch.tensor([0, 1 / 3, 2 / 3, 1, 5 / 3, 7 / 3, 3]), atol=1e-6)


def test_an_unknown_interpolation_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'slerp'"):
        latent.through(normal(2, 3), 4, "slrp")


# Coordinates -----------------------------------------------------------------------------------------------


@quick
@given(seed=seeds, dim=st.integers(4, 20), count=st.integers(1, 4))
def test_set_coordinates_reaches_them_by_the_shortest_way(seed: int, dim: int, count: int) -> None:
    draws = normal(2 + count, dim, seed=seed).double()
    z, other, directions = draws[0], draws[1], torch.nn.functional.normalize(draws[2:], dim=1)
    values = normal(count, seed=seed + 1).double()
    moved = latent.set_coordinates(z, directions, values)
    assert torch.allclose(latent.coordinates(moved[None], directions)[0], values, atol=1e-6)
    # The shortest way stays in the span of the directions: it has no part that leaves all coordinates alone.
    away = other - torch.linalg.pinv(directions) @ (directions @ other)
    assert abs(float((moved - z) @ away)) < 1e-6 * (1 + float((moved - z).norm() * away.norm()))


@quick
@given(seed=seeds, dim=st.integers(4, 20), count=st.integers(1, 4))
def test_set_coordinates_moves_along_what_it_is_given(seed: int, dim: int, count: int) -> None:
    draws = normal(1 + count, dim, seed=seed).double()
    z, directions = draws[0], torch.linalg.qr(draws[1:].T)[0].T
    moves = directions + 0.3 * normal(count, dim, seed=seed + 2).double() / dim**0.5
    values = normal(count, seed=seed + 1).double()
    moved = latent.set_coordinates(z, directions, values, moves)
    assert torch.allclose(latent.coordinates(moved[None], directions)[0], values, atol=1e-6)
    # It stays in what the moves span.
    away = torch.linalg.qr(torch.cat([moves, torch.eye(dim, dtype=torch.float64)]).T)[0].T[count:]
    assert torch.allclose(away @ (moved - z), torch.zeros(dim - count, dtype=torch.float64), atol=1e-4)


def test_moves_that_coordinates_hardly_tell_apart_do_not_run_off() -> None:
    directions = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [1, 1, 0]]), dim=1)
    moves = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 1], [1, 0.201, 1]]), dim=1)
    moved = latent.set_coordinates(torch.zeros(3), directions, torch.tensor([1.0, -1.0]), moves)
    assert float(moved.norm()) < 3


def test_setting_one_axis_changes_only_that_axis() -> None:
    z, axes = normal(6), torch.eye(6)
    moved = latent.set_coordinates(z, axes[[2]], torch.tensor([1.5]))
    expected = z.clone()
    expected[2] = 1.5
    assert torch.allclose(moved, expected)


def test_no_edits_leave_a_latent_alone() -> None:
    z = normal(6)
    assert torch.equal(latent.set_coordinates(z, torch.empty(0, 6), torch.empty(0)), z)


# Conditional manipulation ----------------------------------------------------------------------------------


def test_a_direction_projected_against_another_is_that_of_the_paper() -> None:
    # Shen et al. (2020), section 3.2: n1 - (n1 . n2) n2, as a unit vector.
    first, second = torch.nn.functional.normalize(normal(2, 7, seed=1), dim=1)
    expected = first - (first @ second) * second
    found = latent.projected(first, second[None])
    assert torch.allclose(found, expected / expected.norm(), atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_moving_along_a_projected_direction_keeps_all_other_coordinates(scale: float) -> None:
    rows = normal(5, 7, seed=2)
    others = torch.cat([rows[1:], rows[1:2] + rows[2:3]]) * scale  # one depends on two others
    found = latent.projected(rows[0], others)
    z = normal(3, 7, seed=3)
    assert float(found.norm()) == pytest.approx(1, abs=1e-5)
    assert torch.allclose(
        latent.coordinates(z + 3 * found, rows[1:]), latent.coordinates(z, rows[1:]), atol=1e-4
    )
    assert float(found @ rows[0]) > 0


def test_nothing_is_left_of_a_direction_that_others_span() -> None:
    rows = normal(3, 7, seed=4)
    assert torch.equal(latent.projected(rows[0] + 2 * rows[1], rows), torch.zeros(7))
    assert torch.allclose(latent.projected(rows[0], rows[:0]), rows[0] / rows[0].norm())


def test_a_sheltered_direction_lies_between_itself_and_its_projection() -> None:
    rows = torch.nn.functional.normalize(normal(3, 7, seed=5), dim=1)
    found = [latent.sheltered(rows[0], rows[1:], give) for give in (1e-6, 0.3, 1.0, 1e6)]
    assert torch.allclose(found[0], latent.projected(rows[0], rows[1:]), atol=1e-4)
    assert torch.allclose(found[-1], rows[0], atol=1e-4)
    change = [float((rows[1:] @ v).square().sum()) for v in found]
    assert change == sorted(change)


def test_sheltering_is_the_least_change_for_the_same_share_of_the_direction() -> None:
    effects = normal(4, 7, seed=6)
    direction = normal(7, seed=7)
    best = latent.sheltered(direction, effects, 0.5)

    def cost(v: torch.Tensor) -> float:
        v = v / (v @ direction)
        return float((effects @ v).square().sum() + 0.5 * v.square().sum())

    others = best + 0.1 * normal(100, 7, seed=8)
    assert all(cost(best) < cost(other) for other in others)
