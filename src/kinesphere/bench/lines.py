"""Connections to one server, for hundreds of requests at once."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import httpx


class Lines:
    """Sends requests, each over a connection of its own that later ones take over.

    An `httpx.AsyncClient` looks through all of its connections whenever one is asked for or
    becomes free: with 500 of them a request costs it tens of milliseconds. So there is a client
    for each connection.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._headers = headers
        self._trusted = httpx.create_ssl_context()
        self._free: list[httpx.AsyncClient] = []
        self._all = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._all.aclose()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """As `httpx.AsyncClient.get`, and raises the same."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """As `httpx.AsyncClient.post`, and raises the same."""
        return await self.request("POST", path, **options)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """As `httpx.AsyncClient.request`, and raises the same."""
        client = self._free.pop() if self._free else await self._new()
        try:
            return await client.request(method, path, **options)
        finally:
            self._free.append(client)

    async def _new(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            base_url=self._url, headers=self._headers, verify=self._trusted
        )
        return await self._all.enter_async_context(client)
