"""What the replicas of one pool in this process know of one another when they form batches."""

from collections.abc import Iterator
from contextlib import contextmanager

from kinesphere.core.batching import BatchTime
from kinesphere.core.spacing import Spacing


class Turns:
    """Has the replicas of a pool start one after the other, where `Spacing` says so.

    Attributes:
        taken: Whether a replica gathers jobs until its turn. Others then leave the queue to it.
    """

    def __init__(self) -> None:
        self.taken = False
        self._spacing = Spacing()
        self._present = 0

    @contextmanager
    def present(self) -> Iterator[None]:
        """While a replica takes jobs, or runs them."""
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1

    def claimed(self, at: float, jobs: int) -> None:
        """See `Spacing`."""
        self._spacing.claimed(at, jobs)

    def started(self, at: float) -> None:
        """See `Spacing`."""
        self._spacing.started(at)

    def pause(
        self, now: float, times: BatchTime, *, waiting: int, limit: int, each: float
    ) -> float:
        """See `Spacing`."""
        return self._spacing.pause(
            now, self._present, times, waiting=waiting, limit=limit, each=each
        )
