"""An old release and a new one at once: the schema gains a column under processes that run."""

import json
import os
import threading
from pathlib import Path

import psycopg
import pytest

from kinesphere.adapters import migrations
from kinesphere.core.jobs import EventKind
from tests.chaos.rig import UPGRADING, Rig, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"

def upgrade() -> None:
    op.add_column("jobs", sa.Column("invented", sa.Text))
"""


def test_a_column_is_added_while_the_release_before_runs(cluster: Rig, tmp_path: Path) -> None:
    head = f"{int(migrations.HEAD) + 1:04d}"
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "next.py").write_text(NEXT.format(revision=head, head=migrations.HEAD))
    with cluster.case("a migration beside the release before it") as row:
        stop = threading.Event()

        def ask() -> None:
            while not stop.wait(0.1):
                cluster.submit()

        user = threading.Thread(target=ask)
        user.start()
        try:
            _upgrade(cluster, versions, head)
            row.strikes += 1
            # A process of the release before starts beside it, as after a crash.
            worker = cluster.workers[0].process
            worker.kill()
            worker.start()
            worker.said("replica_ready")
            _written_by_the_next_release(cluster)
        finally:
            stop.set()
            user.join()
        row.seconds.append(cluster.ended([cluster.submit() for _ in range(3)]))
    jobs, _, _ = cluster.everything()
    assert all(job.state.value != "failed" for job in jobs.values() if job.model != "poison")


def _upgrade(rig: Rig, versions: Path, head: str) -> None:
    """Run the revision as `migrations.upgrade` would, from a folder that also has the next one."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    config = Config()
    ours = Path(migrations.__file__).parent
    config.set_main_option("script_location", str(ours))
    config.set_main_option("version_locations", f"{ours / 'versions'}{os.pathsep}{versions}")
    config.set_main_option("path_separator", "os")
    engine = create_engine(rig.made.postgres.url)
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADING})"))
        config.attributes["connection"] = connection
        command.upgrade(config, head)
    engine.dispose()
    assert rig.rows("SELECT version_num FROM alembic_version") == [(head,)]


def _written_by_the_next_release(rig: Rig) -> None:
    """Give a waiting job what only a later release knows, and see it done by this one."""
    for _ in range(12):
        # More than the workers take at once.
        rig.submit()
    found: list[str] = []

    def rewritten() -> bool:
        with psycopg.connect(rig.made.postgres.url.replace("+psycopg", "", 1)) as connection:
            row = connection.execute(
                "SELECT id, document FROM jobs WHERE state = 'queued' ORDER BY id DESC LIMIT 1 "
                "FOR UPDATE SKIP LOCKED"
            ).fetchone()
            if row is None:
                return False
            document = json.dumps(json.loads(row[1]) | {"invented": "x"})
            connection.execute(
                "UPDATE jobs SET document = %s, invented = 'x' WHERE id = %s", (document, row[0])
            )
            found.append(str(row[0]))
            return True

    until(rewritten, "a job waits")
    (job_id,) = found
    rig.ended([job_id])
    assert rig.happened(job_id, EventKind.SUCCEEDED)
