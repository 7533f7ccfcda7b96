"""Calculating with kept points: a - b + c."""

from typing import Literal

import streamlit as st

from explorer import cache, controls, state, tray
from explorer.panels import pictures
from explorer.panels.fold import fold, unfold
from explorer.text import _
from models.catalog import ModelInfo
from models.requests import Analogy, Decode, Point

_KEY = "arithmetic"
_PICTURE = 128  # CSS pixels of each picture
_PARTS = (("a", ""), ("b", "− "), ("c", "+ "))  # with their signs


def show(info: ModelInfo) -> None:
    """Draw the fold with the sum of three kept points."""
    if part := fold(_("Arithmetic on points"), key=_KEY, icon=":material/calculate:"):
        with part:
            _sum(info)


def begin(a: Point, b: Point, c: Point) -> None:
    """Open the fold on Explore with a - b + c, all of them kept points."""
    for (letter, _sign), point in zip(_PARTS, (a, b, c), strict=True):
        st.session_state[f"sum-{letter}"] = point
    unfold(_KEY)


def _sum(info: ModelInfo) -> None:
    """Draw the choice of three kept points, their pictures with that of the sum, and the button that goes there."""
    names = {one.point: one.name for one in tray.kept(info)}
    if len(names) < 3:
        st.caption(_("Keep three points to calculate with them: one minus another plus a third."))
        return
    points = list(names)
    columns = st.columns(4, vertical_alignment="bottom")
    chosen: list[Point] = []
    for column, (letter, sign), default in zip(columns, _PARTS, (0, 1, 2), strict=False):
        with column:
            key = f"sum-{letter}"
            if st.session_state.get(key, points[0]) not in names:  # it was deleted
                del st.session_state[key]
            place = st.selectbox(
                f"{sign}{letter}",
                points,
                index=default,
                format_func=lambda point: names.get(point, ""),
                key=key,
                persist_state="session",
            )
            chosen.append(place if isinstance(place, Point) else points[default])
    a, b, c = chosen
    strength, method = _way()
    op = Analogy(a=a, b=b, c=c, strength=strength, method=method)
    result = cache.render(controls.ask(info, op))
    parts = cache.render(controls.ask(info, Decode(points=(a, b, c)))).images
    with columns[3]:
        st.button(
            _("Go there"),
            key="go-to-sum",
            icon=":material/arrow_forward:",
            type="primary",
            width="stretch",
            help=_("Make a − b + c the point that you explore"),
            on_click=state.go_to,
            args=([float(value) for value in result.latents[0]],),
            kwargs={"label": a.label, "private": any(map(state.is_private, chosen))},
        )
    titles = [f"{sign}{letter}: {names[point]}" for (letter, sign), point in zip(_PARTS, chosen, strict=True)]
    shown = zip((*parts, result.images[0]), (*titles, _("= a − b + c")), strict=True)
    for column, (image, title) in zip(st.columns(4), shown, strict=True):  # in line, whatever is above
        with column:
            pictures.row([image], [title], _PICTURE)


def _way() -> tuple[float, Literal["lerp", "slerp"]]:
    first, second = st.columns([2, 1], vertical_alignment="bottom")
    with first:
        strength = st.slider(
            _("Strength"),
            -2.0,
            2.0,
            1.0,
            0.05,
            key="sum-strength",
            persist_state="session",
            help=_("How far from a towards a − b + c: 0 stays at a, 1 goes all the way, more goes beyond."),
        )
    with second:
        method = st.segmented_control(
            _("Path"),
            ["lerp", "slerp"],
            default="lerp",
            format_func=lambda name: {"lerp": _("Straight"), "slerp": _("Arc")}[name],
            key="sum-method",
            persist_state="session",
            help=_(
                "The straight line (lerp) passes nearer to the centre of the latent space, where pictures are more "
                "average; the arc (slerp) keeps the usual distance from it."
            ),
        )
    return strength, "slerp" if method == "slerp" else "lerp"
