"""A server on a real socket that does what a test tells it, faults included."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Heard:
    """A request that arrived; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class FaultyServer:
    """Answers by script: the steps of a route in order, the last again and again."""

    url: str
    heard: list[Heard] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    _script: dict[tuple[str, str], list["Step"]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, route: str, *steps: "Step") -> None:
        """Answer `route`, such as "GET /ready", by these steps."""
        method, _, path = route.partition(" ")
        self._script[(method, path)] = list(steps)

    def requests(self, route: str) -> list[Heard]:
        """What was asked of a route."""
        method, _, path = route.partition(" ")
        return [h for h in self.heard if (h.method, h.path) == (method, path)]

    def serve(self, heard: Heard, out: BufferedIOBase) -> None:
        with self._lock:
            self.heard.append(heard)
            steps = self._script.get((heard.method, heard.path), [problem(404, "ROUTE_NOT_FOUND")])
            step = steps.pop(0) if len(steps) > 1 else steps[0]
        step(self, heard, out)


Step = Callable[[FaultyServer, Heard, BufferedIOBase], None]


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, only: int | None = None
) -> Step:
    """A whole answer: bytes, or a value as JSON. With `only`, cut after so many of its bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
        out.write(head(status, {"Content-Length": str(len(data)), **(headers or {})}) + data[:only])

    return step


def problem(status: int, code: str, retry: bool = False, **headers: str) -> Step:
    """A problem document. Headers with "_" for "-"."""
    body = {"error_code": code, "detail": f"{code}.", "retry": retry, "request_id": "R1"}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(body, status, sent)


def silence(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
    """Close without a word."""


def stall(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
    """Keep the connection, and say nothing."""
    server.closing.wait(30)


def events(*items: tuple[str, int | None, Any], then: Step = silence, end: bool = True) -> Step:
    """Server-sent events, as chunks; cut before the end mark unless `end`."""

    def step(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
        kind = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        out.write(head(200, kind))
        for name, number, data in items:
            text = f"event: {name}\ndata: {json.dumps(data)}\n"
            text += "\n" if number is None else f"id: {number}\n\n"
            out.write(b"%x\r\n%s\r\n" % (len(text), text.encode()))
            out.flush()
        then(server, heard, out)
        if end:
            out.write(b"0\r\n\r\n")

    return step


def pings(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
    """Signs of life, again and again."""
    while not server.closing.wait(0.02):
        out.write(b"8\r\n: ping\n\n\r\n")
        out.flush()


@contextmanager
def faulty_server(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    """A faulty server on a free port, or on this one; over TLS where that is given."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().decode()
            if not line:
                return
            method, target, _ = line.split(" ")
            headers = {}
            while (row := self.rfile.readline().decode().strip()) != "":
                name, _, value = row.partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", 0)))
            parts = urlsplit(target)
            heard = Heard(method, parts.path, parse_qs(parts.query), headers, body)
            # A client may go away in the middle of an answer.
            with suppress(OSError):
                server.serve(heard, self.wfile)

    class Listener(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = False

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            if tls is not None:
                connection.settimeout(5)
                connection = tls.wrap_socket(connection, server_side=True)
            return connection, address

    with Listener(("127.0.0.1", port), Handler) as listener:
        scheme = "http" if tls is None else "https"
        server = FaultyServer(f"{scheme}://127.0.0.1:{listener.server_address[1]}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            listener.shutdown()
            thread.join()
