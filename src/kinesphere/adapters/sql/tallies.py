"""How many jobs there are of each kind, and how much work: counted as they change."""

from collections import Counter, defaultdict

from sqlalchemy import Connection

from kinesphere.adapters.sql.bulk import bulk
from kinesphere.adapters.sql.rows import tallied
from kinesphere.core.jobs import Job

_COLUMNS = ("pool", "model", "state", "priority")


class Tallies:
    """The changes of one transaction. Each writing connection has rows of its own, by its slot."""

    def __init__(self, connection: Connection, slot: int) -> None:
        self._connection = connection
        self._bulk = bulk(connection.dialect)
        self._slot = slot
        self._jobs: Counter[tuple[str, str, str, int]] = Counter()
        self._weights: defaultdict[tuple[str, str, str, int], float] = defaultdict(float)

    def count(self, job: Job, change: int) -> None:
        """One more or one less that is as this job."""
        kind = tallied(job)
        self._jobs[kind] += change
        self._weights[kind] += change * job.weight

    def flush(self) -> None:
        """Store them."""
        rows = [
            {
                **dict(zip(_COLUMNS, kind, strict=True)),
                "slot": self._slot,
                "jobs": jobs,
                "weight": self._weights[kind],
            }
            for kind, jobs in sorted(self._jobs.items())
            if jobs or self._weights[kind]
        ]
        self._bulk.count(self._connection, rows)
        self._jobs.clear()
        self._weights.clear()
