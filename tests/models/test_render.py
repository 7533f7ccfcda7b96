"""Requests to results: what threads share stays as it is."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog, checkpoints, render as rendering
from models.core import LatentModel
from models.directions import Directions as DirectionSet
from models.errors import UserError
from models.render import CHUNK, RenderResult, decoder, render, stream
from models.requests import (
    Analogy,
    Decode,
    Directions,
    Nearest,
    Operation,
    Point,
    RenderRequest,
    Sample,
    Traverse,
)
from models.shared import Progress


@pytest.fixture
def digest(zoo: Path) -> str:
    return catalog.find("tiny-gan").digest


def test_a_stream_grows_and_its_last_result_is_that_of_render(digest: str) -> None:
    request = RenderRequest(model=digest, op=Sample(seed=3, count=CHUNK + 5))
    parts = list(stream(request))
    assert [len(part.images) for part in parts] == [CHUNK, CHUNK + 5]
    assert [part.done for part in parts] == [CHUNK / (CHUNK + 5), 1]
    assert np.array_equal(parts[-1].images, render(request).images)


def test_a_stream_ends_when_it_is_cancelled(digest: str) -> None:
    request = RenderRequest(model=digest, op=Sample(count=3 * CHUNK))
    assert [len(part.images) for part in stream(request, lambda: True)] == [CHUNK]


def test_a_suspended_stream_leaves_the_mode_of_its_thread_alone(digest: str) -> None:
    parts: Iterator[RenderResult] = stream(RenderRequest(model=digest, op=Sample(count=2 * CHUNK)))
    next(parts)
    assert not torch.is_inference_mode_enabled()


def test_writing_into_a_result_does_not_reach_other_sessions(digest: str) -> None:
    request = RenderRequest(model=digest, op=Directions(axes="sefa"))
    first = render(request).values["vectors"]
    before = first.copy()
    first[:] = 0
    assert np.array_equal(render(request).values["vectors"], before)


def test_threads_that_ask_at_once_load_a_model_once(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    plain, start = checkpoints.load, threading.Barrier(4)

    def load(where: object) -> object:
        loads.append(where)
        return plain(where)  # pyright: ignore[reportArgumentType]

    def ask(seed: int) -> bytes:
        start.wait(10)
        return render(RenderRequest(model=digest, op=Decode(points=(Point(seed=seed),)))).images.tobytes()

    monkeypatch.setattr(rendering, "_cache", rendering._Cache(2))
    monkeypatch.setattr(checkpoints, "load", load)
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(ask, (1, 2, 1, 2)))
    assert len(loads) == 1
    assert pictures[0] == pictures[2] != pictures[1] == pictures[3]


@pytest.mark.parametrize(
    "op",
    [
        Directions(axes="attributes"),
        Decode(points=(Point(), Point(axes="attributes", edits=((0, 1.0),)))),
        Nearest(of=Decode(points=(Point(axes="attributes"),))),
        Traverse(point=Point(axes="attributes"), directions=(0,)),
    ],
    ids=lambda op: op.op,
)
def test_directions_that_take_long_are_found_once_and_hold_nobody_up(
    digest: str, monkeypatch: pytest.MonkeyPatch, op: Operation
) -> None:
    runs, go = [], threading.Event()

    def find(model: LatentModel, *, progress: Progress, **options: object) -> DirectionSet:
        runs.append(model)
        progress(0.5)
        go.wait(10)
        return DirectionSet(torch.eye(12), torch.ones(12) / 12, "Slow ones")

    monkeypatch.setattr(rendering, "_cache", rendering._Cache(2))
    monkeypatch.setattr(rendering, "DIRECTIONS", {**rendering.DIRECTIONS, "attributes": find})
    waiting = [stream(RenderRequest(model=digest, op=op)) for _ in range(3)]
    for answer in waiting:
        while (first := next(answer)).done < 0.4:
            pass
        assert first.waiting and not len(first.images) and first.done < 0.5
    quick = render(RenderRequest(model=digest, op=Sample(count=2)))
    assert len(quick.images) == 2
    go.set()
    for answer in waiting:
        *_, last = answer
        assert last.done == 1 and not last.waiting
    assert len(runs) == 1


def _latents(digest: str, op: Analogy | Decode) -> np.ndarray:
    return render(RenderRequest(model=digest, op=op)).latents


def test_an_analogy_is_a_minus_b_plus_c(digest: str) -> None:
    points = Point(seed=1), Point(seed=2), Point(seed=3)
    a, b, c = _latents(digest, Decode(points=points))
    for strength in (0, 0.5, 1, 2):
        op = Analogy(a=points[0], b=points[1], c=points[2], strength=strength)
        assert _latents(digest, op)[0] == pytest.approx(a + strength * (c - b), abs=1e-5)


def test_an_analogy_on_the_great_circle_has_the_same_ends(digest: str) -> None:
    def arc(strength: float) -> np.ndarray:
        a, b, c = (Point(seed=seed) for seed in (1, 2, 3))
        return _latents(digest, Analogy(a=a, b=b, c=c, strength=strength, method="slerp"))[0]

    a, b, c = _latents(digest, Decode(points=(Point(seed=1), Point(seed=2), Point(seed=3))))
    assert arc(0) == pytest.approx(a, abs=1e-5)
    assert arc(1) == pytest.approx(a - b + c, abs=1e-4)
    chord = np.linalg.norm(a + 0.5 * (c - b))
    assert np.linalg.norm(arc(0.5)) > chord + 0.05


def test_an_analogy_of_a_conditional_model_keeps_the_class_of_a(zoo: Path) -> None:
    model = catalog.find("tiny-cgan").digest
    points = [Point(seed=s, label=label) for s, label in ((1, 4), (2, 5), (3, 6))]
    same = Analogy(a=points[0], b=points[1], c=points[1])
    pictures = [
        render(RenderRequest(model=model, op=op)).images for op in (same, Decode(points=(points[0],)))
    ]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1


def test_a_latent_of_another_length_is_refused(digest: str) -> None:
    with pytest.raises(UserError, match="has 3 coordinates, the model 12 dimensions"):
        render(RenderRequest(model=digest, op=Decode(points=(Point(latent=(1.0, 2.0, 3.0)),))))


def test_a_latent_is_truncated_and_edited_like_a_seed(digest: str) -> None:
    (z,) = _latents(digest, Decode(points=(Point(seed=4),)))
    pair = (
        Point(seed=4, truncation=0.5, axes="sefa", edits=((1, 2.0),)),
        Point(latent=tuple(map(float, z)), truncation=0.5, axes="sefa", edits=((1, 2.0),)),
    )
    first, second = _latents(digest, Decode(points=pair))
    assert first == pytest.approx(second, abs=1e-5)


def test_a_decoder_gives_the_pictures_of_render(zoo: Path) -> None:
    digest = catalog.find("tiny-cvae").digest
    points = tuple(Point(seed=seed, label=seed) for seed in range(4))
    expected = render(RenderRequest(model=digest, op=Decode(points=points)))
    found = decoder(digest)
    assert (found.latent_dim, found.classes, found.sample_shape) == (6, 10, (1, 16, 16))
    images = found(expected.latents, np.arange(4))
    assert images.dtype == np.uint8 and images.flags.c_contiguous
    assert np.array_equal(images, expected.images)


def test_decoders_of_one_model_are_equal_and_know_it_by_its_weights(zoo: Path, digest: str) -> None:
    other = catalog.find("tiny-vae").digest
    assert decoder(digest) == decoder(digest) != decoder(other)
    assert len({decoder(digest), decoder(digest), decoder(other)}) == 2


def test_what_cannot_decode_is_refused_and_leaves_nothing_behind(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "_cache", rendering._Cache(2))
    for number in range(20):
        with pytest.raises(UserError) as error:
            decoder(f"{number:064x}")
        assert error.value.code == "unknown-model"
    assert not rendering._cache._busy
    with pytest.raises(UserError) as error:
        decoder(catalog.find("tiny-classifier").digest)
    assert error.value.code == "cannot-decode"


def test_a_walk_shows_what_an_edit_leads_to(zoo) -> None:
    info = catalog.find("tiny-gan")
    point = Point(seed=4, axes="pca", edits=((0, 1.5), (2, -1.0)), keep=(0, 1, 2))
    walk = render(RenderRequest(model=info.digest, op=Traverse(point=point, directions=(1, 2), steps=3)))
    for row, index in enumerate((1, 2)):
        for column, value in enumerate((-3.0, 0.0, 3.0)):
            edits = tuple(sorted({**dict(point.edits), index: value}.items()))
            there = point.model_copy(update={"edits": edits})
            latents = render(RenderRequest(model=info.digest, op=Decode(points=(there,)))).latents
            assert walk.latents[3 * row + column] == pytest.approx(latents[0], abs=1e-5)
