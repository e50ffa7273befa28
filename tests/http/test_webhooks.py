"""Webhooks of a real server, received by a real one."""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import standardwebhooks

from kinesphere.client import Client, verify_webhook
from tests import pictures
from tests.client.faults import FaultyServer, Heard, answer, faulty_server, stall
from tests.servers import ServerProcess
from tests.waiting import wait_until

SEEDS = count()
OK, BROKEN = answer(b"thanks"), answer(b"", 500)


@pytest.fixture(scope="module")
def receiver() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def environment(receiver: FaultyServer) -> dict[str, str]:
    return {
        "KINESPHERE_WEBHOOK_ALLOW": urlsplit(receiver.url).netloc,
        "KINESPHERE_WEBHOOK_RETRY_SECONDS": "0.1",
        "KINESPHERE_WEBHOOK_SECONDS": "0.5",
        "KINESPHERE_WEBHOOK_ATTEMPTS": "3",
    }


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, receiver: FaultyServer
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("webhooks") / "data"
    running = ServerProcess(folder, environment(receiver)).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60.0) as client:
        yield client


def submit(http: httpx.Client, webhook: str, **fields: Any) -> str:
    # A seed of its own, so that none is served what another has made.
    body = {"prompt": "wave", "duration": 1, "seed": next(SEEDS), "webhook": webhook, **fields}
    accepted = http.post("/v1/motions", json=body)
    assert accepted.status_code in (200, 202), accepted.text
    assert accepted.json()["webhook"]["url"] == webhook
    return str(accepted.json()["id"])


async def heard(receiver: FaultyServer, path: str, number: int = 1) -> list[Heard]:
    route = f"POST {path}"
    await wait_until(lambda: len(receiver.requests(route)) >= number, f"{number} posts to {path}")
    return receiver.requests(route)


async def settled(http: httpx.Client, job_id: str) -> dict[str, Any]:
    """What the job says of its webhook when no more is to come."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(http.get(f"/v1/jobs/{job_id}").json()["webhook"])
        return found["state"] not in ("waiting", "pending")

    await wait_until(over, "the webhook is settled")
    return found


def secret(http: httpx.Client) -> str:
    answered = http.get("/v1/webhooks/secret")
    assert answered.headers["cache-control"] == "no-store"
    return str(answered.json()["secret"])


async def test_a_finished_job_is_told_signed_and_with_links_that_work(
    http: httpx.Client, receiver: FaultyServer
) -> None:
    receiver.on("POST /done", OK)
    job_id = submit(http, receiver.url + "/done?token=a")
    (post,) = await heard(receiver, "/done")
    told = verify_webhook(post.headers, post.body, secret(http))
    assert (told.event, told.job.id, told.job.state) == ("job.succeeded", job_id, "succeeded")
    assert told.at == told.job.finished_at
    (file,) = told.job.artifacts
    assert len(httpx.get(file.url).content) == file.size
    shown = await settled(http, job_id)
    assert (shown["state"], shown["attempts"], shown["last_status"]) == ("delivered", 1, 200)
    assert (shown["id"], shown["last_error"]) == (told.id, None)
    assert shown["delivered_at"] and shown["next_attempt_at"] is None
    (listed,) = [j for j in http.get("/v1/jobs").json()["items"] if j["id"] == job_id]
    assert listed["webhook"] == shown
    assert len(receiver.requests("POST /done")) == 1


async def test_a_job_that_is_served_what_is_there_is_told_too(
    http: httpx.Client, receiver: FaultyServer
) -> None:
    receiver.on("POST /again", OK)
    made = submit(http, receiver.url + "/again", seed=77_000)
    await settled(http, made)
    served = submit(http, receiver.url + "/again", seed=77_000)
    assert (await settled(http, served))["state"] == "delivered"
    told = [
        verify_webhook(p.headers, p.body, secret(http)) for p in await heard(receiver, "/again", 2)
    ]
    assert [each.job.id for each in told] == [made, served]
    assert {each.event for each in told} == {"job.succeeded"}


async def test_the_reference_library_believes_it(
    http: httpx.Client, receiver: FaultyServer
) -> None:
    receiver.on("POST /reference", OK)
    submit(http, receiver.url + "/reference")
    (post,) = await heard(receiver, "/reference")
    body = standardwebhooks.Webhook(secret(http)).verify(post.body, dict(post.headers))
    assert body["type"] == "job.succeeded"


async def test_it_is_tried_again_after_an_error_and_after_a_slow_answer(
    http: httpx.Client, receiver: FaultyServer
) -> None:
    receiver.on("POST /flaky", BROKEN, stall, OK)
    job_id = submit(http, receiver.url + "/flaky")
    posts = await heard(receiver, "/flaky", 3)
    assert len({post.headers["webhook-id"] for post in posts}) == 1
    for post in posts:
        assert verify_webhook(post.headers, post.body, secret(http)).job.id == job_id
    shown = await settled(http, job_id)
    assert (shown["state"], shown["attempts"]) == ("delivered", 3)


@pytest.mark.slow
async def test_it_is_tried_again_after_nobody_listened(tmp_path: Path) -> None:
    with faulty_server() as gone:
        address = urlsplit(gone.url)
    settings = environment(gone) | {"KINESPHERE_WEBHOOK_ATTEMPTS": "8"}
    running = ServerProcess(tmp_path / "data", settings).start()
    try:
        with httpx.Client(base_url=running.url, timeout=60.0) as http:
            job_id = submit(http, gone.url + "/hook")
            failed: dict[str, Any] = {}

            def refused() -> bool:
                failed.update(http.get(f"/v1/jobs/{job_id}").json()["webhook"])
                return failed["attempts"] >= 1 and failed["last_error"] is not None

            await wait_until(refused, "an attempt was refused")
            assert (failed["state"], failed["last_status"]) == ("pending", None)
            assert failed["last_error"] == "could not be reached: ConnectError"
            with faulty_server(address.port or 0) as back:
                back.on("POST /hook", OK)
                shown = await settled(http, job_id)
                (post,) = back.requests("POST /hook")
            assert (shown["state"], shown["id"]) == ("delivered", failed["id"])
            assert post.headers["webhook-id"] == failed["id"]
    finally:
        running.kill()


async def test_what_nobody_takes_is_given_up_and_stays_visible(
    http: httpx.Client, server: ServerProcess, receiver: FaultyServer
) -> None:
    receiver.on("POST /broken", BROKEN)
    job_id = submit(http, receiver.url + "/broken?token=hidden")
    shown = await settled(http, job_id)
    assert (shown["state"], shown["attempts"], shown["last_status"]) == ("given_up", 3, 500)
    assert shown["last_error"] == "answered with the status 500"
    assert len(receiver.requests("POST /broken")) == 3
    page = http.get("/metrics").text
    assert re.search(r'kinesphere_webhooks_total\{outcome="given_up"\} [1-9]', page)
    lines = [each for each in server.logged() if each.get("job_id") == job_id]
    assert [each["action"] for each in lines if str(each["action"]).startswith("webhook")] == [
        "webhook.retried", "webhook.retried", "webhook.given_up",
    ]  # fmt: skip
    assert "hidden" not in server.log.read_text()
    assert secret(http) not in server.log.read_text()


async def test_a_receiver_that_is_gone_is_left_alone(
    http: httpx.Client, receiver: FaultyServer
) -> None:
    receiver.on("POST /gone", answer(b"", 410))
    shown = await settled(http, submit(http, receiver.url + "/gone"))
    assert (shown["state"], shown["attempts"]) == ("gone", 1)


@pytest.mark.slow
async def test_cancelled_and_failed_jobs_are_told(tmp_path: Path, receiver: FaultyServer) -> None:
    for path in ("/cancelled", "/failed"):
        receiver.on(f"POST {path}", OK)
    idle = environment(receiver) | {"KINESPHERE_REPLICAS": "choreo=0"}
    running = ServerProcess(tmp_path / "data", idle).start(ready=False)
    try:
        with Client(running.url) as client, httpx.Client(base_url=running.url) as http:
            waiting = client.submit("wave", webhook=receiver.url + "/cancelled")
            assert waiting.webhook is not None and waiting.webhook.state == "waiting"
            client.cancel(waiting.id)
            failing = client.submit_mesh(
                pictures.blank(), texture=False, webhook=receiver.url + "/failed"
            )
            key = client.webhook_secret()
            told = {}
            for path in ("/cancelled", "/failed"):
                (post,) = await heard(receiver, path)
                told[path] = verify_webhook(post.headers, post.body, key)
            assert told["/cancelled"].event == "job.cancelled"
            assert told["/cancelled"].job.id == waiting.id
            assert told["/failed"].event == "job.failed"
            assert told["/failed"].job.id == failing.id
            assert told["/failed"].job.error is not None
            assert (await settled(http, failing.id))["state"] == "delivered"
    finally:
        running.kill()


@pytest.mark.slow
async def test_a_server_killed_between_commit_and_delivery_delivers_after_its_restart(
    tmp_path: Path, receiver: FaultyServer
) -> None:
    receiver.on("POST /killed", stall, OK)
    patient = environment(receiver) | {"KINESPHERE_WEBHOOK_SECONDS": "60"}
    running = ServerProcess(tmp_path / "data", patient).start()
    try:
        with httpx.Client(base_url=running.url, timeout=60.0) as http:
            job_id = submit(http, receiver.url + "/killed")
            await heard(receiver, "/killed")
        running.kill()
        running.start()
        first, second = await heard(receiver, "/killed", 2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        with httpx.Client(base_url=running.url, timeout=60.0) as http:
            told = verify_webhook(second.headers, second.body, secret(http))
            assert (told.job.id, told.event) == (job_id, "job.succeeded")
            shown = await settled(http, job_id)
            assert (shown["state"], shown["attempts"]) == ("delivered", 2)
    finally:
        running.kill()


@pytest.mark.parametrize(
    "webhook",
    ["http://127.0.0.1:1/", "http://localhost/", "http://169.254.169.254/", "https://[::1]/", "x:"],
)
def test_addresses_inside_are_refused_with_the_request(http: httpx.Client, webhook: str) -> None:
    motion = http.post("/v1/motions", json={"prompt": "wave", "webhook": webhook})
    form = {"image": ("mug.png", pictures.png())}
    mesh = http.post("/v1/meshes", files=form, data={"webhook": webhook})
    for refusal in (motion, mesh):
        assert refusal.status_code == 422, refusal.text
        assert refusal.json()["error_code"] == "WEBHOOK_FORBIDDEN"
        assert [each["field"] for each in refusal.json()["errors"]] == ["webhook"]


def test_the_webhook_is_part_of_what_a_key_stands_for(
    http: httpx.Client, receiver: FaultyServer
) -> None:
    receiver.on("POST /one", OK)
    receiver.on("POST /two", OK)
    headers = {"idempotency-key": "webhook-key"}
    answers = [
        http.post(
            "/v1/motions",
            json={"prompt": "wave", "duration": 1, "webhook": receiver.url + path},
            headers=headers,
        )
        for path in ("/one", "/one", "/two")
    ]
    assert [each.status_code for each in answers[:2]].count(422) == 0
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[2].json()["error_code"] == "IDEMPOTENCY_CONFLICT"


@pytest.mark.slow
def test_the_secret_changes_over_with_a_second_signature(
    tmp_path: Path, receiver: FaultyServer
) -> None:
    first, second = "a" * 32, "b" * 32
    settings = {"KINESPHERE_WEBHOOK_SECRET": first, "KINESPHERE_MODELS": "choreo"}
    running = ServerProcess(tmp_path / "data", settings).start(ready=False)
    try:
        before = httpx.get(running.url + "/v1/webhooks/secret").json()
    finally:
        running.kill()
    settings |= {"KINESPHERE_WEBHOOK_SECRET": second, "KINESPHERE_WEBHOOK_SECRET_PREVIOUS": first}
    running = ServerProcess(tmp_path / "data", settings).start(ready=False)
    try:
        after = httpx.get(running.url + "/v1/webhooks/secret").json()
    finally:
        running.kill()
    assert before["previous"] is None
    assert after["previous"] == before["secret"] != after["secret"]
    assert json.dumps(after).count("whsec_") == 2
