"""Connections to the ledger's database: one that writes, and a few that read."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

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

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "begin", begin)
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


def create_readers(url: str, size: int, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine whose transactions each see one state of the whole ledger."""
    engine = _create(url, size, busy_seconds)
    if engine.dialect.name != "sqlite":
        return engine.execution_options(isolation_level="REPEATABLE READ")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "begin", begin)
    return engine


def _create(url: str, size: int, busy_seconds: float) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        patient = parsed.set(query={**CONNECTING, **parsed.query})
        return create_engine(patient, pool_size=size, max_overflow=0, pool_pre_ping=True)
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
