"""Two users on one server: neither sees, changes or takes what is the other's."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from kinesphere.adapters.clock import SystemClock
from kinesphere.core.identity import presented
from kinesphere.service.identity import CACHE_SECONDS
from kinesphere.settings import Settings
from kinesphere.wiring import api_keys
from tests.http.test_refusals import assert_problem
from tests.servers import ServerProcess
from tests.waiting import wait_until

WAVE: Final[Mapping[str, Any]] = {"prompt": "wave", "duration": 1, "seed": 1}
NONE: Final[Mapping[str, str]] = {}
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


async def made(data: Path) -> dict[str, str]:
    async with api_keys(Settings.model_validate({"data": data}), SystemClock()) as keys:
        users = {"ann": "generate", "bob": "generate", "olga": "operate"}
        return {user: (await keys.create(user, [scope]))[1] for user, scope in users.items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Any]]:
    data = tmp_path_factory.mktemp("apart") / "data"
    keys = asyncio.run(made(data))
    terms = {"KINESPHERE_AUTHENTICATION": "keys", "KINESPHERE_MODELS": "choreo"}
    running = ServerProcess(data, terms, key=keys["olga"]).start()
    yield running, keys
    assert running.stop() == 0


@pytest.fixture
def ann(server: tuple[ServerProcess, Any]) -> Iterator[httpx.Client]:
    yield from _client(server, "ann")


@pytest.fixture
def bob(server: tuple[ServerProcess, Any]) -> Iterator[httpx.Client]:
    yield from _client(server, "bob")


@pytest.fixture
def olga(server: tuple[ServerProcess, Any]) -> Iterator[httpx.Client]:
    yield from _client(server, "olga")


def _client(server: tuple[ServerProcess, Any], user: str) -> Iterator[httpx.Client]:
    running, keys = server
    headers = {"X-API-Key": keys[user]}
    with httpx.Client(base_url=running.url, headers=headers, timeout=60.0) as client:
        yield client


def asked(
    client: httpx.Client, body: Mapping[str, Any] = WAVE, headers: Mapping[str, str] = NONE
) -> dict[str, Any]:
    headers = {"Prefer": "wait=60", **headers}
    answer = client.post("/v1/motions", json=body, headers=headers)
    assert answer.status_code in (200, 202), answer.text
    job: dict[str, Any] = answer.json()
    return job


@pytest.mark.slow
def test_the_jobs_of_another_are_not_there(ann: httpx.Client, bob: httpx.Client) -> None:
    job = asked(ann)
    path = f"/v1/jobs/{job['id']}"
    refused = [
        bob.get(path),
        bob.get(f"{path}/events"),
        bob.get(f"{path}/artifacts/glb"),
        bob.delete(path),
        bob.get(f"/tasks/{job['id']}"),
        bob.post("/validate", json={"job_id": job["id"]}),
    ]
    never = bob.get("/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3").json()
    for answer in refused:
        assert_problem(answer, 404, "JOB_NOT_FOUND", None)
        assert answer.json()["detail"] == never["detail"].replace(
            "01KAZ6T3V9S2Q4W8E0R5Y7T1S3", job["id"]
        )
    assert_problem(bob.post(f"{path}/revive"), 403, "FORBIDDEN", None)
    assert job["id"] not in bob.get("/v1/jobs").text
    # A page that begins at another's job holds one's own all the same.
    assert job["id"] not in bob.get("/v1/jobs", params={"cursor": job["id"]}).text
    assert ann.get(path).json()["state"] == "succeeded"


@pytest.mark.slow
def test_a_link_is_for_whoever_has_it_and_for_its_file_alone(
    ann: httpx.Client, server: tuple[ServerProcess, Any]
) -> None:
    first, second = asked(ann), asked(ann, {**WAVE, "prompt": "jump"})
    link, other = (httpx.URL(job["artifacts"][0]["url"]) for job in (first, second))
    with httpx.Client(base_url=server[0].url) as nobody:
        assert nobody.get(link).status_code == 200
        crossed = link.copy_with(path=other.path)
        assert_problem(nobody.get(crossed), 403, "LINK_INVALID", None)


@pytest.mark.slow
def test_a_key_of_idempotency_is_its_users_own(ann: httpx.Client, bob: httpx.Client) -> None:
    header = {"Idempotency-Key": "the-same"}
    anns = asked(ann, headers=header)
    assert asked(ann, headers=header)["id"] == anns["id"]
    bobs = asked(bob, {**WAVE, "prompt": "jump"}, header)
    assert bobs["id"] != anns["id"]


@pytest.mark.slow
def test_webhooks_are_signed_for_each_user_apart(ann: httpx.Client, bob: httpx.Client) -> None:
    secrets = [client.get("/v1/webhooks/secret").json()["secret"] for client in (ann, bob)]
    assert secrets[0] != secrets[1]


@pytest.mark.slow
def test_nobody_asks_in_the_name_of_another(ann: httpx.Client) -> None:
    body = {"image_url": "https://example.com/chair.png", "user_id": "bob"}
    assert_problem(ann.post("/generate/3d", json=body), 403, "FORBIDDEN", None)
    for method, path in (("GET", "/v1/keys"), ("GET", "/v1/pools"), ("GET", "/metrics")):
        assert_problem(ann.request(method, path), 403, "FORBIDDEN", None)


@pytest.mark.slow
async def test_a_job_belongs_to_the_trace_of_its_request(
    ann: httpx.Client, server: tuple[ServerProcess, Any]
) -> None:
    job = asked(ann, {**WAVE, "seed": 77}, {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})

    def told() -> list[dict[str, Any]]:
        return [dict(line) for line in server[0].logged() if line.get("job_id") == job["id"]]

    # The caller may be told before the log is.
    await wait_until(
        lambda: {"job.submitted", "job.claimed", "job.succeeded"} <= {x["action"] for x in told()},
        "the log has told its whole life",
    )
    assert {line.get("trace_id") for line in told()} == {TRACE}


@pytest.mark.slow
def test_a_stream_ends_with_the_key_that_opened_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keys = asyncio.run(made(data))
    # Nobody makes anything, so a stream would be open for ever.
    terms = {"KINESPHERE_AUTHENTICATION": "keys", "KINESPHERE_REPLICAS": "choreo=0"}
    running = ServerProcess(data, terms | {"KINESPHERE_MODELS": "choreo"}).start(ready=False)
    olga, ann = ({"X-API-Key": keys[user]} for user in ("olga", "ann"))
    with httpx.Client(base_url=running.url, timeout=30.0) as client:
        job = client.post("/v1/motions", json=WAVE, headers=ann).json()
        with client.stream("GET", f"/v1/jobs/{job['id']}/events", headers=ann) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry")
            parts = presented(keys["ann"])
            assert parts is not None
            assert client.delete(f"/v1/keys/{parts.id}", headers=olga).status_code == 200
            began = time.monotonic()
            rest = list(lines)
            assert time.monotonic() - began < 2 * CACHE_SECONDS + 2
        assert ": the credentials are no longer valid" in rest
        assert_problem(client.get("/v1/jobs", headers=ann), 401, "UNAUTHENTICATED", None)
    assert running.stop() == 0
