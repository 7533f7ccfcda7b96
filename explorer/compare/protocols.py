"""How models are measured to be compared, and what was measured so already. Torch-free."""

from collections.abc import Mapping, Sequence

from explorer import cache
from explorer.compare.measured import together
from models.catalog import ModelInfo
from models.metrics import library
from models.metrics.figures import Figures
from models.metrics.spec import SEEDS, Measurement

PROTOCOLS: Mapping[str, int] = {
    "quick": 2000,
    "full": 10_000,
}  # samples of each model, and real images as there are
SLOW = ("inversion", "likelihood", "fid")
_NEEDS = {"likelihood": "encode", "inversion": "invert"}  # what a model must be able to do
_SLOW_N = 2000  # of which they look at as many as they can in a minute or two; so they are the same in each protocol

Wanted = list[tuple[ModelInfo, Measurement]]


def measured(models: Sequence[ModelInfo], protocol: str) -> list[Figures]:
    """Return the figures of each model that need not be computed, what takes long among them where it is there.

    Args:
        models: The models.
        protocol: A name in `PROTOCOLS`.

    Returns:
        One for each model, all measured in the same way; fewer where some are missing.
    """
    found: list[Figures] = []
    for info, spec in standard(models, protocol):
        first = cache.figures(info, spec)
        if first is not None:
            more = (cache.figures(info, one) for _info, one in slow([info], SLOW))
            found.append(together([first, *(one for one in more if one)]))
    return found


def default(models: Sequence[ModelInfo]) -> str:
    """Return the protocol that is shown first: the largest that all models were measured by, else the quickest."""
    there = [name for name in PROTOCOLS if len(measured(models, name)) == len(models)]
    return there[-1] if there else next(iter(PROTOCOLS))


def standard(models: Sequence[ModelInfo], protocol: str) -> Wanted:
    """Return what is measured of each model by a protocol, but for what takes long."""
    return [(info, library.spec_of(info, n=PROTOCOLS[protocol], seeds=SEEDS)) for info in models]


def slow(models: Sequence[ModelInfo], names: Sequence[str]) -> Wanted:
    """Return the measurements that take long, of the models that they apply to."""
    return [
        (info, library.spec_of(info, n=_SLOW_N, seeds=1, metrics=(name,)))
        for name in names
        for info in models
        if name not in _NEEDS or info.can(_NEEDS[name])
    ]
