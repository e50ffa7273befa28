"""Which replicas there are and who leads, kept beside the ledger; both lapse unless renewed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from kinesphere.adapters.sql import schema
from kinesphere.core.replicas import Status

if TYPE_CHECKING:
    from kinesphere.adapters.sql.transaction import Transaction

FORGOTTEN_AFTER: Final = 3_600.0
"""Seconds after which the row of a replica that did not say goodbye is deleted."""

_REPLICAS: Final = schema.replicas.c
_LEADERS: Final = schema.leaders.c
Result = TypeVar("Result")

PRESENT: Final = select(_REPLICAS.document, _REPLICAS.told_at, _REPLICAS.seen_at).where(
    _REPLICAS.seen_at > bindparam("since")
)
GONE: Final = delete(schema.replicas).where(
    _REPLICAS.worker.in_(
        select(_REPLICAS.worker)
        .where(_REPLICAS.seen_at <= bindparam("since"))
        .with_for_update(skip_locked=True)
    )
)
LEADER: Final = select(_LEADERS.holder).where(
    _LEADERS.office == bindparam("office"), _LEADERS.until > bindparam("now")
)


class _Write(Protocol):
    def __call__(self, run: "Callable[[Transaction], Result]") -> Awaitable[Result]: ...


class _Read(Protocol):
    def __call__(self, read: Callable[[Connection], Result]) -> Awaitable[Result]: ...


class SqlPresence:
    """See `kinesphere.ports.Presence`. Reads and writes as the ledger that it belongs to.

    A process's own clock may be wrong, so ages travel, not times.
    """

    def __init__(self, write: _Write, read: _Read, now: Callable[[Connection], float]) -> None:
        self._write = write
        self._read = read
        self._now = now

    async def announce(self, statuses: Sequence[Status], now: float) -> None:
        """See the port."""
        rows: list[dict[str, object]] = [
            {
                "worker": status.worker,
                "document": msgspec.json.encode(status).decode(),
                "told_at": now,
            }
            for status in sorted(statuses, key=attrgetter("worker"))
        ]

        def announce(transaction: "Transaction") -> None:
            here = transaction.now()
            for row in rows:
                _upsert(transaction.connection, {**row, "seen_at": here})

        await self._write(announce)

    async def withdraw(self, workers: Sequence[str]) -> None:
        """See the port."""
        statement = delete(schema.replicas).where(_REPLICAS.worker.in_(workers))

        def withdraw(transaction: "Transaction") -> None:
            transaction.connection.execute(statement)

        await self._write(withdraw)

    async def present(self, seconds: float, now: float) -> tuple[Status, ...]:
        """See the port."""

        def present(connection: Connection) -> tuple[Status, ...]:
            here = self._now(connection)
            rows = connection.execute(PRESENT, {"since": here - seconds})
            return tuple(_aged(row.document, row.told_at, here - row.seen_at, now) for row in rows)

        return await self._read(present)

    async def lead(self, office: str, holder: str, seconds: float) -> bool:
        """See the port."""

        def lead(transaction: "Transaction") -> bool:
            here = transaction.now()
            connection = transaction.connection
            connection.execute(GONE, {"since": here - FORGOTTEN_AFTER})
            table = schema.leaders
            statement = _insert(connection, table).values(
                office=office, holder=holder, until=here + seconds
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[table.c.office],
                    set_={"holder": holder, "until": here + seconds},
                    where=(table.c.until <= here) | (table.c.holder == holder),
                )
            )
            found = connection.execute(LEADER, {"office": office, "now": here}).scalar()
            return bool(found == holder)

        return await self._write(lead)


def _insert(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def _upsert(connection: Connection, row: dict[str, object]) -> None:
    statement = _insert(connection, schema.replicas).values(row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[_REPLICAS.worker],
            set_={name: value for name, value in row.items() if name != "worker"},
        )
    )


def _aged(document: str, told_at: float, age: float, now: float) -> Status:
    """The status as it must be by now, in the reader's time."""
    status = msgspec.json.decode(document, type=Status)
    return replace(
        status,
        since=now - age - (told_at - status.since),
        free_in=max(0.0, status.free_in - age),
        remaining={job: max(0.0, left - age) for job, left in status.remaining.items()},
    )
