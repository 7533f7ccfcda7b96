"""The place that the models of Compare share: one seed, and the same moves from where it leads in each. Torch-free.

Latent spaces of different models have nothing in common but their prior: a seed is another picture in each, and the
same vector means something else. What can be shared is a way to move: along directions of one meaning, so many prior
standard deviations from where the seed leads. Directions have one meaning if attributes give them a name; else they
are only of one rank, the strongest of each model, the second strongest, and so on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from models.catalog import DIRECTIONS, ModelInfo
from models.requests import Index
from models.values import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAMES, RANKS = KINDS = ("names", "ranks")
FARTHEST = 12.0  # prior standard deviations, of a move; as in dial.js
MOST = 24  # directions that models are moved along
_LIMIT = 100.0  # of a coordinate in `models.requests`

Move = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
Moves = tuple[tuple[int, float], ...]
Found = Mapping[str, "NDArray[Any]"]  # the answer to `models.requests.Directions`


class Together(Value):
    """Where Compare is, beside the seed and the truncation of the view's point.

    Args:
        models: Ids of the models that the moves are made with; empty: whichever are shown.
        along: What the moves are along, one of `KINDS`; empty: what suits the models.
        moves: (number of a shared direction, prior standard deviations) pairs.
        label: Class of conditional models; None: the one that goes with the seed.
    """

    models: tuple[str, ...] = ()
    along: str = ""
    moves: tuple[tuple[Index, Move], ...] = Field(default=(), max_length=MOST)
    label: Index | None = None


@dataclass(frozen=True)
class Shared:
    """A direction that some models share.

    Args:
        name: What it is in each of them, in English ("glasses"); empty where it is only of one rank.
        indices: Of the direction among those of each model.
        values: How well each model's latent tells the attribute, or what share of the changes the direction is.
        chance: The score of a guess, where it has a name.
    """

    name: str
    indices: tuple[int, ...]
    values: tuple[float, ...]
    chance: float = 0.0


def suits(models: Sequence[ModelInfo]) -> str:
    """Return what moves are along where nobody has chosen: names where all models bring theirs along."""
    return NAMES if all((info.path / DIRECTIONS).is_file() for info in models) else RANKS


def axes(info: ModelInfo, along: str) -> str:
    """Return which directions of a model are meant, a name in `models.directions.DIRECTIONS`.

    Principal ones turn while a model still learns, so of such a one they are its own axes.
    """
    if along == NAMES:
        return "attributes"
    return "raw" if info.run else "pca"


def shared(found: Sequence[Found], along: str) -> list[Shared]:
    """Return the directions that models share, the most telling first.

    Args:
        found: Those of each model, of the kind that `axes` says.
        along: One of `KINDS`.
    """
    return _named(found) if along == NAMES else _ranked(found)


def _ranked(found: Sequence[Found]) -> list[Shared]:
    orders = [sorted(range(len(one["shares"])), key=lambda i, one=one: -one["shares"][i]) for one in found]
    return [
        Shared("", indices, tuple(float(one["shares"][i]) for one, i in zip(found, indices, strict=True)))
        for indices in zip(*orders, strict=False)
    ]


def _named(found: Sequence[Found]) -> list[Shared]:
    """Return the directions whose name all models have: whole attributes first, then by the worst model's score."""
    indices = [{str(name): i for i, name in enumerate(one["names"])} for one in found]
    first = found[0]
    ranked: list[tuple[bool, float, Shared]] = []
    for name, index in indices[0].items():
        if not all(name in known for known in indices):
            continue
        where = tuple(known[name] for known in indices)
        scores = tuple(float(one["scores"][i]) for one, i in zip(found, where, strict=True))
        chance = float(first["chances"][index])
        whole = name == str(first["attributes"][index]) and chance > 0
        ranked.append(
            (not whole, -(min(scores) - chance) / (1 - chance), Shared(name, where, scores, chance))
        )
    return [one for _part, _rank, one in sorted(ranked, key=lambda row: row[:2])]


def edits(moves: Moves, start: "NDArray[np.float32]", vectors: "NDArray[np.float32]") -> list[float]:
    """Return the coordinates that a point has after moves, along the directions that it was moved along.

    With them as its edits, a `Point` is start + sum of d_k v_k exactly: a sum of these directions is what
    `models.latent.set_coordinates` adds, too.

    Args:
        moves: (k, d) pairs.
        start: Latent, shape (D,).
        vectors: Unit rows, shape (K, D).
    """
    here = start + sum((distance * vectors[k] for k, distance in moves), 0 * start)
    return [round(min(_LIMIT, max(-_LIMIT, float(vectors[k] @ here))), 4) for k, _distance in moves]


def to_text(moves: Moves) -> str:
    """Write moves for a link."""
    return ",".join(f"{index}:{distance:g}" for index, distance in moves)


def from_text(text: str) -> Moves:
    """Read what `to_text` wrote; raises ValueError if it is something else."""
    pairs = [part.split(":") for part in text.split(",")]
    return Together(moves=tuple(sorted({int(k): float(distance) for k, distance in pairs}.items()))).moves
