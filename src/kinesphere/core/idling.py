"""Slow while the device idles: then more or larger devices would not help."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

SLOW_SECONDS: Final = 8.0
"""Mean seconds from acceptance to result beyond which users call a motion slow."""

IDLE_SHARE: Final = 0.4
"""Share of time under which a device is idle while jobs are waited for. A model that is kept fed
keeps a device busy for 80 to 100 %; one that waits half of its time for the host is near 50 %."""

FEWEST: Final = 3
"""Jobs, and readings, below which a mean says nothing."""


def idles(latencies: Sequence[float], busy: Sequence[float | None]) -> bool | None:
    """Whether jobs were slow while their device idled; None where too little is known.

    Args:
        latencies: Seconds from acceptance to result of the jobs that ended lately.
        busy: Shares of time in which the device worked, by the readings of the same time.
    """
    known = [share for share in busy if share is not None]
    if len(latencies) < FEWEST or len(known) < FEWEST:
        return None
    return fmean(latencies) > SLOW_SECONDS and fmean(known) < IDLE_SHARE
