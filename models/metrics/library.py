"""Figures that are there already: shipped with the project, or computed before. Without torch.

What figures were computed from is their key: weights, images, classifier, what was asked for, versions. A file in the
cache is used only if all of it is as it was written and it names this key. Shipped figures bear their weights and their
classifier, and are used only beside these.
"""

from pathlib import Path

from models import catalog, datasets, paths, shelf
from models.catalog import ModelInfo
from models.errors import UserError
from models.metrics import figures
from models.metrics.figures import Figures, Network
from models.metrics.spec import STANDARD, Measurement

VERSION = 2  # of how figures are computed: a change makes everything that is cached void
LIBRARIES = ("numpy", "scikit-learn", "torch", "torchmetrics")  # that compute them


def folder() -> Path:
    """Return the folder of the figures that were computed on this machine."""
    return paths.cache() / "metrics"


def spec_of(
    info: ModelInfo, *, n: int, seeds: int, metrics: tuple[str, ...] = STANDARD, dataset: str = ""
) -> Measurement:
    """Return what is to be measured of a model, by default on the data that it was trained on.

    Raises:
        UserError: These are not known.
    """
    if not (dataset or info.dataset):
        problem = f"It is not known what '{info.id}' was trained on."
        raise UserError("no-data", problem, "Choose a model whose config names its data set.")
    name = datasets.sized_for(dataset or info.dataset, info.model.size)
    return Measurement(model=info.digest, dataset=name, n=n, seeds=seeds, metrics=metrics)


def judge_of(dataset: str, info: ModelInfo) -> ModelInfo | None:
    """Return the classifier that judges the samples of a model; None for points, or where there is none."""
    return catalog.classifier_for(dataset, info.sample_shape) if info.can("picture") else None


def network_of(judge: ModelInfo | None) -> Network | None:
    """Return how figures name the classifier that they are of."""
    return None if judge is None else Network(id=judge.id, digest=judge.digest)


def key(spec: Measurement, info: ModelInfo) -> str:
    """Return what figures are computed from, in short: it changes with anything that would change them."""
    judge = judge_of(spec.dataset, info)
    parts = {
        "version": [VERSION, figures.FORMAT],
        "spec": spec.model_dump(mode="json"),
        "weights": info.digest,
        "images": datasets.state(spec.dataset),
        "classifier": judge and [judge.id, judge.digest],
        "libraries": shelf.versions(LIBRARIES),
    }
    return shelf.key(parts)


def path_of(key: str) -> Path:
    """Return where the figures of a key are kept."""
    return folder() / f"{key[:32]}{figures.SUFFIX}"


def shipped(spec: Measurement, info: ModelInfo) -> Figures | None:
    """Return figures that come with the project; None if there are none, or damaged ones, or of another classifier."""
    known = network_of(judge_of(spec.dataset, info))
    found = shelf.shipped(paths.shipped_metrics(), figures.SUFFIX, info.digest, _model_of, figures.read)
    return next((one for one in found if one.spec == spec and one.classifier == known), None)


def _model_of(path: Path) -> str:
    return figures.read(path).spec.model


def cached(spec: Measurement, info: ModelInfo) -> Figures | None:
    """Return figures that were computed here before; None if they were not, or their file is not what was written."""
    name = key(spec, info)
    try:
        found = figures.read(path_of(name), name)
    except UserError:
        return None
    return found if found.spec == spec else None


def keep(found: Figures, key: str) -> None:
    """Keep figures for next time under the key that they were computed by; raises UserError where that fails."""
    figures.write(path_of(key), found, key)


def find(spec: Measurement, info: ModelInfo) -> Figures | None:
    """Return figures that need not be computed, if they are shipped or cached."""
    return shipped(spec, info) or cached(spec, info)
