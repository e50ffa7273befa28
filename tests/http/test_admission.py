"""What is refused at once because it cannot be served in time, or at all; and what ETAs say."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from tests import sleepers
from tests.servers import ServerProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of slow models, and of one that cannot be loaded; no more than 6 s are waited."""
    folder = tmp_path_factory.mktemp("admission")
    settings = sleepers.environment(folder / "models", "slow", "stages", "broken")
    limits = {"KINESPHERE_MAX_QUEUE": "8", "KINESPHERE_MAX_WAIT_SECONDS": "6"}
    server = ServerProcess(folder / "data", settings | limits).start(ready=False)
    yield server
    server.stop()


@pytest.fixture
def http(running: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60.0) as client:
        yield client


_seeds = count()


def motion(model: str, **fields: Any) -> dict[str, Any]:
    """A request that nobody has made before."""
    return {
        "prompt": "a man walks", "duration": 1.0, "model": model, "seed": next(_seeds), **fields,
    }  # fmt: skip


def ask(http: httpx.Client, model: str, within: float | None = None, **fields: Any) -> Any:
    body = motion(model, **fields)
    if within is not None:
        body["deadline"] = (datetime.now(UTC) + timedelta(seconds=within)).isoformat()  # noqa: TID251 - the server's own time
    return http.post("/v1/motions", json=body)


def measured(http: httpx.Client, model: str) -> None:
    """Have the model make motions of several lengths, so that its speed is known."""
    for duration in (1.0, 4.0, 2.0):
        body = motion(model, duration=duration)
        done = http.post("/v1/motions", json=body, headers={"Prefer": "wait=50"})
        assert done.json()["state"] == "succeeded", done.text


def test_an_eta_says_what_it_rests_on(http: httpx.Client) -> None:
    measured(http, "stages")
    job = ask(http, "stages", duration=20.0).json()
    eta = job["eta"]
    assert eta["seconds"] == pytest.approx(0.07 + 5 * 0.25, rel=0.5)
    asked, due = (datetime.fromisoformat(text) for text in (job["created_at"], eta["time"]))
    assert (due - asked).total_seconds() == pytest.approx(eta["seconds"], abs=0.5)
    assert eta["basis"]["measured"] is True
    assert eta["basis"]["replicas"] == 1
    assert eta["basis"]["service_seconds"] == pytest.approx(eta["seconds"], rel=0.3)
    behind = ask(http, "stages").json()
    # What is left of the first: how much, depends on how long it took to ask.
    assert behind["eta"]["basis"]["work_ahead_seconds"] > 0.0
    again = http.get(f"/v1/jobs/{behind['id']}").json()
    assert again["eta"]["seconds"] == pytest.approx(behind["eta"]["seconds"], abs=1.0)
    stream = http.get(f"/v1/jobs/{behind['id']}/events").text
    told = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    expected = [event["eta"]["seconds"] for event in told if "eta" in event]
    # A busy machine may be late with the job before, which is then told; but not by much.
    assert expected[0] > max(expected) - 0.25
    assert expected[-1] == min(expected) < expected[0]
    assert len(expected) >= 3
    assert "eta" not in told[-1]


def test_a_deadline_that_cannot_be_met_is_refused_at_once(http: httpx.Client) -> None:
    measured(http, "slow")
    too_short = ask(http, "slow", within=1.0, duration=10.0)
    assert (too_short.status_code, too_short.json()["error_code"]) == (503, "DEADLINE_UNREACHABLE")
    assert "cannot be made so fast" in too_short.json()["detail"]
    assert "Retry-After" not in too_short.headers
    assert too_short.elapsed.total_seconds() < 1.0
    assert ask(http, "slow", duration=10.0).status_code == 202
    behind = ask(http, "slow", within=2.0)
    assert (behind.status_code, behind.json()["error_code"]) == (503, "DEADLINE_UNREACHABLE")
    assert 1 <= int(behind.headers["Retry-After"]) <= 6
    urgent = ask(http, "slow", within=30.0, priority=9)
    assert urgent.status_code == 202


def test_no_longer_a_wait_than_is_set(http: httpx.Client) -> None:
    measured(http, "slow")
    answers = [ask(http, "slow", duration=8.0) for _ in range(4)]
    last = answers[-1]
    assert (last.status_code, last.json()["error_code"]) == (503, "QUEUE_FULL")
    assert int(last.headers["Retry-After"]) >= 1
    for answer in answers[:-1]:
        if answer.status_code == 202:
            http.delete(f"/v1/jobs/{answer.json()['id']}")


def test_a_model_that_cannot_be_loaded_takes_no_jobs(http: httpx.Client) -> None:
    def defunct() -> bool:
        return bool(http.get("/v1/pools/broken").json()["replicas"].get("defunct"))

    asyncio.run(wait_until(defunct, "the pool has given up", 60.0, pause=0.25))
    refused = ask(http, "broken")
    assert (refused.status_code, refused.json()["error_code"]) == (503, "MODEL_NOT_READY")
    assert "the weights are gone" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) == 60
