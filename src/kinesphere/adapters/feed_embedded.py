"""The feed within one event loop."""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

from kinesphere.core.jobs import EventKind
from kinesphere.ports import Progress, Record

BEHIND: Final = 1_000
"""Items that a listener may be behind before it loses some."""

ENDS: Final = 1_000
"""Ends that are remembered."""

REMEMBERED: Final = 10_000
"""Jobs whose progress is remembered; a word that comes after a job's end would stay for ever."""

_ENDS: Final = frozenset(
    {EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED, EventKind.EXPIRED}
)


class _Listener:
    def __init__(self) -> None:
        self._order = count()
        self._records: deque[tuple[int, Record]] = deque()
        self._progress: deque[tuple[int, Progress]] = deque()
        self._news = asyncio.Event()

    def tell(self, item: Record | Progress) -> None:
        if isinstance(item, Record):
            self._records.append((next(self._order), item))
        else:
            self._progress.append((next(self._order), item))
        if len(self._records) + len(self._progress) > BEHIND:
            (self._progress or self._records).popleft()
        self._news.set()

    def __aiter__(self) -> "_Listener":
        return self

    async def __anext__(self) -> Record | Progress:
        while not self._records and not self._progress:
            self._news.clear()
            await self._news.wait()
        if not self._progress:
            return self._records.popleft()[1]
        if not self._records or self._progress[0][0] < self._records[0][0]:
            return self._progress.popleft()[1]
        return self._records.popleft()[1]


class EmbeddedFeed:
    """See `kinesphere.ports.Feed`."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str | None, set[_Listener]] = defaultdict(set)
        self._latest: OrderedDict[str, Progress] = OrderedDict()
        self._ends: OrderedDict[str, Record] = OrderedDict()

    def publish(self, records: Sequence[Record]) -> None:
        """See the port."""
        for record in records:
            if record.event.kind in _ENDS:
                self._latest.pop(record.job_id, None)
                self._ends[record.job_id] = record
                if len(self._ends) > ENDS:
                    self._ends.popitem(last=False)
            elif record.event.kind is EventKind.REVIVED:
                self._ends.pop(record.job_id, None)
            self._tell(record, (record.job_id, None))

    def progress(self, progress: Progress) -> None:
        """See the port."""
        self._latest[progress.job_id] = progress
        self._latest.move_to_end(progress.job_id)
        if len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)
        self._tell(progress, (progress.job_id,))

    def latest(self, job_id: str) -> Progress | None:
        """See the port."""
        return self._latest.get(job_id)

    def end(self, job_id: str) -> Record | None:
        """See the port."""
        return self._ends.get(job_id)

    def listened(self, job_id: str) -> bool:
        """Whether somebody hears the news of this job."""
        return None in self._listeners or job_id in self._listeners

    def _tell(self, item: Record | Progress, topics: tuple[str | None, ...]) -> None:
        for topic in topics:
            for listener in self._listeners.get(topic, ()):
                listener.tell(item)

    @asynccontextmanager
    async def listen(
        self, job_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[Record | Progress]]:
        """See the port."""
        listener = _Listener()
        self._listeners[job_id].add(listener)
        try:
            yield listener
        finally:
            self._listeners[job_id].discard(listener)
            if not self._listeners[job_id]:
                del self._listeners[job_id]
