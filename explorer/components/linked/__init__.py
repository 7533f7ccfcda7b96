"""Several models at one place, a picture each: one gesture moves all of them, live."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.compare.together import FARTHEST, Moves
from explorer.components import define
from explorer.components.latent_pad import believed
from explorer.text import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HTML = '<div class="linked" role="group"></div>'
_PAD = ("parts", "space", "dial", "field", "picture", "pace", "mover")
_PARTS = ("sharpness", "rival", "linked")
SCRIPTS = (
    "live.js",
    *(f"latent_pad/{name}.js" for name in _PAD),
    *(f"linked/{name}.js" for name in _PARTS),
)
_STYLES = ("tools.css", "latent_pad/latent_pad.css", "latent_pad/field.css", "linked/linked.css")


@dataclass(frozen=True)
class Rival:
    """One of the models.

    Args:
        model: Digest of its weights.
        name: What it keeps while it learns.
        title: Its name for people.
        family: What kind of model it is, for people.
        label: Class, for a conditional model; else None.
        start: float32, shape (D,): where the seed leads.
        image: Its picture after the moves, uint8 (H, W, C).
        vectors: The shared directions in its latent space, float32 unit rows, shape (K, D).
        alt: What the picture shows, in words.
    """

    model: str
    name: str
    title: str
    family: str
    label: int | None
    start: "NDArray[np.float32]"
    image: "NDArray[np.uint8]"
    vectors: "NDArray[np.float32]"
    alt: str


@dataclass(frozen=True)
class Scene:
    """All that is shown.

    Args:
        rivals: The models.
        names: Of the shared directions, for people.
        details: A word on each that stands beside its name; may be empty.
        hints: A sentence on each, for its tooltip.
        shown: How many of them are at hand; the others are behind a fold.
        moves: (direction, prior standard deviations) pairs: how far each model is from its start.
        real: Mean sharpness of real images, in squared units of [-1, 1]; None if nobody knows it.
    """

    rivals: Sequence[Rival]
    names: Sequence[str]
    details: Sequence[str]
    hints: Sequence[str]
    shown: int
    moves: Moves
    real: float | None

    @property
    def serial(self) -> str:
        """What names the places that moves start from: those that a browser reports for others are too late."""
        parts = (
            part
            for rival in self.rivals
            for part in (
                rival.name.encode(),
                repr(rival.label).encode(),
                rival.start.tobytes(),
                rival.vectors.tobytes(),
            )
        )
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _component() -> Any:
    return define("linked", _HTML, css=_STYLES, js=SCRIPTS)


def _texts() -> dict[str, str]:
    return {
        "linked": _("The models at the same place"),
        "more": _("More directions ({n})"),
        "across": _("Across"),
        "upwards": _("Upwards"),
        "plane": _("two-dimensional slider"),
        "hint": _("Drag a picture: all of them move."),
        "lost": _("Connecting again … until then the pictures follow when you let go."),
        "plain": _("The pictures follow when you let go."),
        "open": _("Open in Explore"),
        "openName": _("Open {title} in Explore"),
        "sharpness": _("Sharpness"),
        "sharp": _("{value} × real"),
        "sharpHint": _(
            "Sharpness of this picture: the variance of its Laplacian, divided by the mean over real images. At the "
            "mark it has as much fine detail as a real picture has on average; real pictures differ much among "
            "themselves. Noise counts as detail, too."
        ),
    }


def _encoded(array: "NDArray[Any]") -> str:
    return base64.b64encode(array.tobytes()).decode()


def payload(scene: Scene, url: str) -> dict[str, Any]:
    """Return all that the browser needs; each payload stands for itself, because it may be the first."""
    return {
        "url": url,
        "serial": scene.serial,
        "moves": [list(move) for move in scene.moves],
        "axes": {
            "names": list(scene.names),
            "details": list(scene.details),
            "hints": list(scene.hints),
            "shown": scene.shown,
        },
        "rivals": [
            {
                "model": rival.model,
                "title": rival.title,
                "family": rival.family,
                "label": -1 if rival.label is None else rival.label,
                "start": _encoded(rival.start),
                "vectors": _encoded(rival.vectors),
                "pixels": _encoded(rival.image),
                "shape": list(rival.image.shape),
                "alt": rival.alt,
            }
            for rival in scene.rivals
        ],
        "real": scene.real,
        "texts": _texts(),
    }


def reported(value: object, scene: Scene) -> Moves | None:
    """Return the moves that a browser reports, None if they are none or for other places; nothing is believed."""
    if not isinstance(value, dict) or value.get("serial") != scene.serial:
        return None
    moves = believed(value.get("moves"), range(len(scene.names)))
    if moves is None or any(abs(distance) > FARTHEST for _direction, distance in moves):
        return None
    return moves


def opened(value: object, scene: Scene) -> tuple[int, Moves] | None:
    """Return which model a browser asks to open, and after which moves; None if it is none."""
    moves = reported(value, scene)
    number = value.get("rival") if isinstance(value, dict) else None
    if moves is None or type(number) is not int or not 0 <= number < len(scene.rivals):
        return None
    return number, moves


def linked(
    scene: Scene,
    *,
    key: str,
    url: str,
    on_move: Callable[[Moves], None],
    on_open: Callable[[int, Moves], None],
) -> bool:
    """Show models at one place, and what moves all of them.

    While they move, the browser gets pictures over the live socket, a stream for each; Python hears of it once, on
    release. Where a model has no stream, its picture follows then, from the next run of the page.

    Args:
        scene: What is shown.
        key: Of the element.
        url: Of the live socket, a path of this server.
        on_move: Called with all moves that lead from the starts to the new places, before the page is drawn anew.
        on_open: Called with the number of the model that is asked for, and the moves.

    Returns:
        Whether one was just opened.
    """

    def moved() -> None:
        moves = reported(st.session_state[key].move, scene)
        if moves is not None:
            on_move(moves)

    def asked() -> None:
        found = opened(st.session_state[key].open, scene)
        if found is not None:
            on_open(*found)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    data = [payload(scene, url)]
    result = _component()(data=data, key=key, on_move_change=moved, on_open_change=asked)
    return opened(result.open, scene) is not None
