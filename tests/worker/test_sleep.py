"""Replicas that sleep in main memory, and a pool that wakes one rather than start another."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from kinesphere.core.catalog import Stage
from kinesphere.core.replicas import ReplicaState
from kinesphere.engines.simulated import model
from kinesphere.settings.simulated import SimulatedModel
from kinesphere.worker.course import Post
from kinesphere.worker.fleet import Fleet
from kinesphere.worker.supervisor import Replica
from kinesphere.worker.turns import Turns
from tests.servers import ServerProcess
from tests.waiting import wait_until
from tests.worker.bench import CALM, Bench, launch

STATED = SimulatedModel.model_validate(
    {"name": "m", "payload": 10, "stages": [{"fixed": 0.0, "wake": 0.0, "memory_mb": 50}]}
)
STAGE = replace(model(STATED).stages[0], load_limit=3_600.0)
"""With time enough for a busy machine to start a process."""


def fleet(bench: Bench, stage: Stage, sleepers: int) -> Fleet:
    def make(pool: str, number: int) -> Replica:
        return Replica(bench.seams, Post(pool, "m", stage, f"s/{number}"), launch(), CALM, Turns())

    return Fleet(bench.seams.clock, make, sleepers)


def states(some: Fleet) -> list[str]:
    return sorted(status.state.value for status in some.statuses())


async def test_one_sleeps_and_the_others_leave(bench: Bench) -> None:
    some = fleet(bench, STAGE, sleepers=1)
    try:
        some.scale("m", 2, 600.0)
        await wait_until(lambda: states(some) == ["ready", "ready"], "two are ready")
        pids = {status.pid for status in some.statuses()}
        awake = max(status.memory for status in some.statuses())
        some.resize("m", 0, None, 600.0)
        await wait_until(lambda: states(some) == ["asleep"], "one sleeps, and one is gone")
        (asleep,) = some.statuses()
        assert asleep.memory < awake - 40_000_000
        some.resize("m", 0, None, 600.0)
        job = await bench.submit()
        some.resize("m", 1, None, 600.0)
        await bench.ended(job)
        (woken,) = some.statuses()
        assert woken.pid in pids
        assert woken.wake_seconds is not None
        some.resize("m", 0, None, 600.0)
        await wait_until(lambda: states(some) == ["asleep"], "it sleeps again")
    finally:
        await some.drain(0.0)
    assert some.statuses() == ()


async def test_an_engine_that_cannot_sleep_leaves(bench: Bench) -> None:
    some = fleet(bench, Stage("", "tests.worker.engines:Actor"), sleepers=1)
    try:
        some.scale("m", 1, 600.0)
        await wait_until(lambda: states(some) == ["ready"], "it is ready")
        some.resize("m", 0, None, 600.0)
        await wait_until(lambda: some.statuses() == (), "it is gone")
    finally:
        await some.drain(0.0)


async def test_one_whose_process_dies_in_its_sleep_sleeps_on(bench: Bench) -> None:
    some = fleet(bench, STAGE, sleepers=1)
    try:
        some.scale("m", 1, 600.0)
        await wait_until(lambda: states(some) == ["ready"], "it is ready")
        some.resize("m", 0, None, 600.0)
        await wait_until(lambda: states(some) == ["asleep"], "it sleeps")
        (asleep,) = some.statuses()
        assert asleep.pid is not None
        os.kill(asleep.pid, signal.SIGKILL)
        await wait_until(
            lambda: any(
                s.state is ReplicaState.ASLEEP and s.pid != asleep.pid for s in some.statuses()
            ),
            "another process of it sleeps",
        )
        some.resize("m", 1, None, 600.0)
        await wait_until(lambda: states(some) == ["ready"], "it is woken")
    finally:
        await some.drain(0.0)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.mark.slow
def test_a_pool_that_sleeps_is_back_sooner_than_by_a_start(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        "minimum = 0\nmaximum = 1\nsleep_after = 0.5\n"
        "settings = {interval = 0.2, target_wait = 0.5, stabilise = [0.0, 0.2, 0.2]}\n"
    )
    stage = {"fixed": 0.0, "per_job": 0.01, "cold_start": 2.0, "wake": 0.05, "memory_mb": 50}
    server = ServerProcess(
        tmp_path / "data",
        {
            "KINESPHERE_SCALING_POLICY": str(policy),
            "KINESPHERE_MODELS": "gpu",
            "KINESPHERE_SIMULATED": json.dumps([{"name": "gpu", "payload": 9, "stages": [stage]}]),
        },
    ).start(ready=False)
    try:
        with httpx.Client(base_url=server.url, timeout=60) as http:

            def made(seed: int) -> None:
                body = {"prompt": "he walks", "seed": seed}
                job = http.post("/v1/motions", json=body, headers={"Prefer": "wait=60"}).json()
                assert job["state"] == "succeeded"

            def asleep() -> bool:
                return bool(http.get("/v1/pools/gpu").json()["replicas"] == {"asleep": 1})

            made(1)
            until(asleep)
            assert http.get("/ready").status_code == 200
            assert 'state="asleep"} 1.0' in http.get("/metrics").text
            (before,) = http.get("/v1/pools/gpu").json()["members"]
            made(2)
            until(asleep)
            (after,) = http.get("/v1/pools/gpu").json()["members"]
            # The same replica, which was not started again.
            assert after["name"] == before["name"]
            assert after["start_seconds"] == before["start_seconds"]
    finally:
        server.stop()
