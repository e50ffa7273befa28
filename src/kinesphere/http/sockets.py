"""WebSocket connections: uvicorn's protocol with the limits that it does not have.

Imported with the first that is opened: most servers serve requests for long before, and the
library of the protocol is 2 MB.
"""

import asyncio
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from kinesphere.http.connections import TermedConfig


class Socket(WebSocketsSansIOProtocol):
    """One WebSocket, cut when its client leaves unread what is sent to it for too long."""

    def __init__(
        self,
        config: TermedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._write_seconds = config.terms.write_seconds
        self._writing: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The client reads less than is sent to it."""
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self._write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read most of it."""
        super().resume_writing()
        self._stop_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every timer."""
        self._stop_writing()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application says."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            # A refused handshake is one that is over, and no fault for the log.
            self.handshake_complete = True

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
