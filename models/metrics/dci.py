"""DCI: disentanglement, completeness and informativeness of latents, where the factors of variation are known."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.latent import generator
from models.metrics.disentanglement import known_latents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.datasets.factors import Factor
    from models.metrics.context import Context

_TREES, _LEAF = 20, 5  # of each forest, and images in the smallest leaf
_MOST = 2500  # images that a forest is fitted to: twice as many take twice as long and move D and C by 0.003
_STREAM = 11  # of random numbers


@dataclass(frozen=True)
class Dci:
    """How factors and latent dimensions belong together.

    Args:
        disentanglement: Mean over dimensions, weighted by their importance, in [0, 1].
        completeness: Mean over factors, in [0, 1].
        informativeness: Mean over factors of the accuracy, or R^2 of a continuous one, on other images.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def concentration(weights: Float[Tensor, "rows columns"]) -> Float[Tensor, " rows"]:
    """Return 1 - H of each row's shares, to the base of their number: 1 for a single column, 0 for an even spread.

    A row of zeros has 0; with one column only there is nothing to spread over, and each other row has 1.
    """
    sums = weights.sum(1, keepdim=True)
    shares = weights / sums.clamp_min(1e-12)
    columns = weights.shape[1]
    entropy = -(shares * shares.clamp_min(1e-30).log()).sum(1)
    return (1 - entropy / math.log(max(columns, 2))) * (sums[:, 0] > 0)


def dci_of(importance: Float[Tensor, "dims factors"]) -> tuple[float, float]:
    """Return the disentanglement and the completeness that a matrix of importances shows.

    Args:
        importance: How much each latent dimension counts in the prediction of each factor, shape (D, K), at least 0.

    References:
        Eastwood & Williams (2018), "A framework for the quantitative evaluation of disentangled representations",
        ICLR, section 2.
    """
    weights = importance.sum(1) / importance.sum().clamp_min(1e-12)
    return float((weights * concentration(importance)).sum()), float(concentration(importance.T).mean())


def dci(
    latents: Float[Tensor, "batch dim"], factors: Float[Tensor, "batch factors"], known: "Sequence[Factor]"
) -> Dci:
    """Predict each factor from the latents, and look at which dimensions that takes.

    Random forests, as in the paper; but with 20 trees and leaves of 5 images or more for all factors, where the paper
    chooses the depth for each. Each split may use every dimension: where only some are offered, as is usual for
    classifiers, trees have to split by dimensions that tell nothing, and even a perfect code seems mixed. The forests
    are fitted to the first half of the images, up to 2,500, and scored on the others. Factors that do not vary are
    left out.

    Args:
        latents: Posterior means, shape (N, D), in random order.
        factors: Their images' factors, shape (N, F).
        known: What the columns are.
    """
    half = min(_MOST, len(latents) // 2)
    x = latents.numpy()
    importances: list[Tensor] = []
    scores: list[float] = []
    for factor, column in zip(known, factors.unbind(1), strict=True):
        y = column.long().numpy() if factor.values else column.numpy()
        if len(np.unique(y[:half])) < 2 or len(np.unique(y[half:])) < 2:
            continue
        forest = _forest(bool(factor.values)).fit(x[:half], y[:half])
        importances.append(torch.as_tensor(forest.feature_importances_))
        scores.append(forest.score(x[half:], y[half:]))
    if not scores:
        return Dci(0.0, 0.0, 0.0)
    return Dci(*dci_of(torch.stack(importances, 1).double()), float(np.mean(scores)))


def _forest(categorical: bool) -> Any:
    from sklearn.ensemble import (  # pyright: ignore[reportMissingTypeStubs]
        RandomForestClassifier,
        RandomForestRegressor,
    )

    kind = cast(Any, RandomForestClassifier if categorical else RandomForestRegressor)
    return kind(n_estimators=_TREES, min_samples_leaf=_LEAF, max_features=None, random_state=0)


def measure(context: "Context") -> dict[str, float]:
    """Measure the images that `models.metrics.disentanglement` does."""
    means, data = known_latents(context)
    order = torch.randperm(len(means), generator=generator(context.seed, _STREAM))
    assert data.factors is not None
    found = dci(means[order], data.factors[order], data.info.factors)
    return {f"dci_{name}": value for name, value in vars(found).items()}
