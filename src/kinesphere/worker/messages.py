"""The closed set of messages between a supervisor and the child process that runs its engine.

Frames on the child's standard input and output: four bytes of big-endian length, then one message
in MessagePack. Lengths over MAX_FRAME are refused.

Both sides speak of a piece of work by its `claim`: job id and token in one string. A job that was
lost and claimed again is other work, so a late word about the first claim never meets the second.
"""

import struct
from typing import Any, Final

import msgspec

from kinesphere.core.fitting import Footprint, Profile

MAX_FRAME: Final = 512 * 1024 * 1024
HEADER: Final = struct.Struct(">I")


class Garbled(Exception):
    """What was read is not a frame of this vocabulary."""


class Load(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the child, first: which engine to bring up, and where.

    `formats` are the motion formats in which its clips may be asked for; none for other engines.
    `profiles`, best first, are those to choose from, `measured` what they took here before, and
    `batch_limit` the jobs at once that are wanted at most.
    """

    engine: str
    options: dict[str, str | int | float | bool]
    device: str
    formats: list[str]
    profiles: list[Profile] = []
    measured: dict[str, Footprint] = {}
    batch_limit: int = 1


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of a batch. `format` is the file format that the caller asked for, or ""."""

    claim: str
    request: dict[str, Any]
    inputs: dict[str, bytes]
    format: str


class Run(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the child: run this batch. Only when the one before has ended."""

    items: list[Item]


class Cancel(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the child: this piece of work is wanted no more."""

    claim: str


class Sleep(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the child: leave the device and keep the model in main memory; nothing is running."""


class Wake(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the child: come back to the device."""


class Stop(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """To the child: unload and exit; nothing is running."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where an engine is and how: None is what is not known. All sizes in bytes.

    `total` and `free` are the device's, `free` before anything was loaded. `taken` is the most
    that the engine took on it so far, `host_peak` the most main memory of the process.
    """

    profile: Profile | None
    batch_limit: int
    name: str
    total: int | None
    free: int | None
    unified: bool
    taken: int | None
    host_peak: int | None


class Ready(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child, once: loaded and warm. Seconds of each, and resident memory in bytes.

    `phases` are seconds by part of the start; `run_seconds` the time of one typical job, if the
    engine measured it; `sleeps` whether the engine can sleep in main memory.
    """

    load_seconds: float
    warm_seconds: float
    memory: int
    phases: dict[str, float]
    run_seconds: float | None
    placed: Placed
    sleeps: bool = False


class SetupFailed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child, once, before it exits: the engine could not be brought up."""

    detail: str


class Told(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child: how far one piece of work is, 0 to 1, and what is being done."""

    claim: str
    fraction: float
    phase: str


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One finished file."""

    name: str
    media_type: str
    data: bytes


class Done(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child: the files of a piece of work, checked and encoded, and the notes on it."""

    claim: str
    files: list[Output]
    notes: dict[str, Any]


class Failed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child: a piece of work failed, with one of our error codes.

    `shared`: the batch failed as a whole, so the fault may lie with another piece of it.
    """

    claim: str
    code: str
    detail: str
    shared: bool = False


class BatchEnded(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child: the device is free. Seconds in `run`, and resident memory in bytes.

    `taken` is the most that the batch took on the device, in bytes, or None.
    Done and Failed of its work come after it, also while the next batch is running.
    """

    seconds: float
    memory: int
    taken: int | None = None


class Turned(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the child: asleep, or awake again, as it was told. Resident memory in bytes."""

    memory: int


ToChild = Load | Run | Cancel | Sleep | Wake | Stop
FromChild = Ready | SetupFailed | Told | Done | Failed | BatchEnded | Turned

_ENCODER: Final = msgspec.msgpack.Encoder()
_TO_CHILD: Final[msgspec.msgpack.Decoder[ToChild]] = msgspec.msgpack.Decoder(ToChild)
_FROM_CHILD: Final[msgspec.msgpack.Decoder[FromChild]] = msgspec.msgpack.Decoder(FromChild)


def frame(message: ToChild | FromChild) -> bytes:
    """The message as one frame.

    Raises:
        Garbled: It would be longer than MAX_FRAME.
        TypeError: A request, an option or a note holds a value that has no MessagePack form.
    """
    body = _ENCODER.encode(message)
    return HEADER.pack(_checked(len(body))) + body


def length(header: bytes) -> int:
    """Bytes that follow a header; raises Garbled when they are more than MAX_FRAME."""
    return _checked(HEADER.unpack(header)[0])


def _checked(size: int) -> int:
    """`size`, or Garbled when no frame may be so long."""
    if size > MAX_FRAME:
        raise Garbled(f"a frame of {size} bytes")
    return size


def to_child(body: bytes) -> ToChild:
    """The message in a frame's body; raises Garbled."""
    try:
        return _TO_CHILD.decode(body)
    except msgspec.DecodeError as error:
        raise Garbled(str(error)) from error


def from_child(body: bytes) -> FromChild:
    """The message in a frame's body; raises Garbled."""
    try:
        return _FROM_CHILD.decode(body)
    except msgspec.DecodeError as error:
        raise Garbled(str(error)) from error
