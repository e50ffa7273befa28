"""The container of FBX: a tree of named nodes with typed properties, binary version 7.4.

The layout is that which Autodesk never published and Blender's developers described (2013).
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 7400
FILE_ID: Final = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
CREATION_TIME: Final = "1970-01-01 10:00:00:000"
"""Readers check that the file's id goes with this time; the pair is valid for any content."""
_FOOT_ID: Final = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")
_FOOT: Final = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")
_MAGIC: Final = b"Kaydara FBX Binary  \0\x1a\0"
_END: Final = bytes(13)
_HEAD: Final = struct.Struct("<III")
_WORTH_PACKING: Final = 128
"""Bytes of an array from which compression is tried."""
_LEVEL: Final = 3

Value = bool | int | float | str | bytes


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        name: ASCII, 255 bytes at most.
        properties: Already encoded; see `int64` and its neighbours.
        children: Nodes below it.
    """

    name: str
    properties: tuple[bytes, ...] = ()
    children: list["Node"] = field(default_factory=list)


def node(name: str, *values: Value, children: Iterable[Node] = ()) -> Node:
    """A node of simple values: int as 32 bits, float as 64, str, raw bytes, bool."""
    return Node(name, tuple(_value(value) for value in values), list(children))


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<c?", b"C", value)
    if isinstance(value, int):
        return struct.pack("<ci", b"I", value)
    if isinstance(value, float):
        return struct.pack("<cd", b"D", value)
    if isinstance(value, str):
        return text(value)
    return struct.pack("<cI", b"R", len(value)) + value


def int64(value: int) -> bytes:
    """A property of 64 bits."""
    return struct.pack("<cq", b"L", value)


def text(value: str) -> bytes:
    """A property of characters."""
    encoded = value.encode()
    return struct.pack("<cI", b"S", len(encoded)) + encoded


def named(name: str, kind: str) -> bytes:
    """The name of an object, which bears its class behind it."""
    return text(f"{name}\0\x01{kind}")


def array(values: NDArray[np.generic]) -> bytes:
    """A property of many int32, int64, float32 or float64, compressed where that is smaller."""
    code = {"i4": b"i", "i8": b"l", "f4": b"f", "f8": b"d"}[values.dtype.str[1:]]
    raw = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    if len(raw) >= _WORTH_PACKING:
        packed = zlib.compress(raw, _LEVEL)
        if len(packed) < len(raw):
            return struct.pack("<cIII", code, values.size, 1, len(packed)) + packed
    return struct.pack("<cIII", code, values.size, 0, len(raw)) + raw


def written(nodes: Iterable[Node]) -> bytes:
    """The whole file of some top nodes."""
    out = bytearray(_MAGIC + struct.pack("<I", VERSION))
    for each in nodes:
        _write(each, out)
    out += _END + _FOOT_ID + bytes(4)
    out += bytes(-len(out) % 16 or 16)
    out += struct.pack("<I", VERSION) + bytes(120) + _FOOT
    return bytes(out)


def _write(each: Node, out: bytearray) -> None:
    start = len(out)
    name, properties = each.name.encode("ascii"), b"".join(each.properties)
    out += bytes(12) + bytes((len(name),)) + name + properties
    for child in each.children:
        _write(child, out)
    # A node without properties, and an empty layer, are blocks even with nothing in them.
    if each.children or not each.properties or each.name in ("AnimationStack", "AnimationLayer"):
        out += _END
    _HEAD.pack_into(out, start, len(out), len(each.properties), len(properties))
