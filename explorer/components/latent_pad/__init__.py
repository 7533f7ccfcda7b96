"""The picture of a latent with all that moves it: sliders, a plane of two directions, the picture, a filmstrip."""

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.components import define
from explorer.text import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HTML = '<div class="latent-pad" role="group"></div>'
_PARTS = ("parts", "space", "dial", "field", "picture", "pace", "mover", "stage", "latent_pad")
SCRIPTS = ("live.js", *(f"latent_pad/{name}.js" for name in _PARTS))
DIGITS = 4  # of a coordinate that the browser reports

Edits = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Axes:
    """The directions that a pad offers, the most important first.

    Args:
        kind: What they are, a name in `models.directions.DIRECTIONS`.
        indices: Of the directions among those of the model.
        names: For people.
        details: A word on each that stands beside its name, such as its share; may be empty.
        hints: A sentence on each, for its tooltip; may be empty.
        vectors: float32 unit rows, shape (K, D).
        moves: What a point moves along where it moves along these, float32 unit rows, shape (K, D), if others are to
            be kept meanwhile; None: along themselves.
        shown: How many of them are at hand; the others are behind a fold.
    """

    kind: str
    indices: Sequence[int]
    names: Sequence[str]
    details: Sequence[str]
    hints: Sequence[str]
    vectors: "NDArray[np.float32]"
    shown: int
    moves: "NDArray[np.float32] | None" = None

    @property
    def pair(self) -> tuple[int, int]:
        """Positions of the two that span a plane at first, across and upwards; of raw axes the lower number across."""
        first, second = (int(abs(vector).argmax()) for vector in self.vectors[:2])
        return (1, 0) if self.kind == "raw" and first > second else (0, 1)


@dataclass(frozen=True)
class Place:
    """Where a pad is.

    Args:
        model: Digest of the model's weights.
        name: What the model keeps while it learns, and edits hold for.
        label: Class, for a conditional model; else None.
        latent: float32, shape (D,): what is decoded, after truncation and edits.
        start: float32, shape (D,): the same without the edits.
        image: The picture, uint8 (H, W, C).
        edits: (direction, coordinate) pairs, which lead from `start` to `latent`.
        alt: What the picture shows, in words.
    """

    model: str
    name: str
    label: int | None
    latent: "NDArray[np.float32]"
    start: "NDArray[np.float32]"
    image: "NDArray[np.uint8]"
    edits: Edits
    alt: str


def _component() -> Any:
    return define(
        "pad", _HTML, css=("tools.css", "latent_pad/latent_pad.css", "latent_pad/field.css"), js=SCRIPTS
    )


def _texts() -> dict[str, str]:
    return {
        "pad": _("The picture and its controls"),
        "more": _("{n} more directions"),
        "across": _("Across"),
        "upwards": _("Upwards"),
        "along": _("Along"),
        "keep": _("Disturb the others less"),
        "keepHint": _(
            "These directions overlap, so a move along one changes more than its name says. Switched on, each slider "
            "takes a way that leaves alone what the others at hand stand for, as far as there is one: glasses without "
            "another skin. Where that is seen in the picture, their numbers may move a little. Edits that are there "
            "already are made anew in that way."
        ),
        "plane": _("two-dimensional slider"),
        "film": _("Pictures along one direction"),
        "frame": _("{name} at {value}"),
        "drag": _("Drag the picture"),
        "ease": _("Ease to where you point instead of jumping"),
        "soft": _("Smooth between the pixels"),
        "figures": _("Show speed"),
        "full": _("Full screen"),
        "meter": _("{latency} ms · {rate} pictures/s"),
        "lost": _("Connecting again … until then the picture follows when you let go."),
        "plain": _("The picture follows when you let go."),
    }


def _encoded(array: "NDArray[Any]") -> str:
    return base64.b64encode(array.tobytes()).decode()


def serial(place: Place, axes: Axes) -> str:
    """Return what names the place that edits start from: those that a browser reports for another are too late."""
    moves = b"" if axes.moves is None else axes.moves.tobytes()
    parts = (
        place.name.encode(),
        repr(place.label).encode(),
        place.start.tobytes(),
        axes.kind.encode(),
        moves,
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def payload(place: Place, axes: Axes, *, url: str, overlap: bool, span: float, steps: int) -> dict[str, Any]:
    """Return all that the browser needs; each payload stands for itself, because it may be the first."""
    return {
        "url": url,
        "model": place.model,
        "name": place.name,
        "label": -1 if place.label is None else place.label,
        "dim": len(place.latent),
        "shape": list(place.image.shape),
        "serial": serial(place, axes),
        "edits": [list(edit) for edit in place.edits],
        "latent": _encoded(place.latent),
        "start": _encoded(place.start),
        "pixels": _encoded(place.image),
        "alt": place.alt,
        "axes": {
            "name": axes.kind,
            "indices": list(axes.indices),
            "names": list(axes.names),
            "details": list(axes.details),
            "hints": list(axes.hints),
            "vectors": _encoded(axes.vectors),
            "shown": axes.shown,
        },
        "moves": "" if axes.moves is None else _encoded(axes.moves),
        "pad": list(axes.pair) if len(axes.names) > 1 else [0],
        "overlap": overlap,
        "film": {"span": span, "steps": steps},
        "texts": _texts(),
    }


def reported(value: object, place: Place, axes: Axes) -> Edits | None:
    """Return the edits that a browser reports, None if they are none or for another place; nothing is believed."""
    if not isinstance(value, dict) or value.get("serial") != serial(place, axes):
        return None
    return believed(value.get("edits"), axes.indices)


def believed(given: object, indices: Sequence[int]) -> Edits | None:
    """Return the (direction, coordinate) pairs that a browser reports, None if they are not pairs of these indices."""
    if not isinstance(given, list) or len(given) > len(indices):
        return None
    edits: dict[int, float] = {}
    for pair in given:
        if not isinstance(pair, list) or len(pair) != 2:
            return None
        index, coordinate = pair
        if type(index) is not int or index not in indices or index in edits:
            return None
        if type(coordinate) not in (int, float) or not math.isfinite(coordinate) or abs(coordinate) > 100:
            return None
        edits[index] = round(float(coordinate), DIGITS)
    return tuple(sorted(edits.items()))


def latent_pad(
    place: Place,
    axes: Axes,
    *,
    key: str,
    url: str,
    overlap: bool = False,
    span: float = 3.0,
    steps: int = 9,
    on_move: Callable[[Edits], None],
    on_keep: Callable[[bool], None],
) -> None:
    """Show a point's picture, which follows the pointer, and what moves it.

    While the point moves, the browser gets pictures over the live socket; Python hears of it once, on release. Where
    there is no socket, the picture follows then, from the next run of the page.

    Args:
        place: Where the point is.
        axes: Along which directions it can be moved.
        key: Of the element.
        url: Of the live socket, a path of this server.
        overlap: Some directions at hand are not orthogonal, so that there is a choice to keep the others.
        span: The filmstrip runs from -span to span, in prior standard deviations.
        steps: Pictures of the filmstrip.
        on_move: Called with all edits that lead from the start to the new place, before the page is drawn anew.
        on_keep: Called when a person switches whether the others are kept.
    """

    def moved() -> None:
        edits = reported(st.session_state[key].move, place, axes)
        if edits is not None:
            on_move(edits)

    def kept() -> None:
        if isinstance(st.session_state[key].keep, bool):
            on_keep(st.session_state[key].keep)

    data = payload(place, axes, url=url, overlap=overlap, span=span, steps=steps)
    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key, on_move_change=moved, on_keep_change=kept)
