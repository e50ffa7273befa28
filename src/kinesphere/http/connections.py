"""Connections that ask too much: uvicorn's protocol with the limits that it does not have.

uvicorn bounds neither the headers, nor the time that they take, nor how long a client may leave its
answer unread. Bodies are bounded by the middleware, which can answer them with a problem document.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from kinesphere.http.errors import MEDIA_TYPE, problem, problem_document, status
from kinesphere.http.limits import EXEMPT

_log = logging.getLogger("kinesphere.http")

RESERVE: Final = 32
"""Connections beyond the limit on which health, readiness and metrics are still answered."""

MESSAGE_BYTES: Final = 16_384
"""Largest message that a client of a WebSocket sends; the longest prompts are a tenth of it."""

LINGER: Final = 1.0
"""Seconds that a refused client has to read why, while what it still sends is thrown away.

Closing at once would reset the connection, and the answer would be lost on its way."""


@dataclass(frozen=True, slots=True)
class ConnectionTerms:
    """What a connection may do.

    Attributes:
        most: Connections open at once.
        header_bytes: Largest request line and headers together.
        header_seconds: Time in which they must be there.
        idle_seconds: Time that an idle connection is kept.
        write_seconds: Time that a client may leave what is sent to it unread.
        body_seconds: Time to finish a body after its answer was sent all the same.
        new_id: Gives the id of a request that is refused before it has one.
        refused: Is told the status of each such refusal.
    """

    most: int
    header_bytes: int
    header_seconds: float
    idle_seconds: float
    write_seconds: float
    body_seconds: float
    new_id: Callable[[], str]
    refused: Callable[[int], None]


class TermedConfig(uvicorn.Config):
    """uvicorn's configuration, with what its protocol needs to know beside."""

    def __init__(self, app: ASGIApp, terms: ConnectionTerms, **options: Any) -> None:
        super().__init__(
            app,
            http=Connection,
            # Which one is decided when the first is opened.
            ws=asyncio.Protocol,
            ws_max_size=MESSAGE_BYTES,
            # Poses hardly shrink, and each connection would hold its own windows.
            ws_per_message_deflate=False,
            timeout_keep_alive=terms.idle_seconds,  # type: ignore[arg-type] # goes to call_later
            **options,
        )
        self.terms = terms


class Connection(HttpToolsProtocol):
    """One connection.

    It is either reading the head of a request, which one timer bounds, or serving one, or idle,
    which uvicorn's own timer bounds. Another timer runs while the client reads too little.
    """

    def __init__(
        self,
        config: TermedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._terms = config.terms
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._over = False
        self._served: RequestResponseCycle | None = None
        self.url = b""

    # ---------------------------------------------------------------------------- coming, going

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept it, unless there are too many."""
        super().connection_made(transport)
        open_now = len(self.connections)
        if open_now > self._terms.most + RESERVE:
            self._refuse("TOO_MANY_CONNECTIONS")
            return
        if open_now > self._terms.most:
            self.app = self._crowded(self.app)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every timer."""
        if self._served is not None:
            # uvicorn tells only the last of several requests that came at once.
            self._served.disconnected = True
            self._served.message_event.set()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._stop_reading()
        self._stop_writing()

    # ---------------------------------------------------------------------------------- reading

    def data_received(self, data: bytes) -> None:
        """Parse it, as long as the head is within its bounds."""
        if self._over:
            return
        if self._reading is None and not self._in_body and self._idle():
            self._await_head()
        in_head = self._in_head
        super().data_received(data)
        if in_head and self._in_head and not self._over:
            # All of it was head, and no header in it may have been complete.
            self._head_bytes += len(data)
            self._bound_head(0)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        super().on_url(url)
        self._bound_head(len(self.url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        super().on_header(name, value)
        self._bound_head(len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers))

    def on_headers_complete(self) -> None:
        """The head is there: serve it."""
        self._in_head, self._in_body = False, True
        self._stop_reading()
        if not self._over:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._in_body = False
        self._stop_reading()
        if self._over:
            return
        super().on_message_complete()
        if self._idle():
            # It was answered before; uvicorn's timer stopped when the rest of it came.
            self._await_head()

    def handle_websocket_upgrade(self) -> None:
        """The connection becomes a WebSocket."""
        self._stop_reading()
        if self._over:
            return
        if not self._idle():
            # What would follow the handshake is no longer HTTP, and the answer before it still is.
            self._refuse("MALFORMED_REQUEST")
            return
        if len(self.connections) > self._terms.most:
            self._refuse("TOO_MANY_CONNECTIONS")
            return
        from kinesphere.http.sockets import Socket  # noqa: PLC0415 - with the first that is opened

        self.ws_protocol_class = Socket
        super().handle_websocket_upgrade()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def _bound_head(self, size: int) -> None:
        if not self._over and max(size, self._head_bytes) > self._terms.header_bytes:
            self._refuse("HEADERS_TOO_LARGE")

    def _await_head(self) -> None:
        self._reading = self.loop.call_later(self._terms.header_seconds, self._late)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _late(self) -> None:
        self._reading = None
        if self._in_head:
            self._refuse("REQUEST_TIMEOUT")
        else:
            # Nothing came, or the rest of a body that was answered already: nobody to tell.
            self._end()

    # ---------------------------------------------------------------------------------- writing

    def pause_writing(self) -> None:
        """The client reads less than is sent to it."""
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self._terms.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read most of it."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_writing()

    def on_response_complete(self) -> None:
        """The answer is sent; what comes next is another request, or the rest of this one."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._cut_later()
        elif self._in_body and self._reading is None:
            self._reading = self.loop.call_later(self._terms.body_seconds, self._late)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more came."""
        self._end()

    def _end(self) -> None:
        """Close it when all is sent, and cut it when the client does not read that."""
        if not self.transport.is_closing():
            self.transport.close()
            self._cut_later()

    def _cut_later(self) -> None:
        if self._writing is None:
            self._writing = self.loop.call_later(self._terms.write_seconds, self.transport.abort)

    # --------------------------------------------------------------------------------- refusing

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Answer what is not HTTP."""
        if not self._over:
            self._refuse("MALFORMED_REQUEST")

    def _refuse(self, code: str) -> None:
        """Say why, hear no more, and close."""
        self._over = True
        self._stop_reading()
        self._unset_keepalive_if_required()
        if not self._idle():
            # An answer is on its way on this connection; another in its midst would be garbage.
            self.cycle.keep_alive = False
            return
        self._write_refusal(code)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._reading = self.loop.call_later(LINGER, self._end)

    def _write_refusal(self, code: str) -> None:
        request_id = self._terms.new_id()
        path = self.url.partition(b"?")[0][:200].decode("ascii", "replace") or "*"
        document = problem_document(code, _DETAILS[code], path, request_id)
        body = document.model_dump_json(exclude_defaults=True).encode()
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
            "x-request-id": request_id,
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        if document.retry:
            headers["retry-after"] = "1"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[document.status] + lines.encode() + b"\r\n" + body)
        self._terms.refused(document.status)
        _log.info(
            "connection refused: %s",
            code,
            extra={"action": "http.refused", "request_id": request_id, "error_code": code},
        )

    def _crowded(self, app: ASGIApp) -> ASGIApp:
        """`app` for those who keep the platform alive, and a refusal for all others."""

        async def crowded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] in EXEMPT:
                await app(scope, receive, send)
                return
            code = "TOO_MANY_CONNECTIONS"
            scope["request_id"] = self._terms.new_id()
            headers = {
                "Connection": "close",
                "Retry-After": "1",
                "X-Request-ID": scope["request_id"],
            }
            self._terms.refused(status(code))
            answer = problem(Request(scope), code, _DETAILS[code], headers=headers)
            await answer(scope, receive, send)

        return crowded


_DETAILS: Final = {
    "TOO_MANY_CONNECTIONS": "As many connections are open as may be.",
    "HEADERS_TOO_LARGE": "The request line and headers are too large.",
    "REQUEST_TIMEOUT": "The headers did not come in time.",
    "MALFORMED_REQUEST": "What was sent is not HTTP.",
}
