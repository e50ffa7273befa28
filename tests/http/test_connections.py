"""Clients that hold a connection: slow, huge, deaf, or too many. Each is a raw socket."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import httpx
import pytest

from kinesphere.http.connections import RESERVE
from kinesphere.http.server import RESERVED, connections_within
from tests.servers import ServerProcess

TERMS = {
    "KINESPHERE_REPLICAS": "choreo=0,relief.shape=0,relief.texture=0",
    "KINESPHERE_MAX_CONNECTIONS": "20",
    "KINESPHERE_HEADER_LIMIT_BYTES": "4096",
    "KINESPHERE_HEADER_SECONDS": "1",
    "KINESPHERE_BODY_SECONDS": "1",
    "KINESPHERE_BODY_BYTES_PER_SECOND": "1000",
    "KINESPHERE_KEEP_ALIVE_SECONDS": "1",
    "KINESPHERE_WRITE_SECONDS": "1",
}
HEAD = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n"
POST = b"POST /v1/motions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that waits a second for anything."""
    running = ServerProcess(tmp_path_factory.mktemp("strict") / "data", TERMS).start(ready=False)
    yield running
    assert running.stop() == 0
    loud = [line["message"] for line in running.logged() if line["level"] != "info"]
    assert set(loud) <= {"Invalid HTTP request received."}


class Wire:
    """One connection, by the byte."""

    def __init__(self, server: ServerProcess, receive_buffer: int | None = None) -> None:
        parts = urlsplit(server.url)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect((parts.hostname, parts.port))

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes, pause: float, times: int = 100) -> float:
        """Send `data` again and again until the server answers or closes; how long that took."""
        began = time.monotonic()
        self.socket.settimeout(pause)
        for _ in range(times):
            try:
                self.socket.sendall(data)
                if self.socket.recv(1, socket.MSG_PEEK) is not None:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise AssertionError(f"still open after {time.monotonic() - began:.1f} s")
        self.socket.settimeout(10)
        return time.monotonic() - began

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        parts = []
        while part := self.socket.recv(65_536):
            parts.append(part)
        return b"".join(parts)

    def answer(self) -> bytes:
        """Up to and with the body of one answer that has a length."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.part()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(r for r in head.lower().split(b"\r\n") if r.startswith(b"content-length:"))
        while len(body) < int(length.partition(b":")[2]):
            body += self.part()
        return head + b"\r\n\r\n" + body

    def part(self) -> bytes:
        part = self.socket.recv(65_536)
        assert part, "the server closed the connection"
        return part


@pytest.fixture
def wire(strict: ServerProcess) -> Iterator[Wire]:
    with closing(Wire(strict)) as opened:
        yield opened


def assert_refusal(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rows = head.decode().lower().split("\r\n")
    assert first.startswith(f"http/1.1 {status} ")
    headers = dict(row.split(": ", 1) for row in rows)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    document = json.loads(body)
    assert (document["status"], document["error_code"]) == (status, code)
    assert document["request_id"].lower() == headers["x-request-id"]
    assert document["instance"]


# ------------------------------------------------------------------------------------ headers


def test_headers_that_come_by_the_drop(wire: Wire) -> None:
    wire.send(HEAD)
    assert 0.8 < wire.drip(b"x-a: b\r\n", 0.1) < 30
    assert_refusal(wire.rest(), 408, "REQUEST_TIMEOUT")


def test_a_connection_on_which_nothing_comes(wire: Wire) -> None:
    began = time.monotonic()
    assert wire.rest() == b""
    assert 0.8 < time.monotonic() - began < 30


def test_empty_lines_are_nothing(wire: Wire) -> None:
    assert 0.8 < wire.drip(b"\r\n", 0.1) < 30
    assert wire.rest() == b""


def test_the_second_request_is_bounded_like_the_first(wire: Wire) -> None:
    wire.send(HEAD + b"\r\n")
    assert wire.answer().startswith(b"HTTP/1.1 200")
    wire.send(HEAD)
    assert 0.8 < wire.drip(b"x-a: b\r\n", 0.1) < 30
    assert_refusal(wire.rest(), 408, "REQUEST_TIMEOUT")


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"x-a: " + b"a" * 5_000 + b"\r\n\r\n",
        HEAD + b"".join(b"x-%d: b\r\n" % n for n in range(600)) + b"\r\n",
        b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /?" + b"a" * 500_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        HEAD + b"x-a: " + b"a" * 3_000_000 + b"\r\n\r\n",
    ],
    ids=["one", "many", "address", "query", "huge"],
)
def test_headers_that_are_too_large(wire: Wire, head: bytes) -> None:
    wire.send(head)
    assert_refusal(wire.rest(), 431, "HEADERS_TOO_LARGE")


def test_one_header_without_an_end(wire: Wire) -> None:
    wire.send(HEAD + b"x-a: ")
    wire.drip(b"a" * 1_000, 0.05)
    assert_refusal(wire.rest(), 431, "HEADERS_TOO_LARGE")


def test_headers_just_within_the_limit(wire: Wire) -> None:
    wire.send(HEAD + b"x-a: " + b"a" * 4_000 + b"\r\n\r\n")
    assert wire.answer().startswith(b"HTTP/1.1 200")


def test_a_body_is_no_head(wire: Wire) -> None:
    body = json.dumps({"prompt": "wave", "nothing": "x" * 100_000}).encode()
    for _ in range(2):
        wire.send(POST + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert b" 422 " in wire.answer().partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"],
)
def test_what_is_not_http(wire: Wire, sent: bytes) -> None:
    wire.send(sent)
    assert_refusal(wire.rest(), 400, "MALFORMED_REQUEST")


# -------------------------------------------------------------------------------------- bodies


def test_a_body_that_comes_by_the_drop(wire: Wire) -> None:
    wire.send(POST + b"content-length: 10000\r\n\r\n")
    assert 0.8 < wire.drip(b" ", 0.1) < 30
    assert_refusal(wire.rest(), 408, "REQUEST_TIMEOUT")


def test_a_chunked_body_that_comes_by_the_drop(wire: Wire) -> None:
    wire.send(POST + b"transfer-encoding: chunked\r\n\r\n")
    assert 0.8 < wire.drip(b"1\r\n \r\n", 0.1) < 30
    assert_refusal(wire.rest(), 408, "REQUEST_TIMEOUT")


def test_a_body_at_a_fair_pace_may_take_longer(wire: Wire) -> None:
    body = json.dumps({"prompt": "wave", "nothing": "x" * 6_000}).encode()
    wire.send(POST + b"content-length: %d\r\n\r\n" % len(body))
    for start in range(0, len(body), 300):
        wire.send(body[start : start + 300])
        time.sleep(0.1)
    assert b" 422 " in wire.answer().partition(b"\r\n")[0]


def test_a_body_that_nobody_wants_is_not_read_for_ever(wire: Wire) -> None:
    wire.send(b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n")
    assert wire.answer().startswith(b"HTTP/1.1 404")
    began = time.monotonic()
    wire.drip(b" ", 0.1)
    assert wire.rest() == b""
    assert 0.8 < time.monotonic() - began < 30


def test_after_an_unwanted_body_the_connection_goes_on(wire: Wire) -> None:
    wire.send(b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000\r\n\r\n")
    assert wire.answer().startswith(b"HTTP/1.1 404")
    wire.send(b" " * 2_000 + HEAD + b"\r\n")
    assert wire.answer().startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    assert wire.rest() == b""
    assert 0.8 < time.monotonic() - began < 30


# ------------------------------------------------------------------------- idle, deaf, too many


def test_an_idle_connection_is_closed(wire: Wire) -> None:
    wire.send(HEAD + b"\r\n")
    assert wire.answer().startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    assert wire.rest() == b""
    assert 0.8 < time.monotonic() - began < 30


def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    asks = [b"/health", b"/v1/models", b"/nowhere"]
    wire.send(b"".join(b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % ask for ask in asks))
    found = wire.rest()
    places = [found.index(part) for part in (b'"status":"ok"', b'"items"', b"ROUTE_NOT_FOUND")]
    assert places == sorted(places)


def test_a_client_that_reads_nothing_is_cut_off(strict: ServerProcess) -> None:
    with closing(Wire(strict, receive_buffer=4_096)) as deaf:
        deaf.socket.settimeout(0.5)
        ask = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            try:
                deaf.socket.sendall(ask * 50)
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise AssertionError("the server still waits for it")


def test_more_connections_than_may_be(strict: ServerProcess) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(closing(Wire(strict))) for _ in range(20)]
        for wire in wires:
            wire.send(HEAD)
        more = stack.enter_context(closing(Wire(strict)))
        more.send(HEAD + b"\r\n")
        assert_refusal(more.rest(), 503, "TOO_MANY_CONNECTIONS")
        # Those who ask whether it lives are answered all the same.
        assert httpx.get(strict.url + "/health").status_code == 200
        assert httpx.get(strict.url + "/metrics").status_code == 200
        flood = [stack.enter_context(closing(Wire(strict))) for _ in range(60)]
        assert_refusal(flood[-1].rest(), 503, "TOO_MANY_CONNECTIONS")
    limit = time.monotonic() + 10
    while httpx.get(strict.url + "/v1/models").status_code != 200:
        assert time.monotonic() < limit, "connections that are gone still count"


def test_refusals_are_counted(strict: ServerProcess, wire: Wire) -> None:
    wire.send(b"HELLO\r\n\r\n")
    wire.rest()
    page = httpx.get(strict.url + "/metrics").text
    assert 'kinesphere_http_requests_total{method="OTHER",route="unmatched",status="400"}' in page


def test_connections_leave_room_for_files(caplog: pytest.LogCaptureFixture) -> None:
    assert connections_within(20_000, 10_000) == 10_000
    assert not caplog.records
    fewer = connections_within(1_024, 10_000)
    assert fewer == 1_024 - RESERVED - RESERVE
    assert str(fewer) in caplog.text
    assert connections_within(64, 10_000) == 1
