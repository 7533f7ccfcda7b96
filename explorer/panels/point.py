"""The point that Explore is at: its picture, the controls that move it, a slider for each direction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer import cache, controls, figures, link, state
from explorer.text import _, ngettext
from models.catalog import ModelInfo
from models.config import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LARGE = 768  # pixels of the large picture, at least
_COLUMNS = 2
_MORE = 24  # sliders behind the expander, at most


@dataclass(frozen=True)
class Located:
    """A point with everything that a page shows of it.

    Args:
        point: Where it is.
        image: Its picture, uint8 (H, W, C).
        names: Of the directions, the most important first.
        shares: What each explains, in [0, 1].
        coordinates: Of the point along them, in prior standard deviations.
    """

    point: Point
    image: "NDArray[np.uint8]"
    names: list[str]
    shares: list[float]
    coordinates: list[float]

    @property
    def count(self) -> int:
        """Number of directions."""
        return len(self.names)


def locate(info: ModelInfo) -> Located:
    """Render the point that the view is at; what the link asks for and the model has not is dropped, and said."""
    point = controls.point_of(info)
    known = cache.axes()
    if point.axes not in known:
        text = _("The link asks for axes “{axes}”, which are none of {known}. It shows “{instead}” instead.")
        instead = controls.default_axes(info)
        sentence = text.format(axes=point.axes, known=", ".join(known), instead=instead)
        state.correct_point([sentence], axes=instead, edits=())
        point = controls.point_of(info)
    found = cache.render(controls.directions(info, point.axes)).values
    vectors, shares = found["vectors"], found["shares"]
    wrong = [index for index, _value in point.edits if index >= len(shares)]
    if wrong:
        text = _(
            "The link sets direction {index}, but in a link they are 0 to {last}. That edit is left out."
        )
        sentences = [text.format(index=index, last=len(shares) - 1) for index in wrong]
        state.correct_point(sentences, edits=tuple(edit for edit in point.edits if edit[0] not in wrong))
        point = controls.point_of(info)
    result = cache.render(controls.picture(info, point))
    return Located(
        point,
        result.images[0],
        [_name(point.axes, number, vector) for number, vector in enumerate(vectors)],
        [float(share) for share in shares],
        [float(value) for value in result.values["coordinates"][0]],
    )


def _name(axes: str, number: int, vector: Any) -> str:
    if axes == "raw":
        return _("z{number}").format(number=int(abs(vector).argmax()) + 1)
    return _("Direction {number}").format(number=number + 1)


def picture(info: ModelInfo, found: Located) -> None:
    """Show the picture large, every pixel a crisp square."""
    factor = -(-_LARGE // found.image.shape[0])
    alt = _("What {title} makes of this point, seed {seed}").format(title=info.title, seed=found.point.seed)
    st.image(figures.png(figures.enlarge(found.image, factor)), width="stretch", alt=alt)


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
        icon=":material/undo:",
        disabled=not edits,
        help=ngettext("Take back {n} edit", "Take back {n} edits", edits).format(n=edits),
        on_click=state.update_point,
        kwargs={"edits": ()},
    )


def options(info: ModelInfo, found: Located) -> None:
    """Draw what the point starts from, and the choice of directions."""
    first, second = st.columns(2)
    with first:
        controls.seed()
    with second:
        controls.truncation(link.EXPLORE)
    if info.labels:
        controls.label(info)
    controls.axes(cache.axes(), found.point.axes)


def sliders(found: Located, directions: Iterable[int]) -> None:
    """Draw a slider for each direction."""
    edited = {index for index, _value in found.point.edits}
    shown = list(directions)
    for start in range(0, len(shown), _COLUMNS):  # row by row, which is the order of the Tab key too
        for column, index in zip(st.columns(_COLUMNS), shown[start : start + _COLUMNS], strict=False):
            with column:
                controls.slider(
                    found.names[index],
                    found.shares[index],
                    index,
                    found.coordinates[index],
                    edited=index in edited,
                    key=f"slider-{index}",
                )


def more_sliders(found: Located, directions: range) -> None:
    """Draw the sliders of weaker directions, once they are asked for."""
    shown = directions[:_MORE]
    title = _("Directions {first} to {last}").format(first=shown[0] + 1, last=shown[-1] + 1)
    more = st.expander(title, icon=":material/tune:", key="more-directions", on_change="rerun")
    if more.open:
        with more:
            sliders(found, shown)
