"""What every route needs: the service, who asks, and the limits of this server."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.ports import SignedFiles
from kinesphere.service import Caller, Service

LOCAL_USER: Final = "local"
"""Everybody who reaches a server without authentication, which listens on loopback only."""


class HttpMetrics(Protocol):
    """What the server tells of its own requests, and the page that Prometheus reads."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one finished request; `route` is the route's template, never the raw path."""
        ...

    async def page(self) -> tuple[bytes, str]:
        """The exposition and its media type."""
        ...


class Fetcher(Protocol):
    """Fetches a caller's picture."""

    async def fetch(self, url: str) -> bytes:
        """The body at `url`. Raises Rejected."""
        ...


_FILE_ROUTES: Final = frozenset({"/v1/meshes", "/validate"})


@dataclass(frozen=True, slots=True)
class Gateway:
    """The routes' surroundings.

    Attributes:
        service: The use cases.
        files: The store's own downloads, or None where links lead elsewhere.
        metrics: Counts and their page.
        fetcher: Fetches pictures by their address.
        body_limit: Largest JSON body, in bytes.
        file_limit: Largest body of the routes that take files, in bytes.
        wait_limit: Longest time that a request may wait for a result, in seconds.
        public_url: Address under which clients know this server, or None: the one they used.
        hosts: Names allowed in the Host header, or None for any.
    """

    service: Service
    files: SignedFiles | None
    metrics: HttpMetrics
    fetcher: Fetcher
    body_limit: int
    file_limit: int
    wait_limit: float
    public_url: str | None
    hosts: frozenset[str] | None
    monotonic: Callable[[], float]
    new_id: Callable[[], str]

    def limit(self, path: str) -> int:
        """Largest body that the route at `path` reads."""
        return self.file_limit if path in _FILE_ROUTES else self.body_limit

    def base(self, request: Request) -> str:
        """Where links on this server start."""
        return self.public_url or str(request.base_url)


def gateway(request: Request) -> Gateway:
    """The gateway of the app that serves the request."""
    found: Gateway = request.app.state.gateway
    return found


def caller(request: Request) -> Caller:
    """Who asks."""
    return Caller(LOCAL_USER, request.scope.get("request_id", ""), operator=True)


def media_type(request: Request) -> str:
    """The body's media type, without parameters, in lower case; "" where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_only(request: Request) -> None:
    """Refuse a body that says it is anything but JSON."""
    kind = media_type(request)
    if kind == "application/json" or re.fullmatch(r"application/[\w.-]{1,60}\+json", kind):
        return
    problem = f"is {kind[:80]!r}" if kind else "is missing"
    raise Rejected(
        "UNSUPPORTED_MEDIA_TYPE",
        f"The Content-Type {problem}.",
        (FieldError("Content-Type", problem, "application/json"),),
    )


def preferred_wait(preferences: Sequence[str]) -> float | None:
    """Seconds of `Prefer: wait=N` (RFC 7240), or None; an unreadable preference is ignored."""
    for value in preferences:
        for preference in value.split(","):
            name, _, seconds = preference.partition(";")[0].partition("=")
            cleaned = seconds.strip().strip('"')
            if name.strip().lower() == "wait" and re.fullmatch(r"[0-9]{1,6}", cleaned):
                return float(cleaned)
    return None


Ask = Annotated[Caller, Depends(caller)]
At = Annotated[Gateway, Depends(gateway)]
JsonOnly = Depends(json_only)
