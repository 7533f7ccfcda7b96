"""Modes: how many of those that a data set is known to have samples reach, and how evenly."""

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.metrics.points import of_points

if TYPE_CHECKING:
    from models.metrics.context import Context


def combination(columns: Int[Tensor, "batch factors"], sizes: list[int]) -> Int[Tensor, " batch"]:
    """Number the combinations of categorical values: their index in a table with one axis a factor.

    Args:
        columns: Indices of values, shape (N, F).
        sizes: Number of values of each factor.
    """
    index = torch.zeros(len(columns), dtype=torch.long)
    for column, size in zip(columns.unbind(1), sizes, strict=True):
        index = index * size + column.long().cpu()
    return index


def mode_statistics(modes: Int[Tensor, " batch"], reference: Float[Tensor, " count"]) -> tuple[int, float]:
    """Count the modes that samples reach, and measure how unevenly.

    Args:
        modes: The mode of each sample, shape (N,).
        reference: How often each mode occurs in the data, shape (M,).

    Returns:
        The modes with one sample at least, and KL(samples || reference) in nats; infinite if a sample is of a mode
        that the reference does not have.

    References:
        Metz et al. (2017), Unrolled GANs, arXiv:1611.02163, section 3.3.1.
    """
    counts = torch.bincount(modes, minlength=len(reference)).double()
    found, expected = counts / counts.sum(), reference.double() / reference.double().sum()
    there = found > 0
    divergence = (found[there] * (found[there].log() - expected[there].log())).sum()
    return int(there.sum()), float(divergence)


def measure(context: "Context") -> dict[str, float]:
    """Measure modes: of points by their distance, of images by what a classifier sees in each.

    Of points the first 2,500 samples count, as in published figures. Of images all of them do: published figures
    for stacked MNIST are of 26,000, and each digit is judged on its own, by an MNIST classifier there and by one
    with a head for each colour here. The reference is uniform.
    """
    info = context.data.info
    if info.points:
        found = of_points(context.samples.floats(slice(None)), context.real.floats(slice(None)), info.points)
        return {**found, "modes": float(len(info.points.modes))} if info.points.modes else found
    predicted = context.classified(context.samples)
    columns = torch.stack([predicted[factor.name].argmax(1) for factor in info.factors], 1)
    sizes = [len(factor.values) for factor in info.factors]
    total = math.prod(sizes)
    covered, divergence = mode_statistics(combination(columns, sizes), torch.ones(total))
    return {"modes_covered": float(covered), "modes": float(total), "modes_kl_nats": divergence}
