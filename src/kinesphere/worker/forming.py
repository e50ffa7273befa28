"""What a replica runs next: batches, formed of what waits now and what may be expected very soon.

Where a batch takes milliseconds, several are claimed at once: a claim is a commit, and would cost
more than the work.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from kinesphere.core.batching import Arrivals, BatchTime, gather_seconds
from kinesphere.ports import Clock
from kinesphere.worker.holding import Held

AHEAD: Final = 0.05
"""Seconds of work that a replica claims at once. So long may a job wait for it though another is
free, or run before a more urgent one that came after the claim."""

LONGEST_AHEAD: Final = 1.0
"""Seconds after which what is not begun is another's again: a batch took longer than expected."""

MOST_AHEAD: Final = 32
"""Batches that are claimed at once at most."""


class Forming:
    """Claims for one replica, by `claim`, and waits for company, by `pause`.

    Attributes:
        seconds: What batches take, as measured.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: BatchTime,
        claim: Callable[[int], Awaitable[list[Held]]],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._claim = claim
        self._pause = pause
        self._arrivals = Arrivals()
        self._stock: list[Held] = []
        self._claimed_at = 0.0

    @property
    def patience(self) -> float:
        """Seconds that what is not begun may yet stay here; 0 or less when it has to go."""
        return self._claimed_at + LONGEST_AHEAD - self._clock.monotonic()

    @property
    def stocked(self) -> bool:
        """Whether something is claimed that was not begun."""
        return bool(self._stock)

    async def batch(self, limit: int) -> list[Held]:
        """The next batch, of at most `limit` jobs; or none."""
        if not self._stock:
            self._stock = await self._claimed(limit * self._ahead(limit))
        batch = self._taken(limit)
        if not batch or batch[0].job.alone or self._stock:
            return batch
        rate = self._arrivals.rate(self._clock.now())
        seconds = gather_seconds(len(batch), limit, rate, self.seconds.seconds(weight(batch)))
        if seconds > 0.0:
            # Back where it can be dropped meanwhile.
            self._stock = batch
            await self._pause(seconds)
            self._stock += await self._claimed(limit - len(batch))
            batch = self._taken(limit)
        return batch

    def put_back(self, batch: list[Held]) -> None:
        """Take note of a batch that was formed and not begun."""
        self._stock = batch + self._stock

    def drop(self, held: Held) -> None:
        """Run this one not."""
        if held in self._stock:
            self._stock.remove(held)

    def emptied(self) -> list[Held]:
        """All that was not begun, which is then another's to settle."""
        stock, self._stock = self._stock, []
        return stock

    def _ahead(self, limit: int) -> int:
        """Batches to claim at once."""
        if not self.seconds.measured:
            return 1
        whole = max(self.seconds.seconds(limit), AHEAD / MOST_AHEAD)
        return max(1, int(AHEAD / whole))

    def _taken(self, limit: int) -> list[Held]:
        """The first of the stock that may run together."""
        if self._stock and self._stock[0].job.alone:
            limit = 1
        size = next(
            (i for i, held in enumerate(self._stock[:limit]) if i and held.job.alone), limit
        )
        batch, self._stock = self._stock[:size], self._stock[size:]
        return batch

    async def _claimed(self, limit: int) -> list[Held]:
        self._claimed_at = self._clock.monotonic()
        claimed = await self._claim(limit)
        for held in claimed:
            self._arrivals = self._arrivals.seen(held.job.ready_at)
        return claimed


def weight(batch: list[Held]) -> float:
    """What the jobs of a batch weigh together."""
    return sum(held.job.weight for held in batch)
