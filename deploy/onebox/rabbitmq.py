"""A real RabbitMQ, from Debian's package `rabbitmq-server`; on ports of its own."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.onebox.daemon import Daemon, free_ports
from deploy.onebox.debian import install

# No wheel carries it.
_PACKAGE = "rabbitmq-server"
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"


class RabbitMQ(Daemon):
    """One broker, and the port mapper of its own that Erlang wants."""

    def __init__(self, folder: Path) -> None:
        install(_PACKAGE, _PROGRAM)
        self.port, mapper, distribution = free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        environment = {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
            "HOME": str(folder),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_NODENAME": f"kinesphere{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK,
        }
        # In the same session, so that both end together.
        command = ["sh", "-c", f"epmd & exec {_PROGRAM}"]
        super().__init__(folder, command, self._greets, environment)

    def _greets(self) -> bool:
        """Whether it answers the protocol's header (AMQP 0-9-1, 4.2.2) with a method frame."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


@contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ of its own, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="krabbit") as folder:
        server = RabbitMQ(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
