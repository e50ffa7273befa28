"""Decides for every pool, again and again, and has the plan carried out."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from kinesphere.core.catalog import Catalog
from kinesphere.core.jobs import EventKind, Job
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.core.scaling.division import Hardware, Standing, divide
from kinesphere.core.scaling.plan import Policy, plan
from kinesphere.core.scaling.values import Memory, Plan, Snapshot
from kinesphere.elastic.live.sight import LOOK, Seen, snapshot
from kinesphere.ports import (
    Backlog,
    Clock,
    Ledger,
    LedgerUnavailable,
    Planned,
    Plans,
    Pools,
    Queued,
    Record,
)

BUSY_SECONDS: Final = 60.0
"""Time over which the share of busy replicas is taken."""

FIRST_START: Final = 30.0
"""Seconds that a start is taken to need, where it may take longer and was never measured."""

RECENT: Final = 64
"""Jobs by which it is known how long a job of a pool can wait. Those in the queue would not do: it
is empty most of the time where all goes well."""

_LEAST: Final = 0.05
"""Seconds between two decisions at least."""

_NOTHING: Final = Backlog(waiting=0, running=0, oldest=None)

_log = logging.getLogger("kinesphere.scaler")


class Hands(Protocol):
    """Carries a plan out."""

    def resize(self, pool: str, tier: str, replicas: int, drain: Sequence[str] | None) -> None:
        """Start replicas until there are so many on the tier, or drain those that are named.

        The tier of a pool that has none is "".
        """
        ...


@dataclass(slots=True)
class _Course:
    """One pool's course so far."""

    policy: Policy
    memory: Memory
    hardware: Hardware | None
    standing: Standing = field(default_factory=Standing)
    due: float = 0.0
    told: int | None = None
    told_tiers: Mapping[str, int] = field(default_factory=dict)


class Scaler:
    """Plans for every pool at its policy's pace.

    Arrivals are counted from the news that `tell` gets. Plans and what the policies remember are
    stored, so that whoever scales next goes on from there.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        policies: Mapping[str, Policy],
        ledger: Ledger,
        plans: Plans,
        pools: Pools,
        everyone: Callable[[], Sequence[Status]],
        clock: Clock,
        hands: Hands | None,
        hardware: Mapping[str, Hardware] = MappingProxyType({}),
    ) -> None:
        """`hands` is None where others carry the plans out, such as KEDA.

        `hardware` is that of the pools whose replicas are not all on the same.
        """
        self._stages = {pool: stage for pool, (_, stage) in catalog.pools().items()}
        self._ledger = ledger
        self._plans = plans
        self._pools = pools
        self._everyone = everyone
        self._clock = clock
        self._hands = hands
        self._arrived: defaultdict[str, float] = defaultdict(float)
        self._courses = {
            pool: _Course(policy, Memory(), hardware.get(pool)) for pool, policy in policies.items()
        }
        self._recent: dict[str, deque[Queued]] = {pool: deque(maxlen=RECENT) for pool in policies}
        self._woken = asyncio.Event()
        self._used: dict[str, list[tuple[float, int, int]]] = {pool: [] for pool in policies}

    def tell(self, record: Record, job: Job | None) -> None:
        """Count a job that came to a pool."""
        event = record.event
        if event.kind is EventKind.STAGE_FINISHED:
            self._came(str(event.data["next"]), record, job)
        elif event.kind is EventKind.SUBMITTED and job and not (job.joined or job.cached):
            self._came(job.pools[0], record, job)

    def _came(self, pool: str, record: Record, job: Job | None) -> None:
        self._arrived[pool] += 1.0 if job is None else job.weight
        if job is not None and pool in self._recent:
            self._recent[pool].append(Queued(record.at, job.deadline, job.weight))
        course = self._courses.get(pool)
        if course is not None and course.told == 0:
            # The pool sleeps: it is woken now, not at the policy's next look.
            course.due = 0.0
            self._woken.set()

    async def run(self) -> None:
        """Decide for ever."""
        courses = self._courses
        for pool, planned in (await self._remembered()).items():
            if pool in courses:
                self._resume(courses[pool], planned)
        while True:
            now = self._clock.monotonic()
            due = {pool: course for pool, course in courses.items() if course.due <= now}
            for course in due.values():
                course.due = now + course.policy.interval
            await self._decide(due)
            soonest = min(course.due for course in courses.values())
            await self._pause(max(_LEAST, soonest - self._clock.monotonic()))

    async def _pause(self, seconds: float) -> None:
        """Return after `seconds`, or when a sleeping pool has work."""
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({timer, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            woken.cancel()
            self._woken.clear()

    async def _remembered(self) -> Mapping[str, Planned]:
        while True:
            try:
                return await self._plans.latest()
            except LedgerUnavailable:
                await self._clock.sleep(1.0)

    def _resume(self, course: _Course, planned: Planned) -> None:
        """Go on from the plan of whoever scaled before."""
        course.standing = planned.standing
        before = planned.memory
        if planned.policy != course.policy.name:
            # What another policy measured means something else to this one.
            course.memory = Memory(wanted=before.wanted, worked_at=before.worked_at)
            return
        course.memory = before
        if "arrived" in course.policy.needs and before.samples:
            # Each process counts from its own beginning: the difference of two counts of two would
            # be a burst that never was, or would have the past forgotten.
            recent = self._recent[planned.pool]
            since = sum(job.weight for job in recent if job.ready_at > planned.at)
            self._arrived[planned.pool] = before.samples[-1][1] + since

    async def _decide(self, courses: Mapping[str, _Course]) -> None:
        statuses = self._everyone()
        measures = self._pools.statuses()
        try:
            backlogs = await self._ledger.backlogs()
            queues = dict(
                zip(
                    courses,
                    await asyncio.gather(*(self._ledger.queue(p, LOOK) for p in courses)),
                    strict=True,
                )
            )
        except LedgerUnavailable as error:
            _log.warning("the queue is not known: %s", error, extra={"action": "scaler.blind"})
            backlogs, queues = None, {}
        now = self._clock.now()
        decided = []
        for pool, course in courses.items():
            own = [status for status in statuses if status.pool == pool]
            stage = self._stages[pool]
            seen = Seen(
                statuses=own,
                backlog=None if backlogs is None else backlogs.get(pool, _NOTHING),
                queue=queues.get(pool),
                pool=measures.get(pool),
                arrived=self._arrived[pool],
                recent=tuple(self._recent[pool]),
                busy=self._busy(pool, own),
                first_start=min(stage.load_limit, FIRST_START),
                hardware=course.hardware,
            )
            view = snapshot(seen, now)
            chosen, course.memory = plan(view, course.policy, course.memory)
            planned, drain = _planned(pool, course, chosen, view)
            self._carry_out(course, planned, drain)
            decided.append(planned)
        try:
            await self._plans.store(decided)
        except LedgerUnavailable as error:
            _log.warning("plans are not stored: %s", error, extra={"action": "scaler.unstored"})

    def _carry_out(self, course: _Course, planned: Planned, drain: tuple[str, ...] | None) -> None:
        pool = planned.pool
        if (course.told, course.told_tiers) != (planned.replicas, planned.tiers):
            facts = {"action": "scaler.planned", "pool": pool, "replicas": planned.replicas}
            _log.info("%s: %s", pool, planned.reason, extra=facts)
            course.told, course.told_tiers = planned.replicas, planned.tiers
        if self._hands is not None:
            for tier, replicas in (planned.tiers or {"": planned.replicas}).items():
                self._hands.resize(pool, tier, replicas, drain)

    def _busy(self, pool: str, statuses: Sequence[Status]) -> float | None:
        """Mean share of the serving replicas that were busy at the last looks."""
        now = self._clock.monotonic()
        busy = sum(status.state is ReplicaState.BUSY for status in statuses)
        serving = busy + sum(status.state is ReplicaState.READY for status in statuses)
        kept = [each for each in self._used[pool] if now - each[0] < BUSY_SECONDS]
        self._used[pool] = [*kept, (now, busy, serving)]
        total = sum(serving for _, _, serving in self._used[pool])
        return sum(busy for _, busy, _ in self._used[pool]) / total if total else None


def _planned(
    pool: str, course: _Course, chosen: Plan, view: Snapshot
) -> tuple[Planned, tuple[str, ...] | None]:
    """The plan to be told, divided among tiers where there are any, and which replicas go."""
    replicas, reason, tiers, drain = chosen.replicas, chosen.reason, {}, chosen.drain
    if course.hardware is not None:
        most = course.policy.limits.maximum
        division, course.standing = divide(chosen, view, course.hardware, most, course.standing)
        tiers, drain = dict(division.counts), division.drain
        replicas = sum(tiers.values())
        on = " and ".join(f"{n} {name}" for name, n in tiers.items() if n)
        reason = "; ".join(part for part in (reason, on and f"on {on}", division.why) if part)
    planned = Planned(
        pool=pool,
        replicas=replicas,
        recommended=chosen.recommended,
        reason=reason,
        policy=course.policy.name,
        tier=chosen.tier,
        at=view.now,
        memory=course.memory,
        tiers=tiers,
        standing=course.standing,
    )
    return planned, drain
