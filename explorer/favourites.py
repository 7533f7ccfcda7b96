"""What a person makes of a model's directions, as values: names of their own, and which ones to have at hand."""

from collections.abc import Sequence
from typing import Annotated, Self

import streamlit as st
from pydantic import Field, model_validator

from models.catalog import ModelInfo
from models.requests import Index
from models.values import Value

MOST_NAMES = 200  # of one kind of directions
MOST_AT_HAND = 16  # so that the sliders stay on the screen
LONGEST = 40  # characters of a name
_KNOWN = "favourite_directions"

Name = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Favourites(Value):
    """What a person makes of one model's directions of one kind.

    Args:
        digest: Of the model's weights: of another model, direction 3 shows something else.
        axes: The kind, a name in `models.directions.DIRECTIONS`.
        names: (direction, name) pairs, by direction.
        at_hand: Directions that come first among the sliders, in this order.
    """

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    axes: str = Field(max_length=40)
    names: tuple[tuple[Index, Name], ...] = Field(default=(), max_length=MOST_NAMES)
    at_hand: tuple[Index, ...] = Field(default=(), max_length=MOST_AT_HAND)

    @model_validator(mode="after")
    def _says_each_once(self) -> Self:
        if len(dict(self.names)) < len(self.names) or len(set(self.at_hand)) < len(self.at_hand):
            raise ValueError("a direction is named twice")
        return self


def every() -> list[Favourites]:
    """Return what this session knows, of all models."""
    return list(_known().values())


def of(info: ModelInfo, axes: str) -> Favourites:
    """Return what a person made of a model's directions; empty at first."""
    return _known().get((info.digest, axes)) or Favourites(digest=info.digest, axes=axes)


def rename(info: ModelInfo, axes: str, index: int, name: str) -> None:
    """Give a direction a name; an empty one gives it back the one that it came with."""
    names = dict(of(info, axes).names)
    names.pop(index, None)
    if (name := name.strip()[:LONGEST]) and len(names) < MOST_NAMES:
        names[index] = name
    _change(info, axes, names=tuple(sorted(names.items())))


def keep(info: ModelInfo, axes: str, index: int, on: bool) -> None:
    """Have a direction at hand, after those that already are, or no longer."""
    others = tuple(one for one in of(info, axes).at_hand if one != index)
    _change(info, axes, at_hand=(*others, index)[:MOST_AT_HAND] if on else others)


def reset(info: ModelInfo, axes: str) -> None:
    """Forget names and choice of one kind of directions."""
    _store({key: value for key, value in _known().items() if key != (info.digest, axes)})


def add(found: Sequence[Favourites]) -> None:
    """Take over what was saved; where something is known of the same directions, the saved one counts."""
    _store({**_known(), **{(one.digest, one.axes): one for one in found}})


def _change(info: ModelInfo, axes: str, **changes: object) -> None:
    new = Favourites.model_validate({**dict(of(info, axes)), **changes})
    if new.names or new.at_hand:
        _store({**_known(), (info.digest, axes): new})
    else:
        reset(info, axes)


def _known() -> dict[tuple[str, str], Favourites]:
    return st.session_state.get(_KNOWN) or {}


def _store(known: dict[tuple[str, str], Favourites]) -> None:
    st.session_state[_KNOWN] = known
