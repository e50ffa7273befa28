"""Reading large files of weights: mapped, so that nothing is copied twice, and read ahead.

The system is told that all of a file will be needed, and reads it while the map is used. That is
enough for a local disk. A disk far away, such as a network's, gives much only to many requests at
once: for those, threads that read the same file in large parts bring it into the page cache. They
cost processor time, and make a local disk slower (benchmarks/weight_reading.py, docs/gpu.md).
"""

import json
import mmap
import os
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PART: Final = 16 * 2**20
"""Bytes of one read: long enough to stream, short enough that threads stay near each other."""

_HEADER: Final = struct.Struct("<Q")
_LONGEST_HEADER: Final = 100_000_000
"""Bytes, as the format's own reader allows."""


class NotSafetensors(Exception):
    """The file is not in the format, or was cut off; why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in a mapped file.

    Attributes:
        dtype: As the format names it: F32, F16, BF16, I64, …
        shape: Its sizes.
        data: Its bytes, little-endian and row by row, in the map.
    """

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


@contextmanager
def read_ahead(paths: Sequence[Path], readers: int = 0) -> Iterator[None]:
    """Bring files into the page cache while the body reads them, in their order.

    `readers` are threads that read too, for storage that is far away. Nothing of it has to succeed:
    what cannot be read ahead is read by the body, or fails there. Leaving ends it.
    """
    for path in paths:
        _advise(path)
    stop = threading.Event()
    parts = _parts(paths)
    taking = threading.Lock()

    def read() -> None:
        buffer = bytearray(PART)
        while not stop.is_set():
            with taking:
                part = next(parts, None)
            if part is None:
                return
            _read(part[0], part[1], buffer)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(readers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def mapped(path: Path, readers: int = 0) -> Iterator[Mapping[str, Tensor]]:
    """The tensors of a safetensors file, mapped and read ahead; they end with the block.

    Raises NotSafetensors, and OSError where the file cannot be read.
    """
    with path.open("rb") as file, read_ahead([path], readers):
        size = os.fstat(file.fileno()).st_size
        if size < _HEADER.size:
            raise NotSafetensors(f"{path.name} has {size} bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            view = memoryview(whole)
            tensors: dict[str, Tensor] = {}
            try:
                tensors |= _tensors(path.name, view)
                yield tensors
            finally:
                for tensor in tensors.values():
                    tensor.data.release()
                view.release()


def _tensors(name: str, view: memoryview) -> dict[str, Tensor]:
    (length,) = _HEADER.unpack(view[: _HEADER.size])
    begin = _HEADER.size + length
    if length > _LONGEST_HEADER or begin > len(view):
        raise NotSafetensors(f"{name} has a header of {length} bytes")
    try:
        header = json.loads(bytes(view[_HEADER.size : begin]))
        return {
            key: Tensor(told["dtype"], tuple(told["shape"]), _piece(view, begin, told))
            for key, told in header.items()
            if key != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotSafetensors(f"{name}: {type(error).__name__}: {error}") from error


def _piece(view: memoryview, begin: int, told: Mapping[str, Sequence[int]]) -> memoryview:
    start, end = told["data_offsets"]
    if not 0 <= start <= end <= len(view) - begin:
        raise ValueError(f"bytes {start} to {end} are not all there")
    return view[begin + start : begin + end]


def _advise(path: Path) -> None:
    """Have the system begin to read a file; it does so by itself."""
    if not hasattr(os, "posix_fadvise"):
        return
    try:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    except OSError:
        return


def _parts(paths: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    for path in paths:
        try:
            size = path.stat().st_size
        except OSError:
            continue
        yield from ((path, start) for start in range(0, size, PART))


def _read(path: Path, start: int, buffer: bytearray) -> None:
    """Have a part read by the system, and forget it."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            file.readinto(buffer)
    except OSError:
        return
