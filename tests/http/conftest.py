"""One real server for the tests of the API, and one that pictures are fetched from."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests import pictures
from tests.client.faults import FaultyServer, answer, faulty_server, problem, silence
from tests.servers import ServerProcess


@pytest.fixture(scope="session")
def gallery() -> Iterator[FaultyServer]:
    """A server of pictures on loopback, which the server under test may fetch from."""
    with faulty_server() as running:
        running.on("GET /mug.png", answer(pictures.png()))
        running.on("GET /mug", answer(b"", 302, {"Location": "/mug.png"}))
        running.on("GET /blank.png", answer(pictures.blank()))
        running.on("GET /page.html", answer(b"<html></html>"))
        running.on("GET /inside", answer(b"", 302, {"Location": "http://169.254.169.254/"}))
        running.on("GET /missing.png", problem(404, "ROUTE_NOT_FOUND"))
        running.on("GET /cut.png", silence)
        yield running


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, gallery: FaultyServer
) -> Iterator[ServerProcess]:
    """A running server with warm models."""
    allowed = {"KINESPHERE_FETCH_ALLOW": urlsplit(gallery.url).netloc}
    running = ServerProcess(tmp_path_factory.mktemp("server") / "data", allowed).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=server.url, timeout=60.0) as client:
        yield client
