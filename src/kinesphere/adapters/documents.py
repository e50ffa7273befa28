"""Jobs and event data as JSON text, exact in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Final, cast

import msgspec

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import ArtifactRef, Job, Json, Moved, State


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
_DECODER = msgspec.json.Decoder()
_FIELDS: Final = tuple(field.name for field in fields(Job))
_KNOWN: Final = frozenset(_FIELDS)
_ALL: Final = attrgetter(*_FIELDS)
_PUT: Final = tuple(vars(Job)[name].__set__ for name in _FIELDS)
_PUT_REQUEST: Final = vars(Job)["request"].__set__
_PUT_NOTES: Final = vars(Job)["notes"].__set__


def encode_data(data: Mapping[str, Json] | Sequence[Json]) -> str:
    """JSON values as text. Raises TypeError for anything else."""
    return _ENCODER.encode(data).decode()


def decode_data(text: str) -> dict[str, Json]:
    """The mapping that `encode_data` wrote."""
    return cast("dict[str, Json]", _DECODER.decode(text))


def encode_job(job: Job) -> str:
    """The whole job as text. Raises TypeError where a mapping holds more than JSON values."""
    return _ENCODER.encode(job).decode()


def decode_job(text: str) -> Job:
    """The job that `encode_job` wrote; without the fields that only a later release knows."""
    found = _DECODER.decode(text)
    for name in found.keys() - _KNOWN:
        del found[name]
    found["state"] = State(found["state"])
    found["pools"] = tuple(found["pools"])
    for files in ("inputs", "artifacts"):
        found[files] = tuple(ArtifactRef(**file) for file in found[files])
    if found["failure"] is not None:
        found["failure"] = Failure(**found["failure"])
    if found["moved"] is not None:
        found["moved"] = Moved(**found["moved"])
    return Job(**found)


def copied(data: Mapping[str, Json]) -> dict[str, Json]:
    """A deep copy, by way of JSON. Raises TypeError for anything but JSON values."""
    return cast("dict[str, Json]", _DECODER.decode(_ENCODER.encode(data)))


def detached(job: Job) -> Job:
    """The same value, sharing nothing that could be changed.

    `dataclasses.replace` would set every field by its name: twice the time, for what a ledger does
    most often.
    """
    twin = object.__new__(Job)
    for put, value in zip(_PUT, _ALL(job), strict=True):
        put(twin, value)
    _PUT_REQUEST(twin, copied(job.request))
    _PUT_NOTES(twin, copied(job.notes))
    return twin
