"""Connections to the ledger's database: one that writes, and a few that read."""

from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

BUSY_SECONDS: Final = 5.0
"""How long SQLite waits for another process's transaction."""

_WRITERS_LOCK: Final = 0x4B696E65
"""PostgreSQL's advisory lock of whoever writes to a ledger."""


def create_writer(url: str, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine whose transactions exclude each other, in all processes.

    So a transaction may read, decide and write without locking rows, and events are committed in
    the order of `seq`: a reader that goes on after the last one it saw misses none.
    """
    engine = _create(url, 1, busy_seconds)

    def begin(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITERS_LOCK})

    event.listen(engine, "begin", begin)
    return engine


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
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_size=size, max_overflow=0, pool_pre_ping=True)
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
