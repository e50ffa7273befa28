"""Connections for many requests at once."""

import asyncio
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


async def test_what_is_under_way_when_it_closes_leaves_no_connection() -> None:
    async with server(0.05) as made:
        lanes_ = Lanes()
        async with httpx.AsyncClient(base_url=made.url, transport=lanes_) as http:
            answer = asyncio.create_task(http.get("/"))
            while not made.open:
                await asyncio.sleep(0.005)
            await lanes_.aclose()
            assert (await answer).text == "done"
        await _until_none_is_open(made)


@pytest.mark.parametrize(
    ("url", "proxy", "own"),
    [
        ("https://example.com", "", True),
        ("https://example.com", "http://proxy.example:3128", False),
        ("http://127.0.0.1:8000", "http://proxy.example:3128", True),
    ],
)
def test_a_proxy_of_the_environment_is_left_to_httpx(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: str, own: bool
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if proxy:
        monkeypatch.setenv("https_proxy", proxy)
    assert (lanes.lanes_to(httpx.URL(url)) is not None) is own


async def _until_none_is_open(made: Server) -> None:
    for _ in range(100):
        if not made.open:
            return
        await asyncio.sleep(0.01)
    assert made.open == 0
