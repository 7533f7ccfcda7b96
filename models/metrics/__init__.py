"""Metrics, one table: name -> what it measures, what it needs, and the function that does it. Torch-free.

A metric is a function `measure(context) -> {key: value}` in the module that is named after its subject;
`models.metrics.context` says what the context gives it. To add one, write it and add its line here.
"""

from models.datasets import DatasetInfo
from models.metrics.metric import (
    NEEDS as NEEDS,
    Goal as Goal,
    Metric as Metric,
    Need as Need,
    held_out,
)
from models.tables import Table

LIKELIHOOD_IMAGES = 2000  # at most; each is decoded as often as there are samples
MIG_IMAGES = 10_000  # at most, where images are drawn for it
NEIGHBOURS = 5  # k of precision, recall, density and coverage
MEMORY_IMAGES = 1000  # samples at most that are looked for in the training images
PATHS = 2000  # at most, whose length is measured
INVERTED = 64  # images at most that are looked for among those that a model can make
POINT_SAMPLES = 2500  # of the published figures for points in the plane, e.g. PacGAN's
_NAME = "<name>"  # of a network or an attribute, in the patterns of keys


def _samples(n: int, data: DatasetInfo) -> int:
    del data
    return n


def _likelihood(n: int, data: DatasetInfo) -> int:
    return min(n, data.test, LIKELIHOOD_IMAGES)


def _memory(n: int, data: DatasetInfo) -> int:
    return min(n, data.test // 2, MEMORY_IMAGES)


def _paths(n: int, data: DatasetInfo) -> int:
    del data
    return min(n, PATHS)


def _inverted(n: int, data: DatasetInfo) -> int:
    return min(n, data.test, INVERTED)


def _modes(n: int, data: DatasetInfo) -> int:
    return min(n, POINT_SAMPLES) if data.points else n


def _mig(n: int, data: DatasetInfo) -> int:
    return max(held_out(n, data), min(n, MIG_IMAGES)) if data.draw else held_out(n, data)


METRICS = Table[Metric](
    "metric",
    {
        "fd": Metric(
            "models.metrics.fidelity:measure_frechet", ("images", "decode", "judge", "covariance"),
            "How far the mean and the covariance of samples are from those of real images, in features of the "
            "classifier; it depends on the network and on the number of images, so compare it only where both are "
            "the same, and never with an Inception-FID.",
            {"fd_<name>": "Fréchet distance in the features of <name>; 0 is best"},
            of="samples",
            goals={"fd_<name>": "lower"},
        ),
        "kd": Metric(
            "models.metrics.fidelity:measure_kernel", ("images", "decode", "judge"),
            "How far the distribution of samples is from that of real images, in features of the classifier (as KID "
            "in those of Inception); unbiased, so near 0 it may be negative.",
            {"kd_<name>": "Kernel distance in the features of <name>; 0 is best"},
            of="samples",
            goals={"kd_<name>": "lower"},
        ),
        "prdc": Metric(
            "models.metrics.fidelity:measure_support", ("images", "decode", "judge", "neighbours"),
            "Whether samples lie among real images (precision, density) and reach all of them (recall, coverage), in "
            "features of the classifier, with 5 neighbours; single outliers raise precision and recall.",
            {
                "precision": "Share of samples within the neighbourhood of a real image, in [0, 1]",
                "recall": "Share of real images within the neighbourhood of a sample, in [0, 1]",
                "density": "Real neighbourhoods that a sample lies in, over 5: about 1 for real images",
                "coverage": "Share of real images with a sample in their neighbourhood, in [0, 1]",
            },
            of="samples",
            goals={"precision": "higher", "recall": "higher", "coverage": "higher"},
        ),
        "fid": Metric(
            "models.metrics.inception:measure", ("images", "decode", "inception"),
            "What is published as FID and KID: distances in features of Inception, to which images are enlarged "
            "(299x299); it has learnt photographs, and FID falls with the number of images.",
            {
                "fid": "Fréchet distance in 2,048 features of Inception; 0 is best",
                "kid": "Kernel distance in 2,048 features of Inception; 0 is best",
            },
            of="samples", slow=True,
            goals={"fid": "lower", "kid": "lower"},
        ),
        "sharpness": Metric(
            "models.metrics.sharpness:measure", ("images", "decode"),
            "How much fine detail samples have compared with real images; above 1 it is noise or "
            "checkerboard, not quality.",
            {
                "sharpness_ratio": "Mean variance of the Laplacian of samples, over that of real images",
                "sharpness_ratio_q10": "The same of the 10 % quantiles: of the softest",
                "sharpness_ratio_q50": "The same of the medians",
                "sharpness_ratio_q90": "The same of the 90 % quantiles: of the sharpest",
                "high_frequency_ratio": "Energy above half the Nyquist frequency, over that of real images",
                "sharpness_real": "Mean variance of the Laplacian of real images, in squared units of [-1, 1]",
            },
            _samples, real=("sharpness_real",), of="samples",
            series={
                "sharpness": "Variance of the Laplacian of each sample, in squared units of [-1, 1]",
                "sharpness_real": "Variance of the Laplacian of each real image",
                "spectrum_frequency": "Radial frequency of the points of the spectra, in cycles a pixel",
                "spectrum": "Mean power of samples at each radial frequency",
                "spectrum_real": "Mean power of real images at each radial frequency",
            },
            trace="models.metrics.sharpness:trace",
            goals={
                "sharpness_ratio": "one", "sharpness_ratio_q10": "one", "sharpness_ratio_q50": "one",
                "sharpness_ratio_q90": "one", "high_frequency_ratio": "one",
            },
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
            series={
                "psnr_db": "Peak signal-to-noise ratio of each reconstruction, in dB",
                "ssim": "Structural similarity of each reconstruction",
            },
            trace="models.metrics.reconstruction:trace",
            goals={"psnr_db": "higher", "ssim": "higher", "reconstruction_sharpness_ratio": "one"},
        ),
        "inversion": Metric(
            "models.metrics.inverted:measure", ("images", "decode", "gradient"),
            "How near the model can come to up to 64 held-out images, by search for their latents, and by its encoder "
            "where it has one; a search may miss the best latent, and a near picture says nothing of samples.",
            {
                "inversion_psnr_db": "Mean peak signal-to-noise ratio of what the search found, in dB",
                "inversion_ssim": "Mean structural similarity of what the search found",
                "encoding_psnr_db": "Mean peak signal-to-noise ratio of reconstructions of the same images, in dB",
                "encoding_ssim": "Mean structural similarity of reconstructions of the same images",
            },
            _inverted,
            series={
                "inversion_psnr_db": "Peak signal-to-noise ratio for each image, in dB",
                "inversion_ssim": "Structural similarity for each image",
                "encoding_psnr_db": "Peak signal-to-noise ratio of the reconstruction of each image, in dB",
                "encoding_ssim": "Structural similarity of the reconstruction of each image",
            },
            trace="models.metrics.inverted:trace",
            slow=True,
            goals={
                "inversion_psnr_db": "higher", "inversion_ssim": "higher",
                "encoding_psnr_db": "higher", "encoding_ssim": "higher",
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
            series={
                "nll_nats": "Importance-sampled -log p(x) of each image, in nats",
                "negative_elbo_nats": "Negative ELBO of each image, in nats",
            },
            trace="models.metrics.likelihood:trace",
            goals={"nll_nats": "lower", "negative_elbo_nats": "lower"},
        ),
        "diversity": Metric(
            "models.metrics.diversity:measure", ("decode",),
            "How far samples lie from each other compared with real images; blur lowers it in pixels, and "
            "noise raises it, without any change in variety.",
            {
                "pairwise_distance_ratio": "Mean L2 distance of two samples over that of two real images",
                "feature_distance_ratio": "Mean distance of two samples over that of real ones, in learned features",
            },
            _samples, of="samples",
            goals={"pairwise_distance_ratio": "one", "feature_distance_ratio": "one"},
        ),
        "memorisation": Metric(
            "models.metrics.memorisation:measure", ("images", "decode", "train"),
            "Whether samples lie nearer to training images than held-out images do, in pixels (of up to 32x32, larger "
            "images are averaged); a shifted or recoloured copy escapes it, so look at the neighbours.",
            {
                "nearest_ratio": "Distance of samples to the nearest training image, over that to the nearest "
                "held-out image",
                "nearest_ratio_real": "The same of held-out images: less is memorisation",
                "copies_share": "Share of samples less than a third as far from a training image as from held-out ones",
                "copies_share_real": "The same of held-out images, some of which have twins among the training images",
            },
            _memory, of="latents", real=("nearest_ratio_real", "copies_share_real"),
            series={
                "nearest_ratio_each": "For each sample, its distance to the nearest training image over that to the "
                "nearest held-out image",
                "nearest_train": "Index of the training image nearest to each sample",
                "nearest_train_distance": "Its distance: root mean squared difference, of pixels in [0, 1]",
            },
            trace="models.metrics.memorisation:trace",
            goals={"copies_share": "lower"},
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
            _samples, real=("mean_confidence_real", "label_agreement_real"), of="samples",
            series={
                "class_shares": "Share of each class of the data among samples, as the classifier sees them",
                "class_shares_real": "Share of each class among real images, as the classifier sees them",
            },
            trace="models.metrics.coverage:trace_classes",
            goals={"classes_covered": "higher", "smallest_class_share": "higher", "label_agreement": "higher"},
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
            _samples, real=("factor_values_missing_real", "factor_values"), of="samples",
            series={
                "factor_shares_<name>": "Share of each value of <name> among samples, as the classifier sees them",
                "real_factor_shares_<name>": "The same among real images",
            },
            trace="models.metrics.coverage:trace_factors",
            goals={"factor_values_missing": "lower"},
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
            _modes, of="samples",
            goals={
                "modes_covered": "higher", "high_quality_share": "higher",
                "modes_kl_nats": "lower", "energy_distance": "lower",
            },
        ),
        "path_length": Metric(
            "models.metrics.path_length:measure", ("images", "decode", "judge"),
            "How evenly the picture changes along a way through the latent space, in features of the classifier, by "
            "steps of 0.0001 on great circles, without truncation; blur and a collapsed model have short paths too.",
            {"ppl_<name>": "Perceptual path length in the features of <name>; shorter is smoother"},
            _paths, of="latents",
            series={"ppl_<name>": "Squared feature distance over the squared step, of each pair of latents"},
            trace="models.metrics.path_length:trace",
            goals={"ppl_<name>": "lower"},
        ),
        "separability": Metric(
            "models.metrics.separability:measure", ("decode", "judge", "categories"),
            "Whether a flat cut through the latent space parts samples by what the classifier sees in them; a model "
            "that shows one value only is left out, as there is nothing to part.",
            {
                "separability": "exp of the sum of the entropies that linear rules leave, in nats; 1 is best",
                "separability_<name>": "exp of the entropy of <name> that a linear rule leaves, in nats; 1 is best",
            },
            _samples, of="latents",
            goals={"separability": "lower", "separability_<name>": "lower"},
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
            goals={"mig": "higher", "mig_<name>": "higher"},
        ),
        "dci": Metric(
            "models.metrics.dci:measure", ("encode", "known"),
            "Whether each latent dimension tells of one known attribute (disentanglement), each attribute sits in one "
            "dimension (completeness), and all can be read (informativeness), by random forests; their settings move "
            "the values, so compare only figures of this program.",
            {
                "dci_disentanglement": "How much each dimension tells of one attribute only, in [0, 1]",
                "dci_completeness": "How much each attribute sits in one dimension only, in [0, 1]",
                "dci_informativeness": "Held-out accuracy, or R^2 where continuous, mean over attributes; at most 1",
            },
            _mig,
            goals={
                "dci_disentanglement": "higher", "dci_completeness": "higher", "dci_informativeness": "higher",
            },
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
            goals={"accuracy": "higher", "r2": "higher", "accuracy_<name>": "higher", "r2_<name>": "higher"},
        ),
    },
)  # fmt: skip


def goal_of(key: str) -> Goal | None:
    """Return which values of a figure are better; None where none are, or it is unknown."""
    found = of_key(key)
    if found is None:
        return None
    for pattern, goal in found[0].goals.items():
        if _variable(pattern, key) is not None:
            return goal
    return None


def of_key(key: str) -> tuple[Metric, str] | None:
    """Return the metric that a figure is of, and what the figure is; None if it is of none."""
    for metric in METRICS.values():
        for pattern, text in metric.values.items():
            name = _variable(pattern, key)
            if name is not None:
                return metric, text.replace(_NAME, name.replace("_", " "))
    return None


def _variable(pattern: str, key: str) -> str | None:
    """Return what stands in a key for the variable of a pattern, empty where it has none; None if it does not fit."""
    start, variable, end = pattern.partition(_NAME)
    if not variable:
        return "" if key == pattern else None
    fits = key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end)
    return key[len(start) : len(key) - len(end)] if fits else None


def is_of_images(key: str) -> bool:
    """Tell whether a figure is of held-out images, for which nothing is drawn: the same ones for all models."""
    found = of_key(key)
    return found is not None and found[0].of == "images"


def count_of(key: str, n: int, data: DatasetInfo) -> int:
    """Return how many samples, or held-out images, a figure is of, where n were asked for.

    Of a ratio of samples to real images it is the number of samples.
    """
    found = of_key(key)
    if found is None:
        return n
    count = found[0].count(n, data)
    return min(count, held_out(n, data)) if key in found[0].real else count
