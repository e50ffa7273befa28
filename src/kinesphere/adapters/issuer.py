"""What an OpenID Connect issuer publishes: its discovery document and its keys."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

FETCH_SECONDS: Final = 5.0
"""For the discovery document and the keys together."""
LARGEST_DOCUMENT: Final = 524_288
MOST_KEYS: Final = 100
_DISCOVERY: Final = "/.well-known/openid-configuration"


class IssuerSilent(Exception):
    """The issuer does not answer, or not with what it should; the message says what."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Where the keys are published.

    Attributes:
        url: As tokens name it in `iss`.
        allow_http: Whether http:// is taken beyond loopback too.
    """

    url: str
    allow_http: bool = False

    async def keys(self) -> tuple[Mapping[str, Any], ...]:
        """The JSON Web Keys that are published now. Raises IssuerSilent."""
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._client() as client:
                found = await self._document(client, self.url.rstrip("/") + _DISCOVERY)
                if found.get("issuer") != self.url:
                    raise IssuerSilent(f"{self.url}: the discovery document is of another issuer")
                published = await self._document(client, str(found.get("jwks_uri", "")))
        except TimeoutError:
            raise IssuerSilent(f"{self.url}: no answer within {FETCH_SECONDS:g} s") from None
        keys = published.get("keys")
        if not isinstance(keys, list) or len(keys) > MOST_KEYS:
            raise IssuerSilent(f"{self.url}: no list of at most {MOST_KEYS} keys")
        return tuple(key for key in keys if isinstance(key, dict))

    def _client(self) -> httpx.AsyncClient:
        # A proxy of the environment cannot stand between us and our own machine.
        return httpx.AsyncClient(trust_env=not _loopback(self.url), timeout=FETCH_SECONDS)

    async def _document(self, client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
        self._check(url)
        try:
            async with client.stream("GET", url) as answer:
                return _parsed(url, answer.status_code, await _body(url, answer))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise IssuerSilent(f"{url}: {type(error).__name__} {error}") from None

    def _check(self, url: str) -> None:
        """The keys travel as safely as the issuer's own address: no way around it by discovery."""
        scheme = urlsplit(url).scheme
        if scheme == "https" or (scheme == "http" and (self.allow_http or _loopback(url))):
            return
        raise IssuerSilent(f"{url!r} is not an https:// address")


async def _body(url: str, answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_DOCUMENT:
            raise IssuerSilent(f"{url}: more than {LARGEST_DOCUMENT} bytes")
    return bytes(body)


def _parsed(url: str, status: int, body: bytes) -> Mapping[str, Any]:
    if status != 200:
        raise IssuerSilent(f"{url}: status {status}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise IssuerSilent(f"{url}: no JSON object")
    return document


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
