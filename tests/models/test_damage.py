"""Models that are damaged on purpose: the metric that should catch it does, and the ranking is a person's."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.classifier import Classifier, heads_of
from models.config import ClassifierConfig, GanConfig
from models.core import LatentModel
from models.datasets import ImageData, load
from models.metrics.repeats import Report, report


class Canned(LatentModel):
    """Makes pictures that are kept: which one, the first coordinate of the latent says."""

    def __init__(self, x: Tensor, damage: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__(
            GanConfig.model_validate({"family": "gan", "size": 16, "channels": 1, "latent_dim": 4})
        )
        self.x, self.damage = x, damage

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        share = torch.special.ndtr(z[:, 0]).clamp(0, 1 - 1e-6)
        return self.damage(self.x[(share * len(self.x)).long()]).clamp(-1, 1)

    def first_layer(self) -> Tensor:
        return torch.eye(4)

    def hidden(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z


@cache
def parts() -> tuple[ImageData, ImageData, ImageData]:
    """Return digits to train with, held-out ones, and ones that a perfect model makes."""
    train, test = load("digits", "train"), load("digits", "test")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return train.take(order[:700]), test, train.take(order[700:])


@cache
def judge() -> Classifier:
    """Return a classifier of random features, its head fitted in closed form: right for nine of ten digits."""
    train, _, _ = parts()
    torch.manual_seed(0)
    config = {"size": 16, "channels": 1, "width": 8, "feature_dim": 128, "heads": heads_of(train.info)}
    model = Classifier(ClassifierConfig.model_validate(config)).eval().requires_grad_(False)
    x, labels = train.floats(slice(None)), train.labels_at(slice(None))
    model.norm.running_mean = (raw := model.trunk(x)).mean(0)
    model.norm.running_var = raw.var(0)
    features = torch.cat([model.features(x), torch.ones(len(x), 1)], 1)
    gram = features.T @ features + torch.eye(129)
    weights = torch.linalg.solve(gram, features.T @ (2 * F.one_hot(labels, 10).float() - 1))
    model.out.weight.copy_(10 * weights[:-1].T)
    model.out.bias.copy_(10 * weights[-1])
    return model


def blur(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def noise(x: Tensor) -> Tensor:
    return x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def model(kind: str) -> Canned:
    train, _, made = parts()
    x = made.floats(slice(None))
    if kind == "collapsed":
        return Canned(x[made.labels_at(slice(None)) == 3])
    if kind == "memorised":
        return Canned(train.floats(slice(None)))
    return Canned(x, {"blurred": blur, "noisy": noise}.get(kind, lambda x: x))


@cache
def measured(kind: str) -> Report:
    train, test, _ = parts()
    names = ["fd", "kd", "prdc", "sharpness", "diversity", "memorisation", "classes"]
    return report(model(kind), test, metrics=names, n=300, classifier=judge(), network="own", train=train)


DAMAGES = ("blurred", "noisy", "collapsed", "memorised")


def test_the_classifier_of_this_test_is_fit_to_judge() -> None:
    _, test, _ = parts()
    predicted = judge().classify(test.floats(slice(None)))["label"].argmax(1)
    assert float((predicted == test.labels_at(slice(None))).float().mean()) > 0.85


def test_a_perfect_model_is_as_good_as_real_images() -> None:
    found = measured("perfect")
    for key in ("precision", "recall", "coverage", "sharpness_ratio", "high_frequency_ratio"):
        assert found.values[key] == pytest.approx(found.floors[key], abs=0.1), key
    assert found.values["fd_own"] < 2 * found.floors["fd_own"]
    assert found.values["nearest_ratio"] == pytest.approx(found.values["nearest_ratio_real"], abs=0.08)
    assert found.values["classes_covered"] == 10


def test_blur_is_caught_by_sharpness_and_by_the_spectrum() -> None:
    found = measured("blurred").values
    assert found["sharpness_ratio"] < 0.5 and found["sharpness_ratio_q90"] < 0.6
    assert found["high_frequency_ratio"] < 0.5
    assert found["classes_covered"] == 10


def test_noise_is_caught_by_sharpness_above_one_and_by_precision() -> None:
    found, perfect = measured("noisy").values, measured("perfect").values
    assert found["sharpness_ratio"] > 1.5 and found["high_frequency_ratio"] > 1.5
    assert found["precision"] < perfect["precision"] - 0.2
    assert found["density"] < 0.7 * perfect["density"]


def test_collapse_is_caught_by_recall_coverage_and_classes_but_not_by_precision() -> None:
    found, perfect = measured("collapsed").values, measured("perfect").values
    assert found["recall"] < 0.5 * perfect["recall"] and found["coverage"] < 0.5 * perfect["coverage"]
    assert found["classes_covered"] <= 6 and found["pairwise_distance_ratio"] < 0.9
    assert found["precision"] > perfect["precision"] - 0.1
    assert found["sharpness_ratio"] == pytest.approx(1, abs=0.2)


def test_learning_by_heart_is_caught_by_its_neighbours_and_by_nothing_else() -> None:
    found, perfect = measured("memorised"), measured("perfect").values
    assert found.values["nearest_ratio"] < 0.01 and found.values["copies_share"] == 1
    assert perfect["nearest_ratio"] > 0.8 and perfect["copies_share"] < 0.05
    assert found.values["precision"] > 0.8 and found.values["recall"] > 0.85
    assert found.values["fd_own"] < 2 * found.floors["fd_own"]
    train, _, _ = parts()
    shown, index = found.series["nearest_train_distance"], found.series["nearest_train"]
    assert float(shown.max()) < 1e-3 and int(index.max()) < len(train)


@pytest.mark.parametrize("kind", ["blurred", "noisy", "collapsed"])
@pytest.mark.parametrize("key", ["fd_own", "kd_own"])
def test_distances_of_distributions_rank_what_can_be_seen_to_be_worse_below(kind: str, key: str) -> None:
    assert measured(kind).values[key] > 2 * abs(measured("perfect").values[key])
