"""Fetching a caller's picture by URL without becoming the caller's way into our network.

The check is made where the connection is made: a name is resolved once, every address it has is
judged, and the connection goes to one of the addresses that were judged. So a name that resolves
differently a moment later (DNS rebinding), and each redirect, meet the same check.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from kinesphere.core.failures import FieldError, Rejected

MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, the best first. Raises OSError or UnicodeError where it has none."""


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


class _Guard(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are public, or allowed by name."""

    def __init__(self, allowed: frozenset[str], resolve: Resolve) -> None:
        self._allowed = frozenset(pair.lower() for pair in allowed)
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
        pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if pair not in self._allowed:
            for address in addresses:
                if not public(ipaddress.ip_address(address)):
                    raise Forbidden(host)
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


class PictureFetcher:
    """Fetches pictures from the public internet. One object serves any number of fetches."""

    def __init__(self, terms: FetchTerms, resolve: Resolve = resolved) -> None:
        self._terms = terms
        self._resolve = resolve

    async def fetch(self, url: str) -> bytes:
        """The body at `url`, redirects followed.

        Raises:
            Rejected: IMAGE_URL_FORBIDDEN for an address that is not fetched from; IMAGE_URL_FAILED
                where nothing usable answers in time; IMAGE_TOO_LARGE.
        """
        try:
            async with asyncio.timeout(self._terms.seconds):
                # A pool of its own: no connection that another fetch was judged for is used again.
                guard = _Guard(self._terms.allowed, self._resolve)
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
            parts = _checked(url)
            headers = [
                ("Host", parts.netloc),
                ("Accept", "image/*"),
                ("Accept-Encoding", "identity"),
            ]
            async with pool.stream("GET", _wired(parts), headers=headers) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response)
                location = _header(response, b"location")
            if not location:
                raise _failed("redirects to nowhere")
            try:
                url = urljoin(url, location)
            except ValueError:
                raise _forbidden("redirects to what is not a URL") from None
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
        if not body:
            raise _failed("answered with nothing")
        return bytes(body)

    def _too_large(self) -> Rejected:
        allowed = f"at most {self._terms.bytes} bytes"
        problem = "leads to a picture that is too large"
        return _rejected("IMAGE_TOO_LARGE", problem, allowed)


def _checked(url: str) -> SplitResult:
    """The parts of a URL. Raises Rejected unless it is one that is fetched at all."""
    if not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise _forbidden("has characters that a URL cannot have")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _forbidden("is not a URL") from None
    if parts.scheme not in _PORTS:
        raise _forbidden("does not begin with http:// or https://")
    if not host or parts.username is not None or parts.password is not None or port == 0:
        raise _forbidden("has no host, or holds a user name")
    return parts


def _wired(parts: SplitResult) -> httpcore.URL:
    """The URL as it goes out, from the very parts that were checked."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or _PORTS[parts.scheme]
    host = parts.hostname or ""
    return httpcore.URL(scheme=parts.scheme, host=host, port=port, target=target)


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
