"""Frames of a live stream on the wire, version 1: JSON, and 16 bytes before single precision.

A packed frame, little-endian:

| bytes | type | what |
| --- | --- | --- |
| 0 | u8 | 1: a frame |
| 1 | u8 | 1: the version |
| 2 | u16 | J, joints |
| 4 | u32 | how many frames were sent before it, modulo 2**32 |
| 8 | f64 | seconds from the beginning of the stream's film |
| 16 | 3 × f32 | m, where the root is |
| 28 | J × 4 × f32 | x y z w of each joint, relative to its parent |
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

VERSION: Final = 1
TEXT: Final = "kinesphere.live.v1"
PACKED: Final = "kinesphere.live.v1.binary"
"""WebSocket subprotocols: frames as JSON, and packed."""

_HEAD: Final = struct.Struct("<BBHId")
_FRAME: Final = 1
_DIGITS: Final = 5
"""Decimals in JSON: a hundredth of a millimetre, a thousandth of a degree."""


class BadFrame(ValueError):
    """Bytes that are no frame of this version."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One pose at one time.

    Attributes:
        number: How many frames were sent before it.
        time: Seconds from the beginning of the film.
        root: m, where the root is.
        turns: x y z w of each joint, one after the other.
    """

    number: int
    time: float
    root: tuple[float, float, float]
    turns: tuple[float, ...]


def text(number: int, time: float, pose: Sequence[float]) -> bytes:
    """A frame as JSON, of the root's position and the quaternions in one row."""
    numbers = [round(value, _DIGITS) for value in pose]
    frame = {
        "type": "frame",
        "number": number,
        "time": round(time, _DIGITS),
        "root": numbers[:3],
        "turns": numbers[3:],
    }
    return msgspec.json.encode(frame)


def packed(number: int, time: float, pose: bytes) -> bytes:
    """The same packed; `pose` is its row in little-endian single precision."""
    return _HEAD.pack(_FRAME, VERSION, (len(pose) - 12) // 16, number % 2**32, time) + pose


def unpacked(data: bytes) -> Frame:
    """What a packed frame holds. Raises BadFrame."""
    if len(data) < _HEAD.size + 12:
        raise BadFrame(f"{len(data)} bytes are no frame")
    kind, version, joints, number, time = _HEAD.unpack_from(data)
    if (kind, version) != (_FRAME, VERSION) or len(data) != _HEAD.size + 12 + 16 * joints:
        raise BadFrame(f"kind {kind}, version {version}, {joints} joints in {len(data)} bytes")
    root = struct.unpack_from("<3f", data, _HEAD.size)
    turns = struct.unpack_from(f"<{4 * joints}f", data, _HEAD.size + 12)
    return Frame(number, time, root, turns)
