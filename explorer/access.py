"""Who may change what belongs to the machine: models, data sets, the runs of others."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st

from explorer.settings import settings

_HERE = (None, "127.0.0.1", "::1")  # Streamlit says None of who is on the same machine


def may_change() -> bool:
    """Tell whether who looks at the page may change the models: on the machine itself, or where a setting says so."""
    return allows(st.context.headers, st.context.ip_address)


def allows(headers: Mapping[str, str], address: str | None) -> bool:
    """Tell whether who sends a request may see and change what belongs to the machine.

    Args:
        headers: Of the request: of a page's socket (`st.context.headers`), or to a route.
        address: Of who sends it; None: it comes from this machine.
    """
    chosen = settings().manage
    return chosen == "on" or (chosen == "auto" and _at_this_machine(headers, address))


def _at_this_machine(given: Mapping[str, str], address: str | None) -> bool:
    """Tell whether a browser on this machine talks to the app directly: a proxy would make everybody look like it.

    A proxy that says nothing of itself may still name this machine as the host, but the page's origin is the one
    that the browser sees. A page that fetches from its own server names no origin, but itself as the referrer.
    """
    headers = {name.lower(): value for name, value in given.items()}
    direct = not any(name.startswith(("x-forwarded", "x-real", "forwarded", "via")) for name in headers)
    page = headers.get("origin") or headers.get("referer", "")
    return direct and _is_local(f"//{headers.get('host', '')}") and _is_local(page) and address in _HERE


def _is_local(address: str) -> bool:
    try:
        return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False
