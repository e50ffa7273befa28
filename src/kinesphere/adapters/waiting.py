"""What the ledger in memory knows of waiting jobs: their fair order, and when they are due."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kinesphere.adapters.ranking import Ranking
from kinesphere.core.fairness import COST, start_tag
from kinesphere.core.jobs import Job
from kinesphere.core.line import Load


@dataclass
class Lane:
    """Fair order within one pool and priority."""

    virtual: int = 0
    finishes: Ranking[int] = field(default_factory=Ranking)

    def enter(self, user: str) -> int:
        """The tag of a job of `user` that joins now."""
        tag = start_tag(self.virtual, self.finishes.rank(user))
        self.finishes.put(user, tag + COST)
        return tag

    def claimed(self, tag: int) -> None:
        """Let the virtual time follow a job that is claimed."""
        self.virtual = max(self.virtual, tag)
        for user in self.finishes.first(len(self.finishes), lambda finish: finish > self.virtual):
            self.finishes.drop(user)


class Queue:
    """The queued jobs of one pool in their order, by priority."""

    def __init__(self) -> None:
        self._orders: defaultdict[int, list[tuple[int, str, float]]] = defaultdict(list)
        self._weights: defaultdict[int, float] = defaultdict(float)
        self._places: dict[str, tuple[int, tuple[int, str, float]]] = {}

    def enter(self, job: Job, tag: int) -> None:
        """Add a job, or move it."""
        self.leave(job.id)
        place = (tag, job.id, job.weight)
        insort(self._orders[job.precedence], place)
        self._weights[job.precedence] += job.weight
        self._places[job.id] = (job.precedence, place)

    def leave(self, job_id: str) -> None:
        """Take a job out, if it is there."""
        if (known := self._places.pop(job_id, None)) is not None:
            priority, place = known
            order = self._orders[priority]
            del order[bisect_left(order, place)]
            self._weights[priority] -= place[2]

    def before(
        self, priority: int, tag: int, job_id: str, limit: int
    ) -> Sequence[tuple[int, float]]:
        """Tag and weight of the first jobs before a place."""
        order = self._orders.get(priority, [])
        end = bisect_left(order, (tag, job_id))
        return [(each, weight) for each, _, weight in order[: min(end, limit)]]

    def first(self, limit: int) -> list[str]:
        """The jobs that are first in the order, ready or not."""
        found: list[str] = []
        for priority in sorted(self._orders, reverse=True):
            found += [job_id for _, job_id, _ in self._orders[priority][: limit - len(found)]]
        return found

    def loads(self) -> Mapping[int, Load]:
        """What waits, by priority."""
        return {
            priority: Load(len(order), self._weights[priority])
            for priority, order in self._orders.items()
        }


@dataclass
class Waiting:
    """The queued jobs of one pool.

    Attributes:
        ready: By (-precedence, tag).
        delayed: Those not yet known to be ready, by `ready_at`.
        since: Every queued job, by `ready_at`.
        queue: Every queued job, in order of claims.
    """

    ready: Ranking[tuple[int, int]] = field(default_factory=Ranking)
    delayed: Ranking[float] = field(default_factory=Ranking)
    since: Ranking[float] = field(default_factory=Ranking)
    queue: Queue = field(default_factory=Queue)

    def enter(self, job: Job, tag: int) -> None:
        """Add a queued job."""
        self.queue.enter(job, tag)
        self.delayed.put(job.id, job.ready_at)
        self.since.put(job.id, job.ready_at)

    def leave(self, job_id: str) -> None:
        """Take a job out."""
        for ranking in (self.ready, self.delayed, self.since):
            ranking.drop(job_id)
        self.queue.leave(job_id)
