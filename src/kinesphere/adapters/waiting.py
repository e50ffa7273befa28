"""What the ledger in memory knows of waiting jobs: their fair order, and when they are due."""

from dataclasses import dataclass, field

from kinesphere.adapters.ranking import Ranking
from kinesphere.core.fairness import COST, start_tag
from kinesphere.core.jobs import Job


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


@dataclass
class Waiting:
    """The queued jobs of one pool.

    Attributes:
        ready: By (-priority, tag).
        delayed: Those not yet known to be ready, by `ready_at`.
        since: Every queued job, by `ready_at`.
    """

    ready: Ranking[tuple[int, int]] = field(default_factory=Ranking)
    delayed: Ranking[float] = field(default_factory=Ranking)
    since: Ranking[float] = field(default_factory=Ranking)

    def enter(self, job: Job) -> None:
        """Add a queued job."""
        self.delayed.put(job.id, job.ready_at)
        self.since.put(job.id, job.ready_at)

    def leave(self, job_id: str) -> None:
        """Take a job out."""
        for ranking in (self.ready, self.delayed, self.since):
            ranking.drop(job_id)
