"""A data set that is drawn for the first time: its images are there when they are asked for, and a training begins."""

import dataclasses
import importlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from models import checkpoints
from models.config import Budget
from models.datasets import DATASETS, ImageData, begin, drawn, load, sprites
from models.datasets.drawn import DrawnData
from models.training import session
from models.training.loop import Trainer
from models.training.recipe import Batch

COUNT = 300


class Press:
    """What draws, counted; the thread that draws on by itself waits until it is let go."""

    def __init__(self) -> None:
        self.drawn = 0
        self.go_on = threading.Event()

    def compose(self, factors: np.ndarray) -> np.ndarray:
        """Draw pictures."""
        self.drawn += len(factors)
        return sprites.compose(factors)


@pytest.fixture
def press(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    del cache
    found = Press()
    small = dataclasses.replace(DATASETS["sprites"], train=COUNT, test=20)
    monkeypatch.setitem(DATASETS._entries, "sprites", small)
    monkeypatch.setattr(sprites.draw, "compose", found.compose)
    go_on = drawn._Pictures._go_on

    def wait(pictures: drawn._Pictures) -> None:
        while not (found.go_on.is_set() or pictures._end.is_set() or pictures._there.all()):
            time.sleep(0.005)
        go_on(pictures)

    monkeypatch.setattr(drawn._Pictures, "_go_on", wait)
    yield found
    found.go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("drawing-"):
            thread.join()


def files(cache: Path) -> list[Path]:
    return list(cache.rglob("sprites/train-*.npz"))


def test_what_is_asked_for_is_drawn_and_no_more(press: Press) -> None:
    data = begin("sprites")
    assert isinstance(data, DrawnData) and len(data) == COUNT and press.drawn == 0
    train, held = data.split(0.1)
    assert (len(train), len(held), press.drawn) == (270, 30, 0)
    x = train.floats(torch.tensor([5, 200, 5]))
    assert press.drawn in (2, 3)
    train.floats(torch.tensor([200]))
    assert press.drawn in (2, 3), "nothing is drawn twice"
    held.take(torch.arange(4)).floats(slice(1, 3))
    assert press.drawn <= 5

    whole = load("sprites")
    expected_train, expected_held = whole.split(0.1)
    torch.testing.assert_close(x, expected_train.floats(torch.tensor([5, 200, 5])))
    assert torch.equal(held.images, expected_held.images) and torch.equal(data.images, whole.images)
    assert held.factors is not None and expected_held.factors is not None
    assert torch.equal(held.factors, expected_held.factors)
    assert train.to(torch.device("cpu")) is train


def test_the_rest_is_drawn_meanwhile_and_kept(press: Press, cache: Path) -> None:
    data = begin("sprites")
    data.fetch(slice(0, 3))
    assert not files(cache)
    press.go_on.set()
    end = time.monotonic() + 60
    while not files(cache):
        assert time.monotonic() < end
        time.sleep(0.01)
    again = begin("sprites")
    assert type(again) is ImageData and torch.equal(again.images, data.images)
    assert press.drawn == COUNT


def test_a_training_begins_at_once_and_comes_to_the_same(
    press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = session.configure(
        "sprites",
        "gan",
        budget=Budget(steps=4),
        options={"width": "4", "batch_size": "8", "latent_dim": "6", "detail": "4"},
        where="cpu",
    )
    batch = Trainer.batch
    at_first = COUNT

    def watched(trainer: Trainer) -> Batch:
        nonlocal at_first
        before = press.drawn
        at_first = min(at_first, before)
        found = batch(trainer)
        assert press.drawn == before, "drawing is no part of the budget"
        return found

    monkeypatch.setattr(Trainer, "batch", watched)
    outcomes = [session.train(session.new_run(config, tmp_path / "first"))]
    assert at_first < COUNT, "it did not wait for all of them"
    outcomes.append(session.train(session.new_run(config, tmp_path / "second"), data=load("sprites").split()))
    one, two = (checkpoints.load(outcome.checkpoint).state_dict() for outcome in outcomes)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_training_that_is_stopped_does_not_draw_the_rest(press: Press, cache: Path, tmp_path: Path) -> None:
    options = {"width": "4", "batch_size": "8", "latent_dim": "6", "detail": "4"}
    config = session.configure("sprites", "gan", budget=Budget(steps=9), options=options, where="cpu")
    asked = iter([False, False, True])
    outcome = session.train(session.new_run(config, tmp_path / "run"), stop=lambda: next(asked))
    assert outcome.steps == 2 and press.drawn < COUNT and not files(cache)


@pytest.mark.parametrize("family", ["vae", "ae"])
def test_a_training_that_ends_leaves_all_of_them_for_the_next(
    press: Press, cache: Path, tmp_path: Path, family: str
) -> None:
    options = {"width": "4", "batch_size": "8", "latent_dim": "6", "detail": "4"}
    config = session.configure(
        "sprites", family, budget=Budget(steps=2), options=options, where="cpu", name="mine"
    )
    outcome = session.train(session.new_run(config, tmp_path / "run"))
    assert outcome.steps == 2 and checkpoints.load(outcome.checkpoint)
    assert press.drawn >= COUNT and len(files(cache)) == 1
    assert type(begin("sprites")) is ImageData


def test_all_of_them_go_to_another_device(press: Press) -> None:
    data = begin("sprites")
    there = data.take(torch.arange(10)).to(torch.device("meta"))
    assert type(there) is ImageData and there.images.shape == (10, 1, 64, 64) and there.factors is not None
    assert press.drawn == 10


def test_every_data_set_that_is_drawn_is_known_by_the_code_that_draws_it() -> None:
    named = {name: info for name, info in DATASETS.items() if info.draw}
    assert named.keys() == drawn._CODE.keys()
    for name, info in named.items():
        module = Path(str(importlib.import_module(info.draw.partition(":")[0]).__file__))
        assert any(module.match(pattern) for pattern in drawn._CODE[name])
