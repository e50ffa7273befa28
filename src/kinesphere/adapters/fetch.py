"""Fetching a caller's picture by URL without becoming the caller's way into our network.

The check is made where the connection is made: a name is resolved once, every address it has is
judged, and the connection goes to one of the addresses that were judged. So a name that resolves
differently a moment later (DNS rebinding), and each redirect, meet the same check.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpcore

from kinesphere.core.failures import FieldError, Rejected

MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class FetchTerms:
    """Limits of one fetch.

    Attributes:
        bytes: Largest body.
        seconds: Longest time for all of it, redirects included.
        allowed: "host:port" pairs that are fetched from whatever their address, for stores inside
            one's own network. Empty by default.
    """

    bytes: int
    seconds: float
    allowed: frozenset[str] = frozenset()


class Forbidden(Exception):
    """The address is not one that we fetch from."""


def public(address: Address) -> bool:
    """Whether an address is on the public internet, that which it embeds included.

    IPv6 has several ways to write an IPv4 address: mapped (RFC 4291), NAT64 (RFC 6052), 6to4
    (RFC 3056) and Teredo (RFC 4380). Whatever it embeds must be public too.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return public(address.ipv4_mapped)
        if address in _NAT64:
            return public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class _Guard(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are public, or allowed by name."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge every address, connect to the first."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address") from error
        addresses = [str(row[4][0]).partition("%")[0] for row in found]
        if f"{host}:{port}" not in self._allowed:
            for address in addresses:
                if not public(ipaddress.ip_address(address)):
                    raise Forbidden(host)
        return await self._network.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )

    async def sleep(self, seconds: float) -> None:
        """As the interface asks."""
        await asyncio.sleep(seconds)


class PictureFetcher:
    """Fetches pictures from the public internet. One object serves any number of fetches."""

    def __init__(self, terms: FetchTerms) -> None:
        self._terms = terms

    async def fetch(self, url: str) -> bytes:
        """The body at `url`, redirects followed.

        Raises:
            Rejected: IMAGE_URL_FORBIDDEN for an address that is not fetched from; IMAGE_URL_FAILED
                where nothing usable answers in time; IMAGE_TOO_LARGE.
        """
        try:
            async with asyncio.timeout(self._terms.seconds):
                # A pool of its own: no connection that another fetch was judged for is used again.
                guard = _Guard(self._terms.allowed)
                async with httpcore.AsyncConnectionPool(network_backend=guard) as pool:
                    return await self._follow(pool, url)
        except TimeoutError:
            raise _failed(f"did not answer within {self._terms.seconds:g} s") from None
        except Forbidden:
            raise _forbidden("leads to an address that is not public") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise _failed(f"could not be fetched: {type(error).__name__}") from None

    async def _follow(self, pool: httpcore.AsyncConnectionPool, url: str) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            _check(url)
            headers = [("Host", _host(url)), ("Accept", "image/*"), ("Accept-Encoding", "identity")]
            async with pool.stream("GET", url, headers=headers) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response)
                location = _header(response, b"location")
            if not location:
                raise _failed("redirects to nowhere")
            url = urljoin(url, location)
        raise _failed(f"redirects more than {MOST_REDIRECTS} times")

    async def _body(self, response: httpcore.Response) -> bytes:
        if response.status != 200:
            raise _failed(f"answered with the status {response.status}")
        if _header(response, b"content-encoding") not in ("", "identity"):
            raise _failed("answered with an encoding that was not asked for")
        length = _header(response, b"content-length")
        if length.isdigit() and int(length[:20]) > self._terms.bytes:
            raise self._too_large()
        body = bytearray()
        async for piece in response.aiter_stream():
            body += piece
            if len(body) > self._terms.bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> Rejected:
        allowed = f"at most {self._terms.bytes} bytes"
        problem = "leads to a picture that is too large"
        return _rejected("IMAGE_TOO_LARGE", problem, allowed)


def _check(url: str) -> None:
    """Raise Rejected unless the URL is one that is fetched at all."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _forbidden("is not a URL") from None
    if parts.scheme not in _PORTS:
        raise _forbidden("does not begin with http:// or https://")
    if not host or parts.username is not None or parts.password is not None or port == 0:
        raise _forbidden("has no host, or holds a user name")
    if not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise _forbidden("has characters that a URL cannot have")


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _header(response: httpcore.Response, name: bytes) -> str:
    found = next((value for key, value in response.headers if key.lower() == name), b"")
    return found.decode("latin-1").strip()


def _forbidden(problem: str) -> Rejected:
    allowed = "an http:// or https:// address on the public internet"
    return _rejected("IMAGE_URL_FORBIDDEN", problem, allowed)


def _failed(problem: str) -> Rejected:
    return _rejected("IMAGE_URL_FAILED", problem, "an address that answers with a picture")


def _rejected(code: str, problem: str, allowed: str) -> Rejected:
    detail = f"The image_url {problem}."
    return Rejected(code, detail, (FieldError("image_url", problem, allowed),))
