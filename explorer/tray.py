"""Points that a person keeps, as values: in the session, and as a file to take along, with names of directions."""

import json
from collections.abc import Sequence

import streamlit as st
from pydantic import Field, ValidationError

from explorer import favourites, state
from explorer.favourites import Favourites
from explorer.text import _
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import Point
from models.values import Value

MOST = 48  # points in the tray
MAX_BYTES = 2_000_000  # of a file of them
_TRAY = "kept_points"
_VERSION = 1


class Kept(Value):
    """A point that is kept, with a name.

    Args:
        name: What the person calls it.
        model: Id of the model.
        digest: Of the model's weights: another model of the same id may come later.
        point: The place, with everything filled in.
        private: Whether it comes from a person's own image: it is then kept out of links.
    """

    name: str = Field(min_length=1, max_length=60)
    model: str = Field(max_length=200)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    point: Point
    private: bool = False


class _File(Value):
    version: int = Field(ge=1, le=_VERSION)
    points: tuple[Kept, ...] = Field(max_length=MOST)
    directions: tuple[Favourites, ...] = Field(default=(), max_length=MOST)


def kept(info: ModelInfo | None = None) -> list[Kept]:
    """Return the points of the tray, those of one model or all."""
    every: list[Kept] = st.session_state.get(_TRAY) or []
    return [one for one in every if info is None or one.digest == info.digest]


def keep(info: ModelInfo, point: Point, name: str = "") -> Kept:
    """Put a point into the tray; raises UserError if it is full."""
    if len(kept()) >= MOST:
        remedy = _("Delete some of them first.")
        raise UserError("tray-full", _("The tray holds {n} points at most.").format(n=MOST), remedy)
    new = Kept(
        name=name or _new_name(point),
        model=info.id,
        digest=info.digest,
        point=point,
        private=state.is_private(point),
    )
    st.session_state[_TRAY] = [*kept(), new]
    return new


def _new_name(point: Point) -> str:
    plain = _("seed {seed}").format(seed=point.seed) if not point.latent else _("point")
    stem = f"{plain}*" if point.edits else plain
    names = {one.name for one in kept()}
    return next(
        name for i in range(MOST + 2) if (name := stem if not i else f"{stem} ({i + 1})") not in names
    )


def rename(one: Kept, name: str) -> None:
    """Give a kept point another name; an empty one leaves it as it is."""
    name = name.strip()[:60]
    if name:
        new = one.model_copy(update={"name": name})
        st.session_state[_TRAY] = [new if each == one else each for each in kept()]


def drop(one: Kept) -> None:
    """Delete a kept point."""
    st.session_state[_TRAY] = [each for each in kept() if each != one]


def visit(one: Kept) -> None:
    """Move to a kept point."""
    if one.private:
        state.keep_private(one.point.latent)
    state.update_point(**dict(one.point))


def to_json() -> str:
    """Write the tray, and what directions were called, as text that `from_json` reads."""
    directions = tuple(favourites.every())[-MOST:]
    return _File(version=_VERSION, points=tuple(kept()), directions=directions).model_dump_json(indent=1)


def from_json(data: bytes, known: Sequence[ModelInfo]) -> int:
    """Add the points of a file to the tray, those that are there already left out, and its names of directions.

    Args:
        data: What `to_json` wrote.
        known: The models that are here.

    Returns:
        How many of its points belong to models that are not here; they are kept, too.

    Raises:
        UserError: It is no such file, or there is no room for its points; no point is added then.
    """
    remedy = _("Choose a file that was saved from a tray.")
    if len(data) > MAX_BYTES:
        raise UserError("bad-tray", _("The file is too large for a tray."), remedy)
    try:
        file = _File.model_validate(json.loads(data))
    except (ValueError, RecursionError, ValidationError):
        raise UserError("bad-tray", _("The file holds no kept points."), remedy) from None
    favourites.add(file.directions)
    new = [one for one in dict.fromkeys(file.points) if one not in kept()]
    if len(kept()) + len(new) > MOST:
        problem = _("The tray holds {n} points at most.").format(n=MOST)
        raise UserError("tray-full", problem, _("Delete some of them first."))
    st.session_state[_TRAY] = [*kept(), *new]
    for one in new:
        if one.private:
            state.keep_private(one.point.latent)
    digests = {info.digest for info in known}
    return sum(one.digest not in digests for one in file.points)
