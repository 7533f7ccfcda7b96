"""Where models meet: the same seed in each, moved along the directions that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer import background, cache, controls, state
from explorer.compare import rivals, together
from explorer.compare.together import NAMES, RANKS, Moves, Shared
from explorer.components.linked import Rival, Scene
from explorer.text import _, percent
from explorer.words import word
from models.catalog import ModelInfo
from models.errors import UserError
from models.families import kind_of
from models.requests import Point, default_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = 8  # sliders at hand; the others are behind a fold
_LEAST = 2  # names that models must share, for moves to be along them
_WITHOUT = ("no-classifier", "no-attributes")  # why a model has none


@dataclass(frozen=True)
class Meeting:
    """Models at one place.

    Args:
        models: Which ones.
        along: What the moves are along, one of `together.KINDS`.
        directions: What they share.
        points: Where the seed leads in each, without moves.
        starts: The same as latents, float32, shape (D,) of each.
        vectors: The directions in each latent space, float32 unit rows, shape (K, D).
        moves: Made by the person.
    """

    models: Sequence[ModelInfo]
    along: str
    directions: Sequence[Shared]
    points: Sequence[Point]
    starts: "Sequence[NDArray[np.float32]]"
    vectors: "Sequence[NDArray[np.float32]]"
    moves: Moves

    def point(self, number: int, moves: Moves) -> Point:
        """Return where a model is after moves."""
        coordinates = together.edits(moves, self.starts[number], self.vectors[number])
        indices = [self.directions[k].indices[number] for k, _distance in moves]
        pairs = sorted(zip(indices, coordinates, strict=True))
        return self.points[number].model_copy(update={"edits": tuple(pairs)})


def labels(models: Sequence[ModelInfo]) -> tuple[str, ...]:
    """Return the classes of the models that have any; they are of one data set."""
    return next((info.labels for info in models if info.labels), ())


def label_of(info: ModelInfo, seed: int) -> int | None:
    """Return the class that a model is asked for, None where it has none."""
    chosen = state.view().together.label
    if not info.labels or (chosen is not None and chosen < len(info.labels)):
        return chosen if info.labels else None
    return default_label(seed, len(info.labels))


def along(models: Sequence[ModelInfo]) -> str:
    """Return what moves are along."""
    return state.view().together.along or together.suits(models)


def has_names(models: Sequence[ModelInfo]) -> bool:
    """Tell whether attributes can name directions: there is a classifier, or all models bring names along."""
    data, shape = models[0].dataset, models[0].sample_shape
    judges = (info for info in cache.all_models()[0] if info.can("classify"))
    return together.suits(models) == NAMES or any(
        (judge.dataset, judge.sample_shape) == (data, shape) for judge in judges
    )


def ready(models: Sequence[ModelInfo]) -> bool:
    """Tell whether the directions of all models are found, or cannot be; else show how far they are."""
    kind, called = along(models), rivals.names(models)
    requests = {
        f"together-{number}": controls.directions(info, together.axes(info, kind))
        for number, info in enumerate(models)
    }
    with st.spinner(_("Opening the models")):
        # Together, and until they are there or known to take long: a bar in between would take the pictures away.
        for work in [background.follow(slot, request, shared=True) for slot, request in requests.items()]:
            work.wait_for_news()
    words = _("Looking for the directions of {title}")
    return all(
        background.ready(slot, request, words.format(title=called[info.id]))
        for info, (slot, request) in zip(models, requests.items(), strict=True)
    )


def meet(models: Sequence[ModelInfo]) -> Meeting:
    """Return where the view lets models meet; moves that were made with others are dropped."""
    ids = tuple(info.id for info in models)
    given = state.view().together
    if given.models != ids:
        _correct(models=ids, moves=() if given.models else given.moves)
    kind, directions = _directions(models)
    moves = state.view().together.moves
    wrong = [k for k, _distance in moves if k >= len(directions)]
    if wrong:
        text = _("This place names direction {index}, but they are 0 to {last} here. It is left out.")
        state.notify([text.format(index=index, last=len(directions) - 1) for index in wrong])
        moves = tuple(move for move in moves if move[0] not in wrong)
        _correct(moves=moves)
    point = state.view().point
    points = [
        Point(
            seed=point.seed,
            truncation=point.truncation,
            axes=together.axes(info, kind),
            label=label_of(info, point.seed),
        )
        for info in models
    ]
    pairs = list(zip(models, points, strict=True))
    starts = [cache.render(controls.picture(info, where)).latents[0] for info, where in pairs]
    found = [cache.render(controls.directions(info, where.axes)).values["vectors"] for info, where in pairs]
    vectors = [
        all_of[[direction.indices[number] for direction in directions]] for number, all_of in enumerate(found)
    ]
    return Meeting(models, kind, directions, points, starts, vectors, moves)


def _correct(**changes: object) -> None:
    """Change where the models are without an act of the person's: notices stay."""
    view = state.view()
    state.put(view.model_copy(update={"together": view.together.model_copy(update=changes)}))


def _directions(models: Sequence[ModelInfo]) -> tuple[str, list[Shared]]:
    """Return the kind of directions that models share, and the first of them; by rank where names fail."""
    kind = along(models)
    try:
        found = _shared(models, kind)
        if kind == NAMES and len(found) < _LEAST:
            text = _("These models share too few attributes to be moved along.")
            raise UserError(
                "no-attributes", text, _("They are moved along their strongest directions instead.")
            )
    except UserError as error:
        if kind != NAMES or error.code not in _WITHOUT:
            raise
        if state.view().together.along:
            state.notify([f"{error.problem} {error.remedy}"])
        _correct(along=RANKS, moves=())
        kind, found = RANKS, _shared(models, RANKS)
    return kind, found[: together.MOST]


def _shared(models: Sequence[ModelInfo], kind: str) -> list[Shared]:
    requests = [controls.directions(info, together.axes(info, kind)) for info in models]
    return together.shared([cache.render(request).values for request in requests], kind)


def scene(meeting: Meeting) -> Scene:
    """Return what the component shows of it."""
    return Scene(
        rivals=[_rival(meeting, number) for number in range(len(meeting.models))],
        names=[_name(number, one) for number, one in enumerate(meeting.directions)],
        details=[percent(max(0.0, min(one.values))) if one.name else "" for one in meeting.directions],
        hints=[_hint(one, meeting.models) for one in meeting.directions],
        shown=min(SHOWN, len(meeting.directions)),
        moves=meeting.moves,
        real=_real(meeting.models),
    )


def _rival(meeting: Meeting, number: int) -> Rival:
    info, point = meeting.models[number], meeting.point(number, meeting.moves)
    title = rivals.names(meeting.models)[info.id]
    alt = _("What {title} makes of this point, seed {seed}").format(title=title, seed=point.seed)
    return Rival(
        model=info.digest,
        name=info.id if info.run else info.digest,
        title=title,
        family=kind_of(info.family).title,
        label=point.label,
        start=meeting.starts[number],
        image=cache.render(controls.picture(info, point)).images[0],
        vectors=meeting.vectors[number],
        alt=alt,
    )


def _name(number: int, direction: Shared) -> str:
    return word(direction.name) if direction.name else _("Direction {number}").format(number=number + 1)


def _hint(direction: Shared, models: Sequence[ModelInfo]) -> str:
    """Word what each model has of a direction."""
    each = ", ".join(
        f"{name} {percent(max(0.0, value))}"
        for name, value in zip(rivals.names(models).values(), direction.values, strict=True)
    )
    if not direction.name:
        return _("how much of the differences between pictures it accounts for: {each}").format(each=each)
    if direction.chance == 0:
        return _("how much of it the latent alone explains (R², held-out samples): {each}").format(each=each)
    text = _(
        "in how many held-out samples the latent alone tells whether they have it: {each}; a guess: {chance}"
    )
    return text.format(each=each, chance=percent(direction.chance))


def _real(models: Sequence[ModelInfo]) -> float | None:
    """Return the mean sharpness of real images, which is the data set's, from the first card that has it."""
    found = (info.card.metrics.get("sharpness_real") for info in models)
    return next((metric.value for metric in found if metric is not None and metric.value > 0), None)
