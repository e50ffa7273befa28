"""The one client of all targets: HTTP/1.1 over kept connections, with as little work as can be.

A client that costs as much as the server would measure itself.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from benchmarks.peers.target import Ask

UNANSWERED: Final = 30.0
"""Seconds after the time for asking that an answer may still take."""


@dataclass(slots=True)
class Told:
    """What came of asking: seconds of each answer, and the statuses that were none of success."""

    seconds: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    elapsed: float = 0.0

    def note(self, status: int | str, seconds: float) -> None:
        """Take note of one answer, or of what came in its place."""
        if isinstance(status, int) and 200 <= status < 300:
            self.seconds.append(seconds)
        else:
            self.refused[str(status)] = self.refused.get(str(status), 0) + 1

    def quantile(self, part: float) -> float:
        """Seconds, by nearest rank."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


class Connection:
    """One connection, made anew when the server has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, ask: Ask) -> tuple[int, bytes]:
        """Status and body. Raises OSError, EOFError (asyncio.IncompleteReadError)."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        body = json.dumps(ask.body).encode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
        head = (
            f"POST {ask.path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            writer.write(head.encode() + body)
            return await self._answer(reader)
        except (OSError, EOFError):
            await self.close()
            raise

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        if "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        else:
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        if fields.get("connection") == "close":
            await self.close()
        return int(lines[0].split(" ", 2)[1]), body

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def closed_loop(url: str, asks: "asyncio.Queue[Ask]", clients: int, seconds: float) -> Told:
    """So many clients ask one after the other, until the time is over or nothing is left to ask.

    An answer that has not come by then is waited for, but not for ever.
    """
    told = Told()
    began = time.perf_counter()

    async def client() -> None:
        connection = Connection(url)
        try:
            while time.perf_counter() - began < seconds and not asks.empty():
                ask, asked = asks.get_nowait(), time.perf_counter()
                try:
                    status: int | str = (await connection.ask(ask))[0]
                except (OSError, EOFError) as error:
                    status = type(error).__name__
                told.note(status, time.perf_counter() - asked)
        finally:
            await connection.close()

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    done, hung = await asyncio.wait(tasks, timeout=seconds + UNANSWERED)
    told.elapsed = time.perf_counter() - began
    for task in hung:
        task.cancel()
        told.note("unanswered", told.elapsed)
    await asyncio.gather(*done)
    return told
