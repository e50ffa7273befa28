"""Waiting jobs in the order of claims: priority, then fair share, then age."""

from bisect import insort
from typing import Final, NamedTuple

from kinesphere.core.fairness import COST, start_tag
from kinesphere.core.jobs import HIGHEST_PRIORITY
from kinesphere.core.scaling.values import Waiting
from kinesphere.elastic.simulator.values import Arrival

CLAIMED_KEPT: Final = 1024
"""Claimed entries at the front of the list before they are cut off, all at once."""


class Entry(NamedTuple):
    """A job in the queue; the first three fields are its place.

    Attributes:
        urgency: HIGHEST_PRIORITY less its priority.
        tag: Its start tag, by `kinesphere.core.fairness`.
        number: Its place among all arrivals of the trace.
        arrival: The job.
        waiting: The job as a policy sees it.
        attempts: Which attempt the next one is.
    """

    urgency: int
    tag: int
    number: int
    arrival: Arrival
    waiting: Waiting
    attempts: int = 1


class _Lane:
    """Fair order within one priority; see `kinesphere.core.fairness`."""

    __slots__ = ("finishes", "virtual")

    def __init__(self) -> None:
        self.virtual = 0
        self.finishes: dict[str, int] = {}


class Queue:
    """The queue of one pool. Entering and claiming cost O(log n), but for moving pointers."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._head = 0
        self._lanes: dict[int, _Lane] = {}

    def __len__(self) -> int:
        return len(self._entries) - self._head

    def enter(self, number: int, arrival: Arrival, waiting: Waiting) -> None:
        """Give a new job its tag and its place."""
        lane = self._lanes.get(arrival.priority)
        if lane is None:
            lane = self._lanes[arrival.priority] = _Lane()
        tag = start_tag(lane.virtual, lane.finishes.get(arrival.user))
        lane.finishes[arrival.user] = tag + COST
        self.put_back(Entry(HIGHEST_PRIORITY - arrival.priority, tag, number, arrival, waiting))

    def put_back(self, entry: Entry) -> None:
        """Add an entry at the place that it has."""
        # Numbers are unique, so a comparison ends before it comes to the job.
        insort(self._entries, entry, lo=self._head)

    def claim(self, limit: int) -> list[Entry]:
        """Take the first entries, at most `limit`."""
        end = min(self._head + limit, len(self._entries))
        batch = self._entries[self._head : end]
        self._head = end
        if end > CLAIMED_KEPT:
            del self._entries[:end]
            self._head = 0
        for entry in batch:
            lane = self._lanes[entry.arrival.priority]
            lane.virtual = max(lane.virtual, entry.tag)
        return batch

    def first(self, limit: int) -> tuple[Waiting, ...]:
        """The first jobs, at most `limit`, in the order of claims."""
        entries = self._entries[self._head : self._head + limit]
        return tuple([entry.waiting for entry in entries])
