"""Replicas in virtual time around a real ledger, and the load that comes to them."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from random import Random
from statistics import median

from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.core.admission import Estimate, Service
from kinesphere.core.batching import BatchTime
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.jobs import Finish, Job
from kinesphere.ports import PoolStatus
from kinesphere.service.outlook import Outlook
from tests.clock import VirtualClock
from tests.core.jobs import new_job

LEASE = 1e6


@dataclass
class Replica:
    """Claims, sleeps as long as its engine would take, and finishes."""

    ledger: MemoryLedger
    clock: VirtualClock
    pool: str
    stage: Stage
    truth: tuple[float, float]
    noise: float
    random: Random
    starts_in: float = 0.0
    batches: int = 0
    time: BatchTime = field(init=False)
    until: float | None = None
    due: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.time = BatchTime.guessed(*self.stage.seconds)
        self.warm_at = self.clock.monotonic() + self.starts_in

    async def run(self) -> None:
        await self.clock.sleep(self.starts_in)
        while True:
            jobs = await self.ledger.claim(self.pool, "w", self.stage.batch_limit, LEASE)
            if not jobs:
                await self.clock.sleep(0.02)
                continue
            weight = sum(job.weight for job in jobs)
            fixed, each = self.truth
            seconds = (fixed + each * weight) * self.random.lognormvariate(0.0, self.noise)
            now = self.clock.monotonic()
            self.until = now + self.time.seconds(weight)
            self.due = dict.fromkeys((job.id for job in jobs), self.until)
            await self.clock.sleep(seconds)
            self.until, self.due = None, {}
            self.batches += 1
            self.time = self.time.seen(weight, seconds)
            for job in jobs:
                await self.ledger.apply(job.id, Finish(job.token, ()))

    @property
    def free_in(self) -> float:
        now = self.clock.monotonic()
        if now < self.warm_at:
            return self.warm_at - now
        if self.until is None:
            return 0.0
        return max(self.until - now, 0.0)


@dataclass
class Pools:
    """See `kinesphere.ports.Pools`."""

    replicas: Mapping[str, Sequence[Replica]]

    def statuses(self) -> Mapping[str, PoolStatus]:
        return {pool: self._status(found) for pool, found in self.replicas.items()}

    def _status(self, replicas: Sequence[Replica]) -> PoolStatus:
        best = max(replicas, key=lambda r: r.batches)
        now = best.clock.monotonic()
        return PoolStatus(
            replicas={"ready": sum(now >= r.warm_at for r in replicas)},
            service=Service(best.time.fixed, best.time.per_job, best.stage.batch_limit),
            measured=best.batches > 0,
            free_in=tuple(r.free_in for r in replicas),
            remaining={job: max(0.0, at - now) for r in replicas for job, at in r.due.items()},
        )

    async def warm(self, seconds: float) -> bool:
        return True


@dataclass(frozen=True)
class User:
    """Who asks: for jobs of these weights, so many a second on average."""

    name: str
    rate: float
    priority: int = 5
    weights: Sequence[float] = (1.0,)


@dataclass
class Trial:
    """Relative errors of estimates, signed, by user."""

    errors: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def summary(self) -> dict[str, float]:
        """Of all users: medians and the ninth decile."""
        errors = sorted((e for each in self.errors.values() for e in each), key=abs)
        return {
            "jobs": len(errors),
            "median_error": round(abs(errors[len(errors) // 2]), 4),
            "p90_error": round(abs(errors[int(0.9 * len(errors))]), 4),
            "within_25_percent": round(sum(abs(e) <= 0.25 for e in errors) / len(errors), 4),
            "median_bias": round(median(errors), 4),
        }


async def trial(
    *,
    stages: Sequence[Stage],
    truths: Sequence[tuple[float, float]],
    replicas: int,
    users: Sequence[User],
    seconds: float,
    settle: float,
    noise: float = 0.1,
    seed: int = 1,
) -> Trial:
    """Run an open loop of users for so long, and compare each estimate with the outcome.

    Jobs that came in the first `settle` seconds are left out: the load is steady after that.
    """
    clock, random = VirtualClock(), Random(seed)
    ledger = MemoryLedger(clock, EmbeddedFeed())
    model = Model("m", "1", "motion", "", tuple(stages), ("bvh",))
    made = {
        pool: [Replica(ledger, clock, pool, stage, truth, noise, random) for _ in range(replicas)]
        for pool, stage, truth in zip(model.pools, stages, truths, strict=True)
    }
    outlook = Outlook(Catalog((model,)), ledger, Pools(made), clock)
    tasks = [asyncio.create_task(each.run()) for found in made.values() for each in found]
    expected: dict[str, tuple[float, str, Estimate]] = {}
    comings = [
        (at, user, random.choice(user.weights))
        for user in users
        for at in _times(user.rate, seconds, random)
    ]
    comings.sort(key=itemgetter(0))
    start = clock.monotonic()
    for number, (at, user, weight) in enumerate(comings):
        await clock.advance(start + at - clock.monotonic())
        now = clock.now()
        job = new_job(
            id=f"{number:026d}", user=user.name, priority=user.priority, weight=weight,
            pools=model.pools, created_at=now, ready_at=now,
        )  # fmt: skip
        forecast = (await outlook.forecast(job)).estimate
        assert forecast is not None
        await ledger.submit(job)
        outlook.arrived(job)
        if at >= settle:
            expected[job.id] = (now, user.name, forecast)
    found = Trial()
    for job_id, (then, name, forecast) in expected.items():
        done = await _ended(ledger, clock, job_id)
        assert done.finished_at is not None
        actual = done.finished_at - then
        found.errors[name].append((forecast.seconds - actual) / actual)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _ended(ledger: MemoryLedger, clock: VirtualClock, job_id: str) -> Job:
    for _ in range(10_000):
        job = await ledger.get(job_id)
        assert job is not None
        if job.ended:
            return replace(job)
        await clock.advance(0.5)
    raise AssertionError(f"{job_id} does not end")


def _times(rate: float, seconds: float, random: Random) -> list[float]:
    times, at = [], random.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += random.expovariate(rate)
    return times
