"""Linear separability: whether a flat cut through the latent space parts samples by what they show."""

import math
import warnings
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.metrics.disentanglement import entropy, mutual_information

if TYPE_CHECKING:
    from models.metrics.context import Context

_KEPT = 0.5  # of the samples: those whose attribute the classifier is surest of


def unexplained(z: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"]) -> float:
    """Return H(Y|X), in nats: what a linear rule leaves unknown of labels Y.

    The rule is a support vector machine, one against the rest where there are several values, and X what it predicts.
    It is fitted to every other latent and read on those between; the paper fits and reads the same ones, which with
    100,000 of them is no difference, but a few hundred are always parted in that way.

    Args:
        z: Latents, shape (N, D), in random order.
        labels: Shape (N,).

    References:
        Karras, Laine & Aila (2019), arXiv:1812.04948, section 4.2.
    """
    from sklearn.exceptions import ConvergenceWarning  # pyright: ignore[reportMissingTypeStubs]
    from sklearn.svm import LinearSVC  # pyright: ignore[reportMissingTypeStubs]

    here, there = labels[::2], labels[1::2]
    if bool((here == here[0]).all()):
        return entropy(torch.bincount(there))  # nothing to fit a rule to
    machine: Any = cast(Any, LinearSVC)(dual=False, tol=1e-3, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # labels that no plane parts: that is the answer
        predicted = torch.as_tensor(machine.fit(z[::2].numpy(), here.numpy()).predict(z[1::2].numpy()))
    return max(0.0, entropy(torch.bincount(there)) - mutual_information(predicted.long(), there))


def surest(probabilities: Float[Tensor, "batch values"]) -> Int[Tensor, " kept"]:
    """Return the indices of the half of the samples whose value the classifier is surest of, in their order."""
    order = probabilities.max(1).values.argsort(descending=True, stable=True)
    return order[: math.ceil(_KEPT * len(order))].sort().values


def measure(context: "Context") -> dict[str, float]:
    """Measure each attribute that takes two values at least among samples; none if the model has collapsed to one."""
    found: dict[str, float] = {}
    for name, probabilities in context.classified(context.samples).items():
        if probabilities.ndim < 2:
            continue  # continuous
        kept = surest(probabilities)
        labels = probabilities[kept].argmax(1)
        if bool((labels != labels[0]).any()):
            found[name] = unexplained(context.latents[kept], labels)
    if not found:
        return {}
    parts = {f"separability_{name}": math.exp(value) for name, value in found.items()}
    return {"separability": math.exp(sum(found.values())), **(parts if len(parts) > 1 else {})}
