"""What every route needs: the service, who asks, and the limits of this server."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request
from starlette.datastructures import URL

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.http.limits import Pace, Turnstile
from kinesphere.ports import SignedFiles
from kinesphere.service import Caller, Service
from kinesphere.service.identity import Identity


class HttpMetrics(Protocol):
    """What the server tells of its own requests, and the page that Prometheus reads."""

    def request(
        self, method: str, route: str, status: int, seconds: float, trace_id: str = ""
    ) -> None:
        """Count one finished request; `route` is the route's template, never the raw path."""
        ...

    def live_streams(self, more: int) -> None:
        """Count live streams that opened, or, below zero, that ended."""
        ...

    def live_frames(self, sent: int, late: int) -> None:
        """Count frames of live streams that were sent, and such as were due but left out."""
        ...

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its media type, of those that the reader accepts."""
        ...


class HttpTraces(Protocol):
    """Where the spans of requests go."""

    def request(
        self,
        traceparent: str,
        parent_id: str,
        method: str,
        route: str,
        *,
        status: int,
        seconds: float,
    ) -> None:
        """Tell a request that ends now; `traceparent` is its own, `parent_id` its caller's."""
        ...


class Fetcher(Protocol):
    """Fetches a caller's picture."""

    async def fetch(self, url: str) -> bytes:
        """The body at `url`. Raises Rejected."""
        ...


class Webhooks(Protocol):
    """The addresses that callers want told, and how they know that it is us."""

    async def check(self, url: str) -> None:
        """Raise Rejected for an address that nothing would be delivered to."""
        ...

    def secrets(self, user: str) -> Sequence[str]:
        """What a user's webhooks are signed with: the present secret, then the one before."""
        ...


_FILE_ROUTES: Final = frozenset({"/v1/meshes", "/v1/meshes/preview", "/validate"})


@dataclass(frozen=True, slots=True)
class Gateway:
    """The routes' surroundings.

    Attributes:
        service: The use cases.
        files: The store's own downloads, or None where links lead elsewhere.
        metrics: Counts and their page.
        fetcher: Fetches pictures by their address.
        webhooks: Judges addresses that are to be told.
        body_limit: Largest JSON body, in bytes.
        file_limit: Largest body of the routes that take files, in bytes.
        wait_limit: Longest time that a request may wait for a result, in seconds.
        heartbeat: Seconds of silence after which a stream says that it is alive.
        public_url: Address under which clients know this server, or None: the one they used.
        hosts: Names allowed in the Host header, or None for any.
        turnstile: Counts who asks.
        pace: How slow a body may come.
        cors_origins: Origins of other sites' pages that may ask from a browser.
        identity: Finds out who asks, or None without authentication.
        metrics_open: Whether the metrics are for everybody.
        traces: Where spans go, or None where no traces are recorded.
        live_streams: Live streams that one user may have open; 0 for any number.
        artifact_origins: Origins that links to artifacts lead to, beside the one that is asked.
    """

    service: Service
    files: SignedFiles | None
    metrics: HttpMetrics
    fetcher: Fetcher
    webhooks: Webhooks
    body_limit: int
    file_limit: int
    wait_limit: float
    heartbeat: float
    public_url: str | None
    hosts: frozenset[str] | None
    turnstile: Turnstile
    pace: Pace
    cors_origins: tuple[str, ...]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]
    identity: Identity | None = None
    metrics_open: bool = False
    traces: HttpTraces | None = None
    artifact_origins: tuple[str, ...] = ()
    live_streams: int = 0

    def limit(self, path: str) -> int:
        """Largest body that the route at `path` reads."""
        return self.file_limit if path in _FILE_ROUTES else self.body_limit

    def base(self, request: Request) -> str:
        """Where links on this server start."""
        scope = request.scope
        root = scope.get("app_root_path", scope.get("root_path", ""))
        host = request.headers.get("host")
        return self.public_url or _address(scope["scheme"], host, scope.get("server"), root)


@lru_cache(maxsize=256)
def _address(scheme: str, host: str | None, server: tuple[str, int] | None, root: str) -> str:
    """As `Request.base_url`, which takes longer than most of an answer."""
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    scope = {"scheme": scheme, "server": server, "path": f"{root.rstrip('/')}/", "headers": headers}
    return str(URL(scope=scope))


def gateway(request: Request) -> Gateway:
    """The gateway of the app that serves the request."""
    found: Gateway = request.app.state.gateway
    return found


def caller(request: Request) -> Caller:
    """Who asks, as `kinesphere.http.auth.Guard` found out."""
    found: Caller = request.scope["caller"]
    return found


async def _gateway(request: Request) -> Gateway:
    return gateway(request)


async def _caller(request: Request) -> Caller:
    return caller(request)


async def _json_only(request: Request) -> None:
    json_only(request)


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


# Coroutines: FastAPI hands plain functions over to a thread, one after the other.
At = Annotated[Gateway, Depends(_gateway)]
Ask = Annotated[Caller, Depends(_caller)]
JsonOnly = Depends(_json_only)
