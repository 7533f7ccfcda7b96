"""Nothing to see: runs the page anew after a restart of the server, and lets Back leave a page with one press."""

import uuid
from functools import cache
from typing import Any

from streamlit.components.v2 import component

from explorer.components import script


@cache
def _component() -> Any:
    return component(
        "latent_explorer_revive", html="<span></span>", js=script("revive/history.js", "revive/revive.js")
    )


def revive() -> None:
    """Stand by; belongs into the page script, outside all fragments."""
    _component()(data=[uuid.uuid4().hex], key="revive", on_again_change=lambda: None)
