"""What the replicas of one pool know of one another when they form batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kinesphere.core.batching import BatchTime
from kinesphere.core.spacing import LEAST_PAUSE, WINDOW, Spacing
from kinesphere.ports import Turn

SLOW: Final = 0.2
"""Seconds of a batch below which other processes are told nothing: what a turn could spare is soon
less than the commits and messages that it takes."""

MOST_TOLD: Final = 32
"""Devices of a pool beyond which a process keeps silent: a turn is less than a thirtieth of a
batch by then, and messages to all from all grow with the square."""

MOST_IN_TURN: Final = 0.75
"""The part of as many devices as tell anything up to which those of several processes take turns.
Of a larger pool no process knows how many there are, but each that there are more than that."""

GRACE: Final = 0.1
"""Seconds that another process may be late with its start: a commit, and the message of it."""


@dataclass(frozen=True, slots=True)
class _Other:
    """What was last heard of another process: when, its replicas, and until when one gathers."""

    heard: float
    replicas: int
    until: float


class Turns:
    """Has the replicas of a pool start one after the other, where `Spacing` says so.

    Those of one process share it; `tell` tells other processes what theirs have to know. All times
    are of this process, of other processes those at which their news came.

    Attributes:
        gathering: Whether a replica of this process gathers jobs until its turn.
    """

    def __init__(self, worker: str = "", tell: Callable[[Turn], None] | None = None) -> None:
        """`worker` is the name of this process among the others."""
        self.gathering = False
        self._worker = worker
        self._tell = tell
        self._here = Spacing()
        self._everywhere = Spacing()
        self._present = 0
        self._untold = 0
        self._others: dict[str, _Other] = {}

    @contextmanager
    def present(self) -> Iterator[None]:
        """While a replica takes jobs, or runs them."""
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1

    def taken(self, now: float, times: BatchTime) -> bool:
        """Whether a replica gathers jobs until its turn. Others then leave the queue to it."""
        if self.gathering:
            return True
        gathered = any(other.until > now for other in self._others.values())
        return gathered and self._elsewhere(now, times.seconds(1.0)) > 0

    def claimed(self, at: float, jobs: int) -> None:
        """See `Spacing`."""
        self._here.claimed(at, jobs)
        self._everywhere.claimed(at, jobs)
        self._untold += jobs

    def started(self, at: float, seconds: float, limit: int) -> None:
        """Note that a batch went onto a device, for so many seconds, of at most `limit` jobs."""
        self._here.started(at)
        self._everywhere.started(at)
        if self._worth_telling(at, seconds, limit):
            self._say(0.0)
        # Who is silent for long must not tell of all that at once: it would look like haste.
        self._untold = 0

    def waits(self, at: float, gathers: float, seconds: float, limit: int) -> None:
        """Note that the replica which gathers a batch of `seconds` does so for `gathers` yet."""
        if self._worth_telling(at, seconds, limit):
            self._say(gathers)

    def heard(self, at: float, turn: Turn) -> None:
        """Note what a process told; this one as well, which knew."""
        if turn.worker == self._worker:
            return
        until = at + turn.gathers + GRACE if turn.gathers > 0.0 else at
        self._others[turn.worker] = _Other(at, turn.replicas, until)
        if turn.claimed:
            self._everywhere.claimed(at, turn.claimed)
        if turn.gathers <= 0.0:
            self._everywhere.started(at)

    def pause(
        self, now: float, times: BatchTime, *, waiting: int, limit: int, each: float
    ) -> float:
        """See `Spacing`. Who has gathered lets those before it go first, who wait for the turn."""
        elsewhere = self._elsewhere(now, times.seconds(each))
        spacing = self._everywhere if elsewhere else self._here
        devices = self._present + elsewhere
        seconds = spacing.pause(now, devices, times, waiting=waiting, limit=limit, each=each)
        if seconds > 0.0 or not (self.gathering and elsewhere) or waiting >= limit:
            return seconds
        # Two that have heard the same wait for the same moment. Any order will do that both know.
        first = [other.until for name, other in self._others.items() if name < self._worker]
        return max([now, *first]) - now

    def _elsewhere(self, now: float, lone: float) -> int:
        """Replicas of other processes with which those here take turns; `lone`: s of one job."""
        others = self._heard_since(now - WINDOW * lone)
        most = MOST_IN_TURN * _most_told(lone)
        return others if self._present + others <= most else 0

    def _heard_since(self, at: float) -> int:
        """Replicas of the other processes that were heard of since; the rest is forgotten."""
        self._others = {name: each for name, each in self._others.items() if each.heard >= at}
        return sum(each.replicas for each in self._others.values())

    def _worth_telling(self, at: float, seconds: float, limit: int) -> bool:
        if self._tell is None or limit < 2 or seconds < SLOW:
            return False
        return self._present + self._heard_since(at - WINDOW * seconds) <= _most_told(seconds)

    def _say(self, gathers: float) -> None:
        if self._tell is not None:
            self._tell(Turn(self._worker, self._present, self._untold, gathers))
            self._untold = 0


def _most_told(seconds: float) -> float:
    """How many devices tell anything of batches of so many seconds."""
    return min(MOST_TOLD, seconds / LEAST_PAUSE)
