"""Connections to the public internet that cannot become a caller's way into our own network.

The check is made where the connection is made: a name is resolved once, every address it has is
judged, and the connection goes to one of the addresses that were judged. So a name that resolves
differently a moment later (DNS rebinding), and each redirect, meet the same check.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpcore

PORTS: Final = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, the best first. Raises OSError or UnicodeError where it has none."""


class Forbidden(Exception):
    """The address is not one that we connect to."""


class NotAnAddress(Exception):
    """The URL is not one that is used at all; `str` says why, to follow on the field's name."""


def public(address: Address) -> bool:
    """Whether an address is on the public internet, that which it embeds included.

    IPv6 has several ways to write an IPv4 address: mapped (RFC 4291) and NAT64 (RFC 6052), whose
    address must be public too, 6to4 (RFC 3056) and Teredo (RFC 4380), which are never fetched from.
    Of the rest, only what IANA gives out as global unicast, 2000::/3, can be public: Python's
    `is_global` is true of every range that nobody has named.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return public(address.ipv4_mapped)
        if address in _NAT64:
            return public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST or address.sixtofour is not None or address.teredo is not None:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890); a cloud's metadata is at .192
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "168.63.129.16/32",  # a cloud's host agent, on a public address
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""What is not public though some Python's `is_global` says so."""


async def resolved(host: str, port: int) -> list[str]:
    """The addresses that this system gives a host, without their zones."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]).partition("%")[0] for row in found]


def judge(host: str, port: int, addresses: Sequence[str], allowed: frozenset[str]) -> None:
    """Raise Forbidden if one of a host's addresses is not public, unless "host:port" is allowed."""
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if pair in {each.lower() for each in allowed}:
        return
    if not all(public(ipaddress.ip_address(address)) for address in addresses):
        raise Forbidden(host)


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: the public authorities, or those of SSL_CERT_FILE.

    Read once in a process, since that takes some 10 ms.
    """
    own = os.environ.get("SSL_CERT_FILE")
    return ssl.create_default_context(cafile=own) if own else httpcore.default_ssl_context()


class Guard(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are public, or allowed by name."""

    def __init__(self, allowed: frozenset[str], resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge every address, connect to the first that answers."""
        refused = httpcore.ConnectError(f"{host} has no address")
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise refused from error
        judge(host, port, addresses, self._allowed)
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                refused = error
        raise refused

    async def sleep(self, seconds: float) -> None:
        """As the interface asks."""
        await asyncio.sleep(seconds)


def checked(url: str) -> SplitResult:
    """The parts of a URL. Raises NotAnAddress unless it can be used at all."""
    if not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise NotAnAddress("has characters that a URL cannot have")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NotAnAddress("is not a URL") from None
    if parts.scheme not in PORTS:
        raise NotAnAddress("does not begin with http:// or https://")
    if not host or parts.username is not None or parts.password is not None or port == 0:
        raise NotAnAddress("has no host, or holds a user name")
    return parts


def wired(parts: SplitResult) -> httpcore.URL:
    """The URL as it goes out, from the very parts that were checked."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or PORTS[parts.scheme]
    host = parts.hostname or ""
    return httpcore.URL(scheme=parts.scheme, host=host, port=port, target=target)


def header(response: httpcore.Response, name: bytes) -> str:
    """The value of a response's header, its name in lower case; "" where it has none."""
    found = next((value for key, value in response.headers if key.lower() == name), b"")
    return found.decode("latin-1").strip()
