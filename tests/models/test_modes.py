"""Which modes samples reach, and how far latents keep known factors apart: known values on constructed samples."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier, heads_of
from models.config import ClassifierConfig, GanConfig
from models.core import LatentModel, Posterior
from models.datasets import DATASETS, ImageData, drawn_on, load
from models.datasets.factors import Factor
from models.errors import UserError
from models.metrics.disentanglement import binned, mutual_information, mutual_information_gaps
from models.metrics.evaluation import evaluate
from models.metrics.modes import combination, mode_statistics

FACTORS = (
    Factor("kind", "categorical", ("a", "b", "c")),
    Factor("where", "continuous", low=-1.0),
    Factor("still", "continuous"),
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Copy(LatentModel):
    """Makes of a latent what a function says, and encodes an image by its first pixels."""

    def __init__(self, shape: tuple[int, ...], make: Any) -> None:
        fields = {"size": 0, "channels": 2, "network": "mlp"} if len(shape) == 1 else {}
        fields = fields or {"size": shape[-1], "channels": shape[0]}
        super().__init__(GanConfig.model_validate({**fields, "latent_dim": 2}))
        self.make = make
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.make(z)

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Posterior:
        code = x[:, 0, 0, :4]
        return Posterior(code, torch.zeros_like(code))

    def first_layer(self) -> Tensor:
        return torch.eye(2)

    def hidden(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z


# Modes -----------------------------------------------------------------------------------------------------


def test_combinations_are_numbered_like_digits() -> None:
    columns = torch.tensor([[0, 0, 0], [0, 1, 2], [9, 9, 9]])
    assert combination(columns, [10, 10, 10]).tolist() == [0, 12, 999]
    assert combination(columns[:2, :2], [2, 3]).tolist() == [0, 1]


def test_modes_are_counted_and_compared_with_how_often_they_should_be() -> None:
    covered, divergence = mode_statistics(torch.tensor([0, 0, 1, 1]), torch.ones(4))
    assert covered == 2 and divergence == pytest.approx(math.log(2))
    assert mode_statistics(torch.arange(8) % 4, torch.ones(4)) == (4, pytest.approx(0))
    skewed = mode_statistics(torch.tensor([0, 0, 0, 1]), torch.tensor([3.0, 1.0]))
    assert skewed == (2, pytest.approx(0))
    assert mode_statistics(torch.tensor([1]), torch.tensor([1.0, 0.0]))[1] == math.inf


def test_a_model_of_one_mode_and_one_of_all() -> None:
    data = load("toy:ring8", "test")
    assert data.info.points
    centres = torch.tensor(data.info.points.modes) / data.info.points.scale
    noise = 0.5 * data.info.points.sigma / data.info.points.scale
    one = evaluate(Copy((2,), lambda z: centres[:1] + noise * z), data, metrics=["modes"], n=2500)
    assert one["modes_covered"] == 1 and one["modes"] == 8 and one["high_quality_share"] == 1
    every = Copy(
        (2,), lambda z: centres[(8 * torch.special.ndtr(z[:, 0])).long().clamp(0, 7)] + noise * z[:, 1:]
    )
    found = evaluate(every, data, metrics=["modes"], n=2500)
    assert found["modes_covered"] == 8
    assert abs(found["energy_distance"]) < 0.02 < one["energy_distance"]


def test_of_a_curve_the_distance_is_measured() -> None:
    found = evaluate(Copy((2,), lambda z: z.clamp(-1, 1)), load("toy:line", "test"), metrics=["modes"], n=500)
    assert set(found) == {"energy_distance"} and found["energy_distance"] > 0.05


class Oracle(Classifier):
    """Sees in each colour the digit that its first pixel says."""

    def features(self, x: Tensor) -> Tensor:
        return x[:, :, 0, 0]

    def verdicts(self, features: Tensor) -> dict[str, Tensor]:
        digits = ((features + 1) * 127.5).round().long()
        return {
            head.name: torch.nn.functional.one_hot(digit, 10).float()
            for head, digit in zip(self.heads, digits.unbind(1), strict=True)
        }


def stacked(count: int = 20) -> ImageData:
    info = dataclasses.replace(DATASETS["stacked_mnist"], size=16)
    factors = (10 * uniform(count, 3)).floor()
    return ImageData(info, torch.zeros(count, 3, 16, 16, dtype=torch.uint8), None, factors)


def oracle() -> Oracle:
    fields = {"size": 16, "channels": 3, "width": 4, "heads": heads_of(DATASETS["stacked_mnist"])}
    return Oracle(ClassifierConfig.model_validate(fields)).eval().requires_grad_(False)


def test_modes_of_stacked_digits_are_what_a_classifier_sees() -> None:
    def make(z: Tensor) -> Tensor:
        digits = (
            (5 * torch.special.ndtr(torch.cat([z, z[:, :1]], 1))).long().clamp(0, 4)
        )  # red as blue, none above 4
        return (digits / 127.5 - 1)[:, :, None, None].expand(-1, -1, 16, 16)

    found = evaluate(Copy((3, 16, 16), make), stacked(), metrics=["modes"], n=4000, classifier=oracle())
    assert found["modes_covered"] == 25 and found["modes"] == 1000
    assert found["modes_kl_nats"] == pytest.approx(math.log(1000 / 25), abs=0.02)


def test_modes_need_a_judge_or_points() -> None:
    blank = Copy((3, 16, 16), lambda z: torch.zeros(len(z), 3, 16, 16))
    with pytest.raises(UserError, match="needs a data set whose modes are known"):
        evaluate(blank, stacked(), metrics=["modes"], n=10)
    grey = Copy((1, 16, 16), lambda z: torch.zeros(len(z), 1, 16, 16))
    with pytest.raises(UserError, match="needs a data set whose modes are known"):
        evaluate(grey, load("digits", "test"), metrics=["modes"], n=10)


# Disentanglement -------------------------------------------------------------------------------------------


def test_bins_are_of_equal_width() -> None:
    assert binned(torch.tensor([0.0, 0.49, 0.5, 1.0]), 2).tolist() == [0, 0, 1, 1]
    assert binned(torch.full((3,), 7.0)).tolist() == [0, 0, 0]


def test_mutual_information_of_equal_and_of_independent_variables() -> None:
    x = torch.arange(8) % 4
    assert mutual_information(x, x) == pytest.approx(math.log(4))
    assert mutual_information(x, torch.arange(8) // 4) == pytest.approx(0)
    assert mutual_information(x, x // 2) == pytest.approx(math.log(2))


def test_the_gap_is_one_where_each_factor_has_its_dimension() -> None:
    kinds = (torch.arange(6000) % 3).float()
    where = uniform(6000) * 2 - 1
    factors = torch.stack([kinds, where, torch.full((6000,), 0.5)], 1)
    noise = normal(6000, 2, seed=1)
    apart = mutual_information_gaps(torch.stack([kinds, -where, *noise.unbind(1)], 1), factors, FACTORS)
    assert apart == {"kind": pytest.approx(1, abs=0.01), "where": pytest.approx(1, abs=0.03)}
    twice = mutual_information_gaps(torch.stack([kinds, kinds, where, where], 1), factors, FACTORS)
    assert list(twice.values()) == [0, 0], "said twice, it is nobody's own"
    one = mutual_information_gaps(kinds[:, None], factors, FACTORS)
    assert one["kind"] == pytest.approx(1) and one["where"] < 0.03


def test_a_symmetric_shape_bounds_the_gap_of_its_orientation() -> None:
    turn = uniform(10_000) * 2 * math.pi
    factor = (Factor("orientation", "continuous", high=2 * math.pi),)
    seen = turn % (math.pi / 2)  # all that shows in a square
    bound = 1 - math.log(4) / math.log(20)
    gaps = mutual_information_gaps(torch.stack([seen, normal(10_000, seed=1)], 1), turn[:, None], factor)
    assert gaps["orientation"] == pytest.approx(bound, abs=0.03)
    fine = mutual_information_gaps(torch.stack([turn, normal(10_000, seed=1)], 1), turn[:, None], factor)
    assert fine["orientation"] > 0.95


@pytest.mark.parametrize(("n", "images"), [(30, 30), (150, 150), (100_000, 300)])
def test_images_are_drawn_on_where_there_are_too_few(
    n: int, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.datasets.sprites import FACTORS as known, draw

    monkeypatch.setattr("models.metrics.disentanglement.MIG_IMAGES", 300)
    drawn, factors = draw(60, seed=1)
    data = ImageData(dataclasses.replace(DATASETS["sprites"], test=60), drawn, None, factors)
    seen: list[Tensor] = []
    model = Copy((1, 64, 64), lambda z: torch.zeros(len(z), 1, 64, 64))
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda x, labels=None: (seen.append(x), encode(x, labels))[1])
    found = evaluate(model, data, metrics=["mig"], n=n)
    assert set(found) == {"mig", *(f"mig_{factor.name}" for factor in known)}
    assert sum(map(len, seen)) == images and found["mig"] == 0, "black corners tell nothing"


def test_images_that_are_drawn_on_are_the_next_of_the_test_images() -> None:
    from models.datasets.sprites import draw

    drawn, factors = draw(10, seed=1)
    data = ImageData(dataclasses.replace(DATASETS["sprites"], test=6), drawn[:6], None, factors[:6])
    more = drawn_on(data, 4)
    assert torch.equal(more.images, drawn) and more.factors is not None and torch.equal(more.factors, factors)
    digits = load("digits", "test")
    assert drawn_on(digits, 5) is digits


def test_the_gap_needs_known_factors_and_an_encoder() -> None:
    grey = Copy((1, 16, 16), lambda z: torch.zeros(len(z), 1, 16, 16))
    with pytest.raises(UserError, match="needs a data set with known attributes"):
        evaluate(grey, load("digits", "test"), metrics=["mig"], n=10)
