"""When the next batch of a pool of several devices should start, so that they take turns.

Devices that start together end together: what comes in the meantime then waits for nearly a whole
batch, and the first few that come after it go away on one device each. Starts that are spread
evenly over the time of a batch halve that wait, and every device finds as much as any other.
"""

from collections import deque
from typing import Final

from kinesphere.core.batching import BatchTime

BUSY: Final = 1.5
"""How much more must come than the devices could do one by one. With less there is always a device
that would stand idle, and nobody waits for a batch."""

WINDOW: Final = 4.0
"""Over how many times of a lone job it is counted what comes: over less, chance looks like more."""

LEAST_PAUSE: Final = 0.02
"""Seconds; a commit takes as long."""

RECENT_CLAIMS: Final = 512


class Spacing:
    """The starts of one pool's batches, and what was claimed for them lately.

    All times are of one clock. `kinesphere.worker` and the simulator follow the same rule.
    """

    def __init__(self) -> None:
        self._claims: deque[tuple[float, int]] = deque(maxlen=RECENT_CLAIMS)
        self._started = float("-inf")

    def claimed(self, at: float, jobs: int) -> None:
        """Note that so many jobs were taken from the queue."""
        self._claims.append((at, jobs))

    def started(self, at: float) -> None:
        """Note that a batch went onto a device."""
        self._started = at

    def pause(
        self,
        now: float,
        devices: int,
        times: BatchTime,
        *,
        waiting: int,
        limit: int,
        each: float = 1.0,
    ) -> float:
        """How long a batch that could start now should wait for its turn, in seconds.

        A turn comes when the time of a batch, of as many jobs as come for each device in that time,
        divided by the devices, has passed since the last start.

        Args:
            now: The time.
            devices: Replicas that take jobs of the pool, this one included.
            times: What batches take.
            waiting: Jobs in the batch already, at least 1; noted as claimed.
            limit: Jobs that one batch may hold.
            each: What a job of the batch weighs.

        Returns:
            0 where it should start: it is full, or alone, or its turn; or so little comes that no
            device need wait; or most of a batch is the time of its jobs, which no turn spares; or
            the device would do less in its time if it waited. Otherwise no longer than it is
            expected to take to fill the batch.
        """
        room = limit - waiting
        if devices < 2 or room <= 0:
            return 0.0
        lone, alone = times.seconds(each), times.seconds(waiting * each)
        rate = self._rate(now, WINDOW * lone)
        if rate * lone < BUSY * devices:
            return 0.0
        typical = times.seconds(_share(rate, devices, times, each, limit) * each)
        if times.fixed < 0.5 * typical:
            return 0.0
        left = min(typical / devices - (now - self._started), room / rate)
        if left < LEAST_PAUSE:
            return 0.0
        grown = waiting + rate * left
        gains = grown * alone > waiting * (times.seconds(grown * each) + left)
        return left if gains else 0.0

    def _rate(self, now: float, window: float) -> float:
        """Jobs a second over so many seconds; at least that, where more was claimed than fits."""
        recent = [(at, jobs) for at, jobs in self._claims if at > now - window]
        return sum(jobs for _, jobs in recent) / window if window > 0.0 else 0.0


def _share(rate: float, devices: int, times: BatchTime, each: float, limit: int) -> float:
    """Jobs b that come for each device in the time of a batch of b: b = rate T(b) / devices."""
    spare = devices - rate * times.per_job * each
    return limit if spare <= 0.0 else min(limit, rate * times.fixed / spare)
