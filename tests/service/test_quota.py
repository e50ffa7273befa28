"""How many jobs one user may have open: exactly so many, however many ask at once."""

import asyncio
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.failures import Rejected
from kinesphere.ports import Ledger
from kinesphere.service.quota import Quota


class SlowLedger:
    """Counts and commits after as many turns of the loop as it is told."""

    def __init__(self, delays: list[int]) -> None:
        self.open = 0
        self._delays = iter(delays * 1_000)

    async def open_jobs(self, user: str) -> int:
        await self._wait()
        seen = self.open
        await self._wait()
        return seen

    async def submit(self) -> None:
        await self._wait()
        self.open += 1
        await self._wait()

    async def _wait(self) -> None:
        for _ in range(next(self._delays)):
            await asyncio.sleep(0)


def quota_over(ledger: SlowLedger, most: int) -> Quota:
    """A quota that asks the ledger for the one thing that it asks ledgers for."""
    return Quota(cast("Ledger", ledger), most)


@given(
    most=st.integers(1, 6),
    asking=st.integers(0, 20),
    delays=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    failing=st.sets(st.integers(0, 19)),
)
def test_as_many_are_admitted_as_there_are_places(
    most: int, asking: int, delays: list[int], failing: set[int]
) -> None:
    ledger = SlowLedger(delays)
    quota = quota_over(ledger, most)

    async def submit(number: int) -> None:
        async with quota.place("ann", 1.0):
            if number in failing:
                raise OSError
            await ledger.submit()

    async def main() -> list[BaseException | None]:
        tasks = (submit(number) for number in range(asking))
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    found = asyncio.run(main())
    admitted = found.count(None)
    assert admitted == ledger.open <= most
    # Nobody is refused while there is a place, unless one that had it failed.
    failed = sum(isinstance(each, OSError) for each in found)
    assert admitted + failed >= min(most, asking)
    assert {type(each) for each in found} <= {type(None), OSError, Rejected}


async def test_a_user_who_has_none_left_hears_when_to_ask_again() -> None:
    ledger = SlowLedger([0])
    quota = quota_over(ledger, 1)
    async with quota.place("ann", 7.0):
        await ledger.submit()
    with pytest.raises(Rejected) as caught:
        async with quota.place("ann", 7.0):
            raise AssertionError("there is no place")
    assert (caught.value.code, caught.value.retry_after) == ("QUOTA_EXCEEDED", 7.0)


async def test_without_a_limit_nothing_is_counted() -> None:
    ledger = SlowLedger([0])
    quota = quota_over(ledger, 0)
    for _ in range(50):
        async with quota.place("ann", 1.0):
            await ledger.submit()
    assert ledger.open == 50


async def test_a_ledger_that_does_not_answer_takes_no_place() -> None:
    class Broken(SlowLedger):
        async def open_jobs(self, user: str) -> int:
            if self.open:
                return await super().open_jobs(user)
            self.open = 1
            raise OSError

    ledger = Broken([0])
    quota = quota_over(ledger, 2)
    with suppress(OSError):
        async with quota.place("ann", 1.0):
            raise AssertionError("nobody knows whether there is a place")
    async with quota.place("ann", 1.0):
        await ledger.submit()
