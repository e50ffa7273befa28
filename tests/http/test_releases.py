"""Releases by a real server and simulated models: what they do by themselves, and when told."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from kinesphere.adapters.clock import SystemClock
from kinesphere.settings import Settings
from kinesphere.wiring import api_keys
from tests.http.test_refusals import assert_problem
from tests.servers import ServerProcess
from tests.waiting import wait_until

USERS = 40
QUICK = {"fixed": 0.002, "per_job": 0.0005}
MODELS: list[dict[str, Any]] = [
    {"name": "old", "rank": 50, "payload": 64, "stages": [QUICK]},
    {"name": "slow", "payload": 64, "stages": [{"fixed": 0.5, "per_job": 0.0}]},
    {"name": "failing", "payload": 64, "stages": [{**QUICK, "failures": 0.05}]},
    {"name": "bending", "stages": [{**QUICK, "faults": 0.3}]},
    {"name": "better", "payload": 64, "stages": [QUICK]},
    {"name": "light", "payload": 64, "lite_of": "busy", "stages": [QUICK]},
    {"name": "busy", "payload": 64, "stages": [{"fixed": 2.0, "batch_limit": 1}]},
]
HOLD = {"hold_seconds": 1.0, "samples": 20}

pytestmark = pytest.mark.slow


async def made_keys(data: Path) -> dict[str, str]:
    settings = Settings.model_validate({"data": data})
    async with api_keys(settings, SystemClock()) as keys:
        made = {"op": (await keys.create("op", ["operate"]))[1]}
        for number in range(USERS):
            name = f"user-{number}"
            made[name] = (await keys.create(name, ["generate"]))[1]
    return made


@dataclass
class House:
    """A server, the keys of its users, and a client."""

    server: ServerProcess
    keys: dict[str, str]
    # One for all: to make a client takes longer than to ask.
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30.0))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def ask(self, method: str, path: str, who: str = "op", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[who]}"}
        return self.client.request(method, self.server.url + path, headers=headers, **more)

    def release(self, order: str = "") -> dict[str, Any]:
        method = "POST" if order else "GET"
        answer = self.ask(method, f"/v1/releases/motion{order and '/'}{order}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def start(self, canary: str, **terms: Any) -> dict[str, Any]:
        answer = self.ask("PUT", "/v1/releases/motion", json={"canary": canary, **HOLD, **terms})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def submit(self, who: str, **more: Any) -> dict[str, Any]:
        body = {"prompt": f"wave {next(self.numbers)}", "duration": 4.0, **more}
        answer = self.ask("POST", "/v1/motions", who, json=body)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def load(self, jobs: int) -> list[dict[str, Any]]:
        """Motions of all users in turn, 16 at once; stops when the release is over."""
        return asyncio.run(self._load(jobs))

    async def _load(self, jobs: int) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        over = False

        async def caller(client: httpx.AsyncClient) -> None:
            while not over and len(made) < jobs:
                number = next(self.numbers)
                key = self.keys[f"user-{number % USERS}"]
                answer = await client.post(
                    "/v1/motions",
                    json={"prompt": f"wave {number}", "duration": 4.0},
                    headers={"Authorization": f"Bearer {key}", "Prefer": "wait=10"},
                )
                made.append(answer.json())

        async def watch(client: httpx.AsyncClient) -> None:
            nonlocal over
            headers = {"Authorization": f"Bearer {self.keys['op']}"}
            while not over and len(made) < jobs:
                release = (await client.get("/v1/releases/motion", headers=headers)).json()
                over = release["state"] not in ("running", "paused")
                await asyncio.sleep(0.1)

        async with httpx.AsyncClient(base_url=self.server.url, timeout=30.0) as client:
            await asyncio.gather(watch(client), *(caller(client) for _ in range(16)))
        return made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("releases") / "data"
    data.mkdir()
    keys = asyncio.run(made_keys(data))
    environment = {
        "KINESPHERE_AUTHENTICATION": "keys",
        "KINESPHERE_SIMULATED": json.dumps(MODELS),
        "KINESPHERE_MODELS": ",".join(m["name"] for m in MODELS),
        "KINESPHERE_LITE_WAIT_SECONDS": "1.5",
        "KINESPHERE_POLL_SECONDS": "0.2",
    }
    running = House(ServerProcess(data, environment).start(ready=False), keys)
    try:
        assert running.ask("POST", "/warmup?wait=60").status_code == 200
        yield running
        assert running.server.stop() == 0
    finally:
        running.client.close()
        running.server.kill()


@pytest.fixture(autouse=True)
def begun_afresh(house: House) -> None:
    """Whatever tests before this one did: no release runs, and `old` is the stable model."""
    answer = house.ask("GET", "/v1/releases/motion")
    if answer.status_code == 404:
        return
    release = answer.json()
    if release["state"] in ("running", "paused"):
        release = house.release("abort")
    # Not what a user gets now, which for a second may still be what a release gave before its end.
    if release["canary" if release["state"] == "promoted" else "stable"] != "old":
        house.start("old", steps=[100])


def over(house: House) -> dict[str, Any]:
    """The release once it is over."""

    def found() -> bool:
        return house.release()["state"] not in ("running", "paused")

    asyncio.run(wait_until(found, "the release is over", pause=0.05))
    return house.release()


def assert_rolled_back(house: House, made: list[dict[str, Any]], canary: str, gates: str) -> None:
    release = over(house)
    assert (release["state"], release["canary"]) == ("rolled_back", canary)
    why = release["record"][-1]["why"]
    assert why.startswith(tuple(gates.split())), why
    assert "tests" in release["record"][-1]["figures"]
    # Whom it touched: of 40 users about a half, and no more than had a job of the canary.
    assert 0 < release["figures"]["canary_users"] < USERS
    assert {job["model"]["name"] for job in made} <= {"old", canary}, made
    later = [house.submit(f"user-{n}") for n in range(USERS)]
    assert {job["model"]["name"] for job in later} == {"old"}


def test_a_slower_canary_is_rolled_back(house: House) -> None:
    house.start("slow", steps=[25])
    made = house.load(2_000)
    assert_rolled_back(house, made, "slow", "latency running")


def test_one_that_fails_at_one_job_in_twenty_is_rolled_back(house: House) -> None:
    house.start("failing", steps=[50], hold_seconds=600, slower=100)
    made = house.load(3_000)
    assert_rolled_back(house, made, "failing", "errors")


def test_one_that_bends_elbows_is_rolled_back(house: House) -> None:
    house.start("bending", steps=[50], hold_seconds=600, slower=100)
    made = house.load(2_000)
    assert_rolled_back(house, made, "bending", "quality")


def test_users_keep_their_models_and_pins_are_obeyed(house: House) -> None:
    house.start("better", steps=[50], hold_seconds=600)
    models = {
        f"user-{n}": {house.submit(f"user-{n}")["model"]["name"] for _ in range(3)}
        for n in range(12)
    }
    assert all(len(found) == 1 for found in models.values())
    assert set().union(*models.values()) == {"old", "better"}
    for name in ("old", "better", "failing"):
        pinned = {
            (job["model"]["name"], job["routed"])
            for job in (house.submit(f"user-{n}", model=name) for n in range(6))
        }
        assert pinned == {(name, "pinned")}
    assert house.submit("user-1")["routed"] == "release"
    paused = house.release("pause")
    assert (paused["state"], house.release("pause")["record"][-1]["what"]) == ("paused", "paused")
    assert house.release("resume")["state"] == "running"
    same = house.start("better", steps=[50], hold_seconds=600)
    assert same["id"] == paused["id"]
    other = house.ask("PUT", "/v1/releases/motion", json={"canary": "slow"})
    assert_problem(other, 409, "RELEASE_RUNNING", None)
    assert house.release("abort")["state"] == "aborted"
    assert house.release("abort")["state"] == "aborted"
    assert_problem(house.ask("POST", "/v1/releases/motion/pause"), 409, "RELEASE_OVER", None)
    assert house.submit("user-1")["routed"] == "default"


def test_what_is_not_right_is_refused(house: House) -> None:
    assert_problem(house.ask("GET", "/v1/releases/mesh"), 404, "RELEASE_NOT_FOUND", None)
    assert_problem(house.ask("GET", "/v1/releases/dance"), 422, "INVALID_REQUEST", None)
    for body, code in (
        ({"canary": "nobody"}, "MODEL_UNKNOWN"),
        ({"canary": "old"}, "INVALID_REQUEST"),
        ({"canary": "better", "steps": [50, 10]}, "INVALID_REQUEST"),
        ({"canary": "better", "steps": [0]}, "INVALID_REQUEST"),
    ):
        assert_problem(house.ask("PUT", "/v1/releases/motion", json=body), 422, code, None)
    assert house.ask("GET", "/v1/releases/motion", "user-1").status_code == 403


def test_short_motions_go_to_the_lighter_model_while_the_other_is_behind(house: House) -> None:
    house.start("busy", steps=[100])
    assert house.release()["state"] == "promoted"
    first = [house.submit("user-0", duration=2.0) for _ in range(4)]
    routed = Counter((job["model"]["name"], job["routed"]) for job in first)
    assert routed["busy", "release"] >= 1
    assert routed["light", "lite"] >= 1
    assert house.submit("user-0", duration=3.0)["model"]["name"] == "busy"


def test_a_better_one_is_promoted_though_the_server_is_killed_meanwhile(house: House) -> None:
    begun = house.start("better", steps=[25, 50, 100], samples=60, slower=100)
    house.load(120)

    def compared() -> bool:
        return bool(house.release()["figures"]["jobs"]["canary"] > 0)

    asyncio.run(wait_until(compared, "jobs are compared", pause=0.05))
    before = house.release()
    assert before["state"] == "running"
    house.server.kill()
    house.server.start(ready=False)
    assert house.ask("POST", "/warmup?wait=60").status_code == 200
    after = house.release()
    assert after["id"] == begun["id"]
    assert after["figures"]["jobs"]["canary"] >= before["figures"]["jobs"]["canary"]
    house.load(4_000)
    assert over(house)["state"] == "promoted"
    assert [e["what"] for e in house.release()["record"]] == ["started", "stepped", "promoted"]

    def settled() -> bool:
        return bool(house.submit("user-3")["model"]["name"] == "better")

    asyncio.run(wait_until(settled, "everybody has it", pause=0.1))
    page = house.ask("GET", "/metrics").text
    assert 'kinesphere_release_weight{model="better",task="motion"} 1.0' in page
    assert 'kinesphere_release_verdicts_total{task="motion",verdict="promoted"} 1.0' in page
    told = [line for line in house.server.logged() if line.get("action") == "release.promoted"]
    assert told
