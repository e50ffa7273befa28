"""Connections for many requests at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from kinesphere.client import lanes
from kinesphere.client.lanes import Lanes


class Server:
    """Answers each request after a while, over as many connections as are opened."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.connections = self.open = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                await asyncio.sleep(self.pause)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def server(pause: float = 0.0) -> AsyncIterator[Server]:
    made = Server(pause)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=1_000)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()


def client(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, transport=Lanes())


async def test_connections_are_used_again() -> None:
    async with server() as made, client(made) as http:
        for _ in range(5):
            assert (await http.get("/")).text == "done"
        await asyncio.gather(*(http.get("/") for _ in range(10)))
        await asyncio.gather(*(http.get("/") for _ in range(10)))
        assert made.connections == 10


async def test_what_is_idle_is_closed_with_the_client() -> None:
    async with server() as made:
        async with client(made) as http:
            await asyncio.gather(*(http.get("/") for _ in range(10)))
        await _until_none_is_open(made)


async def test_a_few_idle_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "KEPT", 3)
    async with server(0.05) as made, client(made) as http:
        await asyncio.gather(*(http.get("/") for _ in range(10)))
        for _ in range(100):
            if made.open == 3:
                break
            await asyncio.sleep(0.01)
        assert made.open == 3


async def test_no_more_than_so_many_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST", 4)
    async with server(0.01) as made, client(made) as http:
        answers = await asyncio.gather(*(http.get("/") for _ in range(40)))
        assert [answer.text for answer in answers] == ["done"] * 40
        assert made.connections == 4


async def test_who_is_cancelled_or_refused_leaves_no_connection_and_takes_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "MOST", 2)
    async with server(30.0) as made, client(made) as http:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(http.get("/"), 0.05)
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/", timeout=0.05)
        made.pause = 0.0
        assert (await http.get("/")).text == "done"
    async with httpx.AsyncClient(transport=Lanes()) as http:
        for _ in range(5):
            with pytest.raises(httpx.ConnectError):
                await http.get("http://127.0.0.1:9/")


async def test_a_body_that_is_not_read_gives_its_connection_back() -> None:
    async with server() as made, client(made) as http:
        for _ in range(3):
            async with http.stream("GET", "/") as answer:
                assert answer.status_code == 200
        await asyncio.gather(*(http.get("/") for _ in range(3)))
        assert (await http.get("/")).text == "done"


async def test_hundreds_at_once_cost_less_than_in_one_pool() -> None:
    """The reason why this is here: a pool costs each request the number of its connections."""
    spent = {}
    async with server(0.3) as made:
        for name, transport in (("lanes", Lanes()), ("pool", _pool())):
            async with httpx.AsyncClient(base_url=made.url, transport=transport) as http:
                began = time.process_time()
                await asyncio.gather(*(http.get("/") for _ in range(200)))
                spent[name] = time.process_time() - began
    assert spent["lanes"] < 0.6 * spent["pool"], spent


def _pool() -> httpx.AsyncHTTPTransport:
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncHTTPTransport(limits=unlimited)


async def _until_none_is_open(made: Server) -> None:
    for _ in range(100):
        if not made.open:
            return
        await asyncio.sleep(0.01)
    assert made.open == 0
