"""The models that Compare holds against each other: those of one data set, at one size. Torch-free."""

from collections import Counter
from collections.abc import Sequence

from explorer.text import N_
from models.catalog import ModelInfo
from models.errors import UserError
from models.metrics.comparison import shared_dataset

LEAST, MOST = 2, 4
PLACE, IMAGE, PATH, NUMBERS, QUIZ, WHY = PARTS = ("place", "image", "path", "numbers", "quiz", "why")
TITLES = {
    PLACE: N_("Same place"),
    IMAGE: N_("Same image"),
    PATH: N_("Same path"),
    NUMBERS: N_("Numbers"),
    QUIZ: N_("Blind test"),
    WHY: N_("Why"),
}
_ADVERSARIAL = (
    "gan",
    "cgan",
    "vaegan",
)  # families: what they do that the others do not is the question of the page
_VARIATIONAL = ("vae", "cvae")


def fit(models: Sequence[ModelInfo]) -> bool:
    """Tell whether some models can be compared."""
    try:
        shared_dataset(models)
    except UserError:
        return False
    return len(models) <= MOST


def fitting(info: ModelInfo, known: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Return the models that a model can be compared with, itself among them, in the order of `known`."""
    return [other for other in known if other.id == info.id or fit((info, other))]


def counterpart(info: ModelInfo, known: Sequence[ModelInfo]) -> ModelInfo | None:
    """Return the model that says most beside another: the one of a VAE and a GAN that the other is not.

    Where there are several, one that is conditional or not as it is, and a VAE before an autoencoder without a prior:
    the first such one of `known`.
    """
    others = [other for other in fitting(info, known) if other.id != info.id]
    opposite = [other for other in others if is_adversarial(other) != is_adversarial(info)]

    def differs(other: ModelInfo) -> tuple[bool, bool]:
        return (
            bool(other.labels) != bool(info.labels),
            not (is_adversarial(other) or is_variational(other)),
        )

    return min(opposite or others, key=differs, default=None)


def chosen(info: ModelInfo, names: Sequence[str], known: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Return the models to compare: those of some names if they fit and the shared model is one, or a pair with it."""
    by_id = {other.id: other for other in known}
    found = [by_id[name] for name in names if name in by_id]
    if info in found and fit(found):
        return found
    other = counterpart(info, known)
    pair = [info] if other is None else [info, other]
    return sorted(pair, key=is_adversarial)


def names(models: Sequence[ModelInfo]) -> dict[str, str]:
    """Return what to call models, by id: their titles, with the id where two have the same."""
    titles = Counter(info.title for info in models)
    return {
        info.id: info.title if titles[info.title] == 1 else f"{info.title} ({info.id})" for info in models
    }


def is_adversarial(info: ModelInfo) -> bool:
    """Tell whether a discriminator has taught a model."""
    return info.family in _ADVERSARIAL


def is_variational(info: ModelInfo) -> bool:
    """Tell whether a model learns by comparing pictures with images, through a posterior over codes."""
    return info.family in _VARIATIONAL
