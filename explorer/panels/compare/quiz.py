"""A blind test: which of these pictures are real?"""

from collections.abc import Sequence

import streamlit as st

from models.catalog import ModelInfo


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    st.caption(", ".join(info.title for info in models))
