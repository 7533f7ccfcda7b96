"""Which models Compare holds against each other."""

import streamlit as st

from explorer import cache, state
from explorer.compare import rivals
from explorer.panels import problem
from explorer.text import _
from models.catalog import ModelInfo
from models.errors import UserError


def choose(info: ModelInfo) -> list[ModelInfo]:
    """Draw the choice of models; return them, fewer than two where nothing stands against the shared one."""
    known = cache.known(info.id)
    fitting = rivals.fitting(info, known)
    models = rivals.chosen(info, state.view().rivals, known)
    if len(fitting) < rivals.LEAST:
        problem.show(_alone(info))
        return models
    titles = rivals.names(fitting)
    st.multiselect(
        _("Models"),
        list(titles),
        format_func=lambda name: str(titles.get(name, name)),
        max_selections=rivals.MOST,
        help=_(
            "Two to four models of one data set, at one size. The model in the sidebar is one of them; choose another "
            "there to compare others."
        ),
        **state.controlled("compare-models", [model.id for model in models], _choose),
    )
    return models


def _choose(names: list[str]) -> None:
    """Compare other models; fewer than two are a choice that is not made yet."""
    if len(names) < rivals.LEAST:
        state.notify(
            [_("Two models are the least that can be compared: choose another one before you take one out.")]
        )
        return
    shown = state.view().model
    if shown not in names:
        state.choose_model(names[0])
    state.update(rivals=tuple(names))


def _alone(info: ModelInfo) -> UserError:
    text = _("There is no other model of the data and the size of “{title}”.").format(title=info.title)
    remedy = _("Train one on the page Train, or choose another model in the sidebar.")
    return UserError("too-few-models", text, remedy)
