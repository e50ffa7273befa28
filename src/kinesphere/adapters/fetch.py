"""Fetching a caller's picture by URL, from the public internet only."""

import asyncio
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpcore

from kinesphere.adapters.public_network import (
    Forbidden,
    Guard,
    NotAnAddress,
    Resolve,
    checked,
    header,
    resolved,
    trusted,
    wired,
)
from kinesphere.core.failures import FieldError, Rejected

MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


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
                guard = Guard(self._terms.allowed, self._resolve)
                async with httpcore.AsyncConnectionPool(
                    network_backend=guard, ssl_context=trusted()
                ) as pool:
                    return await self._follow(pool, url)
        except TimeoutError:
            raise _failed(f"did not answer within {self._terms.seconds:g} s") from None
        except Forbidden:
            raise _forbidden("leads to an address that is not public") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise _failed(f"could not be fetched: {type(error).__name__}") from None

    async def _follow(self, pool: httpcore.AsyncConnectionPool, url: str) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            try:
                parts = checked(url)
            except NotAnAddress as problem:
                raise _forbidden(str(problem)) from None
            headers = [
                ("Host", parts.netloc),
                ("Accept", "image/*"),
                ("Accept-Encoding", "identity"),
            ]
            async with pool.stream("GET", wired(parts), headers=headers) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response)
                location = header(response, b"location")
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
        if header(response, b"content-encoding") not in ("", "identity"):
            raise _failed("answered with an encoding that was not asked for")
        length = header(response, b"content-length")
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


def _forbidden(problem: str) -> Rejected:
    allowed = "an http:// or https:// address on the public internet"
    return _rejected("IMAGE_URL_FORBIDDEN", problem, allowed)


def _failed(problem: str) -> Rejected:
    return _rejected("IMAGE_URL_FAILED", problem, "an address that answers with a picture")


def _rejected(code: str, problem: str, allowed: str) -> Rejected:
    detail = f"The image_url {problem}."
    return Rejected(code, detail, (FieldError("image_url", problem, allowed),))
