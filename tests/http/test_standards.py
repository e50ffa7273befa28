"""What every answer carries, whatever was asked: security headers, ids, traces, the error shape."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.http.tracing import trace
from tests.http.test_jobs import bvh_link
from tests.http.test_refusals import assert_problem
from tests.servers import ServerProcess
from tests.waiting import wait_until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


# ---------------------------------------------------------------------------- security headers


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/nowhere", "/docs", "/openapi.json"])
def test_every_answer_says_what_a_browser_may_do_with_it(http: httpx.Client, path: str) -> None:
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "strict-transport-security" not in headers
    assert "access-control-allow-origin" not in headers


def test_the_page_of_the_api_may_load_its_own_parts(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert "'unsafe-inline'" not in rules["script-src"]
    assert page.text.count("<script>") == rules["script-src"].count("'sha256-")
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(parts) == 3
    assert "data:," in parts
    for path in set(parts) - {"data:,"}:
        # All from this server: it may stand where there is no other.
        assert path.startswith("/docs/")
        part = http.get(path)
        assert part.status_code == 200
        assert part.headers["content-type"].startswith(("text/javascript", "text/css"))
        assert "swagger" in part.text
        assert "max-age" in part.headers["cache-control"]
    assert "http" not in rules["script-src"] + rules["style-src"]
    assert rules["connect-src"] == "'self'"


def test_a_host_that_is_no_host_is_refused(http: httpx.Client) -> None:
    for host in ("[", "a/b", "evil.example:99999999999", "localhost.evil.example", "localhost/x"):
        assert_problem(http.get("/health", headers={"host": host}), 421, "HOST_FORBIDDEN", None)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that is known by https, and may be asked by one other site."""
    terms = {
        "KINESPHERE_REPLICAS": "choreo=0,relief.shape=0,relief.texture=0",
        "KINESPHERE_PUBLIC_URL": "https://motion.example.com",
        "KINESPHERE_CORS_ORIGINS": "https://studio.example.com",
        "KINESPHERE_RATE_LIMIT": "1000",
    }
    running = ServerProcess(tmp_path_factory.mktemp("public") / "data", terms).start(ready=False)
    with httpx.Client(base_url=running.url) as client:
        yield client
    assert running.stop() == 0


@pytest.mark.slow
def test_behind_https_browsers_are_told_to_stay_there(public: httpx.Client) -> None:
    for path in ("/health", "/nowhere"):
        told = public.get(path).headers["strict-transport-security"]
        assert told == "max-age=31536000; includeSubDomains"


@pytest.mark.slow
def test_the_other_site_that_was_named_may_ask(public: httpx.Client) -> None:
    there = {"origin": "https://studio.example.com"}
    wants = {
        **there,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,authorization,idempotency-key",
    }
    allowed = public.options("/v1/motions", headers=wants)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://studio.example.com"
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in allowed.headers
    found = public.get("/v1/jobs", headers=there)
    assert found.headers["access-control-allow-origin"] == "https://studio.example.com"
    assert "RateLimit-Remaining" in found.headers["access-control-expose-headers"]
    assert found.headers["ratelimit-limit"] == "1000"
    # Refusals too, or the page could not read why.
    missing = public.get("/nowhere", headers=there)
    assert missing.headers["access-control-allow-origin"] == "https://studio.example.com"


@pytest.mark.slow
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "null", "http://studio.example.com",
        "https://studio.example.com:8443", "https://studio.example.com.evil.example",
    ],
)  # fmt: skip
def test_no_other_site_may(public: httpx.Client, origin: str) -> None:
    found = public.get("/v1/jobs", headers={"origin": origin})
    assert "access-control-allow-origin" not in found.headers
    wants = {"origin": origin, "access-control-request-method": "POST"}
    refused = public.options("/v1/motions", headers=wants)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://studio.example.com", 204),
        (None, 204),
    ],
)
def test_no_other_site_may_change_anything(
    public: httpx.Client, origin: str | None, status: int
) -> None:
    """Browsers send a POST without a body for any page, and ask nobody before."""
    headers = {} if origin is None else {"origin": origin}
    answer = public.post("/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3/forget", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert_problem(answer, 403, "ORIGIN_FORBIDDEN", None)
        # A browser's own word counts: a proxy may have given the server another Host.
        own = {**headers, "sec-fetch-site": "same-origin"}
        assert public.post(str(answer.url), headers=own).status_code == 204


# ------------------------------------------------------------------------------ ids and traces


@pytest.mark.parametrize(
    "given",
    [
        b"a b", b"a\tb", b"\xff\xfe", "ключ".encode(), b'"><script>', b"a" * 129, b"a,b", b"",
        b"a;b=c", b"${jndi:ldap://x}", b"a%0d%0ab",
    ],
)  # fmt: skip
def test_a_hostile_request_id_is_replaced(http: httpx.Client, given: bytes) -> None:
    answer = http.get("/nowhere", headers=[(b"x-request-id", given)])
    assert re.fullmatch(r"[0-9A-Z]{26}", answer.headers["x-request-id"])
    assert_problem(answer, 404, "ROUTE_NOT_FOUND", None)


def test_of_two_request_ids_one_counts(http: httpx.Client) -> None:
    answer = http.get("/health", headers=[("x-request-id", "one"), ("x-request-id", "two")])
    assert answer.headers.get_list("x-request-id") == ["two"]


def test_a_trace_goes_on(http: httpx.Client) -> None:
    told = http.get("/health", headers={"traceparent": PARENT}).headers["traceparent"]
    assert TRACE.fullmatch(told)
    version, trace_id, span_id, flags = told.split("-")
    assert (version, trace_id, flags) == ("00", PARENT.split("-")[1], "01")
    assert span_id != PARENT.split("-")[2]


def test_without_a_trace_one_begins(http: httpx.Client) -> None:
    first, second = (http.get("/health").headers["traceparent"] for _ in range(2))
    assert TRACE.fullmatch(first)
    assert first.split("-")[1] != second.split("-")[1]


@pytest.mark.parametrize(
    "parent",
    [
        "", "00", PARENT.upper(), PARENT + "-00", PARENT[:-1], "ff" + PARENT[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01", PARENT[:36] + "0" * 16 + "-01",
        PARENT.replace("4bf9", "4bg9"), PARENT.replace("-", "_"), PARENT + " " + PARENT,
        PARENT + "," + PARENT, "1" * 10_000, "01" + PARENT[2:] + "x",
    ],
)  # fmt: skip
def test_a_trace_that_is_none_is_replaced(parent: str) -> None:
    found = trace(parent)
    assert TRACE.fullmatch(str(found))
    assert found.trace_id != PARENT.split("-")[1]


@pytest.mark.parametrize("parent", ["01" + PARENT[2:], "cc" + PARENT[2:] + "-more", PARENT + "  "])
def test_of_a_later_version_what_is_known_is_read(parent: str) -> None:
    found = trace(parent)
    assert found.trace_id == PARENT.split("-")[1]
    assert found.sampled


@given(st.text())
def test_no_text_makes_a_trace_that_is_not_one(parent: str) -> None:
    assert TRACE.fullmatch(str(trace(parent)))


async def test_the_log_has_the_trace(server: ServerProcess, http: httpx.Client) -> None:
    http.get("/v1/models", headers={"traceparent": PARENT, "x-request-id": "trace-me"})

    def lines() -> list[dict[str, object]]:
        return [line for line in server.logged() if line.get("request_id") == "trace-me"]

    await wait_until(lambda: bool(lines()), "the request is logged")
    assert {line["trace_id"] for line in lines()} == {PARENT.split("-")[1]}


# ----------------------------------------------------------------------------- the error shape


def test_a_method_that_is_not_there_names_those_that_are(http: httpx.Client) -> None:
    answer = http.put("/generate", json={})
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED", None)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml", "*/*;q=0", ""])
def test_accept_is_a_wish_and_never_a_reason_to_refuse(http: httpx.Client, accept: str) -> None:
    # RFC 9110, 12.4.1: a server may disregard it; problems are JSON whatever was wished for.
    assert http.get("/v1/models", headers={"accept": accept}).status_code == 200
    assert_problem(http.get("/nowhere", headers={"accept": accept}), 404, "ROUTE_NOT_FOUND", None)


def test_a_range_beyond_the_file_is_a_problem_like_any_other(http: httpx.Client) -> None:
    url = bvh_link(http)
    size = len(http.get(url).content)
    answer = http.get(url, headers={"range": f"bytes={size}-"})
    assert_problem(answer, 416, "RANGE_NOT_SATISFIABLE", None)
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("wanted", ["bytes=", "bytes=a-b", "lines=1-2", "bytes=9-3", "bytes", "-"])
def test_a_range_that_makes_no_sense_is_passed_over(http: httpx.Client, wanted: str) -> None:
    url = bvh_link(http)
    answer = http.get(url, headers={"range": wanted})
    assert answer.status_code in (200, 416), answer.text
    if answer.status_code == 416:
        assert_problem(answer, 416, "RANGE_NOT_SATISFIABLE", None)


def test_an_error_that_nobody_foresaw_is_a_problem_with_all_headers(tmp_path: Path) -> None:
    # A data folder that vanishes under a running server is as unforeseen as can be had by hand.
    terms = {"KINESPHERE_REPLICAS": "choreo=0,relief.shape=0,relief.texture=0"}
    running = ServerProcess(tmp_path / "data", terms).start(ready=False)
    with httpx.Client(base_url=running.url) as client:
        document = client.get("/openapi.json").json()
        (tmp_path / "data" / "artifacts").rename(tmp_path / "gone")
        (tmp_path / "data" / "artifacts").write_text("a file where a folder was")
        answer = client.post("/v1/meshes", files={"image": ("mug.png", PNG)})
    assert "500" in document["paths"]["/v1/meshes"]["post"]["responses"]
    assert answer.status_code in (500, 503), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert json.loads(answer.content)["error_code"] in ("INTERNAL", "STORAGE_FAILED")
    running.stop()


PNG = (Path(__file__).parents[1] / "engines/relief/pictures/mug.jpg").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"origin": "https://evil.example", "access-control-request-method": "POST"}, "origin"),
        (
            {
                "origin": "https://studio.example.com",
                "access-control-request-method": "PATCH",
                "access-control-request-headers": "x-other",
            },
            "method, headers",
        ),
    ],
)
def test_a_preflight_is_refused_as_everything_is(
    public: httpx.Client, wanted: dict[str, str], reason: str
) -> None:
    answer = public.options("/v1/motions", headers=wanted)
    assert_problem(answer, 403, "ORIGIN_FORBIDDEN", None)
    assert reason in answer.json()["detail"]
    assert "access-control-allow-origin" not in answer.headers


def test_a_refused_method_is_told_which_there_are(http: httpx.Client) -> None:
    answer = http.patch("/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3")
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED", None)
    assert answer.headers["allow"] == "DELETE, GET"


def test_refusals_are_counted_with_their_route(http: httpx.Client) -> None:
    assert http.patch("/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3").status_code == 405
    assert http.get("/v1/models", headers={"host": "elsewhere.example"}).status_code == 421
    assert http.get("/nowhere").status_code == 404
    page = http.get("/metrics").text
    for labels in (
        'method="PATCH",route="/v1/jobs/{job_id}",status="405"',
        'method="GET",route="/v1/models",status="421"',
        'method="GET",route="unmatched",status="404"',
    ):
        assert labels in page
