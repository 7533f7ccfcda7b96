"""Parts of a page that are only computed while they are open."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def fold(title: str, *, key: str, icon: str) -> DeltaGenerator | None:
    """Draw an expander that stays open when another page was shown in between.

    Returns:
        Where to draw its content; None while it is closed.
    """
    kept = f"{key}-open"
    if key not in st.session_state and st.session_state.get(kept):
        st.session_state[key] = True
    found = st.expander(title, key=key, icon=icon, on_change="rerun")
    st.session_state[kept] = bool(found.open)
    return found if found.open else None


def unfold(key: str) -> None:
    """Open an expander of a page that is to come."""
    st.session_state[f"{key}-open"] = True
