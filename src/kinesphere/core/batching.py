"""When to start a batch, from measured arrivals and batch times; both also feed the ETA.

The batch is formed when the device becomes free, from what waits then. Waiting for more is worth
it only where recent traffic says that more will come within a small part of the batch's own time:
the fixed cost of a batch is then shared by more jobs, and nobody waits long for that.
"""

from dataclasses import dataclass
from statistics import median
from typing import Final

GATHER_SHARE: Final = 0.05
"""The largest part of the expected batch time that a ready device may stand idle for company."""

RECENT_ARRIVALS: Final = 32
RECENT_SECONDS: Final = 60.0
RECENT_BATCHES: Final = 24


def gather_seconds(
    waiting: int, batch_limit: int, arrivals_per_second: float, batch_seconds: float
) -> float:
    """How long a free device should wait for its batch to grow; 0 means start now.

    Args:
        waiting: Jobs in the batch already, at least 1.
        batch_limit: Jobs that one batch may hold.
        arrivals_per_second: Recent rate of new jobs; 0 when nothing came lately.
        batch_seconds: Expected time of the batch as it is.

    Returns:
        At most GATHER_SHARE of `batch_seconds`, and no longer than it takes to fill the batch.
        0 when the batch is full, or when less than one more job is expected in that time.
    """
    room = batch_limit - waiting
    patience = GATHER_SHARE * batch_seconds
    if room <= 0 or arrivals_per_second * patience < 1.0:
        return 0.0
    return min(patience, room / arrivals_per_second)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When the latest jobs arrived, oldest first, at most RECENT_ARRIVALS of them."""

    times: tuple[float, ...] = ()

    def seen(self, at: float) -> "Arrivals":
        """With one more arrival at `at`."""
        if self.times and at < self.times[-1]:
            return Arrivals(tuple(sorted((*self.times, at)))[-RECENT_ARRIVALS:])
        return Arrivals((*self.times, at)[-RECENT_ARRIVALS:])

    def rate(self, now: float) -> float:
        """Jobs a second over the last RECENT_SECONDS.

        The gaps are counted, not the jobs: one lone arrival says nothing about a next one, so its
        rate is 0.
        """
        recent = [at for at in self.times if now - at < RECENT_SECONDS]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(now - recent[0], 1e-6)


@dataclass(frozen=True, slots=True)
class BatchTime:
    """Seconds that a batch takes: `fixed` and `per_job` times its size, as last estimated.

    Attributes:
        fixed: s, before the first job; at least 0.
        per_job: s for each job; at least 0.
        first_guess: (fixed, per job) as the model declares it; it decides how the time divides
            while batches of one size only were measured.
        measured: (size, s) of the latest batches, oldest first, at most RECENT_BATCHES. A size is
            a number of jobs, or what they weigh together.
    """

    fixed: float
    per_job: float
    first_guess: tuple[float, float]
    measured: tuple[tuple[float, float], ...] = ()

    @classmethod
    def guessed(cls, fixed: float, per_job: float) -> "BatchTime":
        """Before anything was measured."""
        return cls(fixed, per_job, (fixed, per_job))

    def seconds(self, size: float) -> float:
        """Expected time of a batch of `size` jobs."""
        return self.fixed + self.per_job * size

    def seen(self, size: float, seconds: float) -> "BatchTime":
        """With one more measured batch.

        The line is that of Theil (1950) and Sen (1968), the median of the slopes between all pairs
        of batches of unlike size, so that a few slow batches do not bend it.
        """
        measured = (*self.measured, (size, seconds))[-RECENT_BATCHES:]
        slopes = [
            (later - sooner) / (larger - smaller)
            for i, (smaller, sooner) in enumerate(measured)
            for larger, later in measured[i + 1 :]
            if larger != smaller
        ]
        if slopes:
            per_job = max(0.0, median(slopes))
            fixed = median(s - per_job * n for n, s in measured)
            if fixed < 0.0:
                fixed, per_job = 0.0, median(s / n for n, s in measured)
        else:
            expected = self.first_guess[0] + self.first_guess[1] * size
            typical = median(s for _, s in measured)
            scale = typical / expected if expected > 0.0 else 0.0
            fixed, per_job = self.first_guess[0] * scale, self.first_guess[1] * scale
            if expected <= 0.0:
                per_job = typical / size
        return BatchTime(fixed, per_job, self.first_guess, measured)
