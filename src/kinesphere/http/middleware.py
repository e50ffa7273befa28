"""What happens around every request: its id, its host, security headers, counts and the log."""

import logging
import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinesphere.adapters.logs import bound
from kinesphere.http.errors import problem
from kinesphere.http.gateway import Gateway

_log = logging.getLogger("kinesphere.http")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Envelope:
    """One ASGI layer, so that a request is wrapped once.

    It takes the caller's `X-Request-ID` or makes one, and returns it. It refuses a Host that this
    server does not serve: a page on another site could otherwise reach a server on loopback by
    letting its own name resolve to 127.0.0.1 (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        gateway = self._gateway
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else gateway.new_id()
        scope["request_id"] = request_id
        limit = gateway.limit(scope["path"])
        began = gateway.monotonic()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [*_HEADERS, (b"x-request-id", request_id.encode())]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            refusal = self._refusal(scope, headers, limit)
            if refusal is not None:
                await refusal(scope, receive, answer)
            else:
                with bound(request_id=request_id):
                    await self._app(scope, _limited(receive, limit), answer)
        finally:
            self._tell(scope, status, gateway.monotonic() - began)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes], limit: int) -> Response | None:
        if self._foreign(headers.get(b"host", b"")):
            detail = "This server does not serve the host named in the Host header."
            return problem(Request(scope), "HOST_FORBIDDEN", detail)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            # What is still coming is not worth reading.
            return problem(
                Request(scope), "BODY_TOO_LARGE", _too_large(limit), headers={"Connection": "close"}
            )
        return None

    def _foreign(self, host: bytes) -> bool:
        if self._gateway.hosts is None:
            return False
        name = host.decode("latin-1").lower()
        name = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
        return name not in self._gateway.hosts

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._gateway.metrics.request(scope["method"], route, status, seconds)
        _log.info(
            "%s %s %d",
            scope["method"],
            scope["path"],
            status,
            extra={
                "action": "http.request",
                "request_id": scope["request_id"],
                "duration_sec": round(seconds, 6),
                "error_code": scope.get("error_code"),
            },
        )


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` with an end: a body without a length is counted as it comes."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, _too_large(limit), headers={"Connection": "close"})
        return message

    return counted


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes."
