"""Short work for threads, handed over in groups.

To have a thread do something costs more than to store a small file. So what comes at once, and
what comes while every thread is busy, is handed over together.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

THREADS: Final = 4
"""Groups under way at most: a disk syncs several files in the time of one."""

FEWEST: Final = 2
GROUP: Final = 8
"""So many are handed over together, if there are: threads that have nothing to do share what
waits, but none of them is woken for a single one while another takes more."""

Result = TypeVar("Result")

_Task: TypeAlias = "tuple[Callable[[], Any], asyncio.Future[Any]]"
_Outcome: TypeAlias = "tuple[Any, Exception | None]"


class BatchedExecutor:
    """Does work in threads. Belongs to the event loop that it is used from."""

    def __init__(self) -> None:
        self._waiting: deque[_Task] = deque()
        self._busy = 0
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises; it is done even if the caller is cancelled meanwhile."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, answer))
        if self._busy < THREADS:
            self._busy += 1
            # It begins when all that is asked for in this turn of the loop is there.
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                group = self._group()
                self._under_way += 1
                try:
                    works = [work for work, _ in group]
                    outcomes = await asyncio.get_running_loop().run_in_executor(None, _done, works)
                finally:
                    self._under_way -= 1
                for (_, answer), outcome in zip(group, outcomes, strict=True):
                    _settle(answer, *outcome)
        finally:
            # In the same turn in which it finds nothing more: what comes next begins another.
            self._busy -= 1

    def _group(self) -> Sequence[_Task]:
        """The share of one of those that are not in a thread."""
        share = math.ceil(len(self._waiting) / (self._busy - self._under_way))
        size = min(max(share, FEWEST), GROUP, len(self._waiting))
        return [self._waiting.popleft() for _ in range(size)]


def _settle(answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _done(works: Sequence[Callable[[], Any]]) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    for work in works:
        try:
            outcomes.append((work(), None))
        except Exception as error:
            outcomes.append((None, error))
    return outcomes
