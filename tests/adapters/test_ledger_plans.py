"""Every query of the SQL ledger is served by an index, however many jobs it keeps."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Executable, event, select

from kinesphere.adapters import migrations
from kinesphere.adapters.sql import operations, places, readings, remembered, schema, transaction
from kinesphere.adapters.sql.engines import create_writer
from kinesphere.core.jobs import State
from kinesphere.ports import JobQuery

LISTS = {
    "all": JobQuery(),
    "all after": JobQuery(before="x"),
    "user": JobQuery(user="u"),
    "user after": JobQuery(user="u", before="x", states=(State.QUEUED, State.RUNNING)),
    "user, task, model": JobQuery(user="u", task="motion", model="m"),
    "states": JobQuery(states=(State.FAILED, State.EXPIRED)),
    "states after": JobQuery(states=(State.FAILED,), before="x"),
}
QUERIES: dict[str, Executable] = {
    "claim": operations.TO_CLAIM,
    "claim together": operations.TO_CLAIM_TOGETHER,
    "reap": operations.TO_REAP,
    "expire": operations.TO_EXPIRE,
    "forget": operations.TO_FORGET,
    "load": transaction.LOAD,
    "virtual": places.VIRTUAL,
    "finishes": places.FINISHES,
    "known": remembered.KNOWN,
    "leads": transaction.LEADS,
    "answering": readings.ANSWERING,
    "followers": transaction.FOLLOWERS,
    "lent": transaction.LENT,
    "passed": places.PASSED,
    "get": readings.GET,
    "open": readings.OPEN,
    "ended": readings.ENDED,
    "oldest": readings.OLDEST,
    "loads": readings.LOADS,
    "standing": readings.STANDING,
    "before": readings.BEFORE,
    "later": readings.LATER,
    "events": readings.EVENTS,
    "events of a job": readings.EVENTS_OF_JOB,
    **{
        f"list {name} {i}": statement.limit(50)
        for name, query in LISTS.items()
        for i, statement in enumerate(readings.find_statements(query))
    },
}
PARAMETERS: dict[str, Any] = {
    "ids": ["a", "b"],
    "content": "a",
    "contents": ["a", "b"],
    "keys": ["a", "b"],
    "leader": "a",
    "since": 1.0,
    "users": ["a", "b"],
    "names": ["a", "b"],
    "pool": "p",
    "priority": 5,
    "urgency": 4,
    "tag": 7,
    "user": "u",
    "virtual": 1,
    "now": 1.0,
    "before": 1.0,
    "after": 0,
    "id": "a",
    "job_id": "a",
    "prefix": "a",
    "limit": 10,
}
WALKED = {"list all 0": ["SCAN jobs USING INDEX sqlite_autoindex_jobs_1"]}
"""Queries that walk along an index and stop at their limit."""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = create_writer(f"sqlite:///{tmp_path}/ledger.db")
    migrations.upgrade(engine)
    return engine


def plan(engine: Engine, statement: Executable) -> list[str]:
    """The plan of the statement as it really reaches the database."""
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        steps.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", parameters))

    event.listen(engine, "before_cursor_execute", explain)
    with engine.connect() as connection:
        steps.clear()
        connection.execute(statement, PARAMETERS)
    return steps


@pytest.mark.parametrize("name", QUERIES)
def test_an_index_serves(engine: Engine, name: str) -> None:
    steps = plan(engine, QUERIES[name])
    assert steps
    if WALKED.get(name) == steps:
        return
    for step in steps:
        # What is scanned last is what a search before it has found, and no more than its limit.
        allowed = (
            "SEARCH", "LIST SUBQUERY", "SCALAR SUBQUERY", "CO-ROUTINE", "SCAN CONSTANT ROW",
            "SCAN anon",
        )  # fmt: skip
        assert step.startswith(allowed), steps


def test_a_claim_is_served_by_its_index_alone(engine: Engine) -> None:
    (step,) = plan(engine, operations.TO_CLAIM)
    assert step == "SEARCH jobs USING INDEX jobs_to_claim (state=? AND pool=?)"


def test_recovery_looks_at_running_jobs_only(engine: Engine) -> None:
    assert plan(engine, operations.TO_RECOVER) == [
        "SEARCH jobs USING INDEX jobs_by_state (state=?)"
    ]


@pytest.mark.parametrize("way", ["at once", "step by step"])
def test_migrations_make_the_schema(tmp_path: Path, way: str) -> None:
    engine = create_writer(f"sqlite:///{tmp_path}/ledger.db")
    if way == "step by step":
        with engine.begin() as connection:
            migrations.step(connection)
    migrations.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, schema.metadata) == []
        assert migrations.revision(connection) == migrations.HEAD
        assert connection.execute(select(schema.head)).all() == [(1, 0, 0)]


def test_the_head_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_an_upgrade_of_what_is_new_does_nothing(engine: Engine) -> None:
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT seq FROM head").scalars().all() == [0]
