"""The grammar of BVH text, read with limits: a hierarchy of joints, then a table of numbers."""

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from kinesphere.formats.clip import Floats
from kinesphere.formats.motion import BadClip

MOST_BYTES: Final = 64 * 2**20
MOST_HEADER: Final = 8 * 2**20
"""Bytes before MOTION: a chain of 1024 joints, indented by tabs, has five million."""
REMEMBERED: Final = 2**16
"""Bytes of a header up to which it is kept, should another file begin with it."""
MOST_JOINTS: Final = 1024
MOST_FRAMES: Final = 100_000
MOST_POSES: Final = 4_000_000
"""Joints times frames: 288 MB of rotations."""
LONGEST_LINE: Final = 4096
"""Bytes of a line before MOTION, and of blanks in a row after it."""
LONGEST_NUMBER: Final = 64
LARGEST: Final = 1e9
"""Size beyond which a number counts as broken."""

_MOTION: Final = re.compile(rb"^[ \t]*MOTION[ \t]*$", re.MULTILINE)
_CHANNEL: Final = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)
_NUMERIC: Final = b"0123456789+-.eE \t\n"
Vector = tuple[float, float, float]


@dataclass(slots=True)
class Hierarchy:
    """The joints of a file in its order, parents before children.

    Attributes:
        names: One a joint.
        parents: Index of each joint's parent, -1 for the root.
        offsets: In the file's unit.
        positions: For each joint its position channels as (axis, column of the table).
        rotations: The same of its rotation channels, outermost first.
        ends: Joint to the offset of its End Site, the last one where it has several.
        lines: Line in which each joint begins.
        columns: How many numbers a frame has.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[Vector] = field(default_factory=list)
    positions: list[list[tuple[int, int]]] = field(default_factory=list)
    rotations: list[list[tuple[int, int]]] = field(default_factory=list)
    ends: dict[int, Vector] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    columns: int = 0


def parse(data: bytes) -> tuple[Hierarchy, Floats, float]:
    """The hierarchy, the table (frames, columns) in the file's units, and frames a second.

    Raises:
        BadClip: Anything that is not a whole BVH of one figure within the limits.
    """
    if len(data) > MOST_BYTES:
        raise BadClip(f"{len(data)} bytes are more than {MOST_BYTES}")
    if b"\0" in data:
        raise BadClip("binary data is no BVH", data.count(b"\n", 0, data.index(b"\0")) + 1)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    motion = _MOTION.search(data)
    if motion is None:
        raise BadClip("there is no MOTION section")
    header = data[: motion.start()]
    hierarchy = _known(header) if len(header) <= REMEMBERED else _hierarchy(header)
    line = data.count(b"\n", 0, motion.end()) + 1
    table, fps = _motion(data[motion.end() :], line, hierarchy.columns)
    if len(table) * len(hierarchy.names) > MOST_POSES:
        raise BadClip(f"{len(table)} frames of {len(hierarchy.names)} joints are too many")
    return hierarchy, table, fps


def _statements(text: bytes) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, braces apart, blank ones left out."""
    if len(text) > MOST_HEADER:
        raise BadClip(f"a HIERARCHY of {len(text)} bytes")
    for number, line in enumerate(io.BytesIO(text), 1):
        if line.isspace():
            continue
        if len(line) > LONGEST_LINE:
            raise BadClip(f"a line of {len(line)} bytes", number)
        try:
            decoded = line.decode("utf-8")
        except UnicodeDecodeError:
            raise BadClip("the text is not UTF-8", number) from None
        # Braces mostly stand alone, but need not.
        decoded = decoded.strip()
        alone = len(decoded) < 2 or ("{" not in decoded and "}" not in decoded)
        for piece in (decoded,) if alone else re.split(r"([{}])", decoded):
            if statement := piece.strip():
                yield number, statement


class _Reader:
    """Reads the hierarchy statement by statement; a stack in place of recursion."""

    def __init__(self) -> None:
        self.found = Hierarchy()
        self.open: list[int] = []
        """Joints whose brace is open, -1 for an End Site."""
        self.announced: int | None = None
        """The joint or End Site whose brace must come next."""
        self.with_offset: set[int] = set()
        self.with_channels: set[int] = set()
        self.used_names: set[str] = set()

    def read(self, line: int, statement: str) -> None:
        word, _, rest = statement.replace("\t", " ").partition(" ")
        keyword = word.upper()
        if self.announced is not None:
            if keyword != "{":
                raise BadClip(f"expected an opening brace at {statement[:40]!r}", line)
            self.open.append(self.announced)
            self.announced = None
        elif keyword == "}":
            self._leave(line)
        elif keyword in ("ROOT", "JOINT"):
            self._joint(line, keyword, rest.strip())
        elif keyword == "END":
            self._within(line, keyword)
            self.announced = -1
        elif keyword == "OFFSET":
            self._offset(line, rest.split())
        elif keyword == "CHANNELS":
            self._channels(line, rest.split())
        else:
            raise BadClip(f"unknown word {word[:40]!r}", line)

    def _leave(self, line: int) -> None:
        if not self.open:
            raise BadClip("a closing brace without an opening one", line)
        joint = self.open.pop()
        if joint >= 0 and joint not in self.with_offset:
            raise BadClip(f"joint {self.found.names[joint]} has no OFFSET", line)

    def _within(self, line: int, keyword: str) -> int:
        """The joint in whose braces a statement stands."""
        if not self.open or self.open[-1] < 0:
            raise BadClip(f"{keyword} outside of a joint", line)
        return self.open[-1]

    def _joint(self, line: int, keyword: str, name: str) -> None:
        found = self.found
        if keyword == "ROOT" and found.names:
            raise BadClip("a second ROOT: one figure a file is supported", line)
        parent = -1 if keyword == "ROOT" else self._within(line, keyword)
        if not name or name in self.used_names:
            raise BadClip(f"joint name {name[:40]!r} is missing or taken", line)
        if len(found.names) >= MOST_JOINTS:
            raise BadClip(f"more than {MOST_JOINTS} joints", line)
        self.used_names.add(name)
        self.announced = len(found.names)
        found.names.append(name)
        found.parents.append(parent)
        found.offsets.append((0.0, 0.0, 0.0))
        found.positions.append([])
        found.rotations.append([])
        found.lines.append(line)

    def _offset(self, line: int, words: list[str]) -> None:
        if not self.open:
            raise BadClip("OFFSET outside of a joint", line)
        if len(words) != 3:
            raise BadClip(f"OFFSET has {len(words)} numbers, not 3", line)
        x, y, z = (_number(word, line) for word in words)
        joint = self.open[-1]
        if joint < 0:
            self.found.ends[self.open[-2]] = (x, y, z)
        else:
            self.found.offsets[joint] = (x, y, z)
            self.with_offset.add(joint)

    def _channels(self, line: int, words: list[str]) -> None:
        joint = self._within(line, "CHANNELS")
        if joint in self.with_channels:
            raise BadClip("a second CHANNELS in one joint", line)
        self.with_channels.add(joint)
        if not words or words[0] != str(len(words) - 1) or len(words) > 10:
            raise BadClip("CHANNELS does not name as many as it says, or over 9", line)
        for word in words[1:]:
            match = _CHANNEL.fullmatch(word)
            if match is None:
                raise BadClip(f"unknown channel {word[:40]!r}", line)
            axis = "XYZ".index(match[1].upper())
            rotates = match[2].lower() == "rotation"
            channels = self.found.rotations if rotates else self.found.positions
            channels[joint].append((axis, self.found.columns))
            self.found.columns += 1


def _hierarchy(text: bytes) -> Hierarchy:
    reader = _Reader()
    line = 1
    started = False
    for line, statement in _statements(text):
        if not started:
            if statement.upper() != "HIERARCHY":
                raise BadClip("a BVH begins with HIERARCHY", line)
            started = True
        else:
            reader.read(line, statement)
    if not started or not reader.found.names:
        raise BadClip("there is no HIERARCHY with a ROOT", line)
    if reader.open or reader.announced is not None:
        raise BadClip("the HIERARCHY ends with a brace open", line)
    if not reader.found.columns:
        raise BadClip("the joints have no CHANNELS", line)
    return reader.found


_known = lru_cache(maxsize=8)(_hierarchy)
"""All files of one figure have the same header; nobody changes what was read of it."""


def _motion(text: bytes, line: int, columns: int) -> tuple[Floats, float]:
    """The table and the frames a second; `line` is that of the text's first character."""
    settings: list[tuple[int, str]] = []
    rest = text
    while len(settings) < 2:
        head, newline, rest = rest.partition(b"\n")
        if head.strip():
            settings.append((line, head.decode("ascii", "replace").strip()))
        line += 1
        if not newline and len(settings) < 2:
            raise BadClip("the file ends before Frames and Frame Time", line - 1)
    frames = _setting(settings[0], r"Frames:\s*(\d{1,9})")
    frame_time = _setting(settings[1], r"Frame\s+Time:\s*(\S+)")
    if not 1 <= frames <= MOST_FRAMES:
        raise BadClip(f"{frames:.0f} frames are not 1 to {MOST_FRAMES}", settings[0][0])
    if not 1e-4 <= frame_time <= 100.0:
        raise BadClip(f"a Frame Time of {frame_time:g} s", settings[1][0])
    fps = 1.0 / frame_time
    # Files give Frame Time to six or seven places: 0.033333 means 30 frames a second.
    whole = float(round(fps))
    table = _table(rest, line, int(frames), columns)
    return table, whole if abs(fps - whole) < min(0.01, 5e-4 * whole) else fps


def _setting(setting: tuple[int, str], pattern: str) -> float:
    line, text = setting
    match = re.fullmatch(pattern, text, re.IGNORECASE)
    if match is None:
        raise BadClip(f"expected {pattern.partition(':')[0]} at {text[:40]!r}", line)
    return _number(match[1], line)


def _table(text: bytes, line: int, frames: int, columns: int) -> Floats:
    # Every number takes two bytes at least, so a table that cannot be there is never allocated.
    if 2 * frames * columns > len(text) + 1:
        raise BadClip(f"the file is too short for {frames} frames of {columns} numbers", line)
    if len(text) > frames * (LONGEST_NUMBER * columns + LONGEST_LINE):
        raise BadClip(f"{len(text)} bytes for {frames} frames of {columns} numbers", line)
    strange = text.translate(None, _NUMERIC)
    if strange:
        at = text.index(strange[:1])
        number = line + text.count(b"\n", 0, at)
        word = text[at : at + 20].split()
        raise BadClip(f"not a number: {b''.join(word[:1])!r}", number)
    # Before splitting: 64 MiB on one line would become gigabytes of words.
    longest = max(map(len, io.BytesIO(text)), default=0)
    if longest > LONGEST_NUMBER * columns + LONGEST_LINE:
        raise BadClip(f"a row of {longest} bytes")
    try:
        table = np.loadtxt(io.BytesIO(text), comments=None, ndmin=2) if text.strip() else None
    except ValueError:
        table = None
    if table is None or table.shape != (frames, columns):
        raise _table_fault(text, line, frames, columns)
    if not (np.abs(table) < LARGEST).all():
        raise BadClip(f"a number beyond {LARGEST:g}")
    return table


def _table_fault(text: bytes, line: int, frames: int, columns: int) -> BadClip:
    """What is wrong with a table of another size, or with a word that is no number."""
    filled, number = 0, line
    for number, row in enumerate(io.BytesIO(text), line):
        words = row.split()
        if words and len(words) != columns:
            return BadClip(f"{len(words)} numbers, not {columns}", number)
        if words and filled == frames:
            return BadClip(f"more rows than the {frames} frames announced", number)
        try:
            filled += len([*map(float, words)]) > 0
        except ValueError:
            return BadClip("not a number in this row", number)
    return BadClip(f"{filled} rows, not the {frames} frames announced", number)


def _number(word: str, line: int) -> float:
    try:
        value = float(word)
    except ValueError:
        raise BadClip(f"not a number: {word[:40]!r}", line) from None
    if not math.isfinite(value) or abs(value) >= LARGEST:
        raise BadClip(f"not a finite number under 1e9: {word[:40]!r}", line)
    return value
