"""Maps side by side: which of them, what is said under each, and how many points they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer import maps, navigation
from explorer.components.map.scene import Shown
from explorer.panels import landscape, mapping
from explorer.text import _
from models.catalog import ModelInfo
from models.embedding import library
from models.embedding.spec import MapSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap

MOST = 2  # maps beside the first


@dataclass(frozen=True, eq=False)
class Pane:
    """A map of a page.

    Args:
        found: The map.
        shown: The same as the browser has to know it.
    """

    found: "EmbeddingMap"
    shown: Shown


def _key(info: ModelInfo) -> str:
    return f"map-beside-{mapping.short(info)}"


def many(info: ModelInfo) -> bool:
    """Tell whether maps stand side by side, before `panes` has drawn their choice."""
    return bool(st.session_state.get(_key(info)))


def panes(info: ModelInfo, found: "EmbeddingMap") -> Sequence[Pane]:
    """Draw the choice of maps to compare one with; return that one and those.

    Args:
        info: The model.
        found: Its map.
    """
    first = mapping.words(found)
    place = st.empty()
    others = _chosen(info, found)
    if not others:
        place.caption(first)
        return [Pane(found, landscape.shown(info, found))]
    beside = [Pane(one, landscape.shown(info, one, _words(found, one))) for one in others]
    return [Pane(found, landscape.shown(info, found, first)), *beside]


def _chosen(info: ModelInfo, found: "EmbeddingMap") -> "Sequence[EmbeddingMap]":
    plane = maps.principal(found)
    specs = [spec for spec in library.known(info) if spec != found.spec]
    if plane is not None and plane.spec not in specs:
        specs.insert(0, plane.spec)
    _forget_others(info, specs)
    if not specs:
        return []
    titles: dict[MapSpec, str] = {}
    for spec in specs:
        titles[spec] = mapping.title(spec, titles.values())
    wanted = st.multiselect(
        _("Compare with"),
        specs,
        format_func=lambda spec: titles.get(spec, ""),
        max_selections=MOST,
        key=_key(info),
        persist_state="session",
        placeholder=_("another map"),
        help=_(
            "Side by side, a point that is looked at, found, selected or left out on one map is so on the others. "
            "Every map that was made is kept: make another one to compare this with."
        ),
    )
    ready = [plane if plane and spec == plane.spec else maps.ready(info, spec) for spec in wanted]
    if plane is not None and plane.spec in wanted and maps.measuring(found):
        _await_figures(found)
    return [one for one in ready if one is not None]


def _forget_others(info: ModelInfo, specs: Sequence[MapSpec]) -> None:
    """Choose no maps any more that are gone, or of weights that a training has replaced."""
    wanted = st.session_state.get(_key(info), [])
    if any(spec not in specs for spec in wanted):
        st.session_state[_key(info)] = [spec for spec in wanted if spec in specs]


@st.fragment(run_every=1.0)
def _await_figures(found: "EmbeddingMap") -> None:
    """Say that figures are to come, until they are there."""
    if maps.measuring(found):
        st.caption(_("How good the principal components are is being measured."))
    else:
        navigation.redraw()


def _words(first: "EmbeddingMap", other: "EmbeddingMap") -> str:
    words, both = mapping.words(other), common(first, other)
    if both == len(first) == len(other):
        return words
    shared = _("{n} of its points are on the first map, too").format(n=f"{both:,}")
    return f"{words} · {shared}"


def common(one: "EmbeddingMap", other: "EmbeddingMap") -> int:
    """Return how many points two maps of a model have in common: images, or samples, of the same number."""
    import numpy as np

    return len(np.intersect1d(_identities(one), _identities(other)))


def _identities(found: "EmbeddingMap") -> "NDArray[np.int64]":
    import numpy as np

    return (found.sources.astype(np.int64) << 32) | found.indices
