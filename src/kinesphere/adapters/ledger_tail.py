"""The end of the ledger as one process has heard it: what is new, and what was missed."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from kinesphere.adapters.feed_embedded import BEHIND
from kinesphere.ports import Record

REMEMBERED: Final = 10 * BEHIND
"""Events heard last, by which one that comes twice is known."""

PAGE: Final = 1_000

Past: TypeAlias = Callable[[int, int], Awaitable[Sequence[Record]]]
"""Stored events after a seq, oldest first, at most so many; raises LedgerUnavailable."""


class Tail:
    """Which events were heard, so that each is told once and those between are asked for.

    The ledger commits events in the order of `seq`, so a number that was passed over is an event
    not heard yet, or one forgotten long ago.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._known: set[int] = set()
        self._order: deque[int] = deque()
        self._missing: set[int] = set()

    @property
    def started(self) -> bool:
        """Whether the end of the ledger is known at all."""
        return self._last is not None

    @property
    def gaps(self) -> bool:
        """Whether an event was passed over."""
        return bool(self._missing)

    def hear(self, records: Sequence[Record]) -> list[Record]:
        """Those of them that were not heard before."""
        return [record for record in records if self._hear(record.seq)]

    def _hear(self, seq: int) -> bool:
        if seq in self._known:
            return False
        self._known.add(seq)
        self._order.append(seq)
        if len(self._order) > REMEMBERED:
            self._known.discard(self._order.popleft())
        self._missing.discard(seq)
        if self._last is None or seq < self._last - REMEMBERED:
            # The first word, or a ledger that was restored from a copy.
            self._last = seq
            self._missing.clear()
        elif seq > self._last:
            self._missing.update(range(max(self._last + 1, seq - BEHIND), seq))
            self._last = seq
        return True

    def _begin(self, end: int) -> None:
        # Unless something was heard meanwhile.
        if self._last is None:
            self._last = end

    async def missed(self, past: Past) -> list[Record]:
        """Events of the ledger that were not heard, oldest first; at most about BEHIND.

        The first time there are none: what was before is not news.
        """
        if self._last is None:
            self._begin(await last(past))
            return []
        asked = set(self._missing)
        after = min(asked, default=self._last + 1) - 1
        found = list(await past(after, PAGE))
        if len(found) >= PAGE:
            after = max(after, await last(past, after) - BEHIND)
            found = list(await past(after, PAGE))
        self._missing -= asked
        return self.hear(found)


async def last(past: Past, known: int = 0) -> int:
    """The largest `seq` after `known`, or `known`: by doubling, then by halving.

    Some 2 log2(n) look-ups of one row for n events after `known`.
    """
    low, step = known, 1
    while await past(low + step - 1, 1):
        low, step = low + step, 2 * step
    # An event is stored at `low` or after it, unless there is none; none at `high` or after it.
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        if await past(middle - 1, 1):
            low = middle
        else:
            high = middle
    return low
