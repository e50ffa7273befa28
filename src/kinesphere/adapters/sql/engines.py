"""Connections to the ledger's database: one that writes, and a few that read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from kinesphere.adapters.sql import direct

BUSY_SECONDS: Final = 5.0
"""How long SQLite waits for another process's transaction."""

LONGEST_SECONDS: Final = 5
"""How long PostgreSQL lets a transaction wait for its process, which may have been stopped, or cut
off; no group takes so long between two statements. Others wait for its locks twice as long."""

CONNECTING: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""What libpq is told unless the URL says otherwise: without it, a server whose cable was pulled
would hold a caller up for minutes. In seconds; the last one, which is for what was sent and not
acknowledged, in milliseconds."""

READING: Final = "BEGIN"
WRITING: Final = "BEGIN IMMEDIATE"
_KEPT: Final = "kinesphere_kept"
_ONCE: Final = ((),)

_SLOTS: Final = 256
_SLOTS_LOCK: Final = 0x4B696E65
# The first that no other connection has. Beyond that many, some share: they wait for each other.
_TAKE_SLOT: Final = """
    SELECT slot FROM generate_series(0, %(last)s) AS slots (slot)
    WHERE pg_try_advisory_lock(%(lock)s, slot) LIMIT 1
"""


def create_writer(url: str, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine with one connection that writes.

    SQLite's transactions exclude each other, in all processes. PostgreSQL's do not: what they read
    to decide by they lock (see `transaction`), and each statement sees what was committed before.
    """
    engine = _create(url, 1, busy_seconds)
    if engine.dialect.name != "sqlite":
        event.listen(engine, "connect", _prepare)
        return engine.execution_options(isolation_level="READ COMMITTED")

    _begun_with(engine, WRITING)
    return engine


def is_shared(connection: Connection) -> bool:
    """Whether other transactions write while this one does."""
    return connection.dialect.name != "sqlite"


def slot_of(connection: Connection) -> int:
    """A small number that no other writing connection has, as long as there are not too many."""
    return int(connection.info.get("slot", 0))


def _prepare(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{LONGEST_SECONDS}s'")
        cursor.execute(f"SET lock_timeout = '{2 * LONGEST_SECONDS}s'")
        cursor.execute(_TAKE_SLOT, {"lock": _SLOTS_LOCK, "last": _SLOTS - 1})
        row = cursor.fetchone()
    connection.commit()
    record.info["slot"] = row[0] if row else connection.info.backend_pid % _SLOTS


def create_readers(
    url: str, size: int, busy_seconds: float = BUSY_SECONDS, *, ping: bool = True
) -> Engine:
    """An engine whose transactions each see one state of the whole ledger.

    With `ping` PostgreSQL is asked each time whether a connection that was kept is still good;
    without, whoever reads has to try again.
    """
    engine = _create(url, size, busy_seconds, ping=ping)
    if engine.dialect.name != "sqlite":
        return engine.execution_options(isolation_level="REPEATABLE READ")

    _begun_with(engine, READING)
    return engine


def _begun_with(engine: Engine, word: str) -> None:
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_KEPT):
            connection.exec_driver_sql(word)

    event.listen(engine, "begin", begin)


class Transactions:
    """Transactions of one thread, one after the other.

    With SQLite on one connection that is kept, begun and ended by the driver itself: what
    SQLAlchemy does around a transaction takes longer than most of ours. After any error the
    connection is closed, which undoes what was not committed, and another is made. `word` begins a
    transaction; `busy_seconds` is how long SQLite waits for another process's, if not as long as
    the engine was made to.
    """

    def __init__(self, engine: Engine, word: str, busy_seconds: float | None = None) -> None:
        self._busy_seconds = busy_seconds
        self._engine = engine
        self._kept: Connection | None = None
        self._keeps = engine.dialect.name == "sqlite"
        self._word = word

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A connection, in a transaction that is committed unless something is raised."""
        if not self._keeps:
            with self._engine.begin() as connection:
                yield connection
            return
        connection = self._connection()
        try:
            direct.write(connection, self._word, _ONCE)
            yield connection
            direct.write(connection, "COMMIT", _ONCE)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """A connection for one statement that reads, which needs no transaction around it."""
        if not self._keeps:
            with self.begin() as connection:
                yield connection
            return
        try:
            yield self._connection()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the kept connection up."""
        kept, self._kept = self._kept, None
        if kept is None:
            return
        driver: Any = kept.connection.dbapi_connection
        with suppress(driver.Error):
            # A cursor that an error still refers to would keep a closed connection in its lock.
            driver.rollback()
        driver.close()
        kept.invalidate()
        kept.close()

    def _connection(self) -> Connection:
        if self._kept is None:
            kept = self._engine.connect().execution_options(**{_KEPT: True})
            # Not the pool's any more: who else asks for one gets another.
            kept.detach()
            if self._busy_seconds is not None:
                direct.write(kept, f"PRAGMA busy_timeout = {self._busy_seconds * 1e3:.0f}", _ONCE)
            self._kept = kept
        return self._kept


def _create(url: str, size: int, busy_seconds: float, *, ping: bool = True) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        patient = parsed.set(query={**CONNECTING, **parsed.query})
        return create_engine(patient, pool_size=size, max_overflow=0, pool_pre_ping=ping)
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )

    def connect(connection: Any, _record: object) -> None:
        # The driver would begin and commit by itself, and later than IMMEDIATE.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}").fetchall()

    event.listen(engine, "connect", connect)
    return engine
