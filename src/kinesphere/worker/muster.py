"""Those that are nearly ready wait a moment for one another, so that one commit does for all."""

import asyncio
from typing import Final

from kinesphere.ports import Clock

PATIENCE: Final = 0.005
"""Seconds that one waits at most: two commits."""


class Muster:
    """Work that was begun about the same time, and ends about the same time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = 0
        self._ready: list[asyncio.Future[None]] = []
        self._timer: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """One more is at it."""
        self._begun += 1

    def end(self) -> None:
        """One has ended, well or not."""
        self._begun -= 1
        if not self._begun:
            self._go()

    async def others(self) -> None:
        """Wait until all that have begun have ended, for PATIENCE at most."""
        if not self._begun:
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.append(ready)
        if self._timer is None:
            self._timer = asyncio.create_task(self._expire())
        await ready

    async def _expire(self) -> None:
        await self._clock.sleep(PATIENCE)
        self._timer = None
        self._go()

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ready, self._ready = self._ready, []
        for each in ready:
            if not each.done():
                each.set_result(None)
