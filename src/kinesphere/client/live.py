"""Live streams: the frames of a motion as they are played, and what is said about them.

For a program that shows motions at once. One that wants a file asks `Client` for it.
"""

import json
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from kinesphere.client import wire
from kinesphere.client.credentials import own_key
from kinesphere.client.effects import Answer
from kinesphere.client.errors import ApiError, ConnectionFailed, UnexpectedAnswer
from kinesphere.client.flows import DEFAULT_URL
from kinesphere.formats.frames import PACKED, Frame, unpacked
from kinesphere.version import __version__

_NORMAL: Final = (1000, 1001)


class Cut(ConnectionFailed):
    """The stream ended before its time; `code` is that of RFC 6455, None where none came."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message, reached=True)
        self.code = code


class LiveStream:
    """One stream; use it with `with`, read it by iterating.

    Args:
        url: Address of the server, as for `Client`.
        job_id: Whose motion is played first.
        api_key: As for `Client`.
        timeout: Seconds to connect.

    Raises:
        ApiError: The server refused.
        ConnectionFailed: Nothing answered; as `Cut`, the stream was cut.
    """

    def __init__(
        self, url: str | None, job_id: str, *, api_key: str | None = None, timeout: float = 30.0
    ) -> None:
        base = httpx.URL(url or os.environ.get("KINESPHERE_URL") or DEFAULT_URL)
        scheme = {"http": "ws", "https": "wss"}.get(base.scheme)
        if scheme is None or not base.host:
            raise ValueError(f"{str(base)!r} is not an http:// or https:// address")
        self._where = f"{base.scheme}://{base.netloc.decode('ascii')}"
        path = base.path.rstrip("/")
        self._url = f"{scheme}://{base.netloc.decode('ascii')}{path}/v1/live/{job_id}"
        self._headers = {"User-Agent": f"kinesphere-python/{__version__}"}
        key = own_key(api_key)
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._timeout = timeout
        self._proxied = not wire.loopback(base)
        self._opened: ClientConnection | None = None

    def __enter__(self) -> Self:
        try:
            opened = connect(
                self._url,
                subprotocols=[Subprotocol(PACKED)],
                additional_headers=self._headers,
                user_agent_header=None,
                open_timeout=self._timeout,
                proxy=True if self._proxied else None,
                compression=None,
            )
            self._opened = opened.__enter__()
        except InvalidStatus as refused:
            response = refused.response
            headers = httpx.Headers(list(response.headers.raw_items()))
            answer = Answer(response.status_code, headers, bytes(response.body or b""))
            raise wire.error_of(answer, 0.0) from None
        except (OSError, TimeoutError, EOFError, InvalidHandshake) as error:
            message = f"no stream at {self._where} ({str(error) or type(error).__name__})"
            raise ConnectionFailed(message, reached=False) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame | dict[str, Any]]:
        """Frames, and all other messages as they came, until the server closes."""
        assert self._opened is not None, "a stream is read within `with`"  # noqa: S101
        try:
            for message in self._opened:
                yield unpacked(message) if isinstance(message, bytes) else _message(message)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else None
            if code not in _NORMAL:
                told = f"the stream from {self._where} was cut (code {code})"
                raise Cut(told, code) from None

    def say(self, kind: str, **values: Any) -> None:
        """Send a message, such as `say("seek", time=1.5)`."""
        assert self._opened is not None, "a stream is spoken to within `with`"  # noqa: S101
        try:
            self._opened.send(json.dumps({"type": kind, **values}))
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else None
            raise Cut(f"the stream from {self._where} was cut", code) from None


def refused(problem: dict[str, Any]) -> ApiError:
    """The exception that a `problem` of a stream means."""
    return wire.error_of(Answer(problem["status"], {}, json.dumps(problem).encode()), 0.0)


def _message(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict) or "type" not in found:
        raise UnexpectedAnswer("the server sent something that is no message of a live stream")
    return found
