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
    # HIGHEST_PRIORITY minus the precedence: so the order of claims ascends in every column.
    Column("urgency", SmallInteger, nullable=False),
    Column("tag", BigInteger, nullable=False),
    Column("weight", Double, nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("ready_at", Double, nullable=False),
    Column("deadline", Double),
    Column("worker", Text),
    Column("lease_until", Double),
    Column("finished_at", Double),
    Column("leader", Text),
    # The content that this job answers for: see kinesphere.core.sharing.answers.
    Column("answers", Text),
    Column("document", Text, nullable=False),
)

# The literals are part of the conditions of partial indexes: a bound value would not match them.
QUEUED: Final = jobs.c.state == literal_column("'queued'")
RUNNING: Final = jobs.c.state == literal_column("'running'")
OPEN: Final = jobs.c.finished_at.is_(None)
IN_LINE: Final = QUEUED & jobs.c.leader.is_(None)


# They begin with the state all the same: else SQLite takes jobs_by_state, and sorts what it finds.
def _partial(name: str, *columns: str, where: object, unique: bool = False) -> None:
    on = [jobs.c[column] for column in columns]
    Index(name, *on, unique=unique, sqlite_where=where, postgresql_where=where)


_partial(
    "jobs_to_claim",
    *("state", "pool", "urgency", "tag", "id", "ready_at", "deadline", "alone", "weight"),
    where=IN_LINE,
)
_partial("jobs_waiting", "state", "pool", "ready_at", "deadline", where=IN_LINE)
_partial("jobs_to_expire", "state", "deadline", "id", where=QUEUED & jobs.c.deadline.is_not(None))
_partial("jobs_to_reap", "state", "lease_until", "id", where=RUNNING)
_partial("jobs_to_forget", "finished_at", "id", where=jobs.c.finished_at.is_not(None))
_partial("jobs_open", "user", where=OPEN)
_partial("jobs_by_leader", "leader", "id", where=jobs.c.leader.is_not(None))
# One run, and one asset, for each content.
_partial("jobs_answering", "answers", where=jobs.c.answers.is_not(None), unique=True)
Index("jobs_by_user", jobs.c.user, jobs.c.id)
# Lists of one state or task: where it is rare, a walk through all jobs would not find it soon.
Index("jobs_by_user_state", jobs.c.user, jobs.c.state, jobs.c.id)
Index("jobs_by_task", jobs.c.task, jobs.c.id)
Index("jobs_by_user_task", jobs.c.user, jobs.c.task, jobs.c.id)
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

# One row. Its seq never goes back, though the events that had it may be forgotten. Its bytes are
# those of the files that jobs list, each counted once.
head: Final = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

# Files that a job lists though another has made them.
loans: Final = Table(
    "loans",
    metadata,
    Column("key", Text, primary_key=True),
    Column("job_id", Text, primary_key=True),
    Index("loans_by_job", "job_id"),
)

# Each process that writes has rows of its own, by its slot (see `engines`), so that none waits for
# another to count: a tally is the sum of its rows, of which one alone may be below zero.
tallies: Final = Table(
    "tallies",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("jobs", BigInteger, nullable=False),
    Column("weight", Double, nullable=False),
)

# By slot as well; the virtual time of a lane is the largest of its rows.
lanes: Final = Table(
    "lanes",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
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

# One event that is owed to one address; see kinesphere.core.webhooks.Delivery.
deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("attempted_at", Double),
    Column("last_status", Integer),
    Column("last_error", Text, nullable=False),
    Index("deliveries_by_job", "job_id", "at"),
)
PENDING: Final = deliveries.c.state == literal_column("'pending'")
Index(
    "deliveries_due",
    *(deliveries.c[column] for column in ("state", "due_at", "id", "host")),
    sqlite_where=PENDING,
    postgresql_where=PENDING,
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

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    # Names of scopes with a space between.
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("used_at", Double),
    Index("api_keys_by_user", "user", "id"),
)

replicas: Final = Table(
    "replicas",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("told_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Index("replicas_by_time", "seen_at"),
)

leaders: Final = Table(
    "leaders",
    metadata,
    Column("office", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Double, nullable=False),
)

# A release and all that it has seen is one document, so that it is changed as one.
releases: Final = Table(
    "releases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("over", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Index("releases_by_task", "task", "id"),
)

plans: Final = Table(
    "plans",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("replicas", Integer, nullable=False),
    Column("recommended", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("tiers", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("memory", Text, nullable=False),
    Column("standing", Text, nullable=False),
)
