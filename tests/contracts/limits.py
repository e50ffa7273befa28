"""What every `kinesphere.ports.Limits` does. A subclass says how time passes."""

import asyncio
from abc import ABC, abstractmethod

from kinesphere.ports import Limits, Quota

FIVE = Quota(requests=5, seconds=2)


class LimitsContract(ABC):
    """The suite; `limits` is a fixture of the subclass."""

    @abstractmethod
    async def pass_by(self, seconds: float) -> None:
        """Let time pass."""

    async def test_as_many_as_the_quota_says_are_admitted(self, limits: Limits) -> None:
        found = [await limits.take("a", FIVE) for _ in range(8)]
        assert [f.admitted for f in found] == [True] * 5 + [False] * 3
        assert [f.remaining for f in found] == [4, 3, 2, 1, 0, 0, 0, 0]
        assert all(0 < f.reset <= 2 for f in found)
        assert all(f.quota == FIVE for f in found)

    async def test_at_once_no_more_are_admitted(self, limits: Limits) -> None:
        found = await asyncio.gather(*(limits.take("a", FIVE) for _ in range(50)))
        assert sum(f.admitted for f in found) == 5

    async def test_keys_and_quotas_are_counted_apart(self, limits: Limits) -> None:
        for _ in range(5):
            await limits.take("a", FIVE)
        assert not (await limits.take("a", FIVE)).admitted
        assert (await limits.take("b", FIVE)).admitted
        assert (await limits.take("a", Quota(5, 3))).admitted

    async def test_looking_counts_nothing(self, limits: Limits) -> None:
        fresh = await limits.look("a", FIVE)
        assert (fresh.admitted, fresh.remaining, fresh.reset) == (True, 5, 0.0)
        for _ in range(5):
            assert (await limits.look("a", FIVE)).admitted
            await limits.take("a", FIVE)
        full = await limits.look("a", FIVE)
        assert (full.admitted, full.remaining) == (False, 0)
        assert 0 < full.reset <= 2

    async def test_after_the_window_all_is_as_before(self, limits: Limits) -> None:
        for _ in range(7):
            await limits.take("a", FIVE)
        await self.pass_by(2.1)
        assert (await limits.look("a", FIVE)).remaining == 5
        assert (await limits.take("a", FIVE)).remaining == 4

    async def test_the_window_moves(self, limits: Limits) -> None:
        for _ in range(3):
            await limits.take("a", FIVE)
        await self.pass_by(1.2)
        for _ in range(2):
            await limits.take("a", FIVE)
        full = await limits.take("a", FIVE)
        assert not full.admitted
        # The first three leave before the others.
        assert full.reset <= 0.9
        await self.pass_by(full.reset + 0.05)
        found = [await limits.take("a", FIVE) for _ in range(4)]
        assert [f.admitted for f in found] == [True, True, True, False]

    async def test_refusals_are_not_counted(self, limits: Limits) -> None:
        for _ in range(5):
            await limits.take("a", FIVE)
        await self.pass_by(1.5)
        assert not (await limits.take("a", FIVE)).admitted
        await self.pass_by(0.6)
        assert (await limits.take("a", FIVE)).remaining == 4
