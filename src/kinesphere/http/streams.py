"""Server-sent events (WHATWG HTML, 9.2) that cost little while nothing happens.

A stream waits in two tasks, one for news and one for the end of the connection. Signs of life come
from one timer for all streams.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, Final, Protocol

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RECONNECT_MS: Final = 2_000
"""What clients are asked to wait before they come back after a cut connection."""

AT_ONCE: Final = 50
"""Signs of life in a row; the rest comes after whoever else wants the loop."""

_BEAT: Final = b": alive\n\n"
_DISOWNED: Final = b": the credentials are no longer valid\n\n"
_FAREWELL: Final = b": the server stops; come back\n\n"


class Living(Protocol):
    """Something that says from time to time that it is alive."""

    def beat(self) -> None:
        """Say so. Never blocks."""
        ...


class Heart:
    """One timer for any number of streams: each is told to speak after `seconds` of silence."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: OrderedDict[Living, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def spoke(self, stream: Living) -> None:
        """Count the silence of a stream, which may be new, from now."""
        loop = asyncio.get_running_loop()
        self._due[stream] = loop.time() + self._seconds
        self._due.move_to_end(stream)
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._tick)

    def leave(self, stream: Living) -> None:
        """A stream has ended."""
        self._due.pop(stream, None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for _ in range(AT_ONCE):
            if not self._due:
                return
            stream, due = next(iter(self._due.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._tick)
                return
            self._due[stream] = loop.time() + self._seconds
            self._due.move_to_end(stream)
            stream.beat()
        self._timer = loop.call_later(0.001, self._tick)


def event(name: str, number: str | None, data: dict[str, Any]) -> bytes:
    """One event on the wire. JSON has no line breaks of its own."""
    label = f"id: {number}\n" if number is not None else ""
    return f"event: {name}\n{label}data: ".encode() + msgspec.json.encode(data) + b"\n\n"


class EventStream(Response):
    """Sends events as they come, until there are no more or nobody listens.

    Args:
        events: Events on the wire. It is closed when the stream ends, however it ends.
        heart: Tells when to say that the stream is alive.
        farewell: Whether the server stops, asked when the events end.
        disowned: Returns when whoever listens may do so no longer; None for never.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        heart: Heart,
        farewell: "_Asked",
        disowned: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        # Its end is not known: see Starlette's own streams.
        self.raw_headers = [h for h in self.raw_headers if h[0] != b"content-length"]
        self._events = events
        self._heart = heart
        self._farewell = farewell
        self._disowned = disowned
        self._send: Send | None = None
        self._beating: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        del scope
        self._send = send
        me = asyncio.current_task()
        assert me is not None  # noqa: S101 - a coroutine always runs in one
        gone = asyncio.create_task(_gone(receive))
        ends = [gone]
        if self._disowned is not None:
            ends.append(asyncio.create_task(self._disowned()))

        def end(task: asyncio.Task[None]) -> None:
            if not (task.cancelled() or me.cancelling()):
                me.cancel()

        for each in ends:
            each.add_done_callback(end)
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await self._tell(send)
        except asyncio.CancelledError:
            # Only the client's leaving, or the end of its credentials, ends it quietly.
            if not any(each.done() for each in ends) or me.uncancel() > 0:
                raise
            if not gone.done():
                await send(_body(_DISOWNED, more=False))
        finally:
            self._heart.leave(self)
            for each in ends:
                each.cancel()
            if self._beating is not None:
                self._beating.cancel()

    async def _tell(self, send: Send) -> None:
        self._heart.spoke(self)
        retry = f"retry: {RECONNECT_MS}\n".encode()
        async with aclosing(self._events) as events:
            async for block in events:
                await send(_body(retry + block))
                retry = b""
                self._heart.spoke(self)
        self._heart.leave(self)
        await send(_body(_FAREWELL if self._farewell() else b"", more=False))

    def beat(self) -> None:
        """Say that it is alive, unless the last time has not got through yet."""
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._alive())

    async def _alive(self) -> None:
        if self._send is not None:
            with suppress(OSError):
                await self._send(_body(_BEAT))


class _Asked(Protocol):
    def __call__(self) -> bool: ...


def _body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def _gone(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
