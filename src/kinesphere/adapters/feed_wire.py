"""How news travel between processes: JSON, checked against these types when it is read."""

from collections.abc import Sequence
from typing import Any

import msgspec

from kinesphere.core.jobs import Event, EventKind
from kinesphere.ports import Progress, Record


class _Event(msgspec.Struct, array_like=True, frozen=True):
    seq: int
    job_id: str
    at: float
    kind: EventKind
    data: dict[str, Any]


class News(msgspec.Struct, frozen=True):
    """One message.

    Attributes:
        origin: The process that tells it.
        events: Committed events, in the order of `seq`.
        progress: The latest of each job.
    """

    origin: str
    events: tuple[_Event, ...] = ()
    progress: tuple[Progress, ...] = ()

    def records(self) -> list[Record]:
        """The events, as the ledger gives them."""
        return [Record(e.seq, e.job_id, e.at, Event(e.kind, e.data)) for e in self.events]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(News)


def encoded(origin: str, records: Sequence[Record], progress: Sequence[Progress]) -> bytes:
    """The message that tells them."""
    events = tuple(_Event(r.seq, r.job_id, r.at, r.event.kind, dict(r.event.data)) for r in records)
    return _encoder.encode(News(origin, events, tuple(progress)))


def decoded(message: bytes) -> News:
    """The news in a message. Raises ValueError."""
    return _decoder.decode(message)
