"""The ledger's first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table, and the one row of `head`."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("tag", sa.BigInteger, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("alone", sa.Boolean, nullable=False),
        sa.Column("ready_at", sa.Double, nullable=False),
        sa.Column("deadline", sa.Double),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("leader", sa.Text),
        sa.Column("answers", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
    )
    order = ["state", "pool", "urgency", "tag", "id", "ready_at", "deadline", "alone", "weight"]
    in_line = "state = 'queued' AND leader IS NULL"
    _index_jobs("jobs_to_claim", order, in_line)
    _index_jobs("jobs_waiting", ["state", "pool", "ready_at", "deadline"], in_line)
    waits_in_time = "state = 'queued' AND deadline IS NOT NULL"
    _index_jobs("jobs_to_expire", ["state", "deadline", "id"], waits_in_time)
    _index_jobs("jobs_to_reap", ["state", "lease_until", "id"], "state = 'running'")
    _index_jobs("jobs_to_forget", ["finished_at", "id"], "finished_at IS NOT NULL")
    _index_jobs("jobs_open", ["user"], "finished_at IS NULL")
    _index_jobs("jobs_by_leader", ["leader", "id"], "leader IS NOT NULL")
    _index_jobs("jobs_answering", ["answers"], "answers IS NOT NULL", unique=True)
    op.create_index("jobs_by_user", "jobs", ["user", "id"])
    op.create_index("jobs_by_user_state", "jobs", ["user", "state", "id"])
    op.create_index("jobs_by_task", "jobs", ["task", "id"])
    op.create_index("jobs_by_user_task", "jobs", ["user", "task", "id"])
    op.create_index("jobs_by_state", "jobs", ["state", "id"])
    op.create_table(
        "events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("events_by_job", "events", ["job_id", "seq"])
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.execute(head.insert().values(id=1, seq=0, bytes=0))
    op.create_table(
        "loans",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, primary_key=True),
    )
    op.create_index("loans_by_job", "loans", ["job_id"])
    op.create_table(
        "tallies",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("priority", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("jobs", sa.BigInteger, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
    )
    op.create_table(
        "lanes",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("priority", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("virtual", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "finishes",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("priority", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("tag", sa.BigInteger, nullable=False),
    )
    op.create_index("finishes_by_tag", "finishes", ["pool", "priority", "tag"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("attempted_at", sa.Double),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text, nullable=False),
    )
    op.create_index("deliveries_by_job", "deliveries", ["job_id", "at"])
    pending = sa.text("state = 'pending'")
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["state", "due_at", "id", "host"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_table(
        "keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("keys_by_job", "keys", ["job_id"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("used_at", sa.Double),
    )
    op.create_index("api_keys_by_user", "api_keys", ["user", "id"])
    op.create_table(
        "replicas",
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("told_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.create_index("replicas_by_time", "replicas", ["seen_at"])
    op.create_table(
        "plans",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("replicas", sa.Integer, nullable=False),
        sa.Column("recommended", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("tier", sa.Text, nullable=False),
        sa.Column("tiers", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("memory", sa.Text, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
    )
    op.create_table(
        "leaders",
        sa.Column("office", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("over", sa.Boolean, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("releases_by_task", "releases", ["task", "id"])


def _index_jobs(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(
        name, "jobs", columns, unique=unique, sqlite_where=where, postgresql_where=where
    )
