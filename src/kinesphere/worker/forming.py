"""What a replica runs next: batches, formed of what waits now and what may be expected very soon.

A claim is a commit. Where a batch takes milliseconds, several are claimed at once: the commits
would cost more than the work. Where it takes longer, the next is claimed shortly before the one
that runs is expected to end, so that the device need not wait for the commit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from kinesphere.core.batching import Arrivals, BatchTime, Returns, gather_seconds
from kinesphere.ports import Clock
from kinesphere.worker.held import Held
from kinesphere.worker.turns import Turns

AHEAD: Final = 0.05
"""Seconds of work that a replica claims at once. So long may a job wait for it though another is
free, or run before a more urgent one that came after the claim."""

EARLY: Final = 0.03
"""Seconds before the expected end of a batch at which the next is claimed: a commit, and by how
much batches differ."""

MOST_EARLY: Final = 2.0
"""Seconds of a batch beyond which a commit before the next is nothing."""

LONGEST_AHEAD: Final = 1.0
"""Seconds after which what is not begun is another's again: a batch took longer than expected."""

MOST_AHEAD: Final = 32
"""Batches that are claimed at once at most."""


class Forming:
    """Claims for one replica, by `claim`, and waits for company, or for its turn.

    `pause` waits for so many seconds at most; `news` for so many or for a hint that there is work,
    and it tells whether the replica goes on; `ring` gives such a hint to another.

    Attributes:
        seconds: What batches take, as measured.
        gathered: Seconds for which the latest batch waited for company.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: BatchTime,
        turns: Turns,
        *,
        claim: Callable[[int], Awaitable[list[Held]]],
        pause: Callable[[float], Awaitable[None]],
        news: Callable[[float], Awaitable[bool]],
        ring: Callable[[], None],
    ) -> None:
        self.seconds = seconds
        self.gathered = 0.0
        self._clock = clock
        self._claim = claim
        self._pause = pause
        self._news = news
        self._turns = turns
        self._ring = ring
        self._arrivals = Arrivals()
        self._returns = Returns()
        self._stock: list[Held] = []
        self._claimed_at = 0.0
        self._early: asyncio.Task[None] | None = None
        self._nothing_at = float("-inf")

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
        batch = await self._formed(limit)
        if batch:
            expected = self.seconds.seconds(weight(batch))
            self._turns.started(self._clock.monotonic(), expected, limit)
        return batch

    async def _formed(self, limit: int) -> list[Held]:
        await self._settled()
        self.gathered = 0.0
        if not self._stock and self._taken_by_another:
            # Another gathers what comes, and rings when it has begun.
            return []
        if self._clock.monotonic() - self._nothing_at < 2.0 * EARLY and not self._stock:
            # Nothing waited a moment ago; what has come since has rung, and the bell waits.
            self._nothing_at = float("-inf")
            return []
        ahead = self._ahead(limit)
        if not self._stock:
            await self._stock_up(limit * ahead)
        elif ahead == 1 and not self._stock[0].job.alone:
            # What was claimed early, and what came since.
            await self._stock_up(limit - len(self._stock))
        batch = self._taken(limit)
        if not batch or batch[0].job.alone or self._stock or len(batch) == limit:
            return batch
        # Back where it can be dropped meanwhile.
        self._stock = batch
        began = self._clock.monotonic()
        await self._gather(limit)
        self.gathered = self._clock.monotonic() - began
        return self._taken(limit)

    def looks_ahead(self, expected: float) -> bool:
        """Whether there is more to do while a batch runs that is `expected` to take so long."""
        measured = bool(self.seconds.measured)
        return self.stocked or (measured and AHEAD <= expected <= MOST_EARLY)

    async def meanwhile(self, limit: int, left: float) -> None:
        """While a batch runs that is expected to end in `left` seconds: claim the next before.

        Returns at once where there is a stock, and claims nothing that another gathers. May be
        cancelled at any time: what is being claimed then is part of the stock.
        """
        if not self._stock:
            await self._clock.sleep(left - EARLY)
            if self._taken_by_another:
                return
            self._early = asyncio.ensure_future(self._stock_up(limit))
            await asyncio.shield(self._early)
            if not self._stock:
                self._nothing_at = self._clock.monotonic()

    def ended(self, jobs: int) -> None:
        """Take note that a batch of `jobs` has left the device."""
        self._returns.ended(self._clock.now(), jobs)

    def put_back(self, batch: list[Held]) -> None:
        """Take note of a batch that was formed and not begun."""
        self._stock = batch + self._stock

    def drop(self, held: Held) -> None:
        """Run this one not."""
        if held in self._stock:
            self._stock.remove(held)

    async def emptied(self) -> list[Held]:
        """All that was not begun, which is then another's to settle."""
        await self._settled()
        stock, self._stock = self._stock, []
        return stock

    async def _gather(self, limit: int) -> None:
        """Wait for its turn among the devices, or for company, where it is expected."""
        if await self._waited(limit):
            return
        waiting, load, now = len(self._stock), weight(self._stock), self._clock.now()
        company = self._returns.company(now, waiting, limit, self.seconds, load / waiting)
        if company.jobs:
            await self._joined(company.jobs, company.seconds, limit)
            return
        rate = self._arrivals.rate(now)
        seconds = gather_seconds(waiting, limit, rate, self.seconds.seconds(load))
        if seconds > 0.0:
            await self._pause(seconds)
            await self._stock_up(limit - len(self._stock))

    async def _waited(self, limit: int) -> bool:
        """Wait until the devices of the pool have started evenly; whether it was not yet time."""
        if self._turns.gathering or (seconds := self._till_turn(limit)) <= 0.0:
            return False
        self._turns.gathering = True
        try:
            while seconds > 0.0:
                now, expected = self._clock.monotonic(), self.seconds.seconds(weight(self._stock))
                self._turns.waits(now, seconds, expected, limit)
                until = now + seconds
                while (left := until - self._clock.monotonic()) > 0.0:
                    if not await self._news(left):
                        return True
                await self._stock_up(limit - len(self._stock))
                seconds = self._till_turn(limit)
        finally:
            self._turns.gathering = False
            # The hints that came meanwhile went here, or to one that left the queue to this one.
            self._ring()
        return True

    @property
    def _taken_by_another(self) -> bool:
        return self._turns.taken(self._clock.monotonic(), self.seconds)

    def _till_turn(self, limit: int) -> float:
        if not (waiting := len(self._stock)):
            return 0.0
        now, each = self._clock.monotonic(), weight(self._stock) / waiting
        return self._turns.pause(now, self.seconds, waiting=waiting, limit=limit, each=each)

    async def _joined(self, jobs: int, seconds: float, limit: int) -> None:
        """Claim as they come, until `jobs` have come or `seconds` have passed."""
        until, wanted = self._clock.monotonic() + seconds, min(limit, len(self._stock) + jobs)
        while (left := until - self._clock.monotonic()) > 0.0 and 0 < len(self._stock) < wanted:
            if not await self._news(left):
                return
            await self._stock_up(limit - len(self._stock))

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

    async def _settled(self) -> None:
        """Wait for a claim that is under way."""
        early, self._early = self._early, None
        if early is not None:
            await early

    async def _stock_up(self, limit: int) -> None:
        if limit <= 0:
            return
        self._claimed_at = self._clock.monotonic()
        claimed = await self._claim(limit)
        if claimed:
            self._turns.claimed(self._claimed_at, len(claimed))
        for held in claimed:
            self._arrivals = self._arrivals.seen(held.job.ready_at)
            self._returns.came(held.job.ready_at)
        self._stock += claimed


def weight(batch: list[Held]) -> float:
    """What the jobs of a batch weigh together."""
    return sum(held.job.weight for held in batch)
