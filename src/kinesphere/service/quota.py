"""How many jobs one user may have waiting and running."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from kinesphere.core.failures import Rejected
from kinesphere.ports import Ledger


@dataclass
class _Submissions:
    """Of one user, in this process.

    Attributes:
        asking: Those that have not left yet.
        under_way: Those of them that may be committed any moment.
        began: All that ever were under way.
        turn: Held by the one that waits for another to end.
        ended: Set when one ends that was under way.
    """

    asking: int = 0
    under_way: int = 0
    began: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self) -> None:
        self.under_way -= 1
        self.ended.set()


class Quota:
    """Gives places to submissions, as many as a user has left.

    The ledger counts what is committed, this what is on its way there. A submission that is
    committed between the two is counted twice, never not at all; where that would refuse another,
    the other waits for its end and counts again. So one process admits exactly `most`; several may
    together go beyond it by what the others had under way at that moment.
    """

    def __init__(self, ledger: Ledger, most: int) -> None:
        self._ledger = ledger
        self._most = most
        self._users: dict[str, _Submissions] = {}

    @asynccontextmanager
    async def place(self, user: str, retry_after: float) -> AsyncIterator[None]:
        """Hold a place while a job of `user` is submitted; with `most` 0 there are always some.

        Raises Rejected: QUOTA_EXCEEDED.
        """
        if not self._most:
            yield
            return
        mine = self._users.setdefault(user, _Submissions())
        mine.asking += 1
        try:
            if not await self._fits(user, mine):
                await self._turn(user, mine, retry_after)
            try:
                yield
            finally:
                mine.leave()
        finally:
            mine.asking -= 1
            if not mine.asking:
                del self._users[user]

    async def _fits(self, user: str, mine: _Submissions) -> bool:
        """Whether there is a place; then the submission is under way."""
        before, began = mine.under_way, mine.began
        mine.under_way += 1
        mine.began += 1
        try:
            committed = await self._ledger.open_jobs(user)
        except BaseException:
            mine.leave()
            raise
        # What was under way at any moment of the count may be missing in it.
        if committed + before + (mine.began - began) <= self._most:
            return True
        mine.under_way -= 1
        return False

    async def _turn(self, user: str, mine: _Submissions, retry_after: float) -> None:
        """Return when there is a place. Raises Rejected when none can come."""
        mine.ended.set()
        async with mine.turn:
            while True:
                mine.ended.clear()
                if await self._fits(user, mine):
                    return
                if mine.ended.is_set():
                    # One that ended during the count may have been counted twice.
                    continue
                if not mine.under_way:
                    raise self._exceeded(retry_after)
                await mine.ended.wait()

    async def check(self, user: str, retry_after: float) -> None:
        """Raise Rejected with QUOTA_EXCEEDED where `user` has no place left as of now."""
        if self._most and await self._ledger.open_jobs(user) >= self._most:
            raise self._exceeded(retry_after)

    def _exceeded(self, retry_after: float) -> Rejected:
        detail = f"{self._most} of your jobs wait or run; no more are taken."
        return Rejected("QUOTA_EXCEEDED", detail, retry_after=retry_after)
