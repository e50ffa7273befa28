"""A clock that moves only when a test says so."""

import asyncio
import heapq
from itertools import count


class VirtualClock:
    """See `kinesphere.ports.Clock`. Sleepers wake in order as `advance` passes their time."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._start = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken

    def tick(self, seconds: float) -> None:
        """Move on by `seconds`; sleepers whose time has come run at the next turn of the loop."""
        until = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
        self._now = until

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, letting what wakes on the way run and sleep again."""
        until = self._now + seconds
        while True:
            for _ in range(10):
                await asyncio.sleep(0)
            if not self._sleepers or self._sleepers[0][0] > until:
                break
            self.tick(self._sleepers[0][0] - self._now)
        self._now = until
