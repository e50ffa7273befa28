"""Serving the application: uvicorn on a socket that is bound before anything else starts."""

import contextlib
import logging
import resource
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import uvicorn
from fastapi import FastAPI

from kinesphere.http.connections import RESERVE, ConnectionTerms, TermedConfig

_log = logging.getLogger("kinesphere.http")


class AddressInUse(Exception):
    """Somebody else listens there, or the address is not this machine's."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises AddressInUse with what to do."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from None
    listener.setblocking(False)
    return listener


RESERVED: Final = 128
"""Descriptors for everything but connections: database, files being sent, pipes to replicas."""


def raise_descriptor_limit() -> int:
    """Allow this process as many open files and connections as the system lets it; tell how many.

    Systems start processes with 1,024 for the sake of programs that wait by `select`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def connections_within(descriptors: int, wanted: int) -> int:
    """As many of the connections wanted as there are descriptors for; the log says if fewer."""
    most = max(1, min(wanted, descriptors - RESERVED - RESERVE))
    if most < wanted:
        facts = {"action": "server.connections", "descriptors": descriptors}
        text = "at most %d connections: the system allows %d open files"
        _log.warning(text, most, descriptors, extra=facts)
    return most


def address(listener: socket.socket) -> str:
    """The URL that the socket answers at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class QuietServer(uvicorn.Server):
    """uvicorn without signal handlers: whoever runs the process decides what a signal means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class Server(QuietServer):
    """Serves the application."""

    def __init__(
        self, app: FastAPI, terms: ConnectionTerms, trusted_proxies: Sequence[str] = ()
    ) -> None:
        config = TermedConfig(
            app,
            terms,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
            server_header=False,
            # Streams that are still open when everything else has ended.
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
