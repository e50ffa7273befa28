"""Kinesphere serves generative models of motion and 3D form in production."""

from typing import TYPE_CHECKING

from kinesphere.version import __version__

if TYPE_CHECKING:
    from kinesphere.client import AsyncClient, Client


__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> object:
    # The server and its replicas import this package too, and have no use for an HTTP client.
    if name in ("AsyncClient", "Client"):
        from kinesphere import client  # noqa: PLC0415 - the point of this function

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
