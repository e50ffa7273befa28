"""Those that are nearly ready wait a moment for one another."""

import asyncio

import pytest

from kinesphere.worker.muster import PATIENCE, Muster
from tests.clock import VirtualClock


class Works:
    """Works that begin at once and take so many seconds; when each was let go."""

    def __init__(self, *seconds: float) -> None:
        self.clock = VirtualClock(0.0)
        self.muster = Muster(self.clock)
        self.let_go: dict[float, float] = {}
        self.tasks = [asyncio.create_task(self._work(each)) for each in seconds]

    async def _work(self, seconds: float) -> None:
        self.muster.begin()
        try:
            await self.clock.sleep(seconds)
        finally:
            self.muster.end()
        await self.muster.others()
        self.let_go[seconds] = self.clock.monotonic()

    async def run(self) -> dict[float, float]:
        while not all(task.done() for task in self.tasks):
            await self.clock.advance(0.0005)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.let_go


async def test_they_go_together_when_the_last_is_ready() -> None:
    assert set((await Works(0.001, 0.002, 0.003).run()).values()) == {0.003}


async def test_nobody_waits_long_for_one_that_is_slow() -> None:
    let_go = await Works(0.001, 0.002, 1.0).run()
    assert let_go[0.001] == let_go[0.002] == pytest.approx(0.001 + PATIENCE, abs=0.001)
    assert let_go[1.0] == pytest.approx(1.0, abs=0.001)


async def test_who_is_alone_waits_for_nobody() -> None:
    assert await Works(0.002).run() == {0.002: 0.002}


async def test_later_ones_have_their_own_time() -> None:
    works = Works(0.001, 0.007, 0.008, 1.0)
    let_go = await works.run()
    assert let_go[0.001] == pytest.approx(0.006, abs=0.001)
    assert let_go[0.007] == let_go[0.008] == pytest.approx(0.012, abs=0.001)


async def test_who_is_cancelled_holds_nobody_back() -> None:
    works = Works(0.001, 0.002, 0.003)
    await works.clock.advance(0.0015)
    works.tasks[0].cancel()
    assert (await works.run()) == {0.002: 0.003, 0.003: 0.003}
