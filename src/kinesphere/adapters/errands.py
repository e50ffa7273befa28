"""Errands in a child process, which ends when nobody has needed it for a while."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.ports import Clock, ErrandFailed

HEADER: Final = 4
"""Bytes before each message that tell its length, the most significant first."""

WAITING: Final = 4
"""Errands that may wait for their turn; more would wait longer than a page waits."""

IDLE_SECONDS: Final = 120.0
"""How long an idle child is kept: its libraries take a second to import, and 90 MB."""

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_OWN_PREFIX: Final = "KINESPHERE_"


class ChildErrands:
    """See `kinesphere.ports.Errands`. The child is started by the first errand."""

    def __init__(self, clock: Clock, idle: float = IDLE_SECONDS, waiting: int = WAITING) -> None:
        self._clock = clock
        self._idle = idle
        self._most = waiting
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def run(self, what: str, given: Mapping[str, Any], seconds: float) -> Any:
        """See the port."""
        if self._waiting > self._most:
            detail = f"{self._waiting} such requests are being answered, one after the other."
            raise Rejected("BUSY", detail, retry_after=2.0)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._run(what, given, seconds)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the child."""
        if self._leaving is not None:
            self._leaving.cancel()
        await self._end()

    async def _run(self, what: str, given: Mapping[str, Any], seconds: float) -> Any:
        if self._leaving is not None:
            self._leaving.cancel()
        done = False
        try:
            async with asyncio.timeout(seconds):
                answer = await self._ask(what, given)
            done = True
        except TimeoutError:
            raise Rejected("TOO_MUCH_WORK", f"It was not done within {seconds:g} s.") from None
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ErrandFailed(f"{what}: its process ended") from error
        finally:
            if not done:
                await self._end()
        self._leaving = asyncio.create_task(self._leave(), name="errands, idle")
        return _result(what, answer)

    async def _ask(self, what: str, given: Mapping[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._process = await _started()
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise ErrandFailed(f"{what}: its process has no pipes")
        message = msgspec.msgpack.encode([what, given])
        process.stdin.write(len(message).to_bytes(HEADER) + message)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(HEADER))
        answer: dict[str, Any] = msgspec.msgpack.decode(await process.stdout.readexactly(length))
        return answer

    async def _leave(self) -> None:
        await self._clock.sleep(self._idle)
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _started() -> Process:
    # Settings of the platform may hold secrets, and decoders of callers' files have no business
    # with them.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_OWN_PREFIX)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kinesphere.adapters.errand",
        stdin=PIPE, stdout=PIPE, env={**kept, **dict.fromkeys(_THREADS, "1")},
    )  # fmt: skip


def _result(what: str, answer: Mapping[str, Any]) -> Any:
    """What was made, or what was raised in its place."""
    if "rejected" in answer:
        code, detail, fields = answer["rejected"]
        raise Rejected(code, detail, tuple(FieldError(*each) for each in fields))
    if "failed" in answer:
        raise ErrandFailed(f"{what}: {answer['failed']}")
    return answer["made"]
