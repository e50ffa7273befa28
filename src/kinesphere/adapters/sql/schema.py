"""The tables of the ledger.

A job is one JSON document; the columns beside it repeat what queries select and order by. Every
query of the ledger is served by a key or an index below, and none of them grows with the jobs that
have ended. Names are compared byte by byte.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    literal_column,
)

metadata: Final = MetaData()

jobs: Final = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("state", Text, nullable=False),
    # HIGHEST_PRIORITY minus the priority: so the order of claims ascends in every column.
    Column("urgency", SmallInteger, nullable=False),
    Column("tag", BigInteger, nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("ready_at", Double, nullable=False),
    Column("deadline", Double),
    Column("worker", Text),
    Column("lease_until", Double),
    Column("finished_at", Double),
    Column("document", Text, nullable=False),
)

# The literals are part of the conditions of partial indexes: a bound value would not match them.
QUEUED: Final = jobs.c.state == literal_column("'queued'")
RUNNING: Final = jobs.c.state == literal_column("'running'")


# They begin with the state all the same: else SQLite takes jobs_by_state, and sorts what it finds.
def _partial(name: str, *columns: str, where: object) -> None:
    Index(name, *(jobs.c[column] for column in columns), sqlite_where=where, postgresql_where=where)


_partial(
    "jobs_to_claim",
    *("state", "pool", "urgency", "tag", "id", "ready_at", "deadline", "alone"),
    where=QUEUED,
)
_partial("jobs_waiting", "state", "pool", "ready_at", "deadline", where=QUEUED)
_partial("jobs_to_expire", "state", "deadline", "id", where=QUEUED & jobs.c.deadline.is_not(None))
_partial("jobs_to_reap", "state", "lease_until", "id", where=RUNNING)
_partial("jobs_to_forget", "finished_at", "id", where=jobs.c.finished_at.is_not(None))
Index("jobs_by_user", jobs.c.user, jobs.c.id)
Index("jobs_by_state", jobs.c.state, jobs.c.id)

events: Final = Table(
    "events",
    metadata,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("job_id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("events_by_job", "job_id", "seq"),
)

# One row. Its seq never goes back, though the events that had it may be forgotten.
head: Final = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

tallies: Final = Table(
    "tallies",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("jobs", BigInteger, nullable=False),
)

lanes: Final = Table(
    "lanes",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("virtual", BigInteger, nullable=False),
)

finishes: Final = Table(
    "finishes",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("user", Text, primary_key=True),
    Column("tag", BigInteger, nullable=False),
    Index("finishes_by_tag", "pool", "priority", "tag"),
)

keys: Final = Table(
    "keys",
    metadata,
    # The user and the key, as a JSON array: one column, so that many are looked up at once.
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("keys_by_job", "job_id"),
)
