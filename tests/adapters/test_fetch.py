"""Fetching pictures: what arrives, what is refused, and that nothing inside is ever reached."""

import gzip
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from urllib.parse import urlsplit

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.adapters.fetch import (
    MOST_REDIRECTS,
    FetchTerms,
    PictureFetcher,
)
from kinesphere.adapters.public_network import Resolve, public, resolved
from kinesphere.core.failures import Rejected
from tests.client.faults import (
    FaultyServer,
    Heard,
    Step,
    answer,
    faulty_server,
    head,
    silence,
    stall,
)

PICTURE = bytes(range(256)) * 40
METADATA = "169.254.169.254"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


@pytest.fixture
def unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects fails the test."""

    async def connect(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a connection was made: {arguments}")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)


def fetcher(
    *servers: FaultyServer, limit: int = 20_000, seconds: float = 20.0, resolve: Resolve = resolved
) -> PictureFetcher:
    allowed = frozenset(urlsplit(each.url).netloc for each in servers)
    return PictureFetcher(FetchTerms(limit, seconds, allowed), resolve)


def at(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


async def nowhere(host: str, port: int) -> Sequence[str]:
    """What a resolver says of a name that does not exist."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def refusal(fetching: PictureFetcher, url: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        await fetching.fetch(url)
    (field,) = caught.value.fields
    assert (field.field, bool(field.problem), bool(field.allowed)) == ("image_url", True, True)
    return caught.value


def redirect(to: str, status: int = 302) -> Step:
    return answer(b"moved", status, {"Location": to})


def raw(data: bytes) -> Step:
    def step(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
        out.write(data)

    return step


# --------------------------------------------------------------------------------- addresses

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.0.1", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1",
    "::7f00:1", "::808:808", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1",
    "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.0",
    "192.167.255.255", "192.169.0.0", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_that_are(address: str) -> None:
    assert public(ipaddress.ip_address(address))


FORBIDDEN = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip


@given(
    st.sampled_from(FORBIDDEN).flatmap(lambda n: st.ip_addresses(v=4, network=n)),
    st.sampled_from(["{}", "::ffff:{}", "::ffff:0:{}", "::{}", "64:ff9b::{}"]),
)
def test_no_spelling_of_an_inner_address_is_public(
    address: ipaddress.IPv4Address, spelling: str
) -> None:
    assert not public(ipaddress.ip_address(spelling.format(address)))


@given(st.ip_addresses(v=6))
def test_nothing_but_global_unicast_and_what_embeds_it_is_public(
    address: ipaddress.IPv6Address | ipaddress.IPv4Address,
) -> None:
    assert isinstance(address, ipaddress.IPv6Address)
    embeds = address.ipv4_mapped or address in ipaddress.IPv6Network("64:ff9b::/96")
    if not embeds and address not in ipaddress.IPv6Network("2000::/3"):
        assert not public(address)


@pytest.mark.usefixtures("unconnected")
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST", "127.1", "0x7f.1", "0177.0.0.1",
        "2130706433", "0x7f000001", "017700000001", "0", METADATA, "0xa9fea9fe", "2852039166",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[fe80::1]", "[64:ff9b::7f00:1]",
        "10.0.0.1", "192.168.1.1",
    ],
)  # fmt: skip
async def test_no_spelling_of_an_inner_host_is_connected_to(host: str) -> None:
    for port in ("", ":8080", ":443"):
        error = await refusal(fetcher(), f"http://{host}{port}/a.png")
        assert error.code == "IMAGE_URL_FORBIDDEN"


@pytest.mark.usefixtures("unconnected")
@pytest.mark.parametrize(
    "addresses", [("93.184.215.14", "127.0.0.1"), ("10.0.0.1", "93.184.215.14"), ("fd00::1",)]
)
async def test_one_inner_address_is_enough_to_refuse_a_name(addresses: tuple[str, ...]) -> None:
    error = await refusal(fetcher(resolve=at(*addresses)), "http://pictures.example/a.png")
    assert error.code == "IMAGE_URL_FORBIDDEN"


@pytest.mark.usefixtures("unconnected")
@pytest.mark.parametrize(
    "url",
    [
        "", "a.png", "/etc/passwd", "//127.0.0.1/a", "file:///etc/passwd", "ftp://example.com/a",
        "gopher://example.com/", "data:image/png;base64,AAAA", "http://", "http:///a.png",
        "http://user@example.com/", "http://user:word@example.com/", "http://@example.com/",
        "http://example.com:0/", "http://example.com:99999/", "http://example.com:x/",
        "http://[::1/", "http://[nonsense]/", "http://bücher.example/",
        "http://１２７.0.0.1/", "http://example.com/a b", "http://example.com/\r\nX: y",
        "http://exa\tmple.com/", "\x00http://example.com/", "http://127.0.0.1\\@example.com/",
    ],
)  # fmt: skip
async def test_what_is_no_address_to_fetch_from(url: str) -> None:
    error = await refusal(fetcher(resolve=nowhere), url)
    assert error.code == "IMAGE_URL_FORBIDDEN"


@pytest.mark.usefixtures("unconnected")
@pytest.mark.parametrize(
    ("host", "resolve"),
    [
        ("pictures.invalid", nowhere),
        ("xn--bcher-kva.invalid", nowhere),
        ("[fe80::1%25lo]", nowhere),
        ("nothing.example", at()),
        ("a..b", resolved),
        ("a" * 64, resolved),
    ],
)
async def test_names_without_an_address(host: str, resolve: Resolve) -> None:
    error = await refusal(fetcher(resolve=resolve), f"http://{host}/")
    assert error.code == "IMAGE_URL_FAILED"


# ----------------------------------------------------------------------------------- answers


async def test_a_picture_arrives_as_it_is(server: FaultyServer) -> None:
    server.on("GET /a;b.png", answer(PICTURE))
    got = await fetcher(server).fetch(server.url + "/a;b.png?size=2&x=%20#part")
    assert got == PICTURE
    (heard,) = server.heard
    assert heard.query == {"size": ["2"], "x": [" "]}
    assert heard.headers["host"] == urlsplit(server.url).netloc
    assert heard.headers["accept-encoding"] == "identity"
    assert "authorization" not in heard.headers and "cookie" not in heard.headers


@pytest.mark.parametrize("count", [1, MOST_REDIRECTS, MOST_REDIRECTS + 1])
@pytest.mark.parametrize("status", [301, 307])
async def test_redirects_are_followed_up_to_a_limit(
    server: FaultyServer, count: int, status: int
) -> None:
    for number in range(count):
        server.on(f"GET /{number}", redirect(f"/{number + 1}", status))
    server.on(f"GET /{count}", answer(PICTURE))
    if count <= MOST_REDIRECTS:
        assert await fetcher(server).fetch(server.url + "/0") == PICTURE
        return
    error = await refusal(fetcher(server), server.url + "/0")
    assert (error.code, server.requests(f"GET /{count}")) == ("IMAGE_URL_FAILED", [])


@pytest.mark.parametrize(
    "to",
    [
        f"http://{METADATA}/latest/meta-data/", "http://[::1]/", "http://2130706433/", "//127.1/a",
        "file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:6379/", "javascript:1",
        "http://user@example.com/", "http://[", "https://localhost/",
    ],
)  # fmt: skip
async def test_redirects_are_judged_like_the_first_address(server: FaultyServer, to: str) -> None:
    server.on("GET /a", redirect(to))
    assert (await refusal(fetcher(server), server.url + "/a")).code == "IMAGE_URL_FORBIDDEN"


async def test_a_redirect_to_another_port_inside_is_not_followed(server: FaultyServer) -> None:
    with faulty_server() as inner:
        inner.on("GET /secret", answer(PICTURE))
        server.on("GET /a", redirect(inner.url + "/secret"))
        error = await refusal(fetcher(server), server.url + "/a")
        assert (error.code, inner.heard) == ("IMAGE_URL_FORBIDDEN", [])
        assert await fetcher(server, inner).fetch(server.url + "/a") == PICTURE


async def test_a_redirect_to_nowhere(server: FaultyServer) -> None:
    server.on("GET /a", answer(b"", 302))
    assert (await refusal(fetcher(server), server.url + "/a")).code == "IMAGE_URL_FAILED"


def chunked(data: bytes) -> Step:
    body = b"%x\r\n%s\r\n" % (len(data), data)
    return raw(head(200, {"Transfer-Encoding": "chunked"}) + body * 3 + b"0\r\n\r\n")


def endless(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
    out.write(head(200, {}))
    while not server.closing.is_set():
        out.write(PICTURE)


@pytest.mark.parametrize(
    "step",
    [answer(PICTURE), raw(head(200, {"Content-Length": "9" * 19})), chunked(PICTURE), endless],
    ids=["with a length", "a length alone", "chunked", "endless"],
)
async def test_a_picture_that_is_too_large_is_not_read_to_its_end(
    server: FaultyServer, step: Step
) -> None:
    server.on("GET /a", step)
    error = await refusal(fetcher(server, limit=len(PICTURE) - 1), server.url + "/a")
    assert error.code == "IMAGE_TOO_LARGE"
    assert error.fields[0].allowed == f"at most {len(PICTURE) - 1} bytes"


async def test_the_largest_picture_is_taken(server: FaultyServer) -> None:
    server.on("GET /a", answer(PICTURE))
    assert await fetcher(server, limit=len(PICTURE)).fetch(server.url + "/a") == PICTURE


def drip(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
    out.write(head(200, {"Content-Length": "10000"}))
    while not server.closing.wait(0.02):
        out.write(b"x")
        out.flush()


def drip_headers(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
    out.write(b"HTTP/1.1 200 OK\r\n")
    while not server.closing.wait(0.02):
        out.write(b"X: y\r\n")
        out.flush()


@pytest.mark.parametrize("step", [drip, drip_headers, stall])
async def test_time_is_for_the_whole_fetch(server: FaultyServer, step: Step) -> None:
    server.on("GET /a", redirect("/b"))
    server.on("GET /b", step)
    error = await refusal(fetcher(server, seconds=0.3), server.url + "/a")
    assert (error.code, "within 0.3 s" in error.detail) == ("IMAGE_URL_FAILED", True)


BOMB = gzip.compress(bytes(1_000_000))


@pytest.mark.parametrize(
    "step",
    [
        answer(BOMB, headers={"Content-Encoding": "gzip"}),
        answer(PICTURE, headers={"Content-Encoding": "br, identity"}),
        answer(b"not here", 404),
        answer(PICTURE, 206),
        answer(b"", 204),
        answer(b""),
        answer(b"", 304),
        answer(PICTURE, 500),
        answer(PICTURE, only=100),
        raw(head(200, {"Transfer-Encoding": "chunked"}) + b"ff\r\nabc"),
        raw(head(200, {"Content-Length": "²"})),
        raw(head(200, {"Content-Length": "-1"})),
        raw(b"\x00\xff garbage \r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000),
        raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        raw(b""),
        silence,
    ],
)
async def test_answers_that_are_no_picture(server: FaultyServer, step: Step) -> None:
    server.on("GET /a", step)
    assert (await refusal(fetcher(server), server.url + "/a")).code == "IMAGE_URL_FAILED"


async def test_a_very_long_address(server: FaultyServer) -> None:
    path = "/" + "a" * 60_000
    server.on(f"GET {path}", answer(PICTURE))
    assert await fetcher(server).fetch(server.url + path) == PICTURE


async def test_nobody_listens_and_nobody_speaks_tls(server: FaultyServer) -> None:
    with faulty_server() as gone:
        pass
    assert (await refusal(fetcher(gone), gone.url + "/a")).code == "IMAGE_URL_FAILED"
    secure = server.url.replace("http:", "https:")
    assert (await refusal(fetcher(server), secure + "/a")).code == "IMAGE_URL_FAILED"


async def test_an_allowed_name_is_fetched_from_the_first_address_that_answers(
    server: FaultyServer,
) -> None:
    port = urlsplit(server.url).port
    server.on("GET /a", answer(PICTURE))
    terms = FetchTerms(20_000, 20.0, frozenset({f"Store.internal:{port}"}))
    inside = PictureFetcher(terms, at("::1", "127.0.0.1"))
    assert await inside.fetch(f"http://STORE.internal:{port}/a") == PICTURE
    assert (await refusal(inside, f"http://store.internal.:{port}/a")).code == "IMAGE_URL_FORBIDDEN"
    assert (await refusal(inside, f"http://other.internal:{port}/a")).code == "IMAGE_URL_FORBIDDEN"
    assert len(server.heard) == 1


async def test_an_ipv6_address_is_allowed_as_it_is_written_in_a_url() -> None:
    terms = FetchTerms(20_000, 20.0, frozenset({"[::1]:9"}))
    assert (await refusal(PictureFetcher(terms), "http://[::1]:9/")).code == "IMAGE_URL_FAILED"
