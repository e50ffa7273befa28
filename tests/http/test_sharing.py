"""Equal requests to a real server: one run, one result, and whose it is."""

import concurrent.futures
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests import pictures
from tests.servers import ServerProcess

pytestmark = pytest.mark.slow

WAIT = {"prefer": "wait=60"}


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that shares, as servers do unless they are told not to."""
    environment = {"KINESPHERE_CACHE_SHARE": "everyone", "KINESPHERE_RATE_LIMIT": "0"}
    running = ServerProcess(tmp_path_factory.mktemp("sharing") / "data", environment).start()
    with httpx.Client(base_url=running.url, timeout=90.0) as client:
        yield client
    assert running.stop() == 0


def ask(http: httpx.Client, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    answer = http.post("/v1/motions", json={"duration": 2, **body}, headers=headers)
    assert answer.status_code in (200, 202), answer.text
    return answer


def counted(http: httpx.Client, name: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))


def test_a_repeated_request_is_answered_at_once(sharing: httpx.Client) -> None:
    first = ask(sharing, WAIT, prompt="walk, then wave").json()
    hits = counted(sharing, "kinesphere_cache_hits_total")
    answer = ask(sharing, prompt="Walk,  then WAVE")
    again = answer.json()
    assert answer.status_code == 200
    assert (again["cached"], again["joined"], again["state"]) == (True, False, "succeeded")
    assert again["id"] != first["id"]
    assert again["request"] == {**first["request"], "prompt": "Walk,  then WAVE"}
    assert again["notes"] == first["notes"]
    files = [sharing.get(job["artifacts"][0]["url"]).content for job in (first, again)]
    assert files[0] == files[1]
    converted = sharing.get(f"/v1/jobs/{again['id']}/artifacts/glb")
    assert converted.content[:4] == b"glTF"
    assert counted(sharing, "kinesphere_cache_hits_total") == hits + 1


def test_who_wants_it_anew_gets_it_anew(sharing: httpx.Client) -> None:
    jobs = [ask(sharing, WAIT, prompt="bow twice", cache="no").json() for _ in range(2)]
    assert [job["cached"] for job in jobs] == [False, False]
    assert jobs[0]["request"]["seed"] != jobs[1]["request"]["seed"]
    assert ask(sharing, WAIT, prompt="bow twice").json()["cached"] is False
    refused = sharing.post("/v1/motions", json={"prompt": "bow", "cache": "maybe"})
    assert refused.status_code == 422


def test_requests_at_once_share_one_run(sharing: httpx.Client) -> None:
    body = {"prompt": "dance for a long while", "duration": 30}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, sharing, WAIT, **body) for _ in range(8)]
        jobs = [answer.result().json() for answer in answers]
    assert {job["state"] for job in jobs} == {"succeeded"}
    assert len({job["id"] for job in jobs}) == 8
    assert sum(job["joined"] or job["cached"] for job in jobs) == 7
    assert len({job["artifacts"][0]["sha256"] for job in jobs}) == 1


def test_one_who_leaves_does_not_stop_the_others(sharing: httpx.Client) -> None:
    # What runs first keeps the others waiting.
    for _ in range(4):
        ask(sharing, prompt="dance", duration=30, cache="no", priority=9)
    leader, heir, last = [ask(sharing, prompt="kick, then sit").json() for _ in range(3)]
    assert [job["joined"] for job in (leader, heir, last)] == [False, True, True]
    assert heir["eta"] is not None
    assert sharing.delete(f"/v1/jobs/{leader['id']}").json()["state"] == "cancelled"
    assert sharing.delete(f"/v1/jobs/{last['id']}").json()["state"] == "cancelled"
    done = ask(sharing, WAIT, prompt="kick, then sit").json()
    assert done["state"] == "succeeded"
    assert sharing.get(f"/v1/jobs/{heir['id']}").json()["state"] == "succeeded"
    assert counted(sharing, "kinesphere_joins_total") >= 2


def test_a_mesh_of_the_same_picture_is_served(sharing: httpx.Client) -> None:
    files = {"image": ("mug.png", pictures.png())}

    def mesh(**fields: str) -> Any:
        return sharing.post("/v1/meshes", files=files, data=fields, headers=WAIT).json()

    first = mesh(texture="false")
    again = mesh(texture="false")
    assert (first["cached"], again["cached"]) == (False, True)
    assert again["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]
    assert mesh(texture="false", cache="no")["cached"] is False
    assert mesh(texture="false", faces="500")["cached"] is False


def test_a_key_gives_the_same_job_and_the_status_of_its_state(sharing: httpx.Client) -> None:
    for _ in range(3):
        ask(sharing, prompt="dance", duration=30, cache="no", priority=9)
    body = {"prompt": "jump, then bow"}
    key = {"idempotency-key": "sharing-1"}
    first = ask(sharing, key, **body)
    replay = ask(sharing, key, **body)
    assert replay.json()["id"] == first.json()["id"]
    assert ask(sharing, {**key, **WAIT}, **body).status_code == 200
    ended = ask(sharing, key, **body)
    assert (ended.status_code, ended.json()["id"]) == (200, first.json()["id"])
    assert ended.json()["cached"] is False
    other = sharing.post("/v1/motions", json={"prompt": "sit"}, headers=key)
    assert other.json()["error_code"] == "IDEMPOTENCY_CONFLICT"
