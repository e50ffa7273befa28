"""Asking too often: users, strangers, several servers that share one count."""

import asyncio
import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from deploy.onebox.redis_server import redis_server

from kinesphere.adapters.clock import SystemClock
from kinesphere.settings import Settings
from kinesphere.wiring import api_keys
from tests.http.test_refusals import assert_problem
from tests.servers import ServerProcess

LIMITED = {
    "KINESPHERE_REPLICAS": "choreo=0,relief.shape=0,relief.texture=0",
    "KINESPHERE_RATE_LIMIT": "10",
    "KINESPHERE_RATE_BURST_SECONDS": "60",
    "KINESPHERE_RATE_LIMIT_ROUTES": "/v1/jobs/{job_id}=1,/v1/pools=0",
    "KINESPHERE_RATE_LIMIT_ADDRESS": "1",
    "KINESPHERE_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
    "KINESPHERE_USER_QUEUE_LIMIT": "3",
}
JOB = "/v1/jobs/01KAZ6T3V9S2Q4W8E0R5Y7T1S3"
FIELDS = ("ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining")


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a fresh server: 600 requests a minute a user, 60 refusals an address."""
    running = ServerProcess(tmp_path / "data", LIMITED).start(ready=False)
    with httpx.Client(base_url=running.url) as client:
        yield client
    assert running.stop() == 0


@pytest.mark.slow
def test_a_user_is_told_what_is_left_and_refused_beyond_it(limited: httpx.Client) -> None:
    first = limited.get("/v1/jobs")
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"default";q=600;w=60'
    assert first.headers["ratelimit"] == '"default";r=599;t=60'
    assert first.headers["ratelimit-limit"] == "600"
    assert first.headers["ratelimit-remaining"] == "599"
    assert first.headers["ratelimit-reset"] == "60"
    assert "retry-after" not in first.headers

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rest = list(pool.map(lambda _: limited.get("/v1/jobs").status_code, range(640)))
    assert rest.count(200) == 599
    assert rest.count(429) == 41

    refused = limited.get("/v1/jobs")
    assert_problem(refused, 429, "RATE_LIMITED", None)
    assert refused.json()["fault"] == "caller"
    assert refused.json()["retry"] is True
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-remaining"] == "0"
    # Its own count, or none.
    assert limited.get(JOB).status_code == 404
    assert limited.get(JOB).headers["ratelimit-policy"] == '"default";q=60;w=60'
    unlimited = limited.get("/v1/pools")
    assert unlimited.status_code == 200
    assert not set(FIELDS) & set(unlimited.headers)
    for path in ("/health", "/metrics"):
        found = limited.get(path)
        assert found.status_code == 200
        assert not set(FIELDS) & set(found.headers)
    assert limited.get("/ready").status_code == 503
    # Its pools have no replicas, but it takes requests.
    assert limited.get("/ready", params={"pools": "false"}).json()["status"] == "ready"


@pytest.mark.slow
def test_a_stranger_who_was_refused_too_often_is_barred_by_address(limited: httpx.Client) -> None:
    def ask(address: str, path: str = "/v1/artifacts/x") -> httpx.Response:
        return limited.get(path, headers={"x-forwarded-for": address})

    found = [ask("203.0.113.7") for _ in range(60)]
    assert {answer.status_code for answer in found} == {403}
    assert found[0].headers["ratelimit-remaining"] == "59"
    barred = ask("203.0.113.7")
    assert_problem(barred, 429, "RATE_LIMITED", None)
    assert 1 <= int(barred.headers["retry-after"]) <= 60
    # Whatever it asks now, also by way of another trusted proxy; but what probes ask.
    assert ask("203.0.113.7", "/v1/models").status_code == 429
    assert ask("203.0.113.7, 10.1.2.3").status_code == 429
    assert ask("203.0.113.7", "/health").status_code == 200
    # Nobody else is; and what a client writes in front of its proxy's word counts for nothing.
    assert ask("203.0.113.8").status_code == 403
    assert ask("203.0.113.7, 203.0.113.9").status_code == 403
    # One network of IPv6 is one stranger.
    for number in range(60):
        assert ask(f"2001:db8::{number:x}").status_code == 403
    assert ask("2001:db8::ffff:1").status_code == 429
    assert ask("2001:db8:0:1::1").status_code == 403
    for nonsense in ("nobody", "a" * 5_000, "1.2.3.4.5", "::1%eth0", ","):
        assert ask(nonsense).status_code == 403


@pytest.mark.slow
def test_headers_of_proxies_that_are_not_trusted_are_ignored(tmp_path: Path) -> None:
    terms = {**LIMITED, "KINESPHERE_TRUSTED_PROXIES": "192.0.2.1"}
    running = ServerProcess(tmp_path / "data", terms).start(ready=False)
    with httpx.Client(base_url=running.url) as client:
        statuses = [
            client.get("/v1/artifacts/x", headers={"x-forwarded-for": f"203.0.113.{n}"}).status_code
            for n in range(65)
        ]
    assert running.stop() == 0
    assert statuses[:60] == [403] * 60
    assert set(statuses[60:]) == {429}


@pytest.mark.slow
def test_keys_cannot_be_guessed_fast_and_each_user_has_a_count(tmp_path: Path) -> None:
    async def create(user: str) -> str:
        async with api_keys(Settings(data=tmp_path / "data"), SystemClock()) as keys:
            return (await keys.create(user, ["generate", "operate"]))[1]

    ann, bob = (asyncio.run(create(user)) for user in ("ann", "bob"))
    terms = {**LIMITED, "KINESPHERE_AUTHENTICATION": "keys", "KINESPHERE_RATE_LIMIT": "1"}
    running = ServerProcess(tmp_path / "data", terms).start(ready=False)
    with httpx.Client(base_url=running.url) as client:

        def ask(key: str, address: str, path: str = "/v1/jobs") -> httpx.Response:
            return client.get(path, headers={"x-api-key": key, "x-forwarded-for": address})

        # Both from one office: whose requests they are counts, not where they come from.
        for key in (ann, bob):
            found = [ask(key, "203.0.113.1").status_code for _ in range(62)]
            assert found == [200] * 60 + [429] * 2
        assert ask(ann, "203.0.113.1", "/metrics").status_code == 200
        # The guesser, at whichever door; then not even the right key opens.
        wrong = ann[:-4] + ("AAAA" if ann[-4:] != "AAAA" else "BBBB")
        doors = ("/v1/models", "/metrics", "/nowhere")
        guesses = [ask(wrong, "203.0.113.2", doors[n % 3]).status_code for n in range(70)]
        assert guesses == [401] * 60 + [429] * 10
        for door in doors:
            assert_problem(ask(bob, "203.0.113.2", door), 429, "RATE_LIMITED", None)
        assert ask(bob, "203.0.113.3", "/v1/pools").status_code == 200
        assert client.get("/health").status_code == 200
    assert running.stop() == 0


@pytest.mark.slow
def test_a_user_s_jobs_that_wait_are_bounded(limited: httpx.Client) -> None:
    def submit() -> httpx.Response:
        return limited.post("/v1/motions", json={"prompt": "wave", "duration": 1})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: submit(), range(16)))
    jobs = [answer.json()["id"] for answer in found if answer.status_code == 202]
    refused = [answer for answer in found if answer.status_code != 202]
    assert len(jobs) == 3
    for answer in refused:
        assert_problem(answer, 429, "QUOTA_EXCEEDED", None)
        assert int(answer.headers["retry-after"]) >= 1
    assert limited.delete(f"/v1/jobs/{jobs[0]}").status_code == 200
    assert submit().status_code == 202
    assert submit().status_code == 429


@pytest.mark.slow
def test_two_servers_share_one_count_and_go_on_without_it(tmp_path: Path) -> None:
    with redis_server() as redis:
        terms = {**LIMITED, "KINESPHERE_REDIS_URL": redis.url}
        servers = [ServerProcess(tmp_path / name, terms).start(ready=False) for name in ("a", "b")]
        clients = [httpx.Client(base_url=server.url) for server in servers]

        def ask(number: int) -> int:
            return clients[number % 2].get("/v1/jobs").status_code

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(700)))
        assert found.count(200) == 600
        assert found.count(429) == 100

        redis.kill()
        # Each counts for itself now, and nobody is refused for what Redis does not say.
        assert [ask(n) for n in range(10)] == [200] * 10
        for client in clients:
            page = client.get("/metrics").text.splitlines()
            fallbacks = next(row for row in page if row.startswith("kinesphere_limit_fallbacks"))
            assert float(fallbacks.rpartition(" ")[2]) >= 5
        redis.start()
        limit = time.monotonic() + 10
        while not redis.command("DBSIZE"):
            assert time.monotonic() < limit, "Redis is not used again"
            ask(0)
            ask(1)
        for server, client in zip(servers, clients, strict=True):
            client.close()
            assert server.stop() == 0
            actions = [line.get("action") for line in server.logged()]
            assert actions.count("limits.degraded") == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/motion", "/health", "/v1/artifacts/{key:path}"])
def test_a_rate_that_would_not_be_kept_stops_the_start(tmp_path: Path, path: str) -> None:
    running = ServerProcess(tmp_path / "data", {"KINESPHERE_RATE_LIMIT_ROUTES": f"{path}=1"})
    with pytest.raises(AssertionError) as refused:
        running.start(ready=False)
    assert f"rate_limit_routes has {path}, which is no route that is counted" in str(refused.value)
    assert "/v1/motions" in str(refused.value)
