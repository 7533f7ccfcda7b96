"""Paths through the data: exact ends, the cheapest way from neighbour to neighbour, frames at equal distances."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog, geodesics
from models.choices import ROUTES
from models.core import LatentModel
from models.errors import UserError
from models.geodesics import DEGREE, Graph, Space, build, rms, shortest, spread
from models.latent import PATHS, prior
from models.render import render, stream
from models.requests import Interpolate, Point, RenderRequest
from models.shared import Shared

Linear = Callable[..., LatentModel]


def ring(count: int = 60) -> torch.Tensor:
    angle = torch.arange(count) / count * 2 * torch.pi
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_a_graph_joins_neighbours_once(linear: Linear) -> None:
    z = prior(range(80), 6)
    graph = build(Space(linear()), z)
    pairs = [tuple(pair) for pair in graph.edges.tolist()]
    assert len(set(pairs)) == len(pairs)
    assert all(a < b for a, b in pairs)
    degree = torch.bincount(graph.edges.flatten(), minlength=80)
    assert int(degree.min()) >= DEGREE
    x = Space(linear()).decode(z)
    a, b = graph.edges.T
    # Pictures are linear in z and great circles are a little longer than chords.
    assert (graph.costs >= 0.9 * rms(x[a], x[b]).square()).all()


def cost(space: Space, start: torch.Tensor, end: torch.Tensor) -> float:
    """What it costs to go along a line of points, edge by edge."""
    z = torch.stack([start, end])
    return float(space.costs(z, torch.stack([space.decode(start), space.decode(end)])).sum())


class Annulus(Space):
    """Latents on a circle, joined by straight lines as posterior means are."""

    def places(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return z

    def between(self, start: torch.Tensor, end: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return start + t[:, None, None] * (end - start)


def test_a_path_follows_the_data_instead_of_cutting_through_where_there_are_none(linear: Linear) -> None:
    space = Annulus(linear(latent_dim=2, gain=0.3))
    graph = build(space, ring())
    ends = torch.tensor([[1.0, 0.02], [-1.0, 0.01]])
    path, paid = shortest(space, graph, ends)
    assert torch.equal(path[[0, -1]], ends)
    assert len(path) > 5
    assert float(path.norm(dim=1).min()) > 0.95
    assert paid == pytest.approx(cost(space, path[:-1], path[1:]), rel=1e-4)
    assert paid < cost(space, ends[:1], ends[1:])
    frames = spread(space, path, torch.linspace(0, 1, 50))
    assert float(frames.norm(dim=1).min()) > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_a_path_is_the_cheapest_of_all_and_ends_exactly(linear: Linear, seed: int) -> None:
    space = Space(linear())
    nodes, ends = prior(range(100, 160), 6), prior([seed, seed + 50], 6)
    path, paid = shortest(space, build(space, nodes), ends)
    assert torch.equal(path[[0, -1]], ends)
    assert all(any(torch.equal(one, node) for node in nodes) for one in path[1:-1])
    assert paid == pytest.approx(cost(space, path[:-1], path[1:]), rel=1e-4)
    # Bellman: no detour over one node that is joined to both neighbours on the path is cheaper.
    graph = build(space, nodes)
    prices = {
        tuple(pair): float(price) for pair, price in zip(graph.edges.tolist(), graph.costs, strict=True)
    }
    index = [next(i for i, node in enumerate(nodes) if torch.equal(one, node)) for one in path[1:-1]]
    for a, b in pairwise(index):
        direct = prices[min(a, b), max(a, b)]
        for via in range(len(nodes)):
            legs = [prices.get((min(p, via), max(p, via)), torch.inf) for p in (a, b)]
            assert sum(legs) >= direct * (1 - 1e-6)


def test_ends_that_are_neighbours_are_joined_directly(linear: Linear) -> None:
    space = Annulus(linear(latent_dim=2, gain=0.3))
    ends = torch.tensor([[1.0, 0.0], [1.0, 0.05]])
    path, paid = shortest(space, build(space, ring()), ends)
    assert torch.equal(path, ends)
    assert paid == pytest.approx(cost(space, ends[:1], ends[1:]))


def test_nodes_that_are_not_connected_leave_the_direct_way(linear: Linear) -> None:
    z = torch.cat([ring(10), ring(10) + 50])
    none = torch.empty(0, 2, dtype=torch.long)
    graph = Graph(z, z, none, torch.empty(0))
    space = Annulus(linear(latent_dim=2, gain=0.01))  # too faint to be clipped
    ends = torch.stack([z[0], z[10]]) + 0.01
    path, paid = shortest(space, graph, ends)
    assert torch.equal(path, ends)
    assert paid == pytest.approx(cost(space, ends[:1], ends[1:]))


def test_frames_are_evenly_spaced_in_pictures_where_a_path_is_not(linear: Linear) -> None:
    space = Annulus(linear(latent_dim=2, gain=0.3))
    path = torch.tensor([[0.0, 0.0], [0.1, 0.0], [2.0, 0.0], [2.0, 2.5]])
    t = torch.linspace(0, 1, 40)
    frames = spread(space, path, t)
    assert torch.equal(frames[[0, -1]], path[[0, -1]])
    x = space.model.decode(frames)
    steps = rms(x[:-1], x[1:])
    assert float(steps.std() / steps.mean()) < 0.1


def test_a_path_without_change_is_spread_all_the_same(linear: Linear) -> None:
    space = Annulus(linear(latent_dim=2, gain=0.0))
    path = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    frames = spread(space, path, torch.linspace(0, 1, 5))
    torch.testing.assert_close(frames[:, 0], torch.linspace(0, 1, 5), atol=1e-4, rtol=0)


@pytest.fixture
def few_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geodesics, "NODES", 60)
    monkeypatch.setattr(geodesics, "_graphs", Shared(4))


@pytest.mark.usefixtures("zoo", "cache", "few_nodes")
@pytest.mark.parametrize("model", ["tiny-vae", "tiny-vae-2d", "tiny-cvae", "tiny-gan", "tiny-cgan"])
def test_every_model_interpolates_through_the_data(model: str, cache: Path) -> None:
    points = (Point(seed=1), Point(seed=20), Point(seed=3, latent=()))
    digest = catalog.find(model).digest
    request = RenderRequest(model=digest, op=Interpolate(points=points, frames=21, method="data"))
    result = render(request)
    plain = render(RenderRequest(model=digest, op=Interpolate(points=points, frames=21)))
    for frame in (0, 10, 20):  # the key points
        assert np.allclose(result.latents[frame], plain.latents[frame], atol=1e-6)
        assert np.array_equal(result.images[frame], plain.images[frame])
    assert result.values["step"].shape == (20,)
    files = {path: path.stat().st_mtime_ns for path in (cache / "graphs").iterdir()}
    assert files
    geodesics._graphs = Shared(4)  # as in a new process
    assert np.array_equal(render(request).latents, result.latents)
    assert {path: path.stat().st_mtime_ns for path in (cache / "graphs").iterdir()} == files


@pytest.mark.usefixtures("zoo", "cache", "few_nodes")
def test_the_first_path_tells_how_far_its_graph_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    plain = geodesics.build

    def slow(*arguments: object) -> Graph:
        time.sleep(0.4)
        return plain(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(geodesics, "build", slow)
    op = Interpolate(points=(Point(seed=1), Point(seed=2)), frames=5, method="data")
    parts = list(stream(RenderRequest(model=catalog.find("tiny-gan").digest, op=op)))
    waiting, last = parts[:-1], parts[-1]
    assert waiting
    assert all(part.done < 1 and not len(part.images) for part in waiting)
    assert (last.done, len(last.images)) == (1, 5)


def test_unknown_methods_are_refused_with_the_nearest_name() -> None:
    assert set(ROUTES) == {*PATHS, "data"}
    with pytest.raises(UserError, match="Did you mean 'data'"):
        ROUTES["dta"]
