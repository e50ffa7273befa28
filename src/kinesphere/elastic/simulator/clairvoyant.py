"""What a scheduler would do that knew every arrival and all work: the bound to compare with.

It is a greedy heuristic and not the optimum, which is out of reach: each job, in order of arrival,
goes where it adds the least paid time among all places where it meets its deadline. Replicas are
ordered a cold start before they are needed and stopped the moment that they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from kinesphere.elastic.simulator.values import Arrival, Pool, Rental, Result, Run


@dataclass(slots=True)
class _Replica:
    """A replica as it fills. `batch` holds numbers of the jobs of its last batch."""

    ordered: float
    ready: float
    began: float
    free: float
    always: bool
    busy: float = 0.0
    batch: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """One way to serve a job, the cheapest first."""

    late: bool
    cost: float
    start: float
    ended: float
    replica: _Replica | None
    joins: bool


def clairvoyant(
    pool: Pool, arrivals: Sequence[Arrival], duration: float, minimum: int, maximum: int
) -> Result:
    """Serve a trace with knowledge of all of it.

    Args:
        pool: Its first tier is used; its initial replicas are `minimum`.
        arrivals: In order of time, all for this pool.
        duration: s of the trace.
        minimum: Replicas that are there all the time.
        maximum: Replicas at most at any time.
    """
    planner = _Planner(pool, maximum)
    planner.replicas = [_Replica(0.0, 0.0, 0.0, 0.0, True) for _ in range(minimum)]
    for number, arrival in enumerate(arrivals):
        planner.serve(number, arrival)
    ended = max([duration, *(r.free for r in planner.all)])
    tier = pool.tiers[0]
    rentals = [
        Rental(
            name=f"{pool.name}-{n}",
            pool=pool.name,
            tier=tier,
            ordered=r.ordered,
            ready=r.ready,
            ended=ended if r.always else r.free,
            busy=r.busy,
            initial=r.always,
        )
        for n, r in enumerate(planner.all)
    ]
    runs = tuple(planner.runs[n] for n in range(len(arrivals)))
    return Result("clairvoyant", duration, ended, runs, tuple(rentals), ())


class _Planner:
    def __init__(self, pool: Pool, maximum: int) -> None:
        self._pool = pool
        self._maximum = maximum
        self._speed = pool.tiers[0].speed
        self.replicas: list[_Replica] = []
        self.finished: list[_Replica] = []
        self.runs: dict[int, Run] = {}

    @property
    def all(self) -> list[_Replica]:
        return sorted([*self.finished, *self.replicas], key=lambda r: r.ordered)

    def serve(self, number: int, arrival: Arrival) -> None:
        own = arrival.seconds / self._speed
        alone = own + self._pool.service.fixed / self._speed
        places = [self._behind(r, arrival, alone) for r in self.replicas]
        if self._pool.service.batch_limit > 1:
            places += [p for r in self.replicas if (p := self._within(r, arrival, own))]
        if (new := self._new(arrival, alone)) is not None:
            places.append(new)
        best = min(places, key=lambda p: (p.late, p.ended if p.late else p.cost, -p.start))
        self._take(best, number, arrival)
        self._forget(arrival.at)

    def _behind(self, replica: _Replica, arrival: Arrival, seconds: float) -> _Place:
        start = max(replica.free, arrival.at)
        ended = start + seconds
        if not replica.always and not self._room(replica, replica.free, ended):
            return _Place(True, inf, start, inf, replica, False)
        idle = 0.0 if replica.always else start - replica.free
        return _Place(_late(arrival, ended), idle + seconds, start, ended, replica, False)

    def _within(self, replica: _Replica, arrival: Arrival, own: float) -> _Place | None:
        """Join the last batch, where it has not begun and nobody in it becomes late."""
        full = len(replica.batch) >= self._pool.service.batch_limit
        if full or not replica.batch or replica.began < arrival.at:
            return None
        ended = replica.free + own
        if any(_late(self.runs[n].arrival, ended) for n in replica.batch):
            return None
        return _Place(_late(arrival, ended), own, replica.began, ended, replica, True)

    def _new(self, arrival: Arrival, seconds: float) -> _Place | None:
        """One more, a cold start before the job comes, or when there is room for it."""
        cold = self._pool.cold_start
        soonest = max(arrival.at - cold, 0.0)
        ends = sorted(r.free for r in self.replicas if not r.always and r.free > soonest)
        for ordered in (soonest, *ends):
            ended = ordered + cold + seconds
            if self._room(None, ordered, ended):
                start = ordered + cold
                return _Place(_late(arrival, ended), cold + seconds, start, ended, None, False)
        return None

    def _room(self, replica: _Replica | None, since: float, until: float) -> bool:
        """Whether one more fits beside the others all the time from `since` to `until`."""
        others = [r for r in self.replicas if r is not replica]
        moments = [since, *(r.ordered for r in others if since < r.ordered < until)]
        return all(
            sum(r.always or r.ordered <= at < r.free for r in others) < self._maximum
            for at in moments
        )

    def _take(self, place: _Place, number: int, arrival: Arrival) -> None:
        replica = place.replica
        if replica is None:
            cold = self._pool.cold_start
            replica = _Replica(place.start - cold, place.start, place.start, place.start, False)
            self.replicas.append(replica)
        if place.joins:
            replica.batch.append(number)
            for n in replica.batch[:-1]:
                run = self.runs[n]
                self.runs[n] = Run(run.arrival, run.began, place.ended, run.pool, run.replica)
        else:
            replica.began, replica.batch = place.start, [number]
        replica.busy += place.ended - (replica.free if place.joins else place.start)
        replica.free = place.ended
        self.runs[number] = Run(arrival, place.start, place.ended, self._pool.name, "")

    def _forget(self, now: float) -> None:
        """Set aside what no later job can use: a new replica is cheaper than its gap."""
        gone = [r for r in self.replicas if not r.always and now - r.free > 2 * self._horizon]
        if gone:
            self.finished += gone
            self.replicas = [r for r in self.replicas if r not in gone]

    @property
    def _horizon(self) -> float:
        return self._pool.cold_start + self._pool.service.batch_seconds(1)


def _late(arrival: Arrival, ended: float) -> bool:
    return arrival.deadline is not None and ended > arrival.deadline + 1e-9
