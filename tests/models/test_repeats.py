"""Intervals, floors and curves: what is told of a figure besides its value."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from models.classifier import Classifier, heads_of
from models.config import AutoencoderConfig, ClassifierConfig, GanConfig
from models.core import ImageModel, to_pixels
from models.datasets import DATASETS, ImageData
from models.errors import UserError
from models.gan import Gan
from models.metrics import METRICS, memorisation
from models.metrics.evaluation import evaluate, prepare
from models.metrics.intervals import Interval, over_images, over_seeds, paired, welch, wilson
from models.metrics.repeats import report
from models.vae import Autoencoder

FIXED = {"size": 16, "channels": 1, "width": 4}


def images(count: int, seed: int) -> ImageData:
    x = torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)
    return ImageData(DATASETS["digits"], to_pixels(x), torch.arange(count) % 10)


TEST, TRAIN = images(60, 0), images(90, 1)


def ready(model: ImageModel) -> ImageModel:
    return model.eval().requires_grad_(False)


def gan() -> ImageModel:
    torch.manual_seed(0)
    return ready(Gan(GanConfig.model_validate(FIXED | {"family": "gan", "latent_dim": 8})))


def vae() -> ImageModel:
    torch.manual_seed(0)
    return ready(Autoencoder(AutoencoderConfig.model_validate(FIXED | {"family": "vae", "latent_dim": 8})))


def classifier() -> Classifier:
    torch.manual_seed(0)
    model = Classifier(
        ClassifierConfig.model_validate(FIXED | {"feature_dim": 8, "heads": heads_of(TEST.info)})
    )
    ready(model)
    return model


# Intervals ------------------------------------------------------------------------------------------------------------


def test_the_interval_over_seeds_is_students() -> None:
    found = over_seeds([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764451 * math.sqrt(2.5 / 5)  # t(0.975; 4), from tables
    assert (found.mean, found.over, found.count) == (3, "seeds", 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))
    assert over_seeds([2.0, 2.0]) == Interval(2, 2, 2, "seeds", 2)


def test_students_interval_holds_the_mean_as_often_as_it_says() -> None:
    draws = torch.randn(600, 5, generator=torch.Generator().manual_seed(0)).tolist()
    held = [found.low < 0 < found.high for found in map(over_seeds, draws)]
    assert sum(held) / len(held) == pytest.approx(0.95, abs=0.02)


def test_the_interval_over_images_is_that_of_a_mean() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(0)) * 3 + 7
    found = over_images(values)
    assert found.mean == pytest.approx(float(values.mean()), rel=1e-6)
    half = 1.96 * float(values.std()) / 20
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)
    assert (found.over, found.count) == ("images", 400)
    assert over_images(values) == found and over_images(values, seed=1) != found


def test_the_difference_of_two_models_is_welchs() -> None:
    from scipy import stats

    values = [10.0, 11, 12, 13, 14], [1.0, 1.5, 2, 2.5]
    one, other = map(over_seeds, values)
    found = welch(one, other)
    expected = stats.ttest_ind(*values, equal_var=False).confidence_interval()
    assert found.mean == pytest.approx(12 - 1.75)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    same = welch(one, one)
    assert same.low < 0 < same.high


def test_the_difference_of_two_means_over_other_images_is_welchs_too() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    values = rng.normal(20, 3, 800), rng.normal(21, 2, 900)
    found = welch(over_images(values[0]), over_images(values[1]))
    expected = stats.ttest_ind(*values, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert (found.over, found.count) == ("images", 800)


def test_figures_of_the_same_images_are_compared_image_by_image() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    hardness = rng.normal(20, 3, 64)  # the same for both, and far more than what sets them apart
    one, other = hardness + rng.normal(0.3, 0.2, 64), hardness + rng.normal(0, 0.2, 64)
    found = paired(one, other)
    expected = stats.ttest_rel(one, other).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.over, found.count) == ("images", 64)
    apart = welch(over_images(one), over_images(other))
    assert found.low > 0 > apart.low, "as if the images were others, nothing is shown"


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_share_is_that_of_the_literature(
    hits: int, count: int, low: float, high: float
) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_a_share_stays_in_bounds() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(7, 7)[1] == 1.0 and wilson(7, 7)[0] < 1.0
    assert wilson(0, 7)[0] == pytest.approx(0.0, abs=1e-12) and wilson(0, 7) == pytest.approx(
        [1 - x for x in reversed(wilson(7, 7))]
    )
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


@pytest.mark.parametrize(
    "call", [lambda: over_seeds([1.0]), lambda: over_images([1.0]), lambda: paired(np.ones(1), np.ones(1))]
)
def test_one_value_has_no_interval(call) -> None:
    with pytest.raises(UserError, match="One value has no interval"):
        call()


# Reports --------------------------------------------------------------------------------------------------------------


def test_seeds_repeat_what_depends_on_samples_and_nothing_else() -> None:
    told: list[tuple[str, int, int]] = []
    names = ["sharpness", "reconstruction"]
    found = report(vae(), TEST, metrics=names, n=40, seeds=3, progress=lambda *a: told.append(a))
    assert [name for name, _, _ in told] == ["sharpness", "reconstruction", "sharpness", "sharpness", ""]
    assert told[-1] == ("", 4, 4) and found.seeds == (0, 1, 2)
    ratios = [evaluate_with(seed)["sharpness_ratio"] for seed in range(3)]
    assert found.values["sharpness_ratio"] == pytest.approx(sum(ratios) / 3)
    assert found.intervals["sharpness_ratio"] == over_seeds(ratios)
    assert found.intervals["sharpness_real"].over == "images"  # the same real images for all seeds
    assert found.intervals["psnr_db"].over == "images" and found.intervals["psnr_db"].count == 40
    assert "reconstruction_sharpness_ratio" not in found.intervals  # no mean over images
    assert found.floors == {}


def test_what_no_sample_changes_is_found_once_for_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []

    def counted(images: Tensor, train: Tensor, test: Tensor) -> memorisation.Nearest:
        asked.append(images)
        return nearest(images, train, test)

    nearest = memorisation.nearest
    monkeypatch.setattr(memorisation, "nearest", counted)
    found = report(gan(), TEST, metrics=["memorisation"], n=40, train=TRAIN, seeds=3)
    assert len(asked) == 3 + 1  # samples of each seed, and held-out images
    assert all(not torch.equal(asked[0], other) for other in asked[1:])
    assert found.intervals["nearest_ratio"].count == 3 and "nearest_ratio_real" not in found.intervals


def evaluate_with(seed: int) -> dict[str, float]:
    """Measure samples of another seed against the real images of seed 0."""
    from models.metrics.evaluation import measured

    context = prepare(vae(), TEST, n=40)
    return dict(measured(context.again(seed), "sharpness"))


def test_the_first_seed_of_a_report_is_what_evaluate_measures() -> None:
    found = report(gan(), TEST, n=40, classifier=classifier(), train=TRAIN)
    assert found.values == evaluate(gan(), TEST, n=40, classifier=classifier(), train=TRAIN)


def test_floors_are_the_figures_of_training_images() -> None:
    found = report(gan(), TEST, n=60, classifier=classifier(), network="net", train=TRAIN)
    sampled = {name for name, metric in METRICS.items() if metric.of == "samples"}
    assert {"fd_net", "kd_net", "precision", "sharpness_ratio", "classes_covered"} <= set(found.floors)
    assert not {"psnr_db", "sharpness_real", "nearest_ratio"} & set(found.floors)
    assert {"fd", "sharpness"} <= sampled
    # Training images are drawn as held-out ones are here, and the samples of an untrained model are not.
    assert found.floors["sharpness_ratio"] == pytest.approx(1, abs=0.05)
    assert found.floors["fd_net"] < found.values["fd_net"]
    assert found.floors["coverage"] > found.values["coverage"]


def test_curves_come_with_their_axes_and_values_of_images_with_their_mean() -> None:
    found = report(vae(), TEST, metrics=["sharpness", "reconstruction"], n=50)
    assert found.series["spectrum"].shape == found.series["spectrum_frequency"].shape == (9,)
    assert float(found.series["psnr_db"].mean()) == pytest.approx(found.values["psnr_db"])
    assert len(found.series["sharpness"]) == 50
    ratio = found.series["sharpness"].mean() / found.series["sharpness_real"].mean()
    assert float(ratio) == pytest.approx(found.values["sharpness_ratio"])


def test_every_curve_is_documented() -> None:
    elsewhere = ("inversion", "factors")  # it takes long; digits have none
    names = [name for name, metric in METRICS.items() if metric.trace and name not in elsewhere]
    found = report(vae(), TEST, metrics=names, n=20, classifier=classifier(), train=TRAIN)
    documented = {key for name in names for key in METRICS[name].series}
    assert {key.replace("ppl_classifier", "ppl_<name>") for key in found.series} == documented
    assert all(
        isinstance(curve, Tensor) and bool(torch.isfinite(curve).all()) for curve in found.series.values()
    )


def test_no_seed_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="no seed"):
        report(gan(), TEST, seeds=0)
