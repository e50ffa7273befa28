"""Arrivals as a policy remembers them: readings of a counter, and the rates that they give."""

import math
from bisect import bisect_left, bisect_right
from typing import Final, TypeAlias

Samples: TypeAlias = tuple[tuple[float, float], ...]
"""(when, count) of a counter of arrivals, oldest first."""

READINGS: Final = 90
"""So many are kept of the window, one each 10 s of a quarter of an hour; and about as many of the
longer one before it."""


def kept_readings(
    samples: Samples, latest: tuple[float, float], window: float, longest: float
) -> Samples:
    """The readings to keep, the latest last; a counter that began again begins anew.

    Args:
        samples: What was kept before.
        latest: The present reading.
        window: s over which the counts are to be exact to a ninetieth of it.
        longest: s over which they are to be exact to a ninetieth of that.
    """
    now, count = latest
    longest = max(window, longest)
    if samples and count < samples[-1][1]:
        samples = ()
    kept = list(samples[bisect_left(samples, now - longest, key=_when) :])
    # The last reading is provisional until it is far enough from the one before it.
    if len(kept) > 1 and kept[-1][0] - kept[-2][0] < window / READINGS:
        kept.pop()
    old = bisect_right(kept, now - window, key=_when)
    if old > 2 and kept[old - 1][0] - kept[old - 3][0] < longest / READINGS:
        del kept[old - 2]
    return (*kept, latest)


def counted(samples: Samples, now: float, window: float) -> tuple[float, float]:
    """Arrivals, and the seconds in which they came, over at most `window`."""
    began, first = samples[bisect_left(samples, now - window, key=_when)]
    ended, last = samples[-1]
    return last - first, ended - began


def surely(jobs: float, seconds: float, errors: float) -> float:
    """A rate less so many standard errors, where arrivals are at random; at least 0."""
    return max(jobs - errors * math.sqrt(jobs), 0.0) / seconds if seconds > 0.0 else 0.0


def _when(reading: tuple[float, float]) -> float:
    return reading[0]
