"""The scaler on a running platform: what it sees, decides and has done."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.core.admission import Service
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.jobs import Event, EventKind
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.values import Limits, Phase
from kinesphere.elastic.live.scaler import Scaler
from kinesphere.elastic.live.sight import Seen, snapshot
from kinesphere.ports import Backlog, PoolStatus, Queued, Record
from kinesphere.service.outlook import Outlook
from kinesphere.worker.pools import ReplicaPools
from tests.clock import VirtualClock
from tests.core.jobs import new_job
from tests.plans import RememberedPlans
from tests.servers import ServerProcess

POOL = "gpu"
STAGE = Stage(name="", engine="x:Y", batch_limit=1, seconds=(0.0, 10.0), load_limit=60.0)
MODEL = Model(name=POOL, version="1", task="motion", title="", stages=(STAGE,), formats=("bvh",))


def status(state: ReplicaState, **fields: Any) -> Status:
    made = Status(
        worker="w", pool=POOL, model=POOL, state=state, since=100.0, pid=1, batches=0, jobs=0,
        held=0, children=1, load_seconds=None, warm_seconds=None, memory=0, fixed_seconds=0.0,
        job_seconds=10.0, last_error="",
    )  # fmt: skip
    return replace(made, **fields)


def seen(*statuses: Status, queue: Sequence[Queued] = ()) -> Seen:
    return Seen(
        statuses=statuses,
        backlog=Backlog(waiting=len(queue), running=0, oldest=None),
        queue=queue,
        pool=PoolStatus(replicas={}, service=Service(0.0, 10.0, 1), measured=True),
        arrived=0,
        busy=None,
        first_start=30.0,
    )


@pytest.mark.parametrize(
    ("state", "phase", "until"),
    [
        (ReplicaState.READY, Phase.IDLE, 100.0),
        (ReplicaState.BUSY, Phase.BUSY, 127.0),
        (ReplicaState.STARTING, Phase.STARTING, 130.0),
        (ReplicaState.SETUP_FAILED, Phase.STARTING, 130.0),
        (ReplicaState.DRAINING, Phase.DRAINING, 127.0),
    ],
)
def test_states_as_the_scaler_sees_them(state: ReplicaState, phase: Phase, until: float) -> None:
    view = snapshot(seen(status(state, free_in=7.0)), now=120.0)
    assert view.replicas is not None
    (replica,) = view.replicas
    assert (replica.phase, replica.until) == (phase, until)


@pytest.mark.parametrize("state", [ReplicaState.DEFUNCT, ReplicaState.STOPPED])
def test_what_will_not_work_again_is_not_there(state: ReplicaState) -> None:
    assert snapshot(seen(status(state)), now=0.0).replicas == ()


def test_a_measured_start_counts_and_work_is_by_weight() -> None:
    ready = status(ReplicaState.READY, load_seconds=40.0, warm_seconds=2.0)
    queue = [Queued(90.0, None, 2.0), Queued(95.0, 145.0, 1.0)]
    view = snapshot(seen(ready, queue=queue), now=100.0)
    assert view.cold_start == 42.0
    slow = status(ReplicaState.READY, load_seconds=400.0, warm_seconds=2.0)
    assert snapshot(seen(ready, ready, slow), now=100.0).cold_start == 42.0
    assert view.waiting is not None
    assert [job.seconds for job in view.waiting] == [20.0, None]
    assert view.slack == 40.0


def test_how_long_jobs_can_wait_is_known_from_those_that_came_lately() -> None:
    lately = (Queued(0.0, 100.0, 1.0), Queued(10.0, 60.0, 2.0), Queued(20.0, None, 1.0))
    # 100 s given for 10 s of work, and 50 s for 20 s.
    assert snapshot(replace(seen(), recent=lately), now=200.0).slack == 60.0


def test_what_is_not_known_stays_unknown() -> None:
    view = snapshot(replace(seen(), backlog=None, queue=None, statuses=None), now=0.0)
    assert (view.queued, view.waiting, view.replicas, view.slack) == (None, None, None, None)


class Hands:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def resize(self, pool: str, tier: str, replicas: int, drain: Sequence[str] | None) -> None:
        self.asked.append(replicas)


async def test_a_sleeping_pool_wakes_when_work_comes() -> None:
    clock, hands, plans = VirtualClock(), Hands(), RememberedPlans()
    ledger = MemoryLedger(clock, EmbeddedFeed())
    catalog = Catalog((MODEL,))
    policy = LookAhead(limits=Limits(minimum=0, maximum=4), interval=5.0)
    pools = ReplicaPools(catalog, tuple, clock, [POOL])
    scaler = Scaler(
        catalog=catalog, policies={POOL: policy}, ledger=ledger, plans=plans, pools=pools,
        everyone=tuple, clock=clock, hands=hands,
    )  # fmt: skip
    running = asyncio.create_task(scaler.run())
    await clock.advance(0.1)
    assert hands.asked == [0]
    assert not pools.statuses()[POOL].serving
    assert pools.statuses()[POOL].able
    job = new_job(pools=(POOL,))
    await ledger.submit(job)
    scaler.tell(Record(1, job.id, 0.0, Event(EventKind.SUBMITTED, {"pool": POOL})), job)
    await clock.advance(0.2)
    assert hands.asked[-1] >= 1
    assert plans.all[-1].replicas == hands.asked[-1]
    assert plans.all[-1].reason
    running.cancel()


async def test_a_job_is_taken_that_the_scaler_can_have_made_in_time() -> None:
    """Two replicas with 30 s of work each, and four more to be had in 5 + 7 s."""
    clock = VirtualClock()
    ledger, catalog = MemoryLedger(clock, EmbeddedFeed()), Catalog((MODEL,))
    states = [ReplicaState.BUSY, ReplicaState.BUSY, ReplicaState.DRAINING]
    there = [
        status(state, worker=str(n), free_in=30.0, load_seconds=7.0, measured=True)
        for n, state in enumerate(states)
    ]
    fixed = ReplicaPools(catalog, lambda: there, clock)
    grows = ReplicaPools(catalog, lambda: there, clock, (), {POOL: (6, 5.0)})
    assert fixed.statuses()[POOL].growth == ()
    assert grows.statuses()[POOL].growth == (12.0,) * 4
    for number in range(4):
        job = new_job(id=f"01KAZ6T3V9S2Q4W8E0R5Y7T00{number}", pools=(POOL,))
        await ledger.submit(job)
    job = new_job(pools=(POOL,), deadline=clock.now() + 60.0)
    told = await Outlook(catalog, ledger, grows, clock).forecast(job)
    assert told.estimate is not None
    assert told.hoped is not None
    # Two batches each behind 30 s; or one of four behind 12 s, and the next behind that.
    assert (told.estimate.seconds, told.hoped.seconds) == (60.0, 32.0)
    same = await Outlook(catalog, ledger, fixed, clock).forecast(job)
    assert (same.estimate, same.hoped) == (told.estimate, None)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)


@pytest.mark.slow
def test_a_server_grows_with_its_queue_and_sleeps_after_it(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        "minimum = 0\nmaximum = 3\nsleep_after = 1\non_demand = 3\n"
        'tiers = [{name = "l4", price = 1.0}, {name = "l4-spot", price = 0.4, spot = true}]\n'
        "settings = {interval = 0.3, target_wait = 1.0, stabilise = [0.1, 0.5, 1.0]}\n"
    )
    server = ServerProcess(
        tmp_path / "data",
        {
            "KINESPHERE_SCALING_POLICY": str(policy),
            "KINESPHERE_TIER": "l4",
            "KINESPHERE_MODELS": "gpu",
            "KINESPHERE_SIMULATED": '[{"name": "gpu", "payload": 100, "stages": '
            '[{"fixed": 0, "per_job": 0.5, "batch_limit": 1, "cold_start": 0.5}]}]',
        },
    ).start()
    try:
        with httpx.Client(base_url=server.url, timeout=60) as http:

            def replicas() -> int:
                found = http.get("/v1/pools/gpu").json()["replicas"]
                return sum(found.get(state, 0) for state in ("starting", "ready", "busy"))

            until(lambda: replicas() == 0)
            assert http.get("/ready").status_code == 200
            asked = [
                http.post("/v1/motions", json={"prompt": "he walks", "seed": n}).json()["id"]
                for n in range(24)
            ]
            until(lambda: replicas() == 3)
            plan = http.get("/v1/pools/gpu/plan").json()
            assert (plan["replicas"], plan["policy"]) == (3, "look-ahead")
            assert plan["tiers"] == {"l4": 3, "l4-spot": 0}
            assert plan["reason"].endswith("; on 3 l4")
            told = http.get("/metrics").text
            assert 'kinesphere_plan_replicas{pool="gpu",tier="l4"} 3.0' in told
            jobs = [http.get(f"/v1/jobs/{job}") for job in asked]
            until(
                lambda: all(
                    http.get(f"/v1/jobs/{job}").json()["state"] == "succeeded" for job in asked
                )
            )
            until(lambda: replicas() == 0)
            assert all(
                http.get(f"/v1/jobs/{job.json()['id']}").json()["attempts"] == 1 for job in jobs
            )
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [('policy = "psychic"', "psychic"), ('tiers = [{name = "l4", price = 1}]', "only l4")],
)
def test_a_wrong_policy_is_told_at_the_start(tmp_path: Path, text: str, told: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(text)
    server = ServerProcess(tmp_path / "data", {"KINESPHERE_SCALING_POLICY": str(policy)})
    with pytest.raises(AssertionError, match=told):
        server.start()
