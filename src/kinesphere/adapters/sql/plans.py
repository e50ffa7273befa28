"""The scaler's plans in the ledger's database: one row a pool, the last one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from kinesphere.adapters.sql import schema
from kinesphere.core.scaling.division import Standing
from kinesphere.core.scaling.values import Memory
from kinesphere.ports import Planned

if TYPE_CHECKING:
    from kinesphere.adapters.sql.transaction import Transaction

Result = TypeVar("Result")

LATEST: Final = select(schema.plans)


class _Write(Protocol):
    def __call__(self, run: "Callable[[Transaction], Result]") -> Awaitable[Result]: ...


class _Read(Protocol):
    def __call__(self, read: Callable[[Connection], Result]) -> Awaitable[Result]: ...


class SqlPlans:
    """See `kinesphere.ports.Plans`. Reads and writes as the ledger that it belongs to."""

    def __init__(self, write: _Write, read: _Read) -> None:
        self._write = write
        self._read = read

    async def store(self, plans: Sequence[Planned]) -> None:
        """See the port."""
        rows = [_row(planned) for planned in plans]

        def store(transaction: "Transaction") -> None:
            connection = transaction.connection
            kind = sqlite if connection.dialect.name == "sqlite" else postgresql
            for row in rows:
                statement = kind.insert(schema.plans).values(row)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[schema.plans.c.pool],
                        set_={name: value for name, value in row.items() if name != "pool"},
                    )
                )

        await self._write(store)

    async def latest(self) -> Mapping[str, Planned]:
        """See the port."""

        def latest(connection: Connection) -> Mapping[str, Planned]:
            return {
                row["pool"]: Planned(
                    **{
                        **row,
                        "memory": msgspec.json.decode(row["memory"], type=Memory),
                        "tiers": msgspec.json.decode(row["tiers"], type=dict[str, int]),
                        "standing": msgspec.json.decode(row["standing"], type=Standing),
                    }
                )
                for row in connection.execute(LATEST).mappings()
            }

        return await self._read(latest)


def _row(planned: Planned) -> dict[str, object]:
    return {
        "pool": planned.pool,
        "replicas": planned.replicas,
        "recommended": planned.recommended,
        "reason": planned.reason,
        "policy": planned.policy,
        "tier": planned.tier,
        "tiers": msgspec.json.encode(dict(planned.tiers)).decode(),
        "at": planned.at,
        "memory": msgspec.json.encode(planned.memory).decode(),
        "standing": msgspec.json.encode(planned.standing).decode(),
    }
