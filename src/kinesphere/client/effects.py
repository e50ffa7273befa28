"""What a flow asks its driver to do, and what it is given back.

A flow is a generator. It yields one of these, and is sent the result or has the failure thrown in.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form: the form's field, the file's name, its bytes."""

    field: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request.

    Attributes:
        method: Such as "GET".
        url: A path under the client's address, or an absolute link.
        params: Of the query; a name may occur more than once.
        headers: Beside those that every request has.
        json: The body, or None.
        form: Fields of a multipart body, beside its files.
        files: Files of a multipart body.
        read_timeout: Seconds without a byte before it is given up; None for the client's own.
        safe: Whether sending it twice does no more than sending it once.
    """

    method: str
    url: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Upload, ...] = ()
    read_timeout: float | None = None
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body; b"" for the body of an open stream."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request and read the whole answer: an `Answer`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request and keep its answer open, in place of the one that was open before.

    Gives an `Answer`; an error's body is read at once.

    Attributes:
        request: What to send.
        events: Whether the items are server-sent events, not bytes.
        lifetime: Seconds after which the stream is cut, or None.
    """

    request: Request
    events: bool = False
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """The next item of the open stream: bytes, or (name, id, data); None at its end."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Call a function that touches the disk: its result."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a value to whoever iterates."""

    value: Any


Effect: TypeAlias = Send | Open | Next | Sleep | Work | Emit
Flow: TypeAlias = Generator[Effect, Any, T]


class Course(Generic[T]):
    """A flow under way.

    Attributes:
        effect: What is to be done next; None when the flow has returned.
        result: What it returned.
    """

    result: T

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.effect: Effect | None = None
        self.give(None)

    def give(self, result: Any) -> None:
        """The effect was done, with this result."""
        self._advance(lambda: self._flow.send(result))

    def fail(self, error: Exception) -> None:
        """The effect failed."""
        self._advance(lambda: self._flow.throw(error))

    def close(self) -> None:
        """Give the flow up, so that it can put away what it holds."""
        self._flow.close()

    def _advance(self, step: Callable[[], Effect]) -> None:
        try:
            self.effect = step()
        except StopIteration as stop:
            self.effect, self.result = None, stop.value
