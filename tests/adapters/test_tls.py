"""TLS to whoever a caller names: pictures and webhooks, and whose certificates are believed.

The addresses are pinned after they were judged, and the certificate is still of the name.
"""

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from kinesphere.adapters.fetch import FetchTerms, PictureFetcher
from kinesphere.adapters.public_network import trusted
from kinesphere.adapters.webhooks import Poster, WebhookTerms
from kinesphere.core.failures import Rejected
from tests.client.faults import FaultyServer, answer, faulty_server

NAME, OTHER = "store.example", "other.example"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> Iterator[FaultyServer]:
    """Has a certificate for NAME."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(context)
    with faulty_server(tls=context) as running:
        running.on("GET /a", answer(b"picture"))
        running.on("POST /hook", answer(b"thanks"))
        yield running


@pytest.fixture
def believed(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An authority of one's own."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    trusted.cache_clear()
    yield
    trusted.cache_clear()


async def here(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def urls(server: FaultyServer, path: str) -> tuple[str, str, frozenset[str]]:
    """The URL under the certificate's name, that under another, and what is allowed."""
    port = urlsplit(server.url).port
    hosts = [f"{name}:{port}" for name in (NAME, OTHER)]
    return f"https://{hosts[0]}{path}", f"https://{hosts[1]}{path}", frozenset(hosts)


@pytest.mark.usefixtures("believed")
async def test_a_picture_comes_over_tls(server: FaultyServer) -> None:
    right, wrong, allowed = urls(server, "/a")
    fetcher = PictureFetcher(FetchTerms(1_000, 20.0, allowed), here)
    assert await fetcher.fetch(right) == b"picture"
    with pytest.raises(Rejected) as refused:
        await fetcher.fetch(wrong)
    assert refused.value.code == "IMAGE_URL_FAILED"


@pytest.mark.usefixtures("believed")
async def test_a_webhook_is_posted_over_tls(server: FaultyServer) -> None:
    right, wrong, allowed = urls(server, "/hook")
    poster = Poster(WebhookTerms(20.0, allowed=allowed), here)
    assert (await poster.post(right, b"{}", {})).status == 200
    before = len(server.heard)
    assert (await poster.post(wrong, b"{}", {})).problem
    assert len(server.heard) == before


async def test_an_unknown_authority_is_not_believed(server: FaultyServer) -> None:
    trusted.cache_clear()
    right, _, allowed = urls(server, "/hook")
    before = len(server.heard)
    assert (await Poster(WebhookTerms(20.0, allowed=allowed), here).post(right, b"{}", {})).problem
    assert len(server.heard) == before
