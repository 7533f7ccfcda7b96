"""Metrics: known values on constructed images, and the evaluation of small untrained models."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models import catalog
from models.classifier import Classifier, heads_of
from models.config import AutoencoderConfig, ClassifierConfig, GanConfig
from models.core import Posterior, to_pixels
from models.datasets import DATASETS, DatasetInfo, ImageData
from models.datasets.factors import Factor
from models.errors import UserError
from models.gan import Gan
from models.metrics import (
    METRICS,
    NEEDS,
    count_of,
    coverage,
    diversity,
    of_key,
    sharpness as sharpness_module,
)
from models.metrics.context import CHUNK, Context
from models.metrics.evaluation import evaluate
from models.metrics.latent import active_units, kl_per_dimension
from models.metrics.sharpness import sharpness
from models.vae import Autoencoder

CPU = torch.device("cpu")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def digits(count: int = 60) -> ImageData:
    """Return smooth noise in the format of the digits, with labels in order."""
    x = F.avg_pool2d(normal(count, 1, 18, 18), 3, stride=1).clamp(-1, 1)
    return ImageData(DATASETS["digits"], to_pixels(x), torch.arange(count) % 10)


def faces(count: int = 60) -> ImageData:
    """Return images with factors: a categorical one with a rare value, and a continuous one."""
    info = DatasetInfo(
        "faces", "Faces", 1, 16, count, count, "", "MIT", "",
        factors=(
            Factor("hat", "categorical", ("none", "cap", "crown")),
            Factor("smile", "continuous", low=-1.0),
        ),
    )  # fmt: skip
    hats = torch.arange(count) % 2
    hats[0] = 2  # one crown in sixty: too rare to ask for
    return ImageData(info, digits(count).images, None, torch.stack([hats.float(), normal(count).tanh()], 1))


def build(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    fixed = {"size": 16, "channels": 1, "width": 4}
    if kind == "classifier":
        data: ImageData = options.pop("data", digits())
        model = Classifier(ClassifierConfig.model_validate(fixed | {"heads": heads_of(data.info)} | options))
    elif "gan" in kind:
        options = {"family": kind, "latent_dim": 8, "classes": 10 if kind == "cgan" else 0} | options
        model = Gan(GanConfig.model_validate(fixed | options))
    else:
        options = {"family": kind, "latent_dim": 8, "classes": 10 if kind == "cvae" else 0} | options
        model = Autoencoder(AutoencoderConfig.model_validate(fixed | options))
    return model.eval().requires_grad_(False)


def context(model: Any, data: ImageData, *, n: int = 40, judge: Classifier | None = None) -> Context:
    return Context(model, data, n, CPU, judge)


# Sharpness -------------------------------------------------------------------------------------------------


def test_constant_images_and_ramps_have_no_sharpness() -> None:
    ramp = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
    assert float(sharpness(torch.full((1, 3, 16, 16), 0.3))) == pytest.approx(0, abs=1e-10)
    assert float(sharpness(ramp)) == pytest.approx(0, abs=1e-10)


def test_blur_lowers_sharpness() -> None:
    x = normal(4, 3, 32, 32)
    assert (sharpness(F.avg_pool2d(x, 3, stride=1)) < 0.2 * sharpness(x)).all()


@pytest.mark.parametrize(("channels", "gain"), [(1, 20), (3, 20 / 3)])
def test_noise_adds_the_squared_kernel_times_its_variance(channels: int, gain: float) -> None:
    smooth = torch.linspace(-1, 1, 256).expand(8, channels, 256, 256)
    noisy = smooth + 0.1 * normal(8, channels, 256, 256)
    assert float(sharpness(noisy).mean()) == pytest.approx(gain * 0.01, rel=0.02)


def test_the_checkerboard_is_the_sharpest_pattern() -> None:
    line = torch.arange(17)
    board = (1 - 2 * ((line[:, None] + line) % 2)).float()[None, None]
    assert float(sharpness(board)) == pytest.approx(64, rel=0.01)  # the Laplacian is -8 and 8


# Latent ----------------------------------------------------------------------------------------------------


def test_active_units_are_those_whose_mean_varies() -> None:
    means = normal(4000, 4) * torch.tensor([1.0, 0.2, 0.05, 0.0])
    assert active_units(means) == 2  # variances 1, 0.04, 0.0025, 0
    assert active_units(means, threshold=0.001) == 3


def test_kl_per_dimension_is_that_of_the_closed_form() -> None:
    mean = torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    per_dimension = kl_per_dimension(Posterior(mean, torch.zeros(2, 2)))
    assert torch.allclose(per_dimension, torch.tensor([0.0, 2.5]))


# Diversity and coverage ------------------------------------------------------------------------------------


def test_the_pairwise_distance_is_the_mean_over_pairs() -> None:
    points = normal(9, 5)
    assert diversity.pairwise_distance(points) == pytest.approx(float(F.pdist(points).mean()), rel=1e-5)
    many = normal(3000, 5)
    assert diversity.pairwise_distance(many) == pytest.approx(float(F.pdist(many).mean()), rel=0.02)
    assert diversity.pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(5)
    with pytest.raises(ValueError, match="two points"):
        diversity.pairwise_distance(points[:1])


class Oracle(Classifier):
    """Sees in an image what its first pixels say: the class, or the hat and the smile."""

    def features(self, x: Tensor) -> Tensor:
        return x[:, 0, 0, :2]

    def verdicts(self, features: Tensor) -> dict[str, Tensor]:
        head = self.heads[0]
        index = to_pixels(features[:, 0]).long()
        shown = {head.name: 0.9 * F.one_hot(index, len(head.values)) + 0.1 / len(head.values)}
        return shown | {head.name: features[:, 1] for head in self.heads[1:]}


def oracle(data: ImageData) -> Oracle:
    config = {"size": 16, "channels": 1, "width": 4, "heads": heads_of(data.info)}
    return Oracle(ClassifierConfig.model_validate(config)).eval().requires_grad_(False)


def showing(data: ImageData, index: Tensor, *, labels: Tensor | None = None) -> ImageData:
    images = torch.zeros(len(index), 1, 16, 16, dtype=torch.uint8)
    images[:, 0, 0, 0] = index.to(torch.uint8)
    return ImageData(data.info, images, labels)


def test_classes_that_samples_leave_out_are_counted() -> None:
    data = digits(100)
    asked = context(build("gan"), data, n=1000, judge=oracle(data))
    labels = data.labels_at(slice(None))
    asked.__dict__["real"] = showing(data, labels, labels=labels)
    # Classes 0 to 6 equally; 7 in 5 of 1,000, too few to count; 8 and 9 never.
    asked.__dict__["samples"] = showing(data, torch.cat([torch.arange(995) % 7, torch.full((5,), 7)]))
    result = coverage.measure_classes(asked)
    assert result["classes_covered"] == 7
    assert result["smallest_class_share"] == 0
    assert result["mean_confidence"] == pytest.approx(0.91, abs=1e-3)
    assert "label_agreement" not in result


def test_label_agreement_is_the_share_of_samples_of_the_class_asked_for() -> None:
    data = digits(100)
    asked = context(build("cgan"), data, judge=oracle(data))
    labels = data.labels_at(slice(None))
    asked.__dict__["real"] = showing(data, labels, labels=labels)
    shown = torch.where(torch.arange(100) < 25, (labels + 1) % 10, labels)
    asked.__dict__["samples"] = showing(data, shown, labels=labels)
    result = coverage.measure_classes(asked)
    assert result["label_agreement"] == pytest.approx(0.75)
    assert result["label_agreement_real"] == 1
    assert result["classes_covered"] == 10


def test_missing_factor_values_are_counted_where_they_are_frequent_in_the_data() -> None:
    data = faces()
    asked = context(build("gan"), data, judge=oracle(data))
    asked.__dict__["real"] = showing(data, torch.arange(60) % 2)
    asked.__dict__["samples"] = showing(data, torch.zeros(60))
    result = coverage.measure_factors(asked)
    assert result == {"factor_values_missing": 1, "factor_values_missing_real": 0, "factor_values": 2}
    seen = {key: shares.tolist() for key, shares in coverage.trace_factors(asked).items()}
    assert seen == {"factor_shares_hat": [1, 0, 0], "real_factor_shares_hat": [0.5, 0.5, 0]}


# The context -----------------------------------------------------------------------------------------------


def test_real_images_compared_with_themselves_have_ratio_one() -> None:
    data = digits()
    judge = build("classifier")
    same = context(build("vae"), data, judge=judge)
    same.__dict__["samples"] = same.__dict__["reconstructions"] = same.real
    assert sharpness_module.measure(same)["sharpness_ratio"] == 1
    assert diversity.measure(same) == {"pairwise_distance_ratio": 1, "feature_distance_ratio": 1}


def test_real_images_are_a_random_choice_that_keeps_images_and_labels_together() -> None:
    data = digits()
    chosen = context(build("gan"), data, n=20)
    assert len(chosen.real) == 20
    assert not torch.equal(chosen.real.images, data.images[:20])
    for image, label in zip(chosen.real.images, chosen.real.labels_at(slice(None)), strict=True):
        (match,) = torch.nonzero((data.images == image).flatten(1).all(1))[:, 0].tolist()
        assert int(data.labels_at(slice(None))[match]) == int(label)
    assert len(context(build("gan"), data, n=1000).real) == 60


def test_samples_follow_the_seed_and_not_the_chunks() -> None:
    model, data = build("gan"), digits()
    many = context(model, data, n=CHUNK + 3).samples
    assert len(many) == CHUNK + 3
    assert torch.equal(many.images, context(model, data, n=CHUNK + 3).samples.images)
    other = Context(model, data, CHUNK + 3, CPU, seed=1).samples
    assert not torch.equal(many.images, other.images)


def test_a_conditional_model_is_asked_for_the_labels_of_the_data() -> None:
    data = digits()
    data = ImageData(data.info, data.images, torch.where(torch.arange(60) < 45, 3, 7))
    asked = context(build("cgan"), data, n=400)
    labels = asked.samples.labels_at(slice(None))
    assert set(labels.tolist()) == {3, 7}
    assert float((labels == 3).float().mean()) == pytest.approx(0.75, abs=0.08)
    assert asked.labels is not None and torch.equal(asked.labels, labels)
    assert context(build("gan"), data).labels is None


def test_reconstructions_are_those_of_the_real_images_in_their_order() -> None:
    model = build("cvae")
    asked = context(model, digits(), n=30)
    labels = asked.real.labels_at(slice(None))
    expected = model.decode(model.encode(asked.real.floats(slice(None)), labels).mean, labels)
    assert (to_pixels(expected).int() - asked.reconstructions.images.int()).abs().max() <= 1


# Evaluation ------------------------------------------------------------------------------------------------

SHARPNESS = {"sharpness_ratio", "sharpness_real", "high_frequency_ratio"} | {
    f"sharpness_ratio_q{share}" for share in (10, 50, 90)
}
SAMPLES = SHARPNESS | {"pairwise_distance_ratio"}
FEATURES = {"feature_distance_ratio", "kd_classifier", "ppl_classifier"} | {
    "precision",
    "recall",
    "density",
    "coverage",
}
JUDGED = FEATURES | {"classes_covered", "smallest_class_share", "mean_confidence", "mean_confidence_real"}
PAIRS = {"psnr_db", "ssim", "reconstruction_sharpness_ratio"}
LATENT = {"kl_nats", "active_units"}
LIKELIHOOD = {"nll_nats", "negative_elbo_nats"}
AGREEMENT = {"label_agreement", "label_agreement_real"}


@pytest.mark.parametrize(
    ("kind", "judged", "keys"),
    [
        ("gan", False, SAMPLES),
        ("gan", True, SAMPLES | JUDGED),
        ("cgan", True, SAMPLES | JUDGED | AGREEMENT),
        ("ae", False, SAMPLES | PAIRS),
        ("vae", False, SAMPLES | PAIRS | LATENT | LIKELIHOOD),
        ("cvae", True, SAMPLES | PAIRS | LATENT | LIKELIHOOD | JUDGED | AGREEMENT),
        ("classifier", False, {"accuracy"}),
    ],
)
def test_all_that_applies_is_measured(kind: str, judged: bool, keys: set[str]) -> None:
    judge = build("classifier") if judged else None
    result = evaluate(build(kind), digits(), n=40, classifier=judge)
    # An untrained classifier may see one class everywhere, and then there is nothing to part.
    assert set(result) - {"separability"} == keys
    assert torch.isfinite(torch.tensor(list(result.values()))).all()
    assert all(map(of_key, result))


def test_a_data_set_with_factors_is_judged_by_its_factors() -> None:
    data = faces()
    result = evaluate(build("gan"), data, n=40, classifier=build("classifier", data=data))
    factors = {"factor_values_missing", "factor_values_missing_real", "factor_values"}
    assert set(result) - {"separability"} == SAMPLES | FEATURES | factors
    accuracy = evaluate(build("classifier", data=data), data, n=40)
    assert set(accuracy) == {"accuracy", "r2", "accuracy_hat", "r2_smile"}


def test_only_what_is_asked_for_is_measured_and_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    result = evaluate(
        build("vae"),
        digits(),
        metrics=["latent", "sharpness", "latent"],
        n=20,
        progress=lambda *a: told.append(a),
    )
    assert set(result) == LATENT | SHARPNESS
    assert told == [("latent", 0, 2), ("sharpness", 1, 2), ("", 2, 2)]


def test_the_same_seed_measures_the_same() -> None:
    model, data = build("gan"), digits()
    assert evaluate(model, data, n=30, seed=5) == evaluate(model, data, n=30, seed=5)
    assert evaluate(model, data, n=30, seed=5) != evaluate(model, data, n=30, seed=6)


def test_a_model_in_training_is_measured_in_eval_mode_and_left_alone() -> None:
    model = build("classifier")
    expected = evaluate(model, digits(), n=40)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert evaluate(model.train(), digits(), n=40) == expected
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "metric", "message"),
    [
        (
            "gan",
            "reconstruction",
            "needs a model that encodes images. Choose among: sharpness, inversion, diversity.",
        ),
        ("ae", "latent", "needs a model whose encoder gives a distribution"),
        (
            "gan",
            "classes",
            "classifier of the data set to judge the samples. Give one that was trained on 'digits'",
        ),
        ("classifier", "sharpness", "needs a model that generates images. Choose among: accuracy."),
        ("gan", "accuracy", "needs a classifier with the attributes of the data set"),
        ("gan", "sharpnes", "There is no metric 'sharpnes'. Did you mean 'sharpness'?"),
    ],
)
def test_a_metric_that_does_not_apply_says_why_and_what_does(kind: str, metric: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(build(kind), digits(), metrics=[metric], n=20)
    assert message in str(caught.value)


def test_classes_need_classes_and_factors_factors() -> None:
    for metric, data in (("classes", faces()), ("factors", digits())):
        judge = build("classifier", data=data)
        with pytest.raises(UserError, match=f"'{metric}' needs a data set with"):
            evaluate(build("gan"), data, metrics=[metric], n=20, classifier=judge)


def test_what_does_not_go_together_is_refused() -> None:
    data = digits()
    unlabelled = ImageData(data.info, data.images)
    large = ImageData(data.info, torch.zeros(4, 3, 32, 32, dtype=torch.uint8))
    cases: list[tuple[str, Any]] = [
        ("too-few-images", lambda: evaluate(build("gan"), data, n=1)),
        ("shape-mismatch", lambda: evaluate(build("gan"), large, n=4)),
        ("labels-mismatch", lambda: evaluate(build("cgan"), unlabelled, n=4)),
        ("labels-mismatch", lambda: evaluate(build("cgan", classes=5), data, n=4)),
        ("classifier-mismatch", lambda: evaluate(build("gan"), faces(), n=4, classifier=build("classifier"))),
        ("nothing-to-measure", lambda: evaluate(build("classifier"), faces(), n=4)),
    ]
    for code, call in cases:
        with pytest.raises(UserError) as caught:
            call()
        assert caught.value.code == code


def test_every_metric_is_documented_and_its_needs_are_known() -> None:
    for name, metric in METRICS.items():
        assert metric.description.endswith("."), name
        assert metric.values, name
        assert set(metric.needs) <= set(NEEDS), name


@pytest.mark.parametrize(
    ("key", "data", "asked", "count"),
    [
        ("psnr_db", "digits", 2000, 359),
        ("psnr_db", "digits", 100, 100),
        ("sharpness_ratio", "digits", 2000, 2000),
        ("sharpness_real", "digits", 2000, 359),
        ("mean_confidence_real", "digits", 2000, 359),
        ("accuracy_hat", "avatars", 10_000, 2000),
        ("nll_nats", "mnist", 10_000, 2000),
        ("mig_shape", "sprites", 20_000, 10_000),
        ("mig", "stacked_mnist", 20_000, 10_000),
        ("fd_fashion-classifier", "avatars", 10_000, 2000),
        ("nearest_ratio_real", "digits", 2000, 179),
        ("ppl_avatars-classifier", "avatars", 10_000, 2000),
        ("inversion_psnr_db", "avatars", 10_000, 64),
        ("dci_completeness", "sprites", 20_000, 10_000),
        ("modes_covered", "toy:grid25", 10_000, 2500),
        ("modes_covered", "stacked_mnist", 26_000, 26_000),
        ("energy_distance", "toy:grid25", 10_000, 2500),
    ],
)
def test_a_figure_says_of_how_many_images_it_is(key: str, data: str, asked: int, count: int) -> None:
    assert count_of(key, asked, DATASETS[data]) == count


def test_shipped_cards_claim_no_images_that_there_are_not() -> None:
    cards = [info for info in catalog.models() if info.shipped]
    assert cards
    for info in cards:
        for key, metric in info.card.metrics.items():
            if metric.protocol.startswith("latent-explorer evaluate"):
                assert metric.n == count_of(key, metric.n or 0, DATASETS[info.dataset]), (info.id, key)


def test_listing_the_metrics_does_not_import_torch() -> None:
    code = "import sys; from models.metrics import METRICS; METRICS['latent']; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
