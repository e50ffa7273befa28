"""Hints within one event loop."""

import asyncio
from collections import defaultdict, deque

from kinesphere.ports import Clock


class EmbeddedHints:
    """See `kinesphere.ports.Hints`. A ring that finds nobody waiting is kept for the next wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung: set[str] = set()
        self._waiting: defaultdict[str, deque[asyncio.Future[bool]]] = defaultdict(deque)

    def ring(self, pool: str, job_id: str = "") -> None:  # noqa: ARG002 - for brokers
        """See the port."""
        waiting = self._waiting[pool]
        while waiting:
            waiter = waiting.popleft()
            if not waiter.done():
                waiter.set_result(True)
                return
        self._rung.add(pool)

    async def wait(self, pool: str, seconds: float) -> bool:
        """See the port."""
        if pool in self._rung:
            self._rung.remove(pool)
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[pool]
        waiting.append(waiter)
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        timer.add_done_callback(lambda _: None if waiter.done() else waiter.set_result(False))
        try:
            return await waiter
        except asyncio.CancelledError:
            # The ring may have come between the wake-up and the cancellation: hand it on.
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.ring(pool)
            raise
        finally:
            timer.cancel()
            if waiter in waiting:
                waiting.remove(waiter)
