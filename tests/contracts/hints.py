"""The contract of `kinesphere.ports.Hints`."""

import asyncio

import pytest

from kinesphere.ports import Hints
from tests.clock import VirtualClock


class HintsContract:
    """Subclasses give a fixture `hints`, made with the fixture `clock`."""

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock()

    async def test_a_ring_wakes_a_waiter(self, hints: Hints, clock: VirtualClock) -> None:
        waiting = asyncio.create_task(hints.wait("a", 10))
        await clock.advance(1)
        hints.ring("a")
        assert await waiting is True

    async def test_nothing_rung_is_false_after_the_time(
        self, hints: Hints, clock: VirtualClock
    ) -> None:
        waiting = asyncio.create_task(hints.wait("a", 10))
        await clock.advance(9.9)
        assert not waiting.done()
        await clock.advance(0.2)
        assert await waiting is False

    async def test_a_ring_before_the_wait_counts_once(
        self, hints: Hints, clock: VirtualClock
    ) -> None:
        hints.ring("a")
        hints.ring("a")
        assert await hints.wait("a", 10) is True
        waiting = asyncio.create_task(hints.wait("a", 10))
        await clock.advance(11)
        assert await waiting is False

    async def test_pools_are_apart(self, hints: Hints, clock: VirtualClock) -> None:
        waiting = asyncio.create_task(hints.wait("a", 10))
        await clock.advance(1)
        hints.ring("b")
        await clock.advance(10)
        assert await waiting is False
        assert await hints.wait("b", 10) is True

    async def test_each_ring_wakes_at_least_one(self, hints: Hints, clock: VirtualClock) -> None:
        waiting = [asyncio.create_task(hints.wait("a", 10)) for _ in range(3)]
        await clock.advance(1)
        hints.ring("a")
        hints.ring("a")
        await clock.advance(1)
        assert sum(task.done() for task in waiting) >= 2
        await clock.advance(10)
        assert [await task for task in waiting].count(True) >= 2

    async def test_a_ring_is_not_lost_with_a_waiter_that_leaves(
        self, hints: Hints, clock: VirtualClock
    ) -> None:
        leaving, staying = (asyncio.create_task(hints.wait("a", 10)) for _ in range(2))
        await clock.advance(1)
        hints.ring("a")
        leaving.cancel()
        await clock.advance(1)
        assert staying.done() or await hints.wait("a", 0)
        staying.cancel()

    async def test_a_waiter_that_left_takes_no_ring(
        self, hints: Hints, clock: VirtualClock
    ) -> None:
        leaving = asyncio.create_task(hints.wait("a", 10))
        await clock.advance(1)
        leaving.cancel()
        await clock.advance(1)
        hints.ring("a")
        assert await hints.wait("a", 10) is True
