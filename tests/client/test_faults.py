"""Faults between client and server: what is tried again, what is not, and what the caller sees."""

import hashlib
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from kinesphere.client import (
    ApiError,
    ConnectionFailed,
    DigestMismatch,
    Event,
    JobFailed,
    NotFound,
    Rejected,
    TimedOut,
    Unavailable,
    UnexpectedAnswer,
)
from tests.client.conftest import Connect
from tests.client.faults import (
    FaultyServer,
    answer,
    events,
    faulty_server,
    pings,
    problem,
    silence,
    stall,
)

JOB = "01KAZ6T3V9S2Q4W8E0R5Y7T1J3"
DATA = bytes(range(256)) * 1000
Told = tuple[str, int | None, dict[str, Any]]
FILE = "/v1/artifacts/a/motion.bvh"
SUBMITTED: Told = ("submitted", 1, {})
CLAIMED: Told = ("claimed", 2, {})
HALF: Told = ("progress", None, {"progress": 0.5, "phase": "choreography"})
SUCCEEDED: Told = ("succeeded", 3, {})


def job(state: str = "queued", **fields: Any) -> dict[str, Any]:
    return {
        "id": JOB,
        "task": "motion",
        "state": state,
        "model": {"name": "choreo", "version": "1", "invented": 1},
        "created_at": "2026-03-01T12:00:00Z",
        "invented_since": {"a": [1]},
        **fields,
    }


def artifact(server: FaultyServer, data: bytes = DATA, link: str = FILE) -> dict[str, Any]:
    return {
        "name": "motion.bvh",
        "media_type": "application/x-bvh",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "stage": 0,
        "url": server.url + link,
        "expires_at": "2026-03-01T13:00:00Z",
    }


def ended(server: FaultyServer, link: str = FILE) -> dict[str, Any]:
    return job("succeeded", artifacts=[artifact(server, link=link)])


def rest(start: int) -> Any:
    span = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}", "ETag": '"e"'}
    return answer(DATA[start:], 206, span)


# ------------------------------------------------------------------------------------ requests


def test_a_request_is_sent_again_with_its_key_until_it_is_accepted(
    connect: Connect, faulty: FaultyServer
) -> None:
    faulty.on(
        "POST /v1/motions",
        silence,
        problem(503, "QUEUE_FULL", retry=True),
        answer(job(), 202),
    )
    made = connect(faulty.url).submit("wave", duration=2)
    assert (made.id, made.state, made.model.name) == (JOB, "queued", "choreo")
    sent = faulty.requests("POST /v1/motions")
    assert len(sent) == 3
    assert len({each.headers["idempotency-key"] for each in sent}) == 1
    assert json.loads(sent[0].body) == {"prompt": "wave", "duration": 2, "priority": 5}


def test_two_submissions_have_two_keys_unless_told(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("POST /v1/motions", answer(job(), 202))
    client = connect(faulty.url)
    for key in (None, None, "mine"):
        client.submit("wave", idempotency_key=key)
    keys = [each.headers["idempotency-key"] for each in faulty.heard]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_a_refusal_is_told_and_not_sent_again(connect: Connect, faulty: FaultyServer) -> None:
    field = {"field": "duration", "problem": "is 99", "allowed": "0.5 to 30 seconds", "new": 1}
    body = {"error_code": "INVALID_REQUEST", "detail": "No.", "errors": [field], "request_id": "R"}
    faulty.on("POST /v1/motions", answer(body, 422))
    with pytest.raises(Rejected) as caught:
        connect(faulty.url).submit("wave", duration=99)
    error = caught.value
    assert (error.status, error.error_code, error.request_id) == (422, "INVALID_REQUEST", "R")
    assert error.errors[0].allowed == "0.5 to 30 seconds"
    assert "duration is 99" in str(error)
    assert len(faulty.heard) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (400, Rejected), (429, Unavailable), (500, ApiError)]
)
def test_errors_are_kinds_by_meaning(
    connect: Connect, faulty: FaultyServer, status: int, kind: type[ApiError]
) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(b"<html>a proxy's own page", status))
    with pytest.raises(ApiError) as caught:
        connect(faulty.url, retries=0).job(JOB)
    assert type(caught.value) is kind
    assert caught.value.error_code == ""


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(
    connect: Connect, faulty: FaultyServer
) -> None:
    faulty.on("GET /v1/models", problem(503, "QUEUE_FULL", retry=True, Retry_After="900"))
    with pytest.raises(Unavailable) as caught:
        connect(faulty.url).models()
    assert caught.value.retry_after == 900
    assert len(faulty.heard) == 1


def test_what_cannot_help_is_not_tried_again(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("GET /v1/models", problem(503, "SOME_CODE", retry=False))
    with pytest.raises(Unavailable):
        connect(faulty.url).models()
    assert len(faulty.heard) == 1


def test_nobody_listens(connect: Connect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match=r"nothing answers at .*`kinesphere serve`"):
            connect(url, retries=1).ready()


def test_an_answer_that_does_not_come_times_out(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("GET /v1/models", stall)
    with pytest.raises(TimedOut):
        connect(faulty.url, timeout=0.2).models()
    assert len(faulty.heard) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"items": [1]}', b"\xff"])
def test_something_else_answers(connect: Connect, faulty: FaultyServer, body: bytes) -> None:
    faulty.on("GET /v1/models", answer(body))
    with pytest.raises(UnexpectedAnswer):
        connect(faulty.url).models()


def test_the_key_stays_with_its_server(connect: Connect, faulty: FaultyServer) -> None:
    with faulty_server() as other:
        other.on(f"GET {FILE}", answer(DATA))
        faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(other)))
        assert connect(faulty.url, api_key="K").download(JOB) == DATA
        assert faulty.heard[0].headers["authorization"] == "Bearer K"
        assert "authorization" not in other.heard[0].headers


def test_a_cancellation_whose_answer_was_cut_has_worked(
    connect: Connect, faulty: FaultyServer
) -> None:
    faulty.on(f"DELETE /v1/jobs/{JOB}", silence, problem(409, "JOB_FINISHED"))
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job("cancelled")))
    assert connect(faulty.url).cancel(JOB).state == "cancelled"
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job("succeeded")))
    with pytest.raises(Rejected):
        connect(faulty.url).cancel(JOB)


def test_all_pages_are_read_and_no_more_than_asked(connect: Connect, faulty: FaultyServer) -> None:
    page = {"items": [job(), job()], "next_cursor": "C"}
    faulty.on("GET /v1/jobs", answer(page), answer({**page, "next_cursor": None}))
    client = connect(faulty.url)
    assert len(list(client.jobs(state=["queued", "running"], model="choreo"))) == 4
    first, second = faulty.heard
    assert first.query == {"state": ["queued", "running"], "model": ["choreo"], "limit": ["200"]}
    assert second.query["cursor"] == ["C"]
    faulty.on("GET /v1/jobs", answer(page))
    assert len(list(client.jobs(limit=4))) == 4
    assert [h.query["limit"] for h in faulty.heard[2:]] == [["4"], ["2"]]


# ------------------------------------------------------------------------------------- events


def test_events_go_on_after_the_last_one_when_they_are_cut(
    connect: Connect, faulty: FaultyServer
) -> None:
    route = f"GET /v1/jobs/{JOB}/events"
    faulty.on(
        route,
        events(SUBMITTED, CLAIMED, HALF, end=False),
        problem(503, "LEDGER_UNAVAILABLE", retry=True),
        events(HALF, SUCCEEDED),
    )
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job("succeeded")))
    seen: list[Event] = list(connect(faulty.url).events(JOB))
    names = ["submitted", "claimed", "progress", "progress", "succeeded"]
    assert [event.name for event in seen] == names
    assert seen[2].id == "2"
    assert seen[2].data["phase"] == "choreography"
    assert [h.headers.get("last-event-id") for h in faulty.requests(route)] == [None, "2", "2"]


def test_a_cut_after_the_last_event_is_an_end(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}/events", events(SUCCEEDED, end=False))
    assert [event.name for event in connect(faulty.url).events(JOB, after=2)] == ["succeeded"]
    assert faulty.heard[0].headers["last-event-id"] == "2"


def test_waiting_tells_progress_and_gives_the_job(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}/events", events(SUBMITTED, CLAIMED, HALF, SUCCEEDED))
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    told: list[Any] = []
    done = connect(faulty.url).wait(JOB, on_progress=told.append)
    assert done.artifacts[0].job_id == JOB
    assert [(p.state, p.fraction) for p in told] == [
        ("queued", 0.0),
        ("running", 0.0),
        ("running", 0.5),
        ("succeeded", 1.0),
    ]


def test_a_job_that_failed_raises(connect: Connect, faulty: FaultyServer) -> None:
    error = {"error_code": "ENGINE_CRASHED", "detail": "It died.", "fault": "engine", "retry": True}
    faulty.on(f"GET /v1/jobs/{JOB}/events", events(("failed", 3, {})))
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job("failed", error=error)))
    with pytest.raises(JobFailed, match="ENGINE_CRASHED: It died") as caught:
        connect(faulty.url).wait(JOB)
    assert caught.value.job.state == "failed"


@pytest.mark.parametrize(
    "step",
    [
        answer({"an": "answer"}),
        answer(b"", 405),
        problem(404, "ROUTE_NOT_FOUND"),
        events(end=True),
        events(end=False),
    ],
    ids=["not events", "refused", "no route", "empty", "cut"],
)
def test_without_events_the_job_is_asked_for(
    connect: Connect, faulty: FaultyServer, step: Any
) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}/events", step)
    running = [answer(job("running", progress=0.5))] * 5
    faulty.on(f"GET /v1/jobs/{JOB}", *running, answer(job("succeeded")))
    assert connect(faulty.url).wait(JOB, timeout=30).state == "succeeded"


@pytest.mark.parametrize("then", [pings, stall], ids=["signs of life", "silence"])
def test_waiting_ends_on_time(connect: Connect, faulty: FaultyServer, then: Any) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}/events", events(SUBMITTED, then=then))
    began = time.monotonic()
    with pytest.raises(TimedOut, match=JOB):
        connect(faulty.url).wait(JOB, timeout=0.5)
    assert 0.4 < time.monotonic() - began < 3.0


def test_a_missing_job_is_not_waited_for(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}/events", problem(404, "JOB_NOT_FOUND"))
    with pytest.raises(NotFound):
        connect(faulty.url).wait(JOB)


# ------------------------------------------------------------------------------------ downloads


def test_a_cut_download_goes_on_where_it_was_cut(
    connect: Connect, faulty: FaultyServer, tmp_path: Path
) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(
        f"GET {FILE}",
        answer(DATA, headers={"ETag": '"e"'}, only=100_000),
        silence,
        rest(100_000),
    )
    told: list[tuple[int, int]] = []
    to = tmp_path / "new" / "m.bvh"
    got = connect(faulty.url).download(JOB, to, on_progress=lambda *n: told.append(n))
    assert got == to
    assert to.read_bytes() == DATA
    assert [path.name for path in to.parent.iterdir()] == ["m.bvh"]
    assert told[-1] == (len(DATA), len(DATA))
    sent = faulty.requests(f"GET {FILE}")
    assert [each.headers.get("range") for each in sent] == [None, "bytes=100000-", "bytes=100000-"]
    assert sent[1].headers["if-range"] == '"e"'


@pytest.mark.parametrize("again", [answer(DATA), answer(b"", 416)], ids=["whole", "416"])
def test_a_server_without_ranges_starts_again(
    connect: Connect, faulty: FaultyServer, again: Any
) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(f"GET {FILE}", answer(DATA, only=1000), again, answer(DATA))
    assert connect(faulty.url).download(JOB) == DATA


@pytest.mark.parametrize("wrong", [DATA[:-1] + b"x", DATA + b"x"], ids=["another byte", "longer"])
def test_a_wrong_file_is_not_kept(
    connect: Connect, faulty: FaultyServer, tmp_path: Path, wrong: bytes
) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(f"GET {FILE}", answer(wrong))
    to = tmp_path / "m.bvh"
    to.write_bytes(b"before")
    with pytest.raises(DigestMismatch):
        connect(faulty.url).download(JOB, to)
    assert to.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["m.bvh"]


def test_an_expired_link_is_renewed(connect: Connect, faulty: FaultyServer) -> None:
    old, new = ended(faulty), ended(faulty, link="/v1/artifacts/a/fresh.bvh")
    faulty.on(f"GET /v1/jobs/{JOB}", answer(old), answer(new))
    faulty.on(f"GET {FILE}", problem(403, "LINK_EXPIRED"))
    faulty.on("GET /v1/artifacts/a/fresh.bvh", answer(DATA))
    client = connect(faulty.url)
    held = client.job(JOB).artifacts[0]
    assert client.download(held) == DATA


def test_a_link_that_stays_refused_is_told(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(f"GET {FILE}", problem(403, "LINK_INVALID"))
    with pytest.raises(Rejected, match="LINK_INVALID"):
        connect(faulty.url).download(JOB)
    assert len(faulty.requests(f"GET {FILE}")) <= 4


def test_a_download_that_is_always_cut_ends(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(f"GET {FILE}", silence)
    with pytest.raises(ConnectionFailed, match="cut"):
        connect(faulty.url, retries=1).download(JOB)
    assert len(faulty.requests(f"GET {FILE}")) == 2


def test_a_job_without_a_file_says_so(connect: Connect, faulty: FaultyServer) -> None:
    client = connect(faulty.url)
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job("running")))
    with pytest.raises(Exception, match="is running and has no file"):
        client.download(JOB)
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    with pytest.raises(Exception, match=r"has no npz, but motion\.bvh"):
        client.download(JOB, format="npz")
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job("failed")))
    with pytest.raises(JobFailed):
        client.download(JOB)
