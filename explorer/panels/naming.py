"""Names for directions, and which of them to have at hand."""

import streamlit as st

from explorer import favourites, state
from explorer.panels.point import Located
from explorer.text import _
from models.catalog import ModelInfo

_CHOSEN = "naming-direction"


def show(info: ModelInfo, found: Located) -> None:
    """Draw the button behind which a direction can be named, kept at hand, and all of that reset."""
    with st.popover(_("Name directions"), icon=":material/label:", key="naming"):
        _draw(info, found)


def _draw(info: ModelInfo, found: Located) -> None:
    axes, count = found.axes.kind, len(found.titles)
    own = favourites.of(info, axes)
    chosen = st.session_state.get(_CHOSEN)
    if chosen not in range(count):
        st.session_state[_CHOSEN] = found.axes.indices[0]
    index: int = st.selectbox(
        _("Direction"),
        range(count),
        format_func=lambda one: found.titles[one],
        key=_CHOSEN,
    )
    st.text_input(
        _("Name"),
        max_chars=favourites.LONGEST,
        placeholder=found.titles[index],
        help=_("What moving along it does, in your words. Empty: the name that it came with."),
        **state.controlled(
            f"direction-name-{axes}-{index}",
            dict(own.names).get(index, ""),
            lambda name: favourites.rename(info, axes, index, name),
        ),
    )
    full = len(own.at_hand) >= favourites.MOST_AT_HAND and index not in own.at_hand
    st.toggle(
        _("Keep among the sliders"),
        disabled=full,
        help=_("Kept directions come first, before those that the model ranks highest. At most {n}.").format(
            n=favourites.MOST_AT_HAND
        ),
        **state.controlled(
            f"direction-kept-{axes}-{index}",
            index in own.at_hand,
            lambda on: favourites.keep(info, axes, index, on),
        ),
    )
    st.button(
        _("Reset names and sliders"),
        key="reset-names",
        icon=":material/restart_alt:",
        disabled=not (own.names or own.at_hand),
        help=_("Take back all names and the choice of sliders for this kind of directions"),
        on_click=favourites.reset,
        args=(info, axes),
    )
    st.caption(_("A reload forgets names, unless you save them: Kept points, “Save or load”."))
