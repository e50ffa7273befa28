"""Releases beside the ledger, in its database and by its writer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select, update

from kinesphere.adapters.sql import schema
from kinesphere.core.rollout import Release

if TYPE_CHECKING:
    from kinesphere.adapters.sql.transaction import Transaction

_BEGINNING: Final = 0x4B696E67
"""The lock of whoever begins a release: of each task at most one is open."""

_C: Final = schema.releases.c
Result = TypeVar("Result")

OPEN: Final = select(_C.id).where(_C.task == bindparam("task"), _C.over.is_(False)).limit(1)
LAST_EVENT: Final = select(schema.head.c.seq)
LATEST: Final = select(_C.task, _C.document).where(
    _C.id.in_(select(func.max(_C.id)).group_by(_C.task))
)
SAVE: Final = update(schema.releases).where(
    _C.id == bindparam("release"), _C.version == bindparam("before")
)


class _Write(Protocol):
    def __call__(self, run: "Callable[[Transaction], Result]") -> Awaitable[Result]: ...


class _Read(Protocol):
    def __call__(self, read: Callable[[Connection], Result]) -> Awaitable[Result]: ...


class SqlReleases:
    """See `kinesphere.ports.Releases`. Reads and writes as the ledger that it belongs to."""

    def __init__(self, write: _Write, read: _Read) -> None:
        self._write = write
        self._read = read

    async def begin(self, release: Release) -> Release | None:
        """See the port."""

        def begin(transaction: "Transaction") -> Release | None:
            transaction.exclude(_BEGINNING)
            connection = transaction.connection
            if connection.execute(OPEN, {"task": release.task}).first() is not None:
                return None
            begun = replace(release, cursor=int(connection.execute(LAST_EVENT).scalar_one()))
            row = {"id": begun.id, "task": begun.task, **_columns(begun)}
            connection.execute(insert(schema.releases), row)
            return begun

        return await self._write(begin)

    async def save(self, release: Release) -> bool:
        """See the port."""
        which = {"release": release.id, "before": release.version - 1}

        def save(transaction: "Transaction") -> bool:
            statement = SAVE.values(_columns(release))
            return transaction.connection.execute(statement, which).rowcount == 1

        return await self._write(save)

    async def current(self) -> Mapping[str, Release]:
        """See the port."""

        def current(connection: Connection) -> Mapping[str, Release]:
            return {
                row.task: msgspec.json.decode(row.document, type=Release)
                for row in connection.execute(LATEST)
            }

        return await self._read(current)


def _columns(release: Release) -> dict[str, object]:
    return {
        "version": release.version,
        "over": release.over,
        "document": msgspec.json.encode(release).decode(),
    }
