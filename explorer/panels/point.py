"""The point that Explore is at: its picture with what moves it, what it starts from, the kind of its directions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer import cache, controls, favourites, link, live, sitemap, state
from explorer.components.latent_pad import Axes, Place, latent_pad
from explorer.text import _, ngettext, percent
from explorer.words import word
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import Point, RenderRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

SHOWN = 8  # sliders at hand
MORE = 24  # weaker ones behind a fold, at most
_OVERLAP = (
    0.01  # cosine up to which directions count as orthogonal: sliders move each other by less than shown
)


_WITHOUT = ("no-classifier", "no-attributes")  # why a model has no directions of a kind


@dataclass(frozen=True)
class Located:
    """A point with everything that a page shows of it.

    Args:
        point: Where it is.
        place: The same for the pad.
        axes: The directions that the person keeps at hand, the first others, and those that have been edited.
        coordinates: Of the point along all directions, in prior standard deviations.
        titles: The names that all directions came with.
        overlap: Whether directions at hand are not orthogonal.
    """

    point: Point
    place: Place
    axes: Axes
    coordinates: list[float]
    titles: list[str]
    overlap: bool

    @property
    def image(self) -> "NDArray[np.uint8]":
        """Its picture, uint8 (H, W, C)."""
        return self.place.image


def _request(info: ModelInfo, point: Point) -> "RenderRequest":
    return controls.picture(info, point, point.model_copy(update={"edits": ()}))


def there(info: ModelInfo) -> "tuple[NDArray[np.float32], int | None] | None":
    """Return the latent (D,) and the class of the point that the view is at, None where it is not rendered yet."""
    point = controls.point_of(info)
    result = cache.there(_request(info, point))
    return None if result is None else (result.latents[0], point.label)


def locate(info: ModelInfo) -> Located:
    """Render the point that the view is at; what the link asks for and the model has not is dropped, and said."""
    point = controls.point_of(info)
    known = cache.axes()
    if point.axes not in known:
        text = _("The link asks for axes “{axes}”, which are none of {known}. It shows “{instead}” instead.")
        instead = controls.default_axes(info)
        sentence = text.format(axes=point.axes, known=", ".join(known), instead=instead)
        state.correct_point([sentence], axes=instead, edits=(), keep=())
        point = controls.point_of(info)
    found = _directions(info, point)
    if found is None:
        point = controls.point_of(info)
        found = cache.render(controls.directions(info, point.axes)).values
    count = len(found["vectors"])
    wrong = sorted({index for index in (*dict(point.edits), *point.keep) if index >= count})
    if wrong:
        text = _("This place names direction {index}, but they are 0 to {last} here. It is left out.")
        sentences = [text.format(index=index, last=count - 1) for index in wrong]
        state.correct_point(
            sentences,
            edits=tuple(edit for edit in point.edits if edit[0] not in wrong),
            keep=tuple(index for index in point.keep if index not in wrong),
        )
        point = controls.point_of(info)
    result = cache.render(_request(info, point))
    titles = _titles(point.axes, found)
    axes = _axes(info, point, found, titles)
    place = Place(
        model=info.digest,
        name=info.id if info.run else info.digest,
        label=point.label,
        latent=result.latents[0],
        start=result.latents[1],
        image=result.images[0],
        edits=point.edits,
        alt=_alt(info, point),
    )
    at_hand = axes.vectors[: axes.shown]
    cosines = at_hand @ at_hand.T - [[i == j for i in range(len(at_hand))] for j in range(len(at_hand))]
    overlap = bool((abs(cosines) > _OVERLAP).any())
    coordinates = [float(c) for c in result.values["coordinates"][0]]
    return Located(point, place, axes, coordinates, titles, overlap)


def _directions(info: ModelInfo, point: Point) -> "Mapping[str, NDArray[Any]] | None":
    """Return the directions of the point's kind; where the model has none of it, choose its default and say why."""
    instead = controls.default_axes(info)
    try:
        return cache.render(controls.directions(info, point.axes)).values
    except UserError as error:
        if error.code not in _WITHOUT or point.axes == instead:
            raise
        state.correct_point([f"{error.problem} {error.remedy}"], axes=instead, edits=(), keep=())
        return None


def locate_anew(info: ModelInfo) -> Located:
    """Return the same place along raw axes, of which there are always as many as dimensions."""
    kind = controls.point_of(info).axes
    text = _("This model has a single direction of the kind “{kind}”. It shows its raw axes instead.")
    state.correct_point([text.format(kind=kind)], axes="raw", edits=(), keep=())
    return locate(info)


def _alt(info: ModelInfo, point: Point) -> str:
    if point.latent:
        return _("What {title} makes of this point").format(title=info.title)
    return _("What {title} makes of this point, seed {seed}").format(title=info.title, seed=point.seed)


def _titles(kind: str, found: "Mapping[str, NDArray[Any]]") -> list[str]:
    given = list(found.get("names", ()))
    return [
        word(str(given[i])) if given else _name(kind, i, vector) for i, vector in enumerate(found["vectors"])
    ]


def _axes(
    info: ModelInfo, point: Point, found: "Mapping[str, NDArray[np.float32]]", titles: "Sequence[str]"
) -> Axes:
    vectors, shares = found["vectors"], found["shares"]
    own = favourites.of(info, point.axes)
    first = [index for index in own.at_hand if index < len(vectors)]
    others = [index for index in _order(found) if index not in first]
    indices = [*first, *others][: SHOWN + MORE]
    indices += [index for index, _value in point.edits if index not in indices]
    names = {**dict(enumerate(titles)), **dict(own.names)}
    scores, chances = (list(found.get(name, ())) for name in ("scores", "chances"))
    values = scores or list(shares)
    details = [percent(max(0.0, float(values[index]))) for index in indices]
    hints = [_hint(float(chances[index]) if scores else None) for index in indices]
    return Axes(
        kind=point.axes,
        indices=indices,
        names=[names[index] for index in indices],
        details=details,
        hints=[hint.format(share=detail) for hint, detail in zip(hints, details, strict=True)],
        vectors=vectors[indices],
        moves=_moves(info, point)[indices] if point.keep else None,
        shown=min(max(SHOWN, len(first)), len(vectors)),
    )


def _moves(info: ModelInfo, point: Point) -> "NDArray[np.float32]":
    return cache.render(controls.directions(info, point.axes, point.keep)).values["moves"]


def _order(found: "Mapping[str, NDArray[Any]]") -> list[int]:
    """Return the directions as a person looks for them: whole attributes such as glasses before single values."""
    # They are in this order already but for a model that still trains, whose raw axes keep their own.
    shares = list(found["shares"])
    ranked = sorted(range(len(shares)), key=lambda i: -shares[i])
    names, groups, chances = (list(found.get(key, ())) for key in ("names", "attributes", "chances"))
    if not names or not groups:
        return ranked
    return sorted(ranked, key=lambda i: not (names[i] == groups[i] and chances[i] > 0))


def _hint(chance: float | None) -> str:
    """Word what the number beside a direction means: a share of change, or a score on held-out samples."""
    if chance is None:
        return _("accounts for {share} of how the pictures differ")
    if chance == 0:
        return _("the latent alone explains {share} of how much samples have of this (R², held-out samples)")
    return _(
        "the latent alone tells in {share} of held-out samples whether they have this; a guess: {chance}"
    ).replace("{chance}", percent(chance))


def _name(axes: str, number: int, vector: "NDArray[np.float32]") -> str:
    if axes == "raw":
        return _("z{number}").format(number=int(abs(vector).argmax()) + 1)
    return _("Direction {number}").format(number=number + 1)


def socket_url() -> str:
    """Return where components find the live socket on this server."""
    return f"{sitemap.base()}{live.PATH}"


def pad(found: Located) -> None:
    """Show the picture with all that moves it."""
    latent_pad(
        found.place,
        found.axes,
        key="pad",
        url=socket_url(),
        overlap=found.overlap,
        span=controls.SPAN,
        steps=controls.STEPS,
        on_move=lambda edits: state.update_point(edits=edits),
        on_keep=lambda keep: state.update_point(keep=found.axes.indices[: found.axes.shown] if keep else ()),
    )


def actions(found: Located) -> None:
    """Draw Random and Reset."""
    st.button(
        _("Random"),
        key="random",
        icon=":material/casino:",
        help=_("Go to a random point"),
        on_click=controls.random_seed,
    )
    edits = len(found.point.edits)
    st.button(
        _("Reset"),
        key="reset",
        icon=":material/restart_alt:",
        disabled=not edits,
        help=ngettext("Take back {n} edit", "Take back {n} edits", edits).format(n=edits) if edits else None,
        on_click=state.update_point,
        kwargs={"edits": ()},
    )


def options(info: ModelInfo, found: Located) -> None:
    """Draw what the point starts from, and the choice of directions."""
    widths = [1.1, 1.3, 1.2] if info.labels else [1.1, 1.3]
    columns = st.columns([*widths, 2.6], gap="medium")
    with columns[0]:
        controls.seed()
    with columns[1]:
        controls.truncation(link.EXPLORE)
    if info.labels:
        with columns[2]:
            controls.label(info)
    with columns[-1]:
        latent = found.place.latent.tolist()
        controls.axes(cache.axes(), found.point.axes, lambda axes: state.choose_axes(axes, latent))
