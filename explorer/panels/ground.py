"""The plane of two directions through the point: which one it is, its map of pictures, what a click does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer import cache, controls, state
from explorer.components.latent_pad import Axes
from explorer.components.plane import Cloud, Ground, plane, scale
from explorer.panels import point as place, problem
from explorer.panels.point import Located
from explorer.text import _, signed
from models.catalog import ModelInfo
from models.media import enlarged, png
from models.plane import spanned
from models.requests import Grid, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS = 15  # pictures a row
_SAME = 0.01  # sd: what rounding a point for a link may move the plane by
_ANCHOR = "plane_anchor"


@dataclass(frozen=True)
class _Anchor:
    key: tuple[object, ...]
    point: Point
    corner: "NDArray[np.float32]"


def default_spacing(info: ModelInfo) -> str:
    """Return the spacing that suits a model: by quantiles where the plane is all there is, and was encoded to."""
    return "quantile" if info.latent_dim == 2 and info.can("encode") else "linear"


def default_pair(axes: Axes) -> tuple[int, int]:
    """Return the two directions that the pad of Explore begins with."""
    across, upwards = axes.pair
    return axes.indices[across], axes.indices[upwards]


def pair_of(found: Located) -> tuple[int, int]:
    """Return the directions of the plane; what the link asks for and the model has not is said."""
    chosen = state.view().plane.pair
    default = default_pair(found.axes)
    if chosen is None:
        return default
    known = found.axes.indices
    if all(index in known for index in chosen):
        return chosen
    text = _(
        "The link asks for the plane “{pair}”, but the directions are 0 to {last}. The first two are shown."
    )
    sentence = text.format(pair=",".join(map(str, chosen)), last=max(known))
    state.put(state.view().model_copy(update={"plane": state.view().plane.model_copy(update={"pair": None})}))
    state.notify([sentence])
    return default


def vectors_of(found: Located, pair: tuple[int, int]) -> "NDArray[np.float32]":
    """Return the directions of a plane, unit rows (2, D)."""
    return found.axes.vectors[[list(found.axes.indices).index(index) for index in pair]]


def lay(info: ModelInfo, found: Located, pair: tuple[int, int]) -> Ground:
    """Render the plane through the point."""
    spacing = state.view().plane.spacing or default_spacing(info)
    vectors = vectors_of(found, pair)
    corner, right, up = spanned(found.place.latent, vectors)
    anchor = _anchored((info.digest, found.point.axes, found.point.label, pair), found.point, corner)
    op = {
        "point": anchor.point,
        "directions": pair,
        "steps": STEPS,
        "span": controls.SPAN,
        "spacing": spacing,
    }
    request = controls.ask(info, Grid.model_validate(op))
    channels, height, width = info.sample_shape
    names = dict(zip(found.axes.indices, found.axes.names, strict=True))
    across, upwards = (float(value) for value in vectors @ found.place.latent)
    return Ground(
        model=info.digest,
        label=found.point.label,
        sheet=cache.sheet((request,), STEPS),
        steps=STEPS,
        shape=(height, width, channels),
        scale=scale(STEPS, controls.SPAN, "quantile" if spacing == "quantile" else "linear"),
        corner=anchor.corner,
        right=right,
        up=up,
        names=(names[pair[0]], names[pair[1]]),
        here=(across, upwards),
    )


def _anchored(key: tuple[object, ...], point: Point, corner: "NDArray[np.float32]") -> _Anchor:
    """Return the point that the map was made through, if the plane is still the same; else this one.

    A click moves the point within the plane, and rounds it: the map need not be rendered again for that.
    """
    known: _Anchor | None = st.session_state.get(_ANCHOR)
    if known is None or known.key != key or float(abs(known.corner - corner).max()) > _SAME:
        known = st.session_state[_ANCHOR] = _Anchor(key, point, corner)
    return known


def show(ground: Ground, cloud: Cloud | None) -> None:
    """Draw the map; a click makes that place the point of Explore."""
    plane(
        ground,
        cloud,
        key="plane",
        url=place.socket_url(),
        on_pick=lambda x, y: state.go_to(ground.at(x, y), label=ground.label),
    )


# Controls --------------------------------------------------------------------------------------------------


def options(info: ModelInfo, found: Located, pair: tuple[int, int]) -> None:
    """Draw the choice of the plane."""
    axes, latent = cache.axes(), found.place.latent.tolist()

    def change(kind: str) -> None:
        state.choose_axes(kind, latent)
        state.update_plane(pair=None)

    controls.axes(axes, found.point.axes, change)
    for side, words in enumerate((_("Across"), _("Upwards"))):
        _direction(found, pair, side, words)
    spacing = state.view().plane.spacing or default_spacing(info)
    words = {"linear": _("Linear"), "quantile": _("Quantiles")}
    st.segmented_control(
        _("Spacing"),
        list(words),
        format_func=lambda name: words[name],
        wrap=True,
        help=_(
            "**Linear**: pictures at equal distances in prior standard deviations. **Quantiles**: so that each stands "
            "for an equal share of the prior's probability (by its inverse CDF): most of them are then near the "
            "centre, where most points are."
        ),
        **state.controlled("spacing", spacing, lambda value: state.update_plane(spacing=value)),
    )


def _direction(found: Located, pair: tuple[int, int], side: int, words: str) -> None:
    def change(index: int) -> None:
        other = pair[1 - side]
        new = [index, index]
        new[1 - side] = (
            pair[side] if index == other else other
        )  # the same one twice would be a line: they swap
        state.update_plane(pair=tuple(new))

    names = dict(zip(found.axes.indices, found.axes.names, strict=True))
    st.selectbox(
        words,
        list(names),
        format_func=lambda index: names[index],
        **state.controlled(f"plane-{side}", pair[side], change),
    )


def here(found: Located, ground: Ground) -> bool:
    """Draw the point with its picture; tell whether it is to be opened in Explore."""
    image = found.image
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        factor = max(1, 112 // image.shape[0])
        st.image(png(enlarged(image, factor)), width=factor * image.shape[1], alt=found.place.alt)
        with st.container():
            pairs = zip(ground.names, ground.here, strict=True)
            words = " · ".join(f"{name} {signed(coordinate)}" for name, coordinate in pairs)
            st.markdown(_("**The point of Explore**"))
            st.caption(problem.literal(words))
            return st.button(
                _("Open in Explore"), key="open-point", icon=":material/explore:", type="primary"
            )


def caption(info: ModelInfo) -> str:
    """Say how places on the map are to be read."""
    spacing = state.view().plane.spacing or default_spacing(info)
    if spacing == "linear":
        return _("Numbers at the sides are prior standard deviations.")
    return _(
        "Every picture stands for an equal share of the prior's probability. The sides are stretched accordingly, and "
        "the points with them: numbers are prior standard deviations (sd). What lies beyond ±{span:g} sd is pressed "
        "into the outer half of the border."
    ).format(span=controls.SPAN)
