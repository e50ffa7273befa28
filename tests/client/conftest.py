"""Servers, and both clients behind one face."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from kinesphere import AsyncClient, Client
from tests.client.faults import FaultyServer, faulty_server
from tests.servers import ServerProcess

Connect = Callable[..., Client]


class Blocking:
    """An `AsyncClient` for tests that do not await: what holds for one client holds for both."""

    def __init__(self, url: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(url, **options)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            async def finished() -> Any:
                result = method(*arguments, **options)
                if inspect.isasyncgen(result):
                    return [item async for item in result]
                return await result

            return self._runner.run(finished())

        return call

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes a client of either kind, closed after the test."""
    kind: Any = Client if request.param == "sync" else Blocking
    with ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(closing(kind(url, **options)))


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    """A server that does what the test says."""
    with faulty_server() as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server with warm models."""
    running = ServerProcess(tmp_path_factory.mktemp("client") / "data").start()
    yield running
    assert running.stop() == 0
