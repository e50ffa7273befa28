"""The ledger in a SQL database: a SQLite file, or PostgreSQL.

Writes are committed in groups by one thread (`sql.writer`), reads run in a few others. With SQLite,
accepted means in the write-ahead log and synced; and what is found by an index, in some ten
microseconds and whoever writes meanwhile, is read at once: to have a thread do it takes ten times
as long.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from kinesphere.adapters import migrations
from kinesphere.adapters.documents import detached
from kinesphere.adapters.sql import direct, operations, readings
from kinesphere.adapters.sql.engines import (
    BUSY_SECONDS,
    READING,
    Transactions,
    create_readers,
    create_writer,
)
from kinesphere.adapters.sql.outbox import SqlOutbox
from kinesphere.adapters.sql.plans import SqlPlans
from kinesphere.adapters.sql.presence import SqlPresence
from kinesphere.adapters.sql.releases import SqlReleases
from kinesphere.adapters.sql.rows import key_name
from kinesphere.adapters.sql.transaction import NOTHING, SEARCHES, Reads, Transaction
from kinesphere.adapters.sql.writer import Writer
from kinesphere.core.jobs import Command, Job, Refused, State
from kinesphere.ports import (
    Backlog,
    Clock,
    Feed,
    Found,
    Hold,
    IdempotencyKey,
    JobQuery,
    LedgerUnavailable,
    Line,
    Queued,
    Record,
    Standing,
    Submission,
)

READERS: Final = 4
"""Threads that read, each with a connection of its own as soon as it is needed."""

KEY_SECONDS: Final = 86_400.0
CUT_SECONDS: Final = 1.0
"""Within these, whoever finds that a connection was cut tries the next."""

NOW: Final = select(func.extract("epoch", func.clock_timestamp()))

Result = TypeVar("Result")
_Reading: TypeAlias = Callable[[Connection], Result]


class SqlLedger:
    """See `kinesphere.ports.Ledger`. Made by `open`; belongs to the event loop that opened it."""

    def __init__(
        self,
        writing: Engine,
        reading: Engine,
        clock: Clock,
        announce: Feed,
        *,
        key_seconds: float = KEY_SECONDS,
        readers: int = READERS,
    ) -> None:
        self._clock = clock
        self._key_seconds = key_seconds
        self._writing = writing
        self._reading = reading
        # For PostgreSQL, where the beginning and the end of a transaction are questions too.
        self._singly = reading.execution_options(isolation_level="AUTOCOMMIT")
        self._writer = Writer(writing, self._begun, announce)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="ledger-reader")
        self._looks = (
            Transactions(reading, READING, busy_seconds=0.0)
            if reading.dialect.name == "sqlite"
            else None
        )
        self._closed = False
        self.outbox = SqlOutbox(self._write, self._read, self._now)
        self.plans = SqlPlans(self._write, self._read)
        self.presence = SqlPresence(self._write, self._read, self._now)
        self.releases = SqlReleases(self._write, self._read)

    @classmethod
    async def open(
        cls,
        url: str,
        clock: Clock,
        announce: Feed,
        *,
        busy_seconds: float = BUSY_SECONDS,
        key_seconds: float = KEY_SECONDS,
        upgrade: bool = True,
        readers: int = READERS,
    ) -> "SqlLedger":
        """The ledger at a SQLAlchemy URL, its tables made or brought up to date.

        `busy_seconds`: how long SQLite waits for another process's transaction. `key_seconds`: how
        long an idempotency key is known. `readers`: how much may be read at once. Without `upgrade`
        the tables must be there, of this version's schema or of a later one. Raises
        LedgerUnavailable when they are not, or the database cannot be opened.
        """
        writing = create_writer(url, busy_seconds)
        try:
            await asyncio.to_thread(migrations.upgrade if upgrade else migrations.check, writing)
        except (DBAPIError, migrations.Outdated) as error:
            writing.dispose()
            raise LedgerUnavailable(str(error)) from error
        reading = create_readers(url, readers, busy_seconds, ping=False)
        return cls(writing, reading, clock, announce, key_seconds=key_seconds, readers=readers)

    async def submit(
        self, job: Job, key: IdempotencyKey | None = None, missing: Collection[str] = ()
    ) -> Submission:
        """See the port."""
        submit = partial(operations.submit, job=detached(job), key=key, missing=missing)
        reads = Reads(
            key=None if key is None else key_name(job.user, key.key),
            content=job.content,
        )
        try:
            return await self._write(submit, reads)
        except IntegrityError as error:
            raise Refused(f"{job.id} is known already") from error

    async def replay(self, user: str, key: IdempotencyKey) -> Job | None:
        """See the port."""

        def read(reader: Connection) -> Job | None:
            return readings.replay(reader, user, key, self._now(reader) - self._key_seconds)

        return await self._look(read)

    async def answering(self, content: str) -> Job | None:
        """See the port."""
        return await self._look(partial(readings.answering, content=content), single=True)

    async def get(self, job_id: str) -> Job | None:
        """See the port."""
        return await self._look(partial(readings.get, job_id=job_id), single=True)

    async def list(self, query: JobQuery) -> tuple[Job, ...]:
        """See the port."""
        return await self._read(partial(readings.find, query=query))

    async def search(self, query: JobQuery, words: Sequence[str]) -> Found:
        """See the port."""
        return await self._read(partial(readings.search, query=query, words=tuple(words)))

    async def claim(self, pool: str, worker: str, limit: int, lease: float) -> tuple[Job, ...]:
        """See the port."""
        claim = partial(operations.claim, pool=pool, worker=worker, limit=limit, lease=lease)
        return await self._write(claim, SEARCHES)

    async def apply(self, job_id: str, command: Command) -> Job:
        """See the port."""
        apply = partial(operations.apply, job_id=job_id, command=command)
        return await self._write(apply, Reads(job_ids=[job_id]))

    async def extend(self, holds: Sequence[Hold], lease: float) -> Mapping[str, Standing]:
        """See the port."""
        extend = partial(operations.extend, holds=tuple(holds), lease=lease)
        return await self._write(extend, Reads(job_ids=[hold.job_id for hold in holds]))

    async def reap(self, limit: int = 100) -> tuple[Job, ...]:
        """See the port."""
        return await self._write(partial(operations.reap, limit=limit), SEARCHES)

    async def recover(self, worker_prefix: str) -> tuple[Job, ...]:
        """See the port."""
        recover = partial(operations.recover, worker_prefix=worker_prefix)
        return await self._write(recover, SEARCHES)

    async def events(
        self, after: int = 0, job_id: str | None = None, limit: int = 1000
    ) -> tuple[Record, ...]:
        """See the port."""
        return await self._read(partial(readings.events, after=after, job_id=job_id, limit=limit))

    async def backlogs(self) -> Mapping[str, Backlog]:
        """See the port."""
        return await self._read(lambda reader: readings.backlogs(reader, self._now(reader)))

    async def line(self, job: Job) -> tuple[Line, ...]:
        """See the port."""
        return await self._look(partial(readings.line, job=job))

    async def queue(self, pool: str, limit: int) -> tuple[Queued, ...]:
        """See the port."""
        return await self._read(partial(readings.queue, pool=pool, limit=limit))

    async def counts(self) -> Mapping[tuple[str, State], int]:
        """See the port."""
        return await self._read(readings.counts)

    async def ended(self, after: float, limit: int = 1000) -> tuple[Job, ...]:
        """See the port."""
        return await self._read(partial(readings.ended, after=after, limit=limit))

    async def open_jobs(self, user: str) -> int:
        """See the port."""
        return await self._look(partial(readings.open_jobs, user=user), single=True)

    async def forget(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        """See the port."""
        forget = partial(operations.forget, before=before, limit=limit)
        return await self._write(forget, SEARCHES)

    async def erase(self, job_id: str) -> Job | None:
        """See the port."""
        erase = partial(operations.erase, job_id=job_id)
        return await self._write(erase, Reads(job_ids=[job_id]))

    async def lent(self, keys: Sequence[str]) -> frozenset[str]:
        """See the port."""
        return await self._read(partial(readings.lent, keys=tuple(keys)))

    async def stored(self) -> int:
        """See the port."""
        return await self._read(readings.stored)

    async def close(self) -> None:
        """See the port."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        await asyncio.to_thread(self._readers.shutdown)
        if self._looks is not None:
            self._looks.close()
        self._reading.dispose()
        self._writing.dispose()

    async def _write(self, run: Callable[[Transaction], Result], reads: Reads = NOTHING) -> Result:
        self._opened()
        return await self._writer.write(run, reads)

    async def _read(self, read: Callable[[Connection], Result], *, single: bool = False) -> Result:
        self._opened()
        loop = asyncio.get_running_loop()
        asking = self._alone if single and self._looks is None else self._in_snapshot
        try:
            return await loop.run_in_executor(self._readers, self._tried, asking, read)
        except DBAPIError as error:
            raise LedgerUnavailable(str(error)) from error

    async def _look(self, read: Callable[[Connection], Result], *, single: bool = False) -> Result:
        """Read what an index finds, by a `single` statement or several that see one state."""
        if self._looks is None:
            return await self._read(read, single=single)
        self._opened()
        try:
            with self._looks.single() if single else self._looks.begin() as connection:
                return read(connection)
        except DBAPIError:
            # Where there is something to wait for, a thread waits.
            return await self._read(read)

    def _tried(
        self, asking: Callable[[_Reading[Result]], Result], read: _Reading[Result]
    ) -> Result:
        """What is read; where connections that were kept are no longer good, by a new one.

        A server that is back tells so at once. One that says nothing is not asked again.
        """
        until = self._clock.monotonic() + CUT_SECONDS
        for _ in range(READERS):
            try:
                return asking(read)
            except DBAPIError as error:
                if not error.connection_invalidated or self._clock.monotonic() > until:
                    raise
        return asking(read)

    def _in_snapshot(self, read: _Reading[Result]) -> Result:
        with self._reading.begin() as connection:
            return read(connection)

    def _alone(self, read: _Reading[Result]) -> Result:
        with self._singly.connect() as connection:
            return read(connection)

    def _begun(self, connection: Connection) -> Transaction:
        return Transaction(connection, self._now, self._key_seconds)

    def _opened(self) -> None:
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")

    def _now(self, connection: Connection) -> float:
        """The ledger's time: with PostgreSQL the server's, which all its users share."""
        if connection.dialect.name == "sqlite":
            return self._clock.now()
        return float(direct.scalar(connection, NOW))
