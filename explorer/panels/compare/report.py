"""The comparison as a file: one click makes a page that needs no network, or its figures as JSON."""

import json
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from explorer.compare import report, sections
from explorer.compare.report import Report, Section
from explorer.panels.compare import quiz
from explorer.text import _
from models.catalog import ModelInfo

_KINDS: dict[str, tuple[Callable[[], str], str, Callable[[Report], str]]] = {
    "html": (lambda: _("Download HTML"), "text/html", report.html),
    "json": (
        lambda: _("Download JSON"),
        "application/json",
        lambda made: json.dumps(report.data(made), indent=1, ensure_ascii=False),
    ),
}  # name, type, how it is written


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the button behind which the report can be had."""
    with st.popover(_("Report"), icon=":material/description:", key="report"):
        game = quiz.game_of(models)
        more = [] if game is None else [sections.quiz(models, game)]
        listed = [*sections.titles(models), *(section.title for section in more)]
        st.markdown(
            _("One file that opens without a network:") + "\n" + "\n".join(f"- {title}" for title in listed)
        )
        if not more:
            st.caption(_("The score of the blind test is added once you have taken it."))
        for kind, (title, mime, write) in _KINDS.items():
            st.download_button(
                title(),
                partial(_content, tuple(models), tuple(more), write),
                f"{'-'.join(info.id for info in models)}.{kind}",
                mime,
                key=f"report-{kind}",
                icon=":material/download:",
                type="primary" if kind == "html" else "secondary",
                width="stretch",
                on_click="ignore",
            )


def _content(models: Sequence[ModelInfo], more: Sequence[Section], write: Callable[[Report], str]) -> bytes:
    """Write the report when it is asked for, outside of any page: what belongs to the session is given."""
    return write(sections.made(models, more)).encode()
