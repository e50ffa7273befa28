"""A priority queue whose members can leave or change their rank at any time."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Rank = TypeVar("Rank")


class Ranking(Generic[Rank]):
    """Names ordered by rank, then by name. Every operation costs O(log n), amortised.

    Entries that no longer hold stay in the heap until they surface or outnumber the others.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Rank, str]] = []
        self._ranks: dict[str, Rank] = {}

    def __len__(self) -> int:
        return len(self._ranks)

    def put(self, name: str, rank: Rank) -> None:
        """Add `name`, or give it another rank."""
        if self._ranks.get(name) == rank:
            return
        self._ranks[name] = rank
        heappush(self._heap, (rank, name))
        if len(self._heap) > 2 * len(self._ranks) + 64:
            self._heap = [(rank, name) for name, rank in self._ranks.items()]
            heapify(self._heap)

    def drop(self, name: str) -> None:
        """Take `name` out, if it is there."""
        self._ranks.pop(name, None)

    def rank(self, name: str) -> Rank | None:
        """The rank of `name`, or None when it is not there."""
        return self._ranks.get(name)

    def first(
        self,
        limit: int,
        until: Callable[[Rank], bool] | None = None,
        accept: Callable[[str], bool] | None = None,
    ) -> list[str]:
        """The first names, at most `limit`, as long as `until` is false of their rank.

        Names that `accept` is false of are passed over. Nothing is taken out.
        """
        seen: list[tuple[Rank, str]] = []
        names: list[str] = []
        while self._heap and len(names) < limit:
            rank, name = self._heap[0]
            if self._ranks.get(name) != rank or (seen and seen[-1] == (rank, name)):
                heappop(self._heap)
                continue
            if until is not None and until(rank):
                break
            seen.append(heappop(self._heap))
            if accept is None or accept(name):
                names.append(name)
        for entry in seen:
            heappush(self._heap, entry)
        return names
