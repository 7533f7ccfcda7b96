"""A model leaves the app: as a zip, or to the Hugging Face Hub."""

import streamlit as st

from explorer.access import may_change
from explorer.panels import problem
from explorer.text import _
from models import hub, library
from models.catalog import ModelInfo

_SENT = "hub-sent-"


def show(info: ModelInfo) -> None:
    """Draw both; the Hub where its token is known, for who may change what belongs to the machine."""
    st.download_button(
        _("Download as a zip"),
        lambda: library.pack(info),
        f"{info.id}.zip",
        "application/zip",
        key=f"zip-{info.id}",
        icon=":material/download:",
        on_click="ignore",
    )
    if may_change() and hub.knows_you():
        _push(info)


def _push(info: ModelInfo) -> None:
    repository = st.text_input(
        _("On the Hugging Face Hub"),
        key=f"hub-name-{info.id}",
        max_chars=200,
        placeholder=_("owner/name"),
        help=_("It is made if there is none; its owner is you, or an organisation that you write for."),
    )
    private = st.checkbox(_("Private"), True, key=f"hub-private-{info.id}")
    if st.button(
        _("Push to the Hub"),
        key=f"hub-go-{info.id}",
        icon=":material/cloud_upload:",
        disabled=not repository.strip(),
    ):
        with problem.explained(), st.spinner(_("Sending the model")):
            where = hub.push_to_hub(info.path, repository.strip(), private=private)
            st.session_state[_SENT + info.id] = str(where)
    if sent := st.session_state.get(_SENT + info.id):
        st.caption(_("It is there: {where}").format(where=f"`{sent}`"))
