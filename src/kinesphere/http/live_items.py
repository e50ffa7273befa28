"""What a live stream's tasks tell its sender, and what it speaks through."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job
from kinesphere.http.live_messages import Next, Said

if TYPE_CHECKING:
    from kinesphere.formats.clip import Clip


@dataclass(frozen=True, slots=True)
class Line:
    """What a session speaks through.

    Attributes:
        send: Sends a text or bytes; waits while the client reads too little.
        hear: The client's next text, None for what is none; raises EOFError when it has gone.
        admit: Counts a request of the user; raises Rejected: RATE_LIMITED.
        disowned: Returns when the credentials are no longer valid; None for never.
        packed: Whether frames go out packed.
        path: Of the route, for problem documents.
        request_id: Of the handshake.
        count: Counts frames: how many were sent, and how many were late and left out.
    """

    send: Callable[[str | bytes], Awaitable[None]]
    hear: Callable[[], Awaitable[str | None]]
    admit: Callable[[], Awaitable[None]]
    disowned: Callable[[], Awaitable[None]] | None
    packed: bool
    path: str
    request_id: str
    count: Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Over:
    """The end, and the code to close with."""

    code: int


@dataclass(frozen=True, slots=True)
class News:
    """A message for the client, as it is."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A motion that is there, in its turn."""

    job: Job
    clip: "Clip"
    ask: Next


@dataclass(frozen=True, slots=True)
class Failed:
    """A motion that will not be there; `last` where the stream cannot go on without it."""

    error: Rejected
    mark: str | None
    last: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """A message that is none."""

    error: Rejected
    mark: str | None


Item = Said | Wrong | Over | News | Made | Failed
