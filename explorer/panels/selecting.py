"""What was selected on the map: its pictures, its mean, and the way from one selection to another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer import controls, map_pictures, state, tray
from explorer.components.map.reports import Chosen
from explorer.components.map.scene import Selection, Shown
from explorer.components.tiles import tiles
from explorer.panels import arithmetic, pin, problem
from explorer.panels.comparing import Pane
from explorer.text import _, percent
from explorer.words import word
from models.catalog import ModelInfo
from models.media import contact_sheet, enlarged, png
from models.requests import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap
    from models.images import Pixels

LETTERS = ("A", "B")
MOST, COLUMNS = 48, 12  # pictures of the contact sheet, and a row of it where there is room
_STEPS = 7  # pictures from one mean to the other
_MEAN = 64  # CSS pixels of a mean's picture, about
_KEPT = "map_selections"
_NEXT = "map-selection"  # which one the next lasso is


@dataclass(frozen=True, eq=False)
class Selected:
    """A selection.

    Args:
        found: The map on which it was made.
        shown: The same as the browser has to know it.
        rows: Indices of the points, ascending.
    """

    found: "EmbeddingMap"
    shown: Shown
    rows: "NDArray[np.int64]"


def of(panes: Sequence[Pane]) -> Mapping[str, Selected]:
    """Return the selections on some maps, by letter; those on other maps mean nothing here."""
    there = {pane.shown.identity: pane for pane in panes}
    kept: Mapping[str, Selection] = st.session_state.get(_KEPT, {})
    return {
        letter: Selected(there[one.identity].found, there[one.identity].shown, one.rows)
        for letter, one in kept.items()
        if one.identity in there
    }


def for_browser(selections: Mapping[str, Selected]) -> Mapping[str, Selection]:
    """Return selections as the component has to know them."""
    return {letter: Selection(one.shown.identity, one.rows) for letter, one in selections.items()}


def letter() -> str:
    """Return which selection is being chosen."""
    return st.session_state.get(_NEXT) or LETTERS[0]


def take(panes: Sequence[Pane], number: int, rows: "NDArray[np.int64]") -> None:
    """Make some points of a map the selection that is being chosen."""
    there = for_browser(of(panes))
    st.session_state[_KEPT] = {**there, letter(): Selection(panes[number].shown.identity, rows)}


def _clear() -> None:
    st.session_state.pop(_KEPT, None)
    st.session_state.pop(_NEXT, None)


def show(info: ModelInfo, panes: Sequence[Pane]) -> str:
    """Draw the selections; returns the page to go to, empty to stay."""
    selections = of(panes)
    if not selections:
        st.caption(_("Draw around points to see their pictures and their mean."))
        return ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Selection"),
            LETTERS,
            default=LETTERS[0],
            required=True,
            key=_NEXT,
            help=_("What you draw around next becomes this selection. Two of them make a direction."),
        )
        st.button(_("Clear"), key="map-clear", icon=":material/close:", type="tertiary", on_click=_clear)
    if letter() in selections:
        _sheet(info, selections[letter()])
    else:
        st.caption(_("Draw around other points for selection {letter}.").format(letter=letter()))
    return _direction(info, *(selections[one] for one in LETTERS)) if len(selections) == len(LETTERS) else ""


# One selection ---------------------------------------------------------------------------------------------


def some(indices: "NDArray[np.int64]", most: int) -> "NDArray[np.int64]":
    """Return at most some of the indices, evenly spread."""
    import numpy as np

    return indices if len(indices) <= most else indices[np.linspace(0, len(indices) - 1, most).astype(int)]


def _sheet(info: ModelInfo, selected: Selected) -> None:
    found, indices = selected.found, selected.rows
    rows = some(indices, MOST)
    try:
        images = map_pictures.pictures(found, rows, selected.shown.pictures)
    except (map_pictures.LoadingError, LookupError):  # the images are not there yet, or are others by now
        images = map_pictures.pictures(found, rows, "decoded")
    left, right = st.columns([1, 2.4], vertical_alignment="center")
    mean = mean_picture(info, found, indices)
    if mean is not None:
        factor = max(1, _MEAN // mean.shape[0])
        left.image(png(enlarged(mean, factor)), width=factor * mean.shape[1], caption=_("Mean"))
    right.caption(problem.literal(_composition(found, indices, len(rows))))
    _channels, height, width = info.sample_shape
    tiles(
        png(contact_sheet(images, COLUMNS)),
        key="map-sheet",
        size=(width, height),
        names=[pin.words(found, Chosen((int(row),), (1.0,))) for row in rows],
        label=_("Pictures of the selection"),
        sheet_columns=COLUMNS,
        columns=COLUMNS,
        largest=64,
        on_open=lambda tile: pin.pick(info, found, Chosen((int(rows[tile]),), (1.0,))),
    )


def _composition(found: "EmbeddingMap", indices: "NDArray[np.int64]", seen: int) -> str:
    """Say how many points there are, how many of them are seen, and what most of them are."""
    number = f"{len(indices):,}"
    text = _("{n} points") if seen == len(indices) else _("{n} points, {seen} of them below")
    parts = [text.format(n=number, seen=seen)]
    known = found.categories.get(map_pictures.LABEL)
    if known is not None:
        counts = Counter(code for code in known.codes[indices].tolist() if code >= 0)
        parts += [
            f"{word(known.names[code])} {percent(count / len(indices))}"
            for code, count in counts.most_common(3)
        ]
    return " · ".join(parts)


def mean_of(found: "EmbeddingMap", indices: "NDArray[np.int64]") -> "NDArray[np.float32] | None":
    """Return the mean of the latents of some points, shape (D,); None where none of them has one."""
    known = indices[map_pictures.has_latent(found)[indices]]
    return found.latents[known].mean(0) if len(known) else None


def common_label(info: ModelInfo, found: "EmbeddingMap", indices: "NDArray[np.int64]") -> int | None:
    """Return the class of most of some points, for a conditional model; else None."""
    known = found.categories.get(map_pictures.LABEL)
    if not info.labels or known is None:
        return None
    counts = Counter(code for code in known.codes[indices].tolist() if code >= 0)
    return counts.most_common(1)[0][0] if counts else None


def _decoded(found: "EmbeddingMap", latents: "NDArray[np.float32]", label: int | None) -> "Pixels":
    import numpy as np

    labels = None if label is None else np.full(len(latents), label, np.int64)
    return map_pictures.decoded(found, latents, labels)


def mean_picture(info: ModelInfo, found: "EmbeddingMap", indices: "NDArray[np.int64]") -> "Pixels | None":
    """Return what the mean of some points decodes to, uint8 (H, W, C); None where they have no latents."""
    mean = mean_of(found, indices)
    return None if mean is None else _decoded(found, mean[None], common_label(info, found, indices))[0]


# Two of them -----------------------------------------------------------------------------------------------


def _direction(info: ModelInfo, a: Selected, b: Selected) -> str:
    import numpy as np

    first, second = (mean_of(one.found, one.rows) for one in (a, b))
    if first is None or second is None:
        st.caption(_("There is no way from A to B: this model cannot encode the images of one of them."))
        return ""
    st.subheader(_("From A to B"), anchor=False)
    shares = np.linspace(0, 1, _STEPS, dtype=np.float32)[:, None]
    label = common_label(info, a.found, a.rows)
    between = ((1 - shares) * first + shares * second).astype(np.float32)
    images = _decoded(a.found, between, label)
    _channels, height, width = info.sample_shape
    tiles(
        png(contact_sheet(images, _STEPS)),
        key="map-direction",
        size=(width, height),
        names=[_("{share} of the way from A to B").format(share=percent(float(one))) for one in shares[:, 0]],
        label=_("Pictures from the mean of A to that of B"),
        sheet_columns=_STEPS,
        columns=_STEPS,
        largest=64,
    )
    points = [_point(info, one, mean) for one, mean in ((a, first), (b, second))]
    with st.container(horizontal=True):
        if st.button(
            _("Use in Explore"),
            key="map-arithmetic",
            icon=":material/calculate:",
            help=_(
                "Keep both means and the point of Explore, and add B − A to it, under “Arithmetic on points”. Any "
                "other point that you keep can take its place there."
            ),
        ):
            _hand_over(info, points)
            return "views/explore.py"
        if st.button(
            _("Film"),
            key="map-film",
            icon=":material/animation:",
            help=_("Travel from the mean of A to that of B on the page Interpolate"),
        ):
            state.update_route(points=tuple(points))
            return "views/interpolate.py"
    return ""


def _point(info: ModelInfo, selected: Selected, mean: "NDArray[np.float32]") -> Point:
    latent = state.half(mean.tolist())
    if pin.own(selected.found, selected.rows):
        state.keep_private(latent)
    label = common_label(info, selected.found, selected.rows)
    return Point(latent=latent, axes=controls.point_of(info).axes, label=label)


def _hand_over(info: ModelInfo, means: list[Point]) -> None:
    """Keep the means and the point of Explore, and let Explore begin with mean of B - mean of A + point.

    Raises:
        UserError: The tray is full.
    """
    names = [_("Mean of {letter}").format(letter=letter) for letter in LETTERS]
    first, second = means
    here = controls.point_of(info)
    for point, name in ((second, names[1]), (first, names[0]), (here, "")):
        if all(one.point != point for one in tray.kept(info)):
            tray.keep(info, point, name)
    arithmetic.begin(second, first, here)
