"""Who may connect to the live route: the app's own pages, so many of each browser, of each address, and in all."""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive
from starlette.websockets import WebSocket

from explorer import identity
from explorer.live_protocol import Code, ProtocolError
from explorer.settings import Settings


class Admission:
    """Counts connections.

    Args:
        limits: How many there may be.
    """

    def __init__(self, limits: Settings) -> None:
        self._limits = limits
        self._owners = Counter[str]()  # connections of each
        self._addresses = Counter[str]()

    @property
    def total(self) -> int:
        """Connections that there are."""
        return self._owners.total()

    @contextlib.contextmanager
    def admitted(self, socket: WebSocket) -> Iterator[str]:
        """Count a connection while it lasts; yields its owner. Raises ProtocolError if it may not be."""
        if not is_own_origin(socket.headers):
            raise ProtocolError(Code.FOREIGN_ORIGIN, "a foreign origin")
        owner = identity.owner(socket.cookies)
        if not owner:
            raise ProtocolError(Code.NO_IDENTITY, "no identity")
        if self._owners[owner] >= self._limits.live_connections_each:
            raise ProtocolError(Code.TOO_MANY_HERE, "too many connections of one browser")
        address = _address(socket.client.host if socket.client else "")
        if address and self._addresses[address] >= self._limits.live_connections_address:
            raise ProtocolError(Code.FULL, "too many connections of one address")
        if self.total >= self._limits.live_connections:
            raise ProtocolError(Code.FULL, "too many connections")
        with _counted(self._owners, owner), _counted(self._addresses, address):
            yield owner


@contextlib.contextmanager
def _counted(counter: Counter[str], key: str) -> Iterator[None]:
    """Count a key while the block lasts; nothing is kept of those that have gone."""
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


def _address(host: str) -> str:
    """Return whom an address counts for: of IPv6 its network, in which one machine has as many as it likes."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))


def narrow(receive: Receive, size: int) -> None:
    """Let a socket receive no larger messages than `size` bytes, if the server is uvicorn on `websockets`."""
    connection = getattr(getattr(receive, "__self__", None), "conn", None)
    if isinstance(getattr(connection, "max_message_size", None), int):
        connection.max_message_size = size  # pyright: ignore[reportOptionalMemberAccess]


def is_own_origin(headers: Headers) -> bool:
    """Tell whether the app's own page connects: browsers let no page of another site change these headers.

    Behind a proxy, the host that the browser sees may be in X-Forwarded-Host, which a page cannot set for a
    WebSocket either. Who is no browser can send anything: the identity and the limits are for them.
    """
    try:
        origin = urlsplit(headers.get("origin", "").lower())
    except ValueError:
        return False
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    port = {"http": ":80", "https": ":443"}[origin.scheme]
    forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    own = {host.lower().removesuffix(port) for host in (headers.get("host", ""), forwarded) if host}
    return origin.netloc.removesuffix(port) in own
