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
        sa.Column("alone", sa.Boolean, nullable=False),
        sa.Column("ready_at", sa.Double, nullable=False),
        sa.Column("deadline", sa.Double),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("document", sa.Text, nullable=False),
    )
    order = ["state", "pool", "urgency", "tag", "id", "ready_at", "deadline", "alone"]
    _index_jobs("jobs_to_claim", order, "state = 'queued'")
    _index_jobs("jobs_waiting", ["state", "pool", "ready_at", "deadline"], "state = 'queued'")
    waits_in_time = "state = 'queued' AND deadline IS NOT NULL"
    _index_jobs("jobs_to_expire", ["state", "deadline", "id"], waits_in_time)
    _index_jobs("jobs_to_reap", ["state", "lease_until", "id"], "state = 'running'")
    _index_jobs("jobs_to_forget", ["finished_at", "id"], "finished_at IS NOT NULL")
    op.create_index("jobs_by_user", "jobs", ["user", "id"])
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
    )
    op.execute(head.insert().values(id=1, seq=0))
    op.create_table(
        "tallies",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("jobs", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "lanes",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("priority", sa.SmallInteger, primary_key=True, autoincrement=False),
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
        "keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("keys_by_job", "keys", ["job_id"])


def _index_jobs(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)
