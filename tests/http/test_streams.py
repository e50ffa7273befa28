"""Streams of events of a real server: signs of life, resuming, readers that are slow or gone."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from kinesphere.client import Client
from kinesphere.http.streams import AT_ONCE, Heart
from tests.servers import ServerProcess
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on which jobs wait for ever."""
    settings = {"KINESPHERE_REPLICAS": "choreo=0", "KINESPHERE_HEARTBEAT_SECONDS": "0.1"}
    settings |= {"KINESPHERE_MODELS": "choreo"}
    folder = tmp_path_factory.mktemp("streams") / "data"
    running = ServerProcess(folder, settings).start(ready=False)
    yield running
    running.kill()


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20.0) as client:
        yield client


def waiting(http: httpx.Client) -> str:
    return str(http.post("/v1/motions", json={"prompt": "wave"}).json()["id"])


def follow(http: httpx.Client, job_id: str, query: str = "", **headers: str) -> list[str]:
    """The names of a stream's events."""
    with connect_sse(http, "GET", f"/v1/jobs/{job_id}/events{query}", headers=headers) as stream:
        return [each.event for each in stream.iter_sse()]


def test_a_silent_stream_says_that_it_is_alive(http: httpx.Client) -> None:
    job_id = waiting(http)
    began = time.monotonic()
    with http.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        told = [next(lines) for _ in range(4)]
        assert told[:2] == ["retry: 2000", "event: submitted"]
        beats = 0
        while beats < 3:
            beats += next(lines) == ": alive"
        assert 0.2 < time.monotonic() - began < 10
        http.delete(f"/v1/jobs/{job_id}")
        assert "event: cancelled" in list(lines)


def test_a_stream_goes_on_after_the_last_event_seen(http: httpx.Client) -> None:
    job_id = waiting(http)
    http.delete(f"/v1/jobs/{job_id}")
    with connect_sse(http, "GET", f"/v1/jobs/{job_id}/events") as stream:
        first, last = list(stream.iter_sse())
    assert (first.event, last.event) == ("submitted", "cancelled")
    assert follow(http, job_id, **{"last-event-id": first.id}) == ["cancelled"]
    assert follow(http, job_id, f"?last_event_id={first.id}") == ["cancelled"]
    both = follow(http, job_id, "?last_event_id=0", **{"last-event-id": first.id})
    assert both == ["cancelled"]


def test_a_client_that_knows_everything_is_told_not_to_come_back(
    http: httpx.Client, server: ServerProcess
) -> None:
    job_id = waiting(http)
    http.delete(f"/v1/jobs/{job_id}")
    with connect_sse(http, "GET", f"/v1/jobs/{job_id}/events") as stream:
        last: ServerSentEvent = list(stream.iter_sse())[-1]
    answer = http.get(f"/v1/jobs/{job_id}/events", headers={"last-event-id": last.id})
    assert (answer.status_code, answer.content) == (204, b"")
    with Client(server.url) as client:
        assert list(client.events(job_id, after=last.id)) == []


@pytest.mark.parametrize("value", ["-1", "x", str(2**63)])
def test_ids_that_are_none(http: httpx.Client, value: str) -> None:
    job_id = waiting(http)
    for query, headers in ((f"?last_event_id={value}", {}), ("", {"last-event-id": value})):
        answer = http.get(f"/v1/jobs/{job_id}/events{query}", headers=headers)
        assert answer.json()["error_code"] == "INVALID_REQUEST"


async def test_a_client_that_leaves_is_let_go(http: httpx.Client, server: ServerProcess) -> None:
    job_id = waiting(http)
    parts = urlsplit(server.url)

    def open_streams() -> int:
        started = f"GET /v1/jobs/{job_id}/events 200"
        return sum(line["message"] == started for line in server.logged())

    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b"200" in client.recv(4096)
        assert open_streams() == 0
    await wait_until(lambda: open_streams() == 1, "the request of the stream has ended")


def test_a_server_that_stops_tells_its_streams(tmp_path: Path) -> None:
    settings = {"KINESPHERE_REPLICAS": "choreo=0", "KINESPHERE_MODELS": "choreo"}
    running = ServerProcess(tmp_path / "data", settings).start(ready=False)
    try:
        with httpx.Client(base_url=running.url, timeout=20.0) as http:
            job_id = waiting(http)
            with http.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
                lines = stream.iter_lines()
                assert "retry: 2000" in next(lines)
                assert running.stop() == 0
                assert list(lines)[-2] == ": the server stops; come back"
    finally:
        running.kill()


class Listening:
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


async def test_one_timer_reaches_every_stream() -> None:
    heart, streams = Heart(0.02), [Listening() for _ in range(3 * AT_ONCE)]
    for stream in streams:
        heart.spoke(stream)
    await wait_until(lambda: all(stream.beats > 1 for stream in streams), "all have spoken twice")
    for stream in streams[1:]:
        heart.leave(stream)
    counted = [stream.beats for stream in streams[1:]]
    before = streams[0].beats
    await wait_until(lambda: streams[0].beats > before + 2, "the one that is left goes on")
    assert [stream.beats for stream in streams[1:]] == counted
    heart.leave(streams[0])


async def test_a_stream_that_speaks_needs_no_sign_of_life() -> None:
    heart, quiet, busy = Heart(0.05), Listening(), Listening()
    heart.spoke(quiet)
    heart.spoke(busy)

    async def speak() -> None:
        while True:
            heart.spoke(busy)
            await asyncio.sleep(0)

    speaking = asyncio.create_task(speak())
    await wait_until(lambda: quiet.beats > 1, "the quiet one has spoken")
    speaking.cancel()
    assert busy.beats == 0
