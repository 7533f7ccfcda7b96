"""Who may change what belongs to the machine: models, data sets, the runs of others."""

from urllib.parse import urlsplit

import streamlit as st

from explorer.settings import settings


def may_change() -> bool:
    """Tell whether who looks at the page may change the models: on the machine itself, or where a setting says so."""
    chosen = settings().manage
    return chosen == "on" or (chosen == "auto" and _at_this_machine())


def _at_this_machine() -> bool:
    """Tell whether a browser on this machine talks to the app directly: a proxy would make everybody look like it.

    A proxy that says nothing of itself may still name this machine as the host, but the page's origin is the one
    that the browser sees.
    """
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    direct = not any(name.startswith(("x-forwarded", "x-real", "forwarded", "via")) for name in headers)
    local = _is_local(f"//{headers.get('host', '')}") and _is_local(headers.get("origin", ""))
    return direct and local and st.context.ip_address is None


def _is_local(address: str) -> bool:
    try:
        return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False
