"""Asking for motions, following, listing, cancelling, downloading: as a user does, by socket."""

import concurrent.futures
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from kinesphere.formats import bvh


def submit(http: httpx.Client, prompt: str = "wave", **fields: Any) -> dict[str, Any]:
    headers = fields.pop("headers", {})
    answer = http.post(
        "/v1/motions", json={"prompt": prompt, "duration": 1, **fields}, headers=headers
    )
    assert answer.status_code in (200, 202), answer.text
    job: dict[str, Any] = answer.json()
    return job


def finished(http: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    *_, last = follow(http, job["id"])
    assert last.event in ("succeeded", "failed", "cancelled", "expired")
    found: dict[str, Any] = http.get(f"/v1/jobs/{job['id']}").json()
    return found


def follow(http: httpx.Client, job_id: str, after: str | None = None) -> list[ServerSentEvent]:
    headers = {"last-event-id": after} if after else {}
    with connect_sse(http, "GET", f"/v1/jobs/{job_id}/events", headers=headers) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        return list(stream.iter_sse())


def test_a_prompt_becomes_a_motion(http: httpx.Client) -> None:
    answer = http.post("/v1/motions", json={"prompt": "一个舞者旋转跳跃后单膝跪地", "duration": 5})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert job["eta"]["seconds"] > 0
    assert datetime.fromisoformat(job["eta"]["time"]) > datetime.fromisoformat(job["created_at"])
    done = finished(http, job)
    assert (done["state"], done["progress"], done["attempts"]) == ("succeeded", 1.0, 1)
    assert done["model"]["name"] == "choreo"
    assert done["notes"]["understood"] and done["notes"]["ignored"] == []
    file = next(a for a in done["artifacts"] if a["name"].endswith(".bvh"))
    data = http.get(file["url"]).content
    assert len(data) == file["size"]
    assert bvh.decode(data).duration == pytest.approx(5.0, abs=1 / 30)


def test_the_short_form_answers_with_a_link(http: httpx.Client) -> None:
    answer = http.post("/generate", json={"prompt": "挥手", "duration": 2, "seed": 1})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["status"], body["seed"], body["model"]) == ("success", 1, "choreo")
    download = http.get(body["motion_url"])
    assert download.status_code == 200
    assert bvh.decode(download.content).duration == pytest.approx(2.0, abs=1 / 30)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(http: httpx.Client) -> None:
    files = [
        http.get(
            http.post("/generate", json={"prompt": "dance", "seed": seed}).json()["motion_url"]
        )
        for seed in (7, 7, 8)
    ]
    assert files[0].content == files[1].content != files[2].content


def test_a_request_may_wait_for_its_result(http: httpx.Client) -> None:
    answer = http.post(
        "/v1/motions", json={"prompt": "jump", "duration": 1}, headers={"prefer": "wait=30"}
    )
    assert answer.status_code == 200
    assert answer.json()["state"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=30"


def test_waiting_no_time_answers_at_once(http: httpx.Client) -> None:
    answer = http.post("/v1/motions", json={"prompt": "jump"}, headers={"prefer": "wait=0"})
    assert answer.status_code in (200, 202)
    assert answer.headers["preference-applied"] == "wait=0"


def test_the_same_key_and_body_give_the_same_job(http: httpx.Client) -> None:
    key = {"idempotency-key": f"key-{time.monotonic_ns()}"}
    first = submit(http, "bow", headers=key)
    assert submit(http, "bow", headers=key)["id"] == first["id"]
    other = http.post("/v1/motions", json={"prompt": "kick", "duration": 1}, headers=key)
    assert (other.status_code, other.json()["error_code"]) == (422, "IDEMPOTENCY_CONFLICT")


def test_concurrent_requests_with_one_key_make_one_job(http: httpx.Client) -> None:
    key = {"idempotency-key": f"key-{time.monotonic_ns()}"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: submit(http, "clap", headers=key), range(16)))
    assert len({job["id"] for job in jobs}) == 1


def test_events_tell_the_whole_story_and_can_be_resumed(http: httpx.Client) -> None:
    job = submit(http, "walk in a circle", duration=4)
    events = follow(http, job["id"])
    stored = [e for e in events if e.event != "progress"]
    assert [e.event for e in stored] == ["submitted", "claimed", "succeeded"]
    assert all(json.loads(e.data)["job_id"] == job["id"] for e in events)
    again = follow(http, job["id"], after=stored[0].id)
    assert [e.event for e in again] == ["claimed", "succeeded"]
    over = http.get(f"/v1/jobs/{job['id']}/events", headers={"last-event-id": stored[-1].id or ""})
    assert over.status_code == 204


def test_lists_are_paged_newest_first(http: httpx.Client) -> None:
    made = [submit(http, "nod")["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = http.get("/v1/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [job["id"] for job in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert set(made) <= set(seen)
    assert len(seen) == len(set(seen))
    for job_id in made:
        finished(http, {"id": job_id})
    only = http.get("/v1/jobs", params={"state": "succeeded", "task": "motion", "limit": 200})
    assert {job["state"] for job in only.json()["items"]} == {"succeeded"}
    assert http.get("/v1/jobs", params={"model": "nobody"}).json()["items"] == []


def test_a_job_is_found_by_its_prompt_and_deleted(http: httpx.Client) -> None:
    said = {"q": "a STORK one leg"}
    job = finished(http, submit(http, "A stork jumps on one leg"))
    found = http.get("/v1/jobs", params=said).json()
    assert ([each["id"] for each in found["items"]], found["next_cursor"]) == ([job["id"]], None)
    assert http.get("/v1/jobs", params={"q": "x" * 201}).status_code == 422
    (artifact,) = job["artifacts"]
    assert http.get(artifact["url"]).status_code == 200
    for _ in range(2):
        assert http.post(f"/v1/jobs/{job['id'].lower()}/forget").status_code == 204
    assert http.get(f"/v1/jobs/{job['id']}").status_code == 404
    assert http.get(artifact["url"]).status_code == 404
    assert http.get("/v1/jobs", params=said).json()["items"] == []


def test_a_finished_job_cannot_be_cancelled(http: httpx.Client) -> None:
    job = finished(http, submit(http, "squat"))
    answer = http.delete(f"/v1/jobs/{job['id']}")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_FINISHED")


def test_what_has_not_failed_is_not_revived(http: httpx.Client) -> None:
    job = finished(http, submit(http, "squat"))
    answer = http.post(f"/v1/jobs/{job['id']}/revive")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_NOT_REVIVABLE")
    missing = http.post("/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1J3/revive")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "JOB_NOT_FOUND")


def test_a_job_is_cancelled_once(http: httpx.Client) -> None:
    # Enough work that the last of it is still waiting.
    jobs = [submit(http, "dance", duration=30) for _ in range(40)]
    last = jobs[-1]["id"]
    first = http.delete(f"/v1/jobs/{last}")
    second = http.delete(f"/v1/jobs/{last}")
    for job in jobs[:-1]:
        http.delete(f"/v1/jobs/{job['id']}")
    assert first.status_code == 200
    assert first.json()["state"] == "cancelled"
    assert first.json()["error"]["error_code"] == "CANCELLED"
    assert (second.status_code, second.json()["error_code"]) == (409, "JOB_FINISHED")


def bvh_link(http: httpx.Client) -> str:
    answer = http.post("/generate", json={"prompt": "wave", "duration": 1, "seed": 3})
    url: str = answer.json()["motion_url"]
    return url


def test_downloads_have_names_types_ranges_and_tags(http: httpx.Client) -> None:
    url = bvh_link(http)
    whole = http.get(url)
    assert whole.headers["content-disposition"].startswith("attachment")
    assert ".bvh" in whole.headers["content-disposition"]
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in whole.headers["cache-control"]
    part = http.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert http.get(url, headers={"range": "bytes=999999999-"}).status_code == 416
    again = http.get(url, headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)


def test_a_changed_link_is_refused(http: httpx.Client) -> None:
    url = bvh_link(http)
    later = re.sub(r"Expires=(\d+)", lambda m: f"Expires={int(m[1]) + 1}", url)
    assert later != url
    answer = http.get(later)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "LINK_INVALID")


def test_answers_carry_the_request_id_of_the_caller(http: httpx.Client) -> None:
    answer = http.get("/health", headers={"x-request-id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"
    answer = http.get("/health", headers={"x-request-id": "no spaces allowed"})
    assert answer.headers["x-request-id"] != "no spaces allowed"


def test_operations_answer(http: httpx.Client) -> None:
    assert http.get("/health").json()["status"] == "ok"
    assert http.get("/ready").json() == {"status": "ready", "pools": {}}
    assert http.post("/warmup").json()["status"] == "ready"
    model = next(m for m in http.get("/v1/models").json()["items"] if m["name"] == "choreo")
    assert (model["task"], model["default"], model["embedded"]) == ("motion", True, True)
    assert (model["min_duration"], model["max_duration"]) == (0.5, 30.0)
    pool = http.get("/v1/pools/choreo").json()
    assert sum(pool["replicas"].values()) == 1
    (member,) = pool["members"]
    assert (member["device"], member["profile"], member["batch_limit"]) == (
        "cpu", "", pool["batch_limit"],
    )  # fmt: skip
    assert set(member["start_seconds"]) == {"spawn", "look", "import", "load", "warm_up"}
    assert pool in [
        {**p, "oldest_wait": pool["oldest_wait"]} for p in http.get("/v1/pools").json()["items"]
    ]


def test_the_openapi_document_describes_every_route(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (method, path)
            assert operation.get("description"), (method, path)
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name


def test_the_examples_of_the_openapi_document_work(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    for path, model in (("/v1/motions", "MotionRequest"), ("/generate", "GenerateRequest")):
        for example in document["components"]["schemas"][model]["examples"]:
            assert http.post(path, json=example).status_code in (200, 202), example


def test_times_are_utc(http: httpx.Client) -> None:
    job = submit(http, "salute")
    made = datetime.fromisoformat(job["created_at"])
    assert made.tzinfo is not None
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60  # noqa: TID251 - the test's own clock
