"""Drawing a page again without keeping a person on it."""

from typing import NoReturn

import streamlit as st


def redraw() -> NoReturn:
    """Draw the whole page anew, unless a person is leaving it.

    `st.rerun` asks for the page that is being drawn, and that request outdoes one that waits: who has just gone to
    another page would be brought back. At the element before it such a request comes first (Streamlit 1.67).
    """
    st.empty()
    st.rerun()
