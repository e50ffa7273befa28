"""The events of one transaction: numbered and stored when it is about to commit."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeAlias

from sqlalchemy import Connection, bindparam, text, update

from kinesphere.adapters.sql import direct, schema
from kinesphere.adapters.sql.bulk import bulk
from kinesphere.adapters.sql.outbox import enter
from kinesphere.adapters.sql.rows import record_row
from kinesphere.core.jobs import Event, Job
from kinesphere.ports import Record

ADVANCE: Final = (
    update(schema.head)
    .values(
        seq=schema.head.c.seq + bindparam("number"), bytes=schema.head.c.bytes + bindparam("more")
    )
    .returning(schema.head.c.seq)
)

# PostgreSQL's. One statement, since no other transaction can tell anything from here to the commit.
TELL: Final = text("""
    WITH advanced AS (
        UPDATE head SET seq = seq + :number, bytes = bytes + :more RETURNING seq
    ), told AS (
        INSERT INTO events (seq, job_id, at, kind, data)
        SELECT advanced.seq - :number + new.place, new.job_id, new.at, new.kind, new.data
        FROM advanced, unnest(
            CAST(:job_ids AS text[]), CAST(:ats AS double precision[]), CAST(:kinds AS text[]),
            CAST(:datas AS text[])
        ) WITH ORDINALITY AS new (job_id, at, kind, data, place)
    )
    SELECT seq FROM advanced
""")

_Happening: TypeAlias = tuple[str, float, Event]
_COLUMNS: Final = ("job_id", "at", "kind", "data")


class Telling:
    """What happened in a transaction, and how much more is stored because of it.

    Attributes:
        records: The events stored so far, in order.
        more_bytes: By how much all files of all jobs have grown, less what was removed.
    """

    def __init__(self, connection: Connection, shared: bool) -> None:
        self.records: list[Record] = []
        self.more_bytes = 0
        self._connection = connection
        self._bulk = bulk(connection.dialect)
        self._shared = shared
        self._happened: list[_Happening] = []

    def happened(self, job_id: str, now: float, events: Sequence[Event]) -> None:
        """Take note of what happened to a job."""
        self._happened += [(job_id, now, event) for event in events]

    def concerns(self, job_ids: Collection[str]) -> bool:
        """Whether something of these jobs is not stored yet."""
        return any(job_id in job_ids for job_id, _, _ in self._happened)

    def flush(self, stored: Callable[[str], Job]) -> None:
        """Number and store all of it, and owe the webhooks of `stored` jobs that ended."""
        if not self._happened and not self.more_bytes:
            return
        happened, self._happened = self._happened, []
        advanced = {"number": len(happened), "more": self.more_bytes}
        self.more_bytes = 0
        tell = self._tell_at_once if self._shared else self._tell
        last = tell(advanced, happened)
        records = [
            Record(seq, job_id, at, event, stored(job_id))
            for seq, (job_id, at, event) in enumerate(happened, last - len(happened) + 1)
        ]
        enter(self._connection, records)
        self.records += records

    def _tell(self, advanced: Mapping[str, int], happened: Sequence[_Happening]) -> int:
        last = int(direct.scalar(self._connection, ADVANCE, advanced))
        first = last - len(happened) + 1
        rows = [record_row(seq, *each) for seq, each in enumerate(happened, first)]
        self._bulk.tell(self._connection, rows)
        return last

    def _tell_at_once(self, advanced: Mapping[str, int], happened: Sequence[_Happening]) -> int:
        rows = [record_row(0, *each) for each in happened]
        columns = {f"{name}s": [row[name] for row in rows] for name in _COLUMNS}
        return int(direct.scalar(self._connection, TELL, {**advanced, **columns}))
