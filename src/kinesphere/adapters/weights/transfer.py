"""One file of weights: fetched in parts, many at a time, gone on with after a stop, verified."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from kinesphere.adapters.weights.documents import digest
from kinesphere.adapters.weights.sources import Source, SourceFailed, SourceLacks
from kinesphere.core.weights import WeightFile

PART: Final = 16 * 2**20
"""Bytes of a part: some tenths of a second on a fast link, and little lost when one breaks. Each is
a connection of its own."""

AT_A_TIME: Final = 8
"""Parts in flight; one connection of a far store rarely fills a link. 128 MiB of memory."""

TRIES: Final = 5
Done = TypeVar("Done")


class DigestMismatch(Exception):
    """What came is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How parts are fetched: bytes of one, how many at once, tries, and the first pause in s."""

    part: int = PART
    at_a_time: int = AT_A_TIME
    tries: int = TRIES
    pause: float = 0.5


PACE: Final = Pace()


class Transfer:
    """Fetches files from the first source that has them. `told` hears of bytes that were kept."""

    def __init__(self, sources: Sequence[Source], pace: Pace, told: Callable[[int], None]) -> None:
        self._sources = sources
        self._pace = pace
        self._told = told
        self._slots = asyncio.Semaphore(pace.at_a_time)

    async def fetch(self, file: WeightFile, target: Path) -> None:
        """Bring a file to `target`, where it appears once its digest was found right.

        What a stopped fetch left beside it is gone on with. Bytes that are wrong are fetched once
        more from the start: a disk or a proxy may have spoilt them.

        Raises:
            SourceFailed: No source gives it.
            DigestMismatch: What they give is something else.
            OSError: The disk fails.
        """
        part, marks = (target.with_name(f"{target.name}.{end}") for end in ("part", "done"))
        target.parent.mkdir(parents=True, exist_ok=True)
        for last in (False, True):
            await self._fill(file, part, marks)
            found = await asyncio.to_thread(digest, part)
            if found == file.sha256:
                part.replace(target)
                marks.unlink(missing_ok=True)
                return
            self._told(-file.size)
            part.unlink()
            marks.unlink(missing_ok=True)
            if last:
                raise DigestMismatch(f"{file.path} has SHA-256 {found}, not {file.sha256}")

    async def _fill(self, file: WeightFile, part: Path, marks: Path) -> None:
        """Have every part of the file there."""
        size = self._pace.part
        done = await asyncio.to_thread(_kept, part, marks, file.size, size)
        flags = os.O_RDWR | os.O_CREAT
        into = os.open(part, flags, 0o644)
        try:
            os.ftruncate(into, file.size)
            with marks.open("a" if done else "w") as notes:
                notes.write("" if done else f"{size}\n")

                async def one(number: int) -> None:
                    start = number * size
                    data = await self._read(file.path, start, min(start + size, file.size))
                    await asyncio.to_thread(os.pwrite, into, data, start)
                    notes.write(f"{number}\n")
                    notes.flush()
                    self._told(len(data))

                self._told(sum(min(size, file.size - n * size) for n in done))
                numbers = range(-(-file.size // size))
                await together([one(number) for number in numbers if number not in done])
            await asyncio.to_thread(os.fsync, into)
        finally:
            os.close(into)

    async def _read(self, path: str, start: int, end: int) -> bytes | bytearray:
        async with self._slots:
            troubles: list[str] = []
            for source in self._sources:
                try:
                    return await self._tried(source, path, start, end)
                except SourceFailed as error:
                    troubles.append(str(error))
            raise SourceFailed("; ".join(troubles) or f"{path}: there is no source")

    async def _tried(self, source: Source, path: str, start: int, end: int) -> bytes | bytearray:
        pause = self._pace.pause
        for _ in range(self._pace.tries - 1):
            try:
                return await source.read(path, start, end)
            except SourceLacks:
                raise
            except SourceFailed:
                await asyncio.sleep(pause)
                pause *= 2.0
        return await source.read(path, start, end)


def _kept(part: Path, marks: Path, length: int, size: int) -> set[int]:
    """The parts that an earlier fetch left; none where it left a file of another length."""
    try:
        return marked(marks, size) if part.stat().st_size == length else set()
    except FileNotFoundError:
        return set()


def marked(marks: Path, size: int) -> set[int]:
    """The parts that are there, by the notes of a fetch in parts of the same size."""
    try:
        first, *rest = marks.read_text().split("\n")
    except (OSError, ValueError):
        return set()
    # The last line may have been cut off in the middle of a number.
    return {int(n) for n in rest[:-1] if n.isdigit()} if first == str(size) else set()


async def together(works: Sequence[Awaitable[Done]]) -> None:
    """Do all, and when one fails, none of the others any more; its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
