"""Which models can be compared by number: those of one data set, at one size. Torch-free."""

from collections.abc import Sequence

from models.catalog import ModelInfo
from models.errors import UserError


def shared_dataset(models: Sequence[ModelInfo]) -> str:
    """Return the data set that all models were trained on.

    Raises:
        UserError: There are fewer than two models, one generates nothing, its data set is not known, or they differ in
            it or in the shape of their images.
    """
    if len(models) < 2:
        raise UserError(
            "too-few-models", "One model alone has nothing to stand against.", "Choose two models or more."
        )
    first = models[0]
    for info in models:
        if not info.can("decode"):
            raise UserError(
                "cannot-decode", f"'{info.id}' generates nothing.", "Choose a VAE, a GAN or an autoencoder."
            )
        if not info.dataset:
            problem = f"It is not known what '{info.id}' was trained on."
            raise UserError("no-data", problem, "Choose a model whose config names its data set.")
        if info.dataset != first.dataset:
            problem = (
                f"'{first.id}' has learnt '{first.dataset}' and '{info.id}' '{info.dataset}': figures of different "
                "data sets say nothing of which model is better."
            )
            raise UserError("different-data", problem, "Choose models of one data set.")
        if info.sample_shape != first.sample_shape:
            problem = (
                f"'{first.id}' makes images of {_shape(first)} and '{info.id}' of {_shape(info)}: sharpness and "
                "distances depend on the size."
            )
            raise UserError("different-sizes", problem, "Choose models of one size.")
    return first.dataset


def _shape(info: ModelInfo) -> str:
    return "x".join(map(str, info.sample_shape))
