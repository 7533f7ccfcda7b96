"""One contract for every entry of every table of options: it trains, stays finite, saves and loads."""

import math
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import torch

from models import checkpoints
from models.choices import OPTIONS
from models.config import Budget
from models.datasets import ImageData, load
from models.families import FAMILIES, options
from models.training import session
from models.training.runs import Run

TINY = {"width": 4, "batch_size": 16, "latent_dim": 4, "feature_dim": 8, "prior_steps": 5}
CASES = [
    (option, name, family)
    for option, table in OPTIONS.items()
    for name in table
    for family in FAMILIES
    if option in options(family)
]
# Options with a few fixed values are tables as well, only shorter.
CASES += [
    (option, str(value), family)
    for family in FAMILIES
    for option, info in options(family).items()
    for value in ((False, True) if info.annotation is bool else get_args(info.annotation))
    if info.annotation is bool or get_origin(info.annotation) is Literal
]


@pytest.fixture(scope="module")
def digits() -> tuple[ImageData, ImageData]:
    train, test = load("digits", "train"), load("digits", "test")
    return (
        ImageData(train.info, train.images[:200], None if train.labels is None else train.labels[:200]),
        ImageData(test.info, test.images[:50], None if test.labels is None else test.labels[:50]),
    )


@pytest.mark.parametrize(("option", "name", "family"), CASES)
def test_every_choice_trains_saves_and_loads(
    option: str, name: str, family: str, tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    tiny = {key: value for key, value in TINY.items() if key in options(family)}
    config = session.configure(
        "digits", family, budget=Budget(steps=2), options={**tiny, option: name}, where="cpu"
    )
    run = session.new_run(config, tmp_path / "run")
    outcome = session.train(run, data=digits)
    assert outcome.steps == 2
    losses = [v for event in run.events() for k, v in event.items() if k in ("loss", "discriminator_loss")]
    assert losses and all(math.isfinite(value) for value in [*losses, *outcome.metrics.values()])
    given = {**config.model, **config.training}[option]
    assert str(given) == name or given in ([name], [])
    loaded = checkpoints.load(outcome.checkpoint)
    assert all(torch.isfinite(v).all() for v in loaded.state_dict().values() if v.is_floating_point())
    # A run goes on from its state: what the choice added to the optimisers or the networks is in there.
    again = session.train(Run(tmp_path / "run"), budget=Budget(steps=3), data=digits)
    assert again.steps == 3


def test_every_option_that_is_a_name_belongs_to_a_family() -> None:
    assert {option for option, _, _ in CASES} >= {*OPTIONS, "packing", "spectral_norm", "network"}
    assert all(len(table) > 1 for table in OPTIONS.values())
