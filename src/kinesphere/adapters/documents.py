"""Jobs and event data as JSON text, exact in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import msgspec

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import ArtifactRef, Job, Json, State


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
_DECODER = msgspec.json.Decoder()


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
    """The job that `encode_job` wrote."""
    fields = _DECODER.decode(text)
    fields["state"] = State(fields["state"])
    fields["pools"] = tuple(fields["pools"])
    for files in ("inputs", "artifacts"):
        fields[files] = tuple(ArtifactRef(**file) for file in fields[files])
    if fields["failure"] is not None:
        fields["failure"] = Failure(**fields["failure"])
    return Job(**fields)


def copied(data: Mapping[str, Json]) -> dict[str, Json]:
    """A deep copy, by way of JSON. Raises TypeError for anything but JSON values."""
    return cast("dict[str, Json]", _DECODER.decode(_ENCODER.encode(data)))


def detached(job: Job) -> Job:
    """The same value, sharing nothing that could be changed."""
    return replace(job, request=copied(job.request), notes=copied(job.notes))
