"""Classes of hardware on a running platform: ordered, taken away, replaced, told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.admission import Service
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.jobs import Event, EventKind
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.core.scaling.division import Hardware
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.tiers import Tier
from kinesphere.core.scaling.values import Limits, Phase
from kinesphere.elastic.live.scaler import Scaler
from kinesphere.elastic.live.sight import Seen, snapshot
from kinesphere.ports import Backlog, Planned, Plans, PoolStatus, Record
from kinesphere.worker.pools import ReplicaPools
from tests.clock import VirtualClock
from tests.core.jobs import new_job
from tests.plans import RememberedPlans

POOL = "gpu"
STAGE = Stage(name="", engine="x:Y", batch_limit=1, seconds=(0.0, 60.0), load_limit=20.0)
MODEL = Model(name=POOL, version="1", task="motion", title="", stages=(STAGE,), formats=("bvh",))
A10 = Tier(name="a10", price=1.0)
SPOT = Tier(name="a10-spot", price=0.4, spot=True, notice=30.0)
COLD_START = 20.0


@dataclass
class Provider:
    """A Deployment for each tier, each with as many workers as the plan says."""

    clock: VirtualClock
    sold_out: str = ""
    there: dict[str, Status] = field(default_factory=dict)
    ordered: list[tuple[float, str]] = field(default_factory=list)

    def resize(self, pool: str, tier: str, replicas: int, drain: Sequence[str] | None) -> None:
        leaving = ReplicaState.DRAINING
        staying = [s for s in self.there.values() if s.tier == tier and s.state is not leaving]
        for _ in range(0 if tier == self.sold_out else replicas - len(staying)):
            self.ordered.append((self.clock.monotonic(), tier))
            name = f"{tier}/{len(self.ordered)}"
            self.there[name] = status(name, tier, pool=pool, since=self.clock.now())
        for name in drain or ():
            self.there.pop(name, None)

    def statuses(self) -> list[Status]:
        """As they announce themselves: what has loaded finds work."""
        now = self.clock.now()
        for name, each in self.there.items():
            if each.state is ReplicaState.STARTING and now - each.since >= COLD_START:
                self.enter(name, ReplicaState.BUSY, load_seconds=COLD_START, free_in=60.0)
        return list(self.there.values())

    def enter(self, name: str, state: ReplicaState, **fields: Any) -> None:
        self.there[name] = replace(self.there[name], state=state, since=self.clock.now(), **fields)

    def ready(self) -> Counter[str]:
        return Counter(s.tier for s in self.statuses() if s.state is ReplicaState.BUSY)


def status(name: str, tier: str, **fields: Any) -> Status:
    made = Status(
        worker=name, pool=POOL, model=POOL, state=ReplicaState.STARTING, since=0.0, pid=1,
        batches=0, jobs=0, held=0, children=1, load_seconds=None, warm_seconds=None, memory=0,
        fixed_seconds=0.0, job_seconds=60.0, last_error="", tier=tier,
    )  # fmt: skip
    return replace(made, **fields)


@dataclass
class Site:
    clock: VirtualClock
    provider: Provider
    plans: RememberedPlans
    ledger: MemoryLedger

    def scaler(self, plans: Plans) -> Scaler:
        catalog = Catalog((MODEL,))
        return Scaler(
            catalog=catalog,
            policies={POOL: LookAhead(limits=Limits(minimum=1, maximum=4))},
            ledger=self.ledger,
            plans=plans,
            pools=ReplicaPools(catalog, self.provider.statuses, self.clock),
            everyone=self.provider.statuses,
            clock=self.clock,
            hands=self.provider,
            hardware={POOL: Hardware(tiers=(A10, SPOT), on_demand=1)},
        )

    @property
    def plan(self) -> Planned:
        planned = self.plans.all[-1]
        assert planned.replicas == sum(planned.tiers.values())
        return planned


@asynccontextmanager
async def site(jobs: int) -> AsyncIterator[Site]:
    """A scaled pool, with jobs that wait."""
    clock = VirtualClock()
    here = Site(clock, Provider(clock), RememberedPlans(), MemoryLedger(clock, EmbeddedFeed()))
    scaler = here.scaler(here.plans)
    for number in range(jobs):
        job = new_job(id=f"01KAZ6T3V9S2Q4W8E0R5Y7T{number:03d}", pools=(POOL,))
        await here.ledger.submit(job)
        scaler.tell(Record(1, job.id, 0.0, Event(EventKind.SUBMITTED, {"pool": POOL})), job)
    running = asyncio.create_task(scaler.run())
    try:
        yield here
    finally:
        running.cancel()


async def test_a_queue_is_met_by_spot_over_a_base_on_demand() -> None:
    async with site(jobs=12) as here:
        await here.clock.advance(0.1)
        assert here.plan.tiers == {"a10": 1, "a10-spot": 3}
        assert here.plan.reason.endswith("; on 1 a10 and 3 a10-spot")
        await here.clock.advance(COLD_START + 5.0)
        assert here.provider.ready() == {"a10": 1, "a10-spot": 3}
        assert len(here.provider.ordered) == 4


async def test_a_spot_replica_under_notice_is_replaced_before_the_notice_runs_out() -> None:
    async with site(jobs=12) as here:
        await here.clock.advance(COLD_START + 6.0)
        assert here.provider.ready() == {"a10": 1, "a10-spot": 3}
        name = next(name for name in here.provider.there if name.startswith("a10-spot"))
        # SIGTERM: the worker drains, and has the notice to finish what it runs.
        here.provider.enter(name, ReplicaState.DRAINING, free_in=SPOT.notice)
        told = here.clock.monotonic()
        await here.clock.advance(5.0)
        assert here.plan.tiers == {"a10": 2, "a10-spot": 2}
        assert "1 a10-spot being taken away and replaced on demand" in here.plans.all[-1].reason
        assert here.provider.ordered[-1][1] == "a10"
        assert here.provider.ordered[-1][0] - told <= 5.0
        await here.clock.advance(COLD_START)
        assert here.clock.monotonic() - told < SPOT.notice
        assert here.provider.ready() == {"a10": 2, "a10-spot": 2}
        del here.provider.there[name]
        await here.clock.advance(30.0)
        assert here.plan.tiers == {"a10": 2, "a10-spot": 2}
        assert len(here.provider.ordered) == 5


async def test_who_leads_next_goes_on_from_what_was_remembered(tmp_path: Path) -> None:
    async with site(jobs=12) as here:
        here.provider.sold_out = SPOT.name
        await here.clock.advance(400.0)
        before = here.plan
        assert list(before.standing.away) == [SPOT.name]
        assert before.memory.samples[-1][1] == 12.0
    stored = await SqlLedger.open(f"sqlite:///{tmp_path}/ledger.db", SystemClock(), EmbeddedFeed())
    await stored.plans.store([before])
    plans = RememberedPlans()
    plans.all += (await stored.plans.latest()).values()
    await stored.close()
    # The next one has counted from another beginning, as far as it has counted at all.
    follower = here.scaler(plans)
    for number in range(100):
        job = new_job(id=f"01KAZ6T3V9S2Q4W8E0R5Y7U{number:03d}", pools=(POOL,))
        record = Record(1, job.id, before.at - 1.0, Event(EventKind.SUBMITTED, {"pool": POOL}))
        follower.tell(record, job)
    await here.clock.advance(3.0)
    running = asyncio.create_task(follower.run())
    await here.clock.advance(2.0)
    running.cancel()
    after = plans.all[-1]
    assert after.at > before.at
    assert after.standing == before.standing
    assert after.memory.samples[-1] == (after.at, 12.0)
    assert (after.tiers, after.recommended) == (before.tiers, before.recommended)


def seen(*statuses: Status, hardware: Hardware, per_job: float = 20.0) -> Seen:
    return Seen(
        statuses=statuses,
        backlog=Backlog(waiting=0, running=0, oldest=None),
        queue=(),
        pool=PoolStatus(replicas={}, service=Service(0.0, per_job, 1), measured=True),
        arrived=0,
        busy=None,
        first_start=20.0,
        hardware=hardware,
    )


FAST = Tier(name="a100", price=2.2, speed=3.0, memory=80.0)


def test_what_a_fast_replica_measured_is_told_for_a_slow_one() -> None:
    ready = status("x", "a100", state=ReplicaState.READY, batches=5)
    view = snapshot(seen(ready, hardware=Hardware(tiers=(A10, FAST))), now=100.0)
    assert view.service is not None
    assert view.service.per_job == pytest.approx(60.0)
    assert view.replicas is not None
    assert (view.replicas[0].speed, view.replicas[0].tier, view.speed) == (3.0, "a100", 1.0)
    quick = Hardware(tiers=(A10, FAST), within=30.0)
    assert snapshot(seen(ready, hardware=quick), now=100.0).speed == 3.0


def test_the_base_is_on_demand_and_does_not_drain() -> None:
    replicas = (
        status("a", "a10-spot", state=ReplicaState.READY),
        status("b", "a10", state=ReplicaState.DRAINING),
        status("c", "a10", state=ReplicaState.READY),
        status("d", "a10", state=ReplicaState.READY),
    )
    view = snapshot(seen(*replicas, hardware=Hardware(tiers=(A10, SPOT), on_demand=1)), now=1.0)
    assert view.replicas is not None
    assert [(r.name, r.phase is Phase.DRAINING) for r in view.replicas if r.base] == [("c", False)]
