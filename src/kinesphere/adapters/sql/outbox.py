"""The outbox in the ledger's database."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from kinesphere.adapters.sql import schema
from kinesphere.core.webhooks import (
    Answer,
    Delivery,
    DeliveryState,
    Schedule,
    begun,
    owed,
    settled,
)
from kinesphere.ports import Record

if TYPE_CHECKING:
    from kinesphere.adapters.sql.transaction import Transaction

_ROWS: Final = schema.deliveries.c
Result = TypeVar("Result")

DUE: Final = (
    select(schema.deliveries)
    .where(
        schema.PENDING,
        _ROWS.due_at <= bindparam("now"),
        _ROWS.host.not_in(bindparam("full", expanding=True)),
    )
    .order_by(_ROWS.due_at, _ROWS.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
NEXT: Final = (
    select(_ROWS.due_at)
    .where(schema.PENDING, _ROWS.host.not_in(bindparam("full", expanding=True)))
    .order_by(_ROWS.due_at)
    .limit(1)
)
BEGIN: Final = (
    update(schema.deliveries)
    .where(_ROWS.id == bindparam("number"))
    .values(attempts=bindparam("attempts"), held=True, due_at=bindparam("due_at"))
)
LATEST: Final = (
    select(schema.deliveries)
    .where(_ROWS.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(_ROWS.at, _ROWS.id)
)


def enter(connection: Connection, records: Sequence[Record]) -> None:
    """Store what these events, told with their jobs, make us owe."""
    found = (
        owed(r.job, r.event.kind.value, r.seq, r.at)
        for r in records
        if r.job is not None and r.job.webhook
    )
    rows = [_row(delivery) for delivery in found if delivery is not None]
    if rows:
        connection.execute(insert(schema.deliveries), rows)


def forget(connection: Connection, job_ids: Sequence[str]) -> None:
    """Delete what is owed for these jobs."""
    connection.execute(delete(schema.deliveries).where(_ROWS.job_id.in_(job_ids)))


class _Write(Protocol):
    def __call__(self, run: "Callable[[Transaction], Result]") -> Awaitable[Result]: ...


class _Read(Protocol):
    def __call__(self, read: Callable[[Connection], Result]) -> Awaitable[Result]: ...


class SqlOutbox:
    """See `kinesphere.ports.Outbox`. Reads and writes as the ledger that it belongs to."""

    def __init__(self, write: _Write, read: _Read, now: Callable[[Connection], float]) -> None:
        self._write = write
        self._read = read
        self._now = now

    async def claim(
        self, limit: int, lease: float, busy: Mapping[str, int], per_host: int
    ) -> tuple[Delivery, ...]:
        """See the port."""
        return await self._write(
            partial(_claim, limit=limit, lease=lease, busy=dict(busy), per_host=per_host)
        )

    async def settle(
        self, delivery: Delivery, answer: Answer, schedule: Schedule, chance: float
    ) -> Delivery | None:
        """See the port."""

        def run(transaction: "Transaction") -> Delivery | None:
            after = settled(delivery, answer, transaction.now(), schedule, chance)
            return after if _store(transaction, after) else None

        return await self._write(run)

    async def due_in(self, full: Collection[str] = ()) -> float | None:
        """See the port."""

        def read(connection: Connection) -> float | None:
            due_at = connection.execute(NEXT, {"full": list(full)}).scalar()
            return None if due_at is None else max(0.0, due_at - self._now(connection))

        return await self._read(read)

    async def latest(self, job_ids: Collection[str]) -> Mapping[str, Delivery]:
        """See the port."""

        def read(connection: Connection) -> Mapping[str, Delivery]:
            rows = connection.execute(LATEST, {"ids": list(job_ids)}).mappings()
            return {row["job_id"]: _delivery(row) for row in rows}

        return await self._read(read)

    async def release(self) -> int:
        """See the port."""
        return await self._write(_release)


def _claim(
    transaction: "Transaction", limit: int, lease: float, busy: Mapping[str, int], per_host: int
) -> tuple[Delivery, ...]:
    now = transaction.now()
    under_way = Counter(busy)
    taken: list[Delivery] = []
    while len(taken) < limit:
        full = [host for host, number in under_way.items() if number >= per_host]
        parameters = {"now": now, "full": full, "limit": limit - len(taken)}
        due = [_delivery(row) for row in transaction.connection.execute(DUE, parameters).mappings()]
        batch = []
        for delivery in due:
            if under_way[delivery.host] < per_host:
                under_way[delivery.host] += 1
                batch.append(begun(delivery, now, lease))
        if batch:
            values = [{"number": d.id, "attempts": d.attempts, "due_at": d.due_at} for d in batch]
            transaction.connection.execute(BEGIN, values)
        taken += batch
        if len(batch) == len(due):
            break
    return tuple(taken)


def _store(transaction: "Transaction", delivery: Delivery) -> bool:
    mine = (_ROWS.id == delivery.id, _ROWS.attempts == delivery.attempts, schema.PENDING)
    storing = update(schema.deliveries).where(*mine).values(_row(delivery))
    return bool(transaction.connection.execute(storing).rowcount)


def _release(transaction: "Transaction") -> int:
    held = update(schema.deliveries).where(schema.PENDING, _ROWS.held)
    return transaction.connection.execute(
        held.values(held=False, due_at=transaction.now())
    ).rowcount


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "job_id": delivery.job_id,
        "host": delivery.host,
        "url": delivery.url,
        "event": delivery.event,
        "at": delivery.at,
        "state": delivery.state.value,
        "due_at": delivery.due_at,
        "attempts": delivery.attempts,
        "held": delivery.held,
        "attempted_at": delivery.attempted_at,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }


def _delivery(row: RowMapping) -> Delivery:
    fields = {name: value for name, value in row.items() if name != "host"}
    return Delivery(**{**fields, "state": DeliveryState(row["state"])})
