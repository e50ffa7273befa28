"""Bad input: each kind gets its 4xx problem document, and nothing is stored."""

import json
from typing import Any

import httpx
import pytest

PAST, NAIVE = "2001-01-01T00:00:00Z", "2031-01-01T00:00:00"
WAVE = {"prompt": "wave", "duration": 1, "seed": 1}

BODIES: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("empty prompt", {"prompt": ""}, 422, "INVALID_REQUEST", "prompt"),
    ("blank prompt", {"prompt": " \n"}, 422, "INVALID_REQUEST", "prompt"),
    ("31 words", {"prompt": "walk " * 31}, 400, "PROMPT_TOO_LONG", "prompt"),
    ("61 characters", {"prompt": "跳" * 61}, 400, "PROMPT_TOO_LONG", "prompt"),
    ("10,000 words", {"prompt": "walk " * 10_000}, 400, "PROMPT_TOO_LONG", "prompt"),
    ("binary", {"prompt": "\x00\x01\x02wave"}, 422, "INVALID_REQUEST", "prompt"),
    ("lone surrogate", {"prompt": "wave \ud800"}, 422, "INVALID_REQUEST", "prompt"),
    ("nothing known", {"prompt": "defenestrate xyzzy"}, 422, "PROMPT_NOT_UNDERSTOOD", "prompt"),
    ("不懂", {"prompt": "量子纠缠"}, 422, "PROMPT_NOT_UNDERSTOOD", "prompt"),
    ("prompt a number", {"prompt": 5}, 422, "INVALID_REQUEST", "prompt"),
    ("no prompt", {"duration": 2}, 422, "INVALID_REQUEST", "prompt"),
    ("duration -1", {**WAVE, "duration": -1}, 422, "INVALID_REQUEST", "duration"),
    ("duration 1e9", {**WAVE, "duration": 1e9}, 422, "INVALID_REQUEST", "duration"),
    ("duration 0.49", {**WAVE, "duration": 0.49}, 422, "INVALID_REQUEST", "duration"),
    ("duration a text", {**WAVE, "duration": "long"}, 422, "INVALID_REQUEST", "duration"),
    ("seed -1", {**WAVE, "seed": -1}, 422, "INVALID_REQUEST", "seed"),
    ("seed 2**32", {**WAVE, "seed": 2**32}, 422, "INVALID_REQUEST", "seed"),
    ("seed 10**400", {**WAVE, "seed": 10**400}, 422, "INVALID_REQUEST", "seed"),
    ("seed 1.5", {**WAVE, "seed": 1.5}, 422, "INVALID_REQUEST", "seed"),
    ("unknown field", {**WAVE, "promt": "wave"}, 422, "INVALID_REQUEST", "promt"),
]  # fmt: skip

MOTION_ONLY: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("unknown format", {**WAVE, "format": "exe"}, 422, "INVALID_REQUEST", "format"),
    ("unknown model", {**WAVE, "model": "nobody"}, 422, "MODEL_UNKNOWN", "model"),
    ("priority 10", {**WAVE, "priority": 10}, 422, "INVALID_REQUEST", "priority"),
    ("past deadline", {**WAVE, "deadline": PAST}, 422, "INVALID_REQUEST", "deadline"),
    ("naive deadline", {**WAVE, "deadline": NAIVE}, 422, "INVALID_REQUEST", "deadline"),
]  # fmt: skip


def assert_problem(answer: httpx.Response, status: int, code: str, field: str | None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["error_code"] == code
    assert document["status"] == status
    assert document["title"] and document["detail"] and document["instance"]
    assert document["request_id"] == answer.headers["x-request-id"]
    if field is not None:
        assert [error["field"] for error in document["errors"]] == [field]
        assert document["errors"][0]["problem"]


@pytest.mark.parametrize("path", ["/v1/motions", "/generate"])
@pytest.mark.parametrize(("body", "status", "code", "field"), [row[1:] for row in BODIES])
def test_a_wrong_body_is_refused_with_the_field(
    http: httpx.Client, path: str, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    content = json.dumps(body)  # ASCII, so that a lone surrogate reaches the server escaped
    answer = http.post(path, content=content, headers={"content-type": "application/json"})
    assert_problem(answer, status, code, field)


@pytest.mark.parametrize(("body", "status", "code", "field"), [row[1:] for row in MOTION_ONLY])
def test_a_wrong_field_of_a_motion_is_named(
    http: httpx.Client, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    assert_problem(http.post("/v1/motions", json=body), status, code, field)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"prompt": ', 400, "MALFORMED_JSON"),
        (b"", 422, "INVALID_REQUEST"),
        (b"\xff\xfe\x00", 400, "MALFORMED_JSON"),
        (b"[1, 2]", 422, "INVALID_REQUEST"),
        (b'"wave"', 422, "INVALID_REQUEST"),
        (b"[" * 100_000, 400, "MALFORMED_JSON"),
        (b'{"prompt": "wave", "duration": NaN}', 422, "INVALID_REQUEST"),
        (b'{"prompt": "wave", "duration": 1e999}', 422, "INVALID_REQUEST"),
        (b'{"prompt": "' + b"a" * 1_100_000 + b'"}', 413, "BODY_TOO_LARGE"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/motions", "/generate"])
def test_a_body_that_is_no_request(
    http: httpx.Client, path: str, content: bytes, status: int, code: str
) -> None:
    answer = http.post(path, content=content, headers={"content-type": "application/json"})
    assert_problem(answer, status, code, None)


def test_a_streamed_body_over_the_limit_is_refused(http: httpx.Client) -> None:
    chunks = (b" " * 65_536 for _ in range(40))
    answer = http.post("/v1/motions", content=chunks, headers={"content-type": "application/json"})
    assert_problem(answer, 413, "BODY_TOO_LARGE", None)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_other_media_types_are_refused(http: httpx.Client, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = http.post("/v1/motions", content=b'{"prompt":"wave"}', headers=headers)
    assert_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/v1/motions", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/generate", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3", 404, "JOB_NOT_FOUND"),
        ("DELETE", "/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3", 404, "JOB_NOT_FOUND"),
        ("GET", "/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3/events", 404, "JOB_NOT_FOUND"),
        ("GET", "/v1/jobs/not-an-id", 422, "INVALID_REQUEST"),
        ("GET", "/v1/jobs?limit=0", 422, "INVALID_REQUEST"),
        ("GET", "/v1/jobs?state=flying", 422, "INVALID_REQUEST"),
        ("GET", "/v1/jobs?cursor=../../etc", 422, "INVALID_REQUEST"),
        ("GET", "/v1/pools/none", 404, "POOL_NOT_FOUND"),
        ("GET", "/v1/artifacts/x/1/motion.bvh", 403, "LINK_INVALID"),
        ("GET", "/v1/artifacts/../../../etc/passwd", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/v1/artifacts/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 403, "LINK_INVALID"),
        ("GET", "/v1/artifacts/a?Expires=1&Signature=AAAA&Name=a", 403, "LINK_INVALID"),
        ("POST", "/warmup?wait=-1", 422, "INVALID_REQUEST"),
        ("POST", "/warmup?wait=nan", 422, "INVALID_REQUEST"),
    ],
)
def test_wrong_addresses(
    http: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    assert_problem(http.request(method, path), status, code, None)


def test_a_foreign_host_is_refused(http: httpx.Client) -> None:
    answer = http.get("/v1/jobs", headers={"host": "evil.example"})
    assert_problem(answer, 421, "HOST_FORBIDDEN", None)


@pytest.mark.parametrize("key", ["", "two words", "a" * 129, "schlüssel"])
def test_an_unusable_idempotency_key_is_refused(http: httpx.Client, key: str) -> None:
    answer = http.post(
        "/v1/motions", json=WAVE, headers=[(b"idempotency-key", key.encode("utf-8"))]
    )
    assert_problem(answer, 422, "INVALID_REQUEST", "Idempotency-Key")


def test_refused_requests_leave_no_job(http: httpx.Client) -> None:
    def accepted() -> float:
        lines = http.get("/metrics").text.splitlines()
        counts = [line for line in lines if line.startswith("kinesphere_jobs_accepted_total")]
        return sum(float(line.rpartition(" ")[2]) for line in counts)

    before = accepted()
    for _, body, *_ in [*BODIES[:5], *MOTION_ONLY]:
        assert http.post("/v1/motions", json=body).status_code in (400, 422)
    assert accepted() == before
