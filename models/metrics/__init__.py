"""Metrics, one table: name -> what it measures, what it needs, and the function that does it. Torch-free.

A metric is a function `measure(context) -> {key: value}` in the module that is named after its subject;
`models.metrics.evaluation` says what the context gives it. To add one, write it and add its line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from models.datasets import DatasetInfo
from models.tables import Table

LIKELIHOOD_IMAGES = 2000  # at most; each is decoded as often as there are samples
MIG_IMAGES = 10_000  # at most, where images are drawn for it
POINT_SAMPLES = 2500  # of the published figures for points in the plane, e.g. PacGAN's

Need = Literal[
    "images",
    "decode",
    "encode",
    "posterior",
    "density",
    "classify",
    "judge",
    "classes",
    "factors",
    "known",
    "modes",
]

NEEDS: Mapping[Need, str] = {
    "images": "a data set of images",
    "decode": "a model that generates images",
    "encode": "a model that encodes images",
    "posterior": "a model whose encoder gives a distribution, such as a VAE",
    "density": "a model that gives images a probability, such as a VAE",
    "classify": "a classifier with the attributes of the data set",
    "judge": "a classifier of the data set to judge the samples",
    "classes": "a data set with classes",
    "factors": "a data set with known categorical attributes",
    "known": "a data set with known attributes, such as sprites",
    "modes": "a data set whose modes are known: a toy, or stacked_mnist and its classifier",
}


Count = Callable[[int, DatasetInfo], int]


def _samples(n: int, data: DatasetInfo) -> int:
    del data
    return n


def _images(n: int, data: DatasetInfo) -> int:
    return min(n, data.test)


def _likelihood(n: int, data: DatasetInfo) -> int:
    return min(n, data.test, LIKELIHOOD_IMAGES)


def _modes(n: int, data: DatasetInfo) -> int:
    return min(n, POINT_SAMPLES) if data.points else n


def _mig(n: int, data: DatasetInfo) -> int:
    return max(_images(n, data), min(n, MIG_IMAGES)) if data.draw else _images(n, data)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Args:
        run: `"module:attribute"`, a function of a `models.metrics.evaluation.Context` to numbers by key.
        needs: What the model, the data set and the classifier that judges must be; see `NEEDS`.
        description: One sentence: what it measures, and when it misleads.
        values: What each key of the result is, with its unit.
        count: How many samples, or real images, it looks at where n are asked for.
        real: Keys of `values` that are of real images, although the others are of samples.
    """

    run: str
    needs: tuple[Need, ...]
    description: str
    values: Mapping[str, str]
    count: Count = _images
    real: tuple[str, ...] = ()


METRICS = Table[Metric](
    "metric",
    {
        "sharpness": Metric(
            "models.metrics.sharpness:measure", ("images", "decode"),
            "How much fine detail samples have compared with real images; above 1 it is noise or "
            "checkerboard, not quality.",
            {
                "sharpness_ratio": "Mean variance of the Laplacian of samples, over that of real images",
                "sharpness_real": "Mean variance of the Laplacian of real images, in squared units of [-1, 1]",
            },
            _samples, real=("sharpness_real",),
        ),
        "reconstruction": Metric(
            "models.metrics.reconstruction:measure", ("images", "decode", "encode"),
            "How near held-out images come back from their posterior means; PSNR favours blur over detail "
            "that is a pixel off, and neither value says how good samples are.",
            {
                "psnr_db": "Mean peak signal-to-noise ratio of reconstructions, in dB",
                "ssim": "Mean structural similarity of reconstructions, at most 1",
                "reconstruction_sharpness_ratio": "Sharpness of reconstructions over that of their images",
            },
        ),
        "latent": Metric(
            "models.metrics.latent:measure", ("encode", "posterior"),
            "How much of an image its latent holds, and in how many dimensions; more is not better: it buys "
            "reconstructions at the price of samples.",
            {
                "kl_nats": "Mean KL divergence of the posterior from the prior (of its class), in nats an image",
                "active_units": "Dimensions whose posterior mean has a variance above 0.01 over images",
            },
        ),
        "likelihood": Metric(
            "models.metrics.likelihood:measure", ("encode", "posterior", "density"),
            "How probable held-out images are, up to 2,000 of them with 50 samples each; compare it only among "
            "models with the same p(x|z), and not with how samples look.",
            {
                "nll_nats": "Mean importance-sampled -log p(x), in nats an image; where pixels are Bernoulli, of "
                "images binarised once with a fixed seed, where they are Gaussian, a density on [-1, 1]",
                "negative_elbo_nats": "Mean negative ELBO of the same images: never less, in expectation",
            },
            _likelihood,
        ),
        "diversity": Metric(
            "models.metrics.diversity:measure", ("decode",),
            "How far samples lie from each other compared with real images; blur lowers it in pixels, and "
            "noise raises it, without any change in variety.",
            {
                "pairwise_distance_ratio": "Mean L2 distance of two samples over that of two real images",
                "feature_distance_ratio": "Mean distance of two samples over that of real ones, in learned features",
            },
            _samples,
        ),
        "classes": Metric(
            "models.metrics.coverage:measure_classes", ("decode", "judge", "classes"),
            "Which classes a classifier sees in samples; it must name one for every image, also for those "
            "that show nothing, so read it beside its confidence.",
            {
                "classes_covered": "Classes with at least a tenth of their share of the data",
                "smallest_class_share": "Share of samples in the rarest of the data's classes, in [0, 1]",
                "mean_confidence": "Mean probability of the predicted class, over samples",
                "mean_confidence_real": "Mean probability of the predicted class, over real images",
                "label_agreement": "Share of samples that are recognised as the label they were asked for",
                "label_agreement_real": "Share of real images that are recognised as their label: what can be reached",
            },
            _samples, real=("mean_confidence_real", "label_agreement_real"),
        ),
        "factors": Metric(
            "models.metrics.coverage:measure_factors", ("decode", "judge", "factors"),
            "Which values of known attributes never occur in samples, as a classifier sees them; one mistake "
            "of the classifier among many samples hides a missing value.",
            {
                "factor_values_missing": "Values that 3 % of the data or more have, and no sample",
                "factor_values_missing_real": "Values that 3 % of the data or more have, seen in no real image",
                "factor_values": "Values that 3 % of the data or more have",
            },
            _samples, real=("factor_values_missing_real", "factor_values"),
        ),
        "modes": Metric(
            "models.metrics.modes:measure", ("decode", "modes"),
            "How many of the modes that the data are known to have samples reach; a mode counts however narrow "
            "a part of it they show, so read it beside their quality.",
            {
                "modes_covered": "Modes with samples: of points with 1 % of them, of images with one",
                "modes": "Modes that there are",
                "high_quality_share": "Share of points within three standard deviations of a mode",
                "modes_kl_nats": "KL divergence of the shares of modes from uniform ones, in nats",
                "energy_distance": "Energy distance of points to held-out ones, in the data's units; 0 is best",
            },
            _modes,
        ),
        "mig": Metric(
            "models.metrics.disentanglement:measure", ("encode", "known"),
            "Whether each known attribute has a latent dimension of its own (mutual information gap); symmetric "
            "shapes make orientation ambiguous, so on sprites 1 cannot be reached.",
            {
                "mig": "Mutual information gap, mean over attributes, in [0, 1]",
                "mig_<name>": "Mutual information gap of <name>",
            },
            _mig,
        ),
        "accuracy": Metric(
            "models.metrics.coverage:measure_accuracy", ("classify",),
            "How often a classifier is right on held-out images; where classes differ in frequency, naming "
            "the most frequent one already scores well.",
            {
                "accuracy": "Share of right predictions, mean over categorical attributes, in [0, 1]",
                "r2": "Coefficient of determination, mean over continuous attributes, at most 1",
                "accuracy_<name>": "Accuracy of <name>",
                "r2_<name>": "Coefficient of determination of <name>",
            },
        ),
    },
)  # fmt: skip


def of_key(key: str) -> tuple[Metric, str] | None:
    """Return the metric that a figure is of, and what the figure is; None if it is of none."""
    for metric in METRICS.values():
        for pattern, text in metric.values.items():
            start, variable, end = pattern.partition("<name>")
            if key == pattern or (variable and key.startswith(start) and key.endswith(end)):
                name = key[len(start) : len(key) - len(end)] if variable else ""
                return metric, text.replace(variable, name.replace("_", " ")) if variable else text
    return None


def count_of(key: str, n: int, data: DatasetInfo) -> int:
    """Return how many samples, or held-out images, a figure is of, where n were asked for.

    Of a ratio of samples to real images it is the number of samples.
    """
    found = of_key(key)
    if found is None:
        return n
    return _images(n, data) if key in found[0].real else found[0].count(n, data)
