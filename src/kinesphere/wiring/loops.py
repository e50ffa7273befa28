"""Loops that run as long as a process does, and signals that end it."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Final, Protocol

from kinesphere.ports import Clock, LedgerUnavailable, Presence

TERM: Final = 10.0
"""Seconds that a leader leads without renewing: how long nobody sweeps when it dies."""

_log = logging.getLogger("kinesphere.server")


class Loop(Protocol):
    """Something that runs until it is cancelled."""

    async def run(self) -> None:
        """Run."""
        ...


async def kept(loop: Loop, clock: Clock) -> None:
    """Run a loop for ever: a fault in one of them must not take the server down."""
    while True:
        try:
            await loop.run()
        except Exception:
            name = type(loop).__name__
            _log.exception("%s ended by a fault of ours", name, extra={"action": "loop_failed"})
        await clock.sleep(1.0)


class Led:
    """Loops that only one process runs at a time: the one that leads."""

    def __init__(
        self, presence: Presence, clock: Clock, holder: str, loops: Sequence[Loop]
    ) -> None:
        self._presence = presence
        self._clock = clock
        self._holder = holder
        self._loops = loops

    async def run(self) -> None:
        """Try to lead, and run the loops while leading, for ever."""
        running: list[asyncio.Task[None]] = []
        held_until = 0.0
        try:
            while True:
                asked = self._clock.monotonic()
                try:
                    leads = await self._presence.lead("sweeper", self._holder, TERM)
                    held_until = asked + TERM if leads else 0.0
                except LedgerUnavailable:
                    # What was granted holds until it lapses: nobody else can be granted it.
                    leads = self._clock.monotonic() < held_until
                if leads and not running:
                    _log.info("leading", extra={"action": "sweeper.leads"})
                    running = [asyncio.create_task(kept(each, self._clock)) for each in self._loops]
                elif running and not leads:
                    await _ended(running)
                    running = []
                await self._clock.sleep(TERM / 4.0)
        finally:
            await _ended(running)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Signals:
    """What the operator wants: the first signal means leave, the second stop."""

    def __init__(self) -> None:
        self.leave = asyncio.Event()
        self.stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._received)

    def _received(self) -> None:
        (self.stop if self.leave.is_set() else self.leave).set()


async def first(*awaitables: "asyncio.Task[None] | asyncio.Event") -> None:
    """Return when one is done or set; an error of a task is raised."""
    waits = {
        asyncio.ensure_future(a.wait()) if isinstance(a, asyncio.Event) else a for a in awaitables
    }
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits - set(awaitables):
        task.cancel()
    for task in done:
        task.result()
