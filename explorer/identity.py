"""Who a browser is: a random owner id in a signed cookie, without any account.

`Identity` (ASGI middleware) gives the cookie with an HTML page; pages (`st.context.cookies`), routes and sockets
(`connection.cookies`) read it through `owner`. It is HttpOnly, so that no script of a page can read or copy it,
and SameSite=Lax, so that no other site's requests carry it.

The cookie is `OWNER.SIGNATURE`: 128 random bits and the HMAC-SHA256 of them (RFC 2104), both in URL-safe base64.
The signing key is made on the first start and kept in the user's state folder.
"""

import base64
import contextlib
import functools
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models import paths

COOKIE = "explorer_id"
KEY_FILE = "identity.key"
_KEY_BYTES = 32
_MAX_AGE = 400 * 24 * 3600  # seconds: the longest that browsers keep a cookie
_CONTEXT = b"latent-explorer identity v1\0"  # so that the key may sign other things as well
_log = logging.getLogger(__name__)
_process_key = secrets.token_bytes(_KEY_BYTES)


def owner(cookies: Mapping[str, str]) -> str | None:
    """Return the owner id that a browser's cookies prove, None if they prove none.

    Args:
        cookies: Of `st.context.cookies`, of a request or of a socket.
    """
    found, _, signature = cookies.get(COOKIE, "").partition(".")
    given, expected = signature.encode(errors="replace"), _signature(found).encode()
    return found if found and hmac.compare_digest(given, expected) else None


def new_cookie() -> str:
    """Return the value of a cookie for somebody new."""
    found = secrets.token_urlsafe(16)
    return f"{found}.{_signature(found)}"


class Identity:
    """ASGI middleware: a browser that asks for a page and has no valid cookie gets one with the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, pages with a cookie."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if owner(HTTPConnection(scope).cookies):
            await self._app(scope, receive, send)
            return
        request = Headers(scope=scope)

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(request, message):
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", _set_cookie(_is_secure(scope, request)))
                # Or a proxy might give one person's cookie to the next.
                headers["cache-control"] = "private, no-cache"
            await send(message)

        await self._app(scope, receive, with_cookie)


def _is_page(request: Headers, message: Message) -> bool:
    """Tell whether an answer is an HTML page, or says that the browser's own copy of one is still good."""
    if message["status"] == 304:
        return "text/html" in request.get("accept", "")
    return MutableHeaders(scope=message).get("content-type", "").startswith("text/html")


def _is_secure(scope: Scope, request: Headers) -> bool:
    forwarded = request.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return (forwarded or scope.get("scheme")) == "https"


def _set_cookie(secure: bool) -> str:
    parts = [f"{COOKIE}={new_cookie()}", "Path=/", f"Max-Age={_MAX_AGE}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def _signature(found: str) -> str:
    digest = hmac.digest(_key(paths.state()), _CONTEXT + found.encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@functools.lru_cache(maxsize=4)
def _key(folder: Path) -> bytes:
    """Return the signing key, made if there is none; one of this process if it can be neither read nor written."""
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _create(path)
        key = path.read_bytes()
        if len(key) != _KEY_BYTES:
            raise OSError(f"it holds {len(key)} bytes instead of {_KEY_BYTES}")
    except OSError as error:
        _log.warning(
            "The key %s cannot be used (%s): browsers will be strangers again after a restart. "
            "Make its folder writable, or delete the file.",
            path,
            error.strerror or error,
        )
        return _process_key
    return key


def _create(path: Path) -> None:
    """Make a key that only its owner can read; of two processes that do so at once, one wins for both."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}-")  # with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # unlike a rename, this never replaces a key that is in use
    finally:
        os.unlink(temporary)
