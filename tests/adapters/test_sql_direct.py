"""Statements that the driver runs itself: the same rows and errors as SQLAlchemy's."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, bindparam, create_engine, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from kinesphere.adapters.sql import direct, schema
from tests.postgres import postgres

_C = schema.events.c
LISTED = (
    select(_C.seq, _C.kind)
    .where(_C.seq.in_(bindparam("ids", expanding=True)), _C.kind != "none", _C.at > bindparam("at"))
    .order_by(_C.seq)
    .limit(5)
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """In a transaction, with seven events."""
    folder = tmp_path_factory.mktemp("direct")
    sqlite = request.param == "sqlite"
    engine = create_engine(
        f"sqlite:///{folder}/db" if sqlite else request.getfixturevalue("server")
    )
    schema.metadata.create_all(engine)
    with engine.connect() as made:
        rows = [
            {"seq": i, "job_id": "j", "at": float(i), "kind": f"k{i}", "data": "{}"}
            for i in range(7)
        ]
        made.execute(schema.events.insert(), rows)
        yield made
    engine.dispose()


@pytest.mark.parametrize("ids", [[1], [3, 1], [0, 1, 2, 3, 4, 5, 6], [99]])
def test_rows_are_those_of_sqlalchemy(connection: Connection, ids: list[int]) -> None:
    values = {"ids": ids, "at": 0.5}
    expected = [tuple(row) for row in connection.execute(LISTED, values)]
    for _ in range(2):
        found = direct.rows(connection, LISTED, values)
        assert [tuple(row) for row in found] == expected
        assert [row.kind for row in found] == [kind for _, kind in expected]
    first = direct.first(connection, LISTED, values)
    assert (first and tuple(first)) == (expected[0] if expected else None)
    assert direct.scalar(connection, LISTED, values) == (expected[0][0] if expected else None)


def test_hand_written_sql_takes_values_by_name(connection: Connection) -> None:
    statement = text("SELECT kind FROM events WHERE seq = :seq")
    assert direct.scalar(connection, statement, {"seq": 4}) == "k4"


def test_a_broken_constraint_is_said_without_the_values(connection: Connection) -> None:
    insert = "INSERT INTO events (seq, job_id, at, kind, data) VALUES (1, {0}, 1.0, 'k', {0})"
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    with pytest.raises(IntegrityError) as raised:
        direct.write(connection, insert.format(place), [("secret", "secret")])
    assert "INSERT INTO events" in str(raised.value)
    assert "'secret'" not in str(raised.value)


def test_a_statement_that_fails_is_a_database_error(connection: Connection) -> None:
    with pytest.raises((OperationalError, StatementError)):
        direct.rows(connection, text("SELECT nothing FROM nowhere"))
