"""The statements that write many rows, compiled once a dialect.

SQLAlchemy would examine the parameters of every row again; they are plain values already, and this
is where a ledger under load spends its time.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table, bindparam, delete, update
from sqlalchemy.sql.dml import UpdateBase

from kinesphere.adapters.sql import schema

Rows = Sequence[Mapping[str, Any]]

_FIXED: Final = frozenset({"id", "user", "task", "model"})
_FINISHES: Final = schema.finishes.c


class _Statement:
    def __init__(self, statement: UpdateBase, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._values = itemgetter(*compiled.positiontup) if compiled.positiontup else None

    def __call__(self, connection: Connection, rows: Rows) -> None:
        if not rows:
            return
        values = list(rows) if self._values is None else list(map(self._values, rows))
        connection.exec_driver_sql(self._text, values)


class Bulk:
    """Each statement takes a connection and rows, mappings by column name.

    Attributes:
        add: Insert jobs.
        change: Write what can change of jobs.
        tell: Insert events.
        lend: Insert loans.
        remember: Insert idempotency keys, in the place of those that are known no more.
        count: Add `jobs` and their `weight` to tallies.
        advance: Set the virtual time of lanes.
        pass_by: Delete finish tags that a lane's `virtual` time has reached.
        place: Set finish tags.
    """

    def __init__(self, dialect: Dialect) -> None:
        # PostgreSQL's dialect takes 30 ms to import, which SQLite should not pay for.
        insert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert

        def upsert(table: Table, *columns: str, adding: bool = False) -> UpdateBase:
            new = insert(table)
            values = {
                column: table.c[column] + new.excluded[column] if adding else new.excluded[column]
                for column in columns
            }
            statement: UpdateBase = new.on_conflict_do_update(
                index_elements=list(table.primary_key), set_=values
            )
            return statement

        self.add = _Statement(insert(schema.jobs), dialect)
        self.change = _Statement(_change(), dialect)
        self.tell = _Statement(insert(schema.events), dialect)
        self.lend = _Statement(insert(schema.loans), dialect)
        self.remember = _Statement(upsert(schema.keys, "digest", "job_id", "created_at"), dialect)
        self.count = _Statement(upsert(schema.tallies, "jobs", "weight", adding=True), dialect)
        self.advance = _Statement(upsert(schema.lanes, "virtual"), dialect)
        self.pass_by = _Statement(PASSED, dialect)
        self.place = _Statement(upsert(schema.finishes, "tag"), dialect)


def _change() -> UpdateBase:
    jobs = schema.jobs
    changing = [column.name for column in jobs.c if column.name not in _FIXED]
    values: dict[str, Any] = {name: bindparam(name) for name in changing}
    return update(jobs).where(jobs.c.id == bindparam("id")).values(values)


PASSED: Final = delete(schema.finishes).where(
    _FINISHES.pool == bindparam("pool"),
    _FINISHES.priority == bindparam("priority"),
    _FINISHES.tag <= bindparam("virtual"),
)


@cache
def bulk(dialect: Dialect) -> Bulk:
    """The statements for this dialect, SQLite's or PostgreSQL's."""
    return Bulk(dialect)
