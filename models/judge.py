"""Who says what a generated picture shows: the classifier of its data set, or a quick one fitted on the spot."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models import catalog, checkpoints
from models.config import ClassifierConfig, Head
from models.core import Classifies
from models.datasets import available, known as known_data, load
from models.errors import UserError

_IMAGES = 4000  # images that a quick classifier is fitted on
Verdicts = dict[str, Tensor]
Classify = Callable[[Tensor], Verdicts]


@dataclass(frozen=True)
class Judge:
    """Predicts the attributes of images of a data set.

    Args:
        key: Names it: results with another key are not comparable. A digest where it has weights.
        heads: The attributes.
        open: Loads or fits it; returns a function of images (B, C, H, W) in [-1, 1], on the CPU, to what
            `models.core.Classifies.classify` returns: by attribute, probabilities (B, values) or, if
            continuous, estimates (B,).
    """

    key: str
    heads: tuple[Head, ...]
    open: Callable[[], Classify]


def judge_of(dataset: str, shape: tuple[int, ...]) -> Judge:
    """Find who judges a data set's generators: its classifier in the catalog, else pixels and labels.

    Nothing is loaded before the judge is opened, so that asking for its key is cheap.

    Args:
        dataset: A name that `models.datasets.info` knows.
        shape: Of the images that will be judged, (C, H, W).

    Raises:
        UserError: There is no classifier for such images, and no labelled images to fit one on.
    """
    info = catalog.classifier_for(dataset, shape)
    if info and isinstance(info.model, ClassifierConfig):
        return Judge(info.digest, info.model.heads, lambda: _classifier(info))
    known = known_data(dataset)
    if known and known.classes and known.sample_shape == shape and available(dataset):
        head = Head(name="label", values=known.classes)
        return Judge(f"pixels-{dataset}", (head,), lambda: _fitted(dataset))
    remedy = "Choose another kind of directions."
    if known and (known.classes or known.factors):
        remedy = f"Train one: latent-explorer train --dataset {dataset} --model classifier."
    why = f"There is no classifier for data set '{dataset}'" if dataset else "Its data set is not known"
    problem = f"{why}, so nobody knows what its pictures show."
    raise UserError("no-classifier", problem, remedy)


def _classifier(info: catalog.ModelInfo) -> Classify:
    model = checkpoints.load(info)
    if not isinstance(model, Classifies):
        raise TypeError(f"'{info.id}' says that it classifies, but does not")
    return model.classify


def _fitted(dataset: str) -> Classify:
    """Fit linear discriminant analysis on pixels: a closed form, so that it takes seconds and cannot diverge.

    The covariance is shrunk towards a diagonal one: some pixels never change.

    References:
        Ledoit & Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices".
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # pyright: ignore[reportMissingTypeStubs]

    data = load(dataset, "train")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:_IMAGES]
    images, labels = data.floats(order).flatten(1), data.labels_at(order)
    lda: Any = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    lda.fit(images.numpy(), labels.numpy())
    weight = torch.as_tensor(lda.coef_, dtype=torch.float32)
    bias = torch.as_tensor(lda.intercept_, dtype=torch.float32)

    def classify(x: Tensor) -> Verdicts:
        return {"label": (x.flatten(1) @ weight.T + bias).softmax(1)}

    return classify
