"""When a job will be done, as far as that can be known now."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from typing import Final

from kinesphere.core.admission import Estimate, Stop, Traffic, estimate
from kinesphere.core.catalog import Catalog
from kinesphere.core.jobs import Job, State
from kinesphere.ports import Backlog, Clock, Ledger, Line, Pools, PoolStatus

NOTHING: Final = Backlog(waiting=0, running=0, oldest=None)
RECENT_JOBS: Final = 256
RECENT_SECONDS: Final = 300.0
"""Arrivals that are remembered for each pool: with fewer, a rate is too uncertain to go by."""

_UNKNOWN_START: Final = 5.0
"""Seconds until a pool serves of which no replica is on its way."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of a job.

    Attributes:
        estimate: When it will be done, or None where its pools are not known here.
        waiting: Jobs that wait in its pool, all together.
        hopeless: Why a pool on its course cannot serve anybody, or "".
        hoped: Of a job with a deadline: the same with the replicas that may be ordered for it; None
            where none may.
    """

    estimate: Estimate | None
    waiting: int
    hopeless: str
    hoped: Estimate | None = None


@dataclass(frozen=True, slots=True)
class _Arrival:
    at: float
    priority: int
    user: str
    weight: float


class _Recent:
    """What came to one pool lately, counted as it comes and goes."""

    def __init__(self) -> None:
        self._arrivals: deque[_Arrival] = deque()
        self._users: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._weights: defaultdict[int, float] = defaultdict(float)

    def add(self, new: _Arrival) -> None:
        """One more."""
        if len(self._arrivals) == RECENT_JOBS:
            self._drop()
        self._arrivals.append(new)
        self._users[new.priority][new.user] += 1
        self._weights[new.priority] += new.weight

    def traffic(self, job: Job, line: Line, now: float) -> Traffic:
        """What may come while `job` waits in `line`, by what came in the last RECENT_SECONDS."""
        while self._arrivals and now - self._arrivals[0].at >= RECENT_SECONDS:
            self._drop()
        number = len(self._arrivals)
        if number < 2:
            return Traffic()
        # As in `Arrivals.rate`: gaps are counted, not jobs.
        share = (number - 1) / number / max(now - self._arrivals[0].at, 1e-3)
        equals = self._users[job.precedence]
        own = equals.get(job.user, 0)
        users = len(equals) - (1 if own else 0)
        higher = sum(weight for level, weight in self._weights.items() if level > job.precedence)
        return Traffic(
            higher=share * higher,
            # Once a job of its own tag has been claimed, nobody comes before it any more.
            rivals=share * (equals.total() - own) * line.slack / (line.slack + 1),
            # Before its tag, each of them has as many places as the job's own user, less those
            # that are taken already.
            rivals_ahead=max(0, line.slack * users - max(0, line.alike - line.slack)),
            joining=share * number,
        )

    def _drop(self) -> None:
        old = self._arrivals.popleft()
        users = self._users[old.priority]
        users[old.user] -= 1
        if not users[old.user]:
            del users[old.user]
        self._weights[old.priority] -= old.weight
        if not users:
            # Nothing is left of what sums of fractions leave.
            del self._weights[old.priority]


class Outlook:
    """Estimates from what stands before a job and what the replicas were measured to need.

    What may overtake it is taken from the jobs that this process accepted lately: where several
    accept, each knows of its own share.
    """

    def __init__(self, catalog: Catalog, ledger: Ledger, pools: Pools, clock: Clock) -> None:
        self._stages = {pool: stage for pool, (_, stage) in catalog.pools().items()}
        self._ledger = ledger
        self._pools = pools
        self._clock = clock
        self._recent: defaultdict[str, _Recent] = defaultdict(_Recent)

    def arrived(self, job: Job) -> None:
        """Take note of a job that was accepted and will be run."""
        arrival = _Arrival(self._clock.monotonic(), job.priority, job.user, job.weight)
        for pool in job.pools:
            self._recent[pool].add(arrival)

    async def eta(self, job: Job) -> Estimate | None:
        """When an unfinished job may be done; for one that waits for another's run, that one."""
        if not job.ended and job.leader is not None:
            job = await self._ledger.get(job.leader) or job
        return None if job.ended else (await self.forecast(job)).estimate

    async def forecast(self, job: Job) -> Forecast:
        """What is expected of a job, or of one that is not submitted yet."""
        lines = await self._ledger.line(job)
        statuses = self._pools.statuses()
        pools = job.pools[job.stage :]
        found = [(pool, statuses[pool], line) for pool, line in zip(pools, lines, strict=True)
                 if pool in statuses]  # fmt: skip
        hopeless = next((status.detail for _, status, _ in found if status.defunct), "")
        if len(found) < len(pools):
            return Forecast(None, lines[0].waiting, hopeless)
        course = [self._stop(job, *each) for each in found]
        if job.state is State.RUNNING:
            course[0] = self._running(job, course[0], found[0][1])
        ready_in = job.ready_at - self._clock.now() if job.state is State.QUEUED else 0.0
        hoped = None
        if job.deadline is not None and any(status.growth for _, status, _ in found):
            grown = [
                replace(stop, free_in=(*status.free_in, *status.growth) or stop.free_in)
                for stop, (_, status, _) in zip(course, found, strict=True)
            ]
            hoped = estimate(grown, job.weight, ready_in)
        expected = estimate(course, job.weight, ready_in)
        return Forecast(expected, lines[0].waiting, hopeless, hoped)

    def _stop(self, job: Job, pool: str, status: PoolStatus, line: Line) -> Stop:
        start = min(self._stages[pool].load_limit, _UNKNOWN_START)
        # Claimed a moment ago, or elsewhere: no replica here has said how long it will take.
        untold = max(0, line.running - len(status.remaining))
        return Stop(
            service=status.service,
            measured=status.measured,
            replicas=status.serving,
            free_in=status.free_in or (start,),
            jobs=line.ahead + untold,
            weight=line.weight + untold,
            traffic=self._recent[pool].traffic(job, line, self._clock.monotonic()),
            leaving=line.running - untold,
        )

    def _running(self, job: Job, stop: Stop, status: PoolStatus) -> Stop:
        """The pool that runs a job: nothing stands before it there any more."""
        whole = stop.service.batch_seconds(job.weight) + stop.service.delivery
        own = status.remaining.get(job.id, whole)
        return Stop(
            service=stop.service,
            measured=stop.measured,
            replicas=stop.replicas,
            free_in=(),
            jobs=0,
            weight=0.0,
            running=own,
            leaving=sum(1 for each in status.remaining.values() if each < own),
        )
