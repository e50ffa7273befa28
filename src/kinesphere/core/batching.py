"""When to start a batch, from measured arrivals and batch times; both also feed the ETA.

The batch is formed when the device becomes free, from what waits then. Waiting for more is worth
it only where recent traffic says that more will come within a small part of the batch's own time:
the fixed cost of a batch is then shared by more jobs, and nobody waits long for that.

Two kinds of traffic say so: a high rate (`gather_seconds`), and callers that ask again as soon as
they are answered, all together after each batch (`Returns`).
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

GATHER_SHARE: Final = 0.05
"""The largest part of the expected batch time that a ready device may stand idle for company."""

RETURN_SHARE: Final = 0.5
"""The part of the time of a batch like the one that ended in which, from its end, those who were
answered may be waited for."""

RETURNING: Final = 0.75
"""The part of those who were answered that must have come back after the latest batches. Random
traffic keeps far below: of it no more come in RETURN_SHARE of a batch's time than that share of a
batch, or the queue would grow for ever."""

RETURN_GAIN: Final = 1.1
"""How much more a device must be expected to do in its time for a wait. As (n + m) / (T(n + m) + τ)
> n / T(n) is m T(n) > n (T(n + m) - T(n) + τ), all jobs together then also wait less: m are spared
a batch, n are kept by τ and by what the m take."""

RETURN_PATIENCE: Final = 1.5
"""How much longer after the end than foreseen those who are expected are waited for."""

RECENT_ENDS: Final = 8
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
class Company:
    """What a batch may wait for: so many jobs more, for so many seconds at most."""

    jobs: int
    seconds: float


@dataclass(slots=True)
class _End:
    """The end of a batch of `jobs`, and how long after it each job came, until the next end."""

    at: float
    jobs: int
    offsets: list[float] = field(default_factory=list)

    def returns(self, within: float) -> list[float]:
        """The offsets of those that may be returns, in order: no more than were answered."""
        return [each for each in sorted(self.offsets)[: self.jobs] if each <= within]


class Returns:
    """How soon callers ask again after their batch has ended, by the latest RECENT_ENDS batches.

    All times are of one clock, the ledger's or one that goes like it: if it is behind, those who
    return are not recognised; if it is ahead, they are waited for longer, until they have come.
    """

    def __init__(self) -> None:
        self._ends: deque[_End] = deque(maxlen=RECENT_ENDS + 1)

    def ended(self, at: float, jobs: int) -> None:
        """Note that a batch of `jobs` left the device."""
        self._ends.append(_End(at, jobs))

    def came(self, at: float) -> None:
        """Note that a job came; also long after, and in any order."""
        for end in reversed(self._ends):
            if at > end.at:
                end.offsets.append(at - end.at)
                return

    def company(
        self, now: float, waiting: int, limit: int, times: "BatchTime", each: float = 1.0
    ) -> Company:
        """What a batch of `waiting` jobs, which could start now, should wait for.

        Args:
            now: The time.
            waiting: Jobs in the batch already, at least 1; all that came are noted.
            limit: Jobs that one batch may hold.
            times: What batches take.
            each: What a job of the batch weighs.

        Returns:
            No jobs and 0 s where a wait is not expected to pay, as always where it is not the rule
            that those who were answered come back.
        """
        nobody = Company(0, 0.0)
        if waiting >= limit or len(self._ends) < 2:
            return nobody
        *before, last = self._ends
        alone = times.seconds(waiting * each)
        passed, longest = now - last.at, RETURN_SHARE * times.seconds(last.jobs * each)
        if passed >= longest:
            return nobody
        # As if two more had been answered and had not come back: a few are no rule.
        answered = 2 + sum(end.jobs for end in before)
        offsets = sorted(offset for end in before for offset in end.returns(longest))
        least = RETURN_GAIN * waiting / alone
        best, wanted, patience = least, 0, 0.0
        for number, offset in enumerate(offsets, 1):
            share = number / answered
            jobs = min(round(share * last.jobs) - len(last.offsets), limit - waiting)
            if share < RETURNING or jobs <= 0:
                continue
            together = times.seconds((waiting + jobs) * each) + max(0.0, offset - passed)
            rate = (waiting + jobs) / together
            if rate > best:
                best, wanted = rate, jobs
            if rate > least:
                patience = min(RETURN_PATIENCE * offset, longest) - passed
        return Company(wanted, patience) if patience > 0.0 else nobody


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
