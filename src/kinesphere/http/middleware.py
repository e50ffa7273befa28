"""What happens around every request: its id, its host, security headers, counts and the log."""

import asyncio
import logging
import re
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinesphere.adapters.logs import bound, say
from kinesphere.adapters.tracing import within
from kinesphere.http.errors import problem, unexpected
from kinesphere.http.gateway import Gateway
from kinesphere.http.limits import REQUESTS, STARTS, Pace
from kinesphere.http.tracing import Trace, trace

_log = logging.getLogger("kinesphere.http")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SAID: Final = (
    # Nothing that an answer of the API holds is to be run, and no page may frame it.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HTTPS_ONLY: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Envelope:
    """One ASGI layer, so that a request is wrapped once.

    It takes the caller's `X-Request-ID` and `traceparent` or makes new ones, and returns them. Of
    two that are given, the last counts. It refuses a Host that this server does not serve: a page
    on another site could otherwise reach a server on loopback by letting its own name resolve to
    127.0.0.1 (DNS rebinding). The handshake of a WebSocket is a request like any other, told when
    it is answered. Where a page of another site opens one, or sends what may change something, it
    is refused, because browsers ask nobody before they let pages do so; what they let them read is
    for CORS to say.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway
        https = (gateway.public_url or "").startswith("https://")
        self._always = (*_HEADERS, _HTTPS_ONLY) if https else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in REQUESTS:
            await self._app(scope, receive, send)
            return
        gateway = self._gateway
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else gateway.new_id()
        scope["request_id"] = request_id
        given = headers.get(b"traceparent", b"").decode("latin-1")
        here = scope["trace"] = trace(given, recording=gateway.traces is not None)
        limit = gateway.limit(scope["path"])
        socket = scope["type"] == "websocket"
        began = gateway.monotonic()
        status = None

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = 101
                extra = [
                    (b"x-request-id", request_id.encode()),
                    (b"traceparent", str(here).encode()),
                ]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
                self._tell(scope, status, gateway.monotonic() - began)
            elif message["type"] in STARTS:
                status = message["status"]
                said = {name.lower() for name, _ in message["headers"]}
                extra = [
                    *self._always,
                    *(header for header in _UNLESS_SAID if header[0] not in said),
                    (b"x-request-id", request_id.encode()),
                    (b"traceparent", str(here).encode()),
                ]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            refusal = self._refusal(scope, headers, limit)
            if refusal is not None:
                await refusal(scope, receive, answer)
            else:
                with bound(request_id=request_id, trace_id=here.trace_id), within(str(here)):
                    body = receive if socket else _limited(receive, limit, gateway.pace)
                    await self._app(scope, body, answer)
        except Exception as error:
            if status is not None:
                raise
            # Here and not by Starlette, which would answer outside of this layer.
            await unexpected(HTTPConnection(scope), error)(scope, receive, answer)
        finally:
            if status != 101:
                self._tell(scope, status or 500, gateway.monotonic() - began)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes], limit: int) -> Response | None:
        if self._foreign(headers.get(b"host", b"")):
            detail = "This server does not serve the host named in the Host header."
            return problem(HTTPConnection(scope), "HOST_FORBIDDEN", detail)
        if scope.get("method") not in _SAFE and not self._known_origin(headers):
            detail = "Pages of this origin may not change anything here, nor open a WebSocket."
            return problem(HTTPConnection(scope), "ORIGIN_FORBIDDEN", detail)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            # What is still coming is not worth reading.
            return problem(
                HTTPConnection(scope),
                "BODY_TOO_LARGE",
                _too_large(limit),
                headers={"Connection": "close"},
            )
        return None

    def _foreign(self, host: bytes) -> bool:
        if self._gateway.hosts is None:
            return False
        name = host.decode("latin-1").lower()
        name = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
        return name not in self._gateway.hosts

    def _known_origin(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a page of this server or of one that is named asks, or no page."""
        origin = headers.get(b"origin")
        # Browsers let no page set the second, and a proxy may have rewritten Host.
        if origin is None or headers.get(b"sec-fetch-site") == b"same-origin":
            return True
        name = origin.decode("latin-1").lower()
        host = headers.get(b"host", b"").decode("latin-1").lower()
        public = urlsplit(self._gateway.public_url or "")
        own = {f"http://{host}", f"https://{host}", f"{public.scheme}://{public.netloc}".lower()}
        return name in own or name in self._gateway.cors_origins

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        here: Trace = scope["trace"]
        route, method = _route(scope), scope.get("method", "GET")
        self._gateway.metrics.request(method, route, status, seconds, here.trace_id)
        if self._gateway.traces is not None:
            self._gateway.traces.request(
                str(here), here.parent_id, method, route, status=status, seconds=seconds
            )
        say(
            _log,
            logging.INFO,
            "%s %s %d",
            method,
            scope["path"],
            status,
            facts={
                "action": "http.request",
                "request_id": scope["request_id"],
                "trace_id": here.trace_id,
                "user": getattr(scope.get("caller"), "user", None),
                "duration_sec": round(seconds, 6),
                "error_code": scope.get("error_code"),
            },
        )


def _route(scope: Scope) -> str:
    """The route's template, also of a request that was refused before it got there."""
    route = scope.get("route")
    if route is None:
        routes = scope["app"].state.routes
        route = next((r for r in routes if r.path_regex.match(scope["path"])), None)
    return getattr(route, "path", "unmatched")


def _limited(receive: Receive, limit: int, pace: Pace) -> Receive:
    """`receive` with an end: a body is counted as it comes, and has to come at a pace."""
    read, whole = 0, False
    began: float | None = None

    async def counted() -> Message:
        nonlocal read, whole, began
        if whole:
            # Only the news that the client has gone can follow.
            return await receive()
        clock = asyncio.get_running_loop().time
        began = clock() if began is None else began
        try:
            async with asyncio.timeout_at(began + pace.until(read)):
                message = await receive()
        except TimeoutError:
            detail = f"Of the body, {read} bytes came in {clock() - began:.0f} s."
            raise HTTPException(408, detail, headers={"Connection": "close"}) from None
        whole = not message.get("more_body", False)
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, _too_large(limit), headers={"Connection": "close"})
        return message

    return counted


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes."
