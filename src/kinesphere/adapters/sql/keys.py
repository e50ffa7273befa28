"""API keys beside the ledger, in the same database, on connections of their own.

So a key can be made by the command line before there is a server, and while one runs; and looking
a key up never waits for the ledger's writer.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, bindparam, insert, or_, select, update
from sqlalchemy.exc import DBAPIError

from kinesphere.adapters import migrations
from kinesphere.adapters.sql.engines import BUSY_SECONDS, create_readers, create_writer
from kinesphere.adapters.sql.schema import api_keys
from kinesphere.core.identity import ApiKey, Scope
from kinesphere.ports import KeyQuery, LedgerUnavailable

READERS: Final = 2

Result = TypeVar("Result")

_C: Final = api_keys.c
_FIND: Final = select(api_keys).where(_C.id == bindparam("key_id"))
_REVOKE: Final = (
    update(api_keys)
    .where(_C.id == bindparam("key_id"), _C.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)
_TOUCH: Final = (
    update(api_keys)
    .where(_C.id == bindparam("key_id"), or_(_C.used_at.is_(None), _C.used_at < bindparam("at")))
    .values(used_at=bindparam("at"))
)


class SqlKeys:
    """See `kinesphere.ports.Keys`. Made by `open`."""

    def __init__(self, writing: Engine, reading: Engine) -> None:
        self._writing = writing
        self._reading = reading
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="keys-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="keys-reader")
        self._closed = False

    @classmethod
    async def open(cls, url: str, busy_seconds: float = BUSY_SECONDS) -> "SqlKeys":
        """The keys at a SQLAlchemy URL, the tables made or brought up to date.

        Raises LedgerUnavailable when the database cannot be opened.
        """
        writing = create_writer(url, busy_seconds)
        try:
            await asyncio.to_thread(migrations.upgrade, writing)
        except DBAPIError as error:
            writing.dispose()
            raise LedgerUnavailable(str(error)) from error
        return cls(writing, create_readers(url, READERS, busy_seconds))

    async def create(self, key: ApiKey) -> None:
        """See the port."""
        await self._write(lambda connection: connection.execute(insert(api_keys), _row(key)))

    async def find(self, key_id: str) -> ApiKey | None:
        """See the port."""
        return await self._read(lambda connection: _found(connection, key_id))

    async def list(self, query: KeyQuery) -> tuple[ApiKey, ...]:
        """See the port."""
        statement = select(api_keys).order_by(_C.id.desc()).limit(max(query.limit, 0))
        if query.user is not None:
            statement = statement.where(_C.user == query.user)
        if query.before is not None:
            statement = statement.where(_C.id < query.before)

        def listed(connection: Connection) -> tuple[ApiKey, ...]:
            return tuple(map(_key, connection.execute(statement).mappings()))

        return await self._read(listed)

    async def revoke(self, key_id: str, at: float) -> ApiKey | None:
        """See the port."""

        def revoked(connection: Connection) -> ApiKey | None:
            connection.execute(_REVOKE, {"key_id": key_id, "at": at})
            return _found(connection, key_id)

        return await self._write(revoked)

    async def touch(self, key_id: str, at: float) -> None:
        """See the port."""
        values = {"key_id": key_id, "at": at}
        await self._write(lambda connection: connection.execute(_TOUCH, values))

    async def close(self) -> None:
        """See the port."""
        if self._closed:
            return
        self._closed = True
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        self._reading.dispose()
        self._writing.dispose()

    async def _write(self, change: Callable[[Connection], Result]) -> Result:
        return await self._run(self._writer, self._writing, change)

    async def _read(self, look: Callable[[Connection], Result]) -> Result:
        return await self._run(self._readers, self._reading, look)

    async def _run(
        self, threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], Result]
    ) -> Result:
        if self._closed:
            raise LedgerUnavailable("the keys are closed")

        def transact() -> Result:
            with engine.begin() as connection:
                return work(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(threads, transact)
        except DBAPIError as error:
            raise LedgerUnavailable(str(error)) from error


def _found(connection: Connection, key_id: str) -> ApiKey | None:
    row = connection.execute(_FIND, {"key_id": key_id}).mappings().first()
    return None if row is None else _key(row)


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "user": key.user,
        "scopes": " ".join(sorted(key.scopes)),
        "digest": key.digest,
        "label": key.label,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "used_at": key.used_at,
    }


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(map(Scope, row["scopes"].split()))})
