"""What the ledger in memory knows of shared runs: who answers, who follows, who lists what."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence

from kinesphere.core.jobs import Job
from kinesphere.core.sharing import answers, freed, lent, maker, own_bytes


class SharedRuns:
    """Kept up to date by `seen`, which is told of every change.

    Attributes:
        answering: The job that answers for a content.
        loans: By key of a file, the jobs that list it though another has made it.
        bytes: Size of the files that jobs list, each counted once.
    """

    def __init__(self) -> None:
        self.answering: dict[str, str] = {}
        self.loans: defaultdict[str, set[str]] = defaultdict(set)
        self.bytes = 0
        self._followers: defaultdict[str, list[str]] = defaultdict(list)

    def followers(self, leader: str) -> Sequence[str]:
        """Ids of those who wait for a job's run, the oldest first."""
        return tuple(self._followers.get(leader, ()))

    def seen(self, before: Job | None, after: Job) -> None:
        """Take note of a job that is new or was changed."""
        self._follow(None if before is None else before.leader, after)
        if before is None or before.artifacts is not after.artifacts:
            for key in lent(after):
                self.loans[key].add(after.id)
            self.bytes += own_bytes(after) - (0 if before is None else own_bytes(before))
        said = answers(before, after)
        if said:
            self.answering[after.content] = after.id
        elif said is False and self.answering.get(after.content) == after.id:
            del self.answering[after.content]

    def _follow(self, left: str | None, job: Job) -> None:
        if left == job.leader:
            return
        if left is not None:
            known = self._followers[left]
            del known[bisect_left(known, job.id)]
            if not known:
                del self._followers[left]
        if job.leader is not None:
            insort(self._followers[job.leader], job.id)

    def freed(self, forgotten: Sequence[Job], kept: Mapping[str, Job]) -> tuple[Job, ...]:
        """Jobs that were taken out of `kept`, each with only those files that go with it."""
        for job in forgotten:
            if self.answering.get(job.content) == job.id:
                del self.answering[job.content]
            for key in lent(job):
                self.loans[key].discard(job.id)
                if not self.loans[key]:
                    del self.loans[key]
        keys = {a.key for job in forgotten for a in job.artifacts}
        makers = (kept[i] for i in {maker(key) for key in keys} if i in kept)
        listed = {a.key for job in makers for a in job.artifacts} | (keys & self.loans.keys())
        gone = freed(forgotten, listed)
        self.bytes -= sum(f.size for job in gone for f in (*job.inputs, *job.artifacts))
        return gone
