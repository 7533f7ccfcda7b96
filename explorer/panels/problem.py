"""Errors as a person reads them: what is wrong, what to do; never a stack trace."""

import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from explorer import state
from explorer.text import _, ngettext
from models.errors import UserError


def show(error: UserError) -> None:
    """Show what is wrong and what to do about it."""
    st.error(f"**{literal(error.problem)}**\n\n{literal(error.remedy)}", icon=":material/error:")


def listed(errors: Sequence[UserError]) -> None:
    """Show why some models cannot be opened, behind a fold; nothing where all can."""
    if not errors:
        return
    title = ngettext("{n} model cannot be opened", "{n} models cannot be opened", len(errors))
    with st.expander(title.format(n=len(errors)), icon=":material/error:"):
        for error in errors:
            st.caption(literal(f"{error.problem} {error.remedy}"))


def literal(text: str) -> str:
    """Keep Markdown from reading what a file or a link brought along."""
    for mark in "\\`*_[]$:<>#|":
        text = text.replace(mark, "\\" + mark)
    return text


@contextmanager
def explained() -> Iterator[None]:
    """Show a UserError of the block in its place; the rest of the page goes on."""
    try:
        yield
    except UserError as error:
        if error.code == "unknown-model":  # it was listed a moment ago
            gone, remedy = _("This model is no longer there."), _("Choose another one in the sidebar.")
            error = UserError(error.code, gone, remedy)
        show(error)


def show_notices(after: int = 0) -> None:
    """Show what did not fit in the link, until the person does something.

    Args:
        after: How many of the sentences are shown already.
    """
    for sentence in state.notices()[after:]:
        st.warning(literal(sentence), icon=":material/link_off:")


def on_script_error(error: Exception) -> bool:
    """Show a page that says what happened in place of a stack trace, which Streamlit writes to stderr."""
    if isinstance(error, UserError):
        show(error)
    else:
        number = uuid.uuid4().hex[:8]
        print(f"error {number}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        st.header(_("Something went wrong here"))
        st.markdown(
            _(
                "The page could not be finished. Start again; if it happens once more, report it with the number "
                "{number}, which the server's log explains."
            ).format(number=f"`{number}`")
        )
    st.button(_("Start again"), key="start-again", icon=":material/refresh:", on_click=state.start_again)
    return True
