"""Nothing to see: runs the page anew after a restart of the server, and lets Back leave a page with one press."""

import uuid
from typing import Any

from explorer.components import define


def _component() -> Any:
    return define("revive", "<span></span>", js=("revive/history.js", "revive/revive.js"))


def revive() -> None:
    """Stand by; belongs into the page script, outside all fragments."""
    _component()(data=[uuid.uuid4().hex], key="revive", on_again_change=lambda: None)
