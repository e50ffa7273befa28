"""HTTP connections for hundreds of requests at once."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self
from urllib.request import getproxies

import httpx

from kinesphere.client import wire

MOST: Final = 1_000
"""Requests at once; further ones wait for a connection."""

KEPT: Final = 100
"""Idle connections that are kept."""


def lanes_to(server: httpx.URL) -> "Lanes | None":
    """Lanes to a server; None, for httpx's own, where the environment names a proxy between."""
    return Lanes() if wire.loopback(server) or not getproxies() else None


class Lanes(httpx.AsyncBaseTransport):
    """Sends each request by a transport of its own, which later requests take over.

    The connection pool of httpx looks through all of its connections whenever one is asked for or
    becomes free: with a few hundred at once a request costs tens of milliseconds. Here it costs the
    same however many there are.
    """

    def __init__(self) -> None:
        self._trusted = httpx.create_ssl_context()
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._kept = KEPT
        self._room = asyncio.Semaphore(MOST)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`; the lane is free when the answer is closed."""
        await self._room.acquire()
        lane = self._free.pop() if self._free else httpx.AsyncHTTPTransport(verify=self._trusted)
        try:
            answer = await lane.handle_async_request(request)
        except BaseException:
            await self._leave(lane)
            raise
        assert isinstance(answer.stream, httpx.AsyncByteStream)  # noqa: S101 - of an async transport
        answer.stream = _Body(answer.stream, lane, self)
        return answer

    async def aclose(self) -> None:
        """Close what is idle; what is under way closes its own when it ends."""
        self._kept = 0
        free, self._free = self._free, []
        for lane in free:
            await lane.aclose()

    async def _leave(self, lane: httpx.AsyncHTTPTransport) -> None:
        self._room.release()
        if len(self._free) < self._kept:
            self._free.append(lane)
        else:
            await lane.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of an answer, which gives its lane back when it is closed."""

    def __init__(
        self, stream: httpx.AsyncByteStream, lane: httpx.AsyncHTTPTransport, lanes: Lanes
    ) -> None:
        self._stream = stream
        self._lane: httpx.AsyncHTTPTransport | None = lane
        self._lanes = lanes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        lane, self._lane = self._lane, None
        if lane is None:
            return
        try:
            await self._stream.aclose()
        finally:
            await self._lanes._leave(lane)
