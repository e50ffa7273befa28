"""The schema's history, and how a database is brought to its present."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from kinesphere.adapters.sql import schema

HEAD: Final = "0001"
"""The revision that this version of the code works with."""

_VERSIONS: Final = """
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)
"""

_UPGRADING: Final = 0x4B696E65
"""PostgreSQL's advisory lock of whoever brings the tables up to date."""


def revision(connection: Connection) -> str | None:
    """The revision that the database is at, or None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


class Outdated(Exception):
    """The database's tables are older than this version of the code."""


def check(engine: Engine) -> None:
    """Raise Outdated unless the database is at HEAD, or beyond it.

    A later version only adds what an earlier one does without, so both may work at once.
    """
    with engine.begin() as connection:
        found = revision(connection)
    if found is None or found < HEAD:
        raise Outdated(
            f"the database is at {found or 'no revision'} and this version needs {HEAD}: run "
            "`kinesphere db upgrade`"
        )


def upgrade(engine: Engine) -> None:
    """Bring the database to HEAD, one process at a time.

    `engine` must begin its transactions so that SQLite lets one in at a time.
    """
    with engine.begin() as connection:
        if connection.dialect.name != "sqlite":
            # An upgrade may take longer than a writer would wait, or be waited for.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADING})
        found = revision(connection)
        if found is None and not inspect(connection).get_table_names():
            _create(connection)
        elif found is None or found < HEAD:
            step(connection)


def _create(connection: Connection) -> None:
    """Make the tables of an empty database as they are now, without their history."""
    schema.metadata.create_all(connection)
    connection.execute(schema.head.insert().values(id=1, seq=0, bytes=0))
    connection.execute(text(_VERSIONS))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def step(connection: Connection) -> None:
    """Bring a database to HEAD revision by revision."""
    # Imported only where there is something to do: it is a good part of a start's time.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
