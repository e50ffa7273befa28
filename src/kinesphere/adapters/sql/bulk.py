"""The statements that write many rows, compiled once a dialect.

They go to the driver as they are (see `direct`): this is where a ledger under load spends its time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from operator import add, itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table, bindparam, case, update
from sqlalchemy.sql.dml import UpdateBase

from kinesphere.adapters.sql import direct, schema

Rows = Sequence[Mapping[str, Any]]

_FIXED: Final = frozenset({"id", "user", "task", "model"})


class _Statement:
    def __init__(self, statement: UpdateBase, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._values = itemgetter(*compiled.positiontup) if compiled.positiontup else None

    def __call__(self, connection: Connection, rows: Rows) -> int:
        """How many rows were written."""
        if not rows:
            return 0
        values = list(rows) if self._values is None else list(map(self._values, rows))
        return direct.write(connection, self._text, values)


class Bulk:
    """Each statement takes a connection and rows, mappings by column name.

    Attributes:
        add: Insert jobs.
        change: Write what can change of jobs.
        tell: Insert events.
        lend: Insert loans.
        remember: Insert idempotency keys, in the place of those that were made by `since`, which
            are known no more; others are left, and not counted as written.
        count: Add `jobs` and their `weight` to tallies.
        advance: Set the virtual time of lanes, unless it is later already.
        place: Set finish tags.
    """

    def __init__(self, dialect: Dialect) -> None:
        # PostgreSQL's dialect takes 30 ms to import, which SQLite should not pay for.
        insert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert

        def upsert(
            table: Table,
            *columns: str,
            value: Callable[[Any, Any], Any] = _replaced,
            where: Any = None,
        ) -> UpdateBase:
            new = insert(table)
            values = {name: value(table.c[name], new.excluded[name]) for name in columns}
            statement: UpdateBase = new.on_conflict_do_update(
                index_elements=list(table.primary_key), set_=values, where=where
            )
            return statement

        self.add = _Statement(insert(schema.jobs), dialect)
        self.change = _Statement(_change(), dialect)
        self.tell = _Statement(insert(schema.events), dialect)
        self.lend = _Statement(insert(schema.loans), dialect)
        forgotten = schema.keys.c.created_at <= bindparam("since")
        keys = upsert(schema.keys, "digest", "job_id", "created_at", where=forgotten)
        self.remember = _Statement(keys, dialect)
        self.count = _Statement(upsert(schema.tallies, "jobs", "weight", value=add), dialect)
        self.advance = _Statement(upsert(schema.lanes, "virtual", value=_larger), dialect)
        self.place = _Statement(upsert(schema.finishes, "tag"), dialect)


def _replaced(_old: Any, new: Any) -> Any:
    return new


def _larger(old: Any, new: Any) -> Any:
    return case((new > old, new), else_=old)


def _change() -> UpdateBase:
    jobs = schema.jobs
    changing = [column.name for column in jobs.c if column.name not in _FIXED]
    values: dict[str, Any] = {name: bindparam(name) for name in changing}
    return update(jobs).where(jobs.c.id == bindparam("id")).values(values)


@cache
def bulk(dialect: Dialect) -> Bulk:
    """The statements for this dialect, SQLite's or PostgreSQL's."""
    return Bulk(dialect)
