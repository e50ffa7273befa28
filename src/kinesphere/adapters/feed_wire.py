"""How news travel between processes: JSON, checked against these types when it is read.

The job goes along with the news of its beginning and of its end, on which others act: who waits for
a job need not ask the ledger for it then, nor who counts what arrives.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final, get_type_hints

import msgspec

from kinesphere.adapters.documents import encode_job
from kinesphere.core.jobs import TERMINAL, Event, EventKind, Job
from kinesphere.ports import Progress, Record

JOB_LIMIT: Final = 16_384
"""Bytes up to which a job goes along: every process is sent it, and few want it."""

_WITH_JOB: Final = frozenset({EventKind.SUBMITTED, *(EventKind(each.value) for each in TERMINAL)})
_NO_JOB: Final = msgspec.Raw(b"null")

# The values of a request are of a type that refers to itself, which msgspec cannot read.
_types: Final = get_type_hints(Job, localns={"Json": Any})
_names: Final = tuple(each.name for each in fields(Job))
_Job: Final = msgspec.defstruct(
    "_Job", [(name, _types[name]) for name in _names], forbid_unknown_fields=True
)


class _Event(msgspec.Struct, array_like=True, frozen=True):
    seq: int
    job_id: str
    at: float
    kind: EventKind
    data: dict[str, Any]
    job: msgspec.Raw = _NO_JOB


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

    def records(self, wanted: Callable[[str], bool] = lambda _: True) -> list[Record]:
        """The events, as the ledger gives them; with the job if it came and its id is `wanted`."""
        return [
            Record(
                *(e.seq, e.job_id, e.at, Event(e.kind, e.data)),
                _read(e.job) if e.job != _NO_JOB and wanted(e.job_id) else None,
            )
            for e in self.events
        ]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(News)
_job_decoder = msgspec.json.Decoder(_Job)


def encoded(origin: str, records: Sequence[Record], progress: Sequence[Progress]) -> bytes:
    """The message that tells them. Raises ValueError."""
    events = tuple(
        _Event(r.seq, r.job_id, r.at, r.event.kind, dict(r.event.data), _written(r))
        for r in records
    )
    return _encoder.encode(News(origin, events, tuple(progress)))


def decoded(message: bytes) -> News:
    """The news in a message. Raises ValueError."""
    return _decoder.decode(message)


def _written(record: Record) -> msgspec.Raw:
    if record.job is None or record.event.kind not in _WITH_JOB:
        return _NO_JOB
    written = encode_job(record.job).encode()
    return msgspec.Raw(written) if len(written) <= JOB_LIMIT else _NO_JOB


def _read(written: msgspec.Raw) -> Job | None:
    try:
        job = _job_decoder.decode(written)
    except ValueError:
        # Of another release: the ledger has it.
        return None
    return Job(**{name: getattr(job, name) for name in _names})
