"""Forgetting: ended jobs after their time with their files, and files that belong to no job."""

import logging
from collections.abc import Callable
from typing import Final

from kinesphere.core.jobs import Job
from kinesphere.ports import Artifacts, Clock, Ledger, LedgerUnavailable, StorageFailed

DAY: Final = 86_400.0
HOUR: Final = 3_600.0
FORGET_EVERY: Final = HOUR
SWEEP_EVERY: Final = DAY
PAUSE: Final = 0.05
"""Seconds between two batches, so that a long backlog of forgetting leaves room for the jobs."""

GRACE: Final = HOUR
"""Age under which a file is never swept: it may be on its way to a job that has not settled."""

_log = logging.getLogger("kinesphere.retention")


def job_of(key: str) -> str:
    """The id of the job that an artifact was made by: the first segment of its key."""
    return key.partition("/")[0]


def orphaned(key: str, written: float, job: Job | None, now: float) -> bool:
    """Whether an artifact can be deleted.

    It can when its job is unknown, or has ended without it: an attempt that lost its lease between
    storing and settling leaves such files. Never before it is an hour old.
    """
    if now - written < GRACE:
        return False
    if job is None:
        return True
    return job.ended and all(key != kept.key for kept in (*job.inputs, *job.artifacts))


class Retention:
    """Forgets jobs that ended more than `days` ago, and sweeps the artifact store once a day.

    With `days` None jobs are kept for ever; the sweep goes on.
    """

    def __init__(
        self,
        ledger: Ledger,
        artifacts: Artifacts,
        clock: Clock,
        days: float | None,
        owner: Callable[[str], str] = job_of,
    ) -> None:
        self._ledger = ledger
        self._artifacts = artifacts
        self._clock = clock
        self._days = days
        self._owner = owner

    async def run(self) -> None:
        """Forget each hour and sweep each day, until cancelled. What fails is tried next time."""
        next_sweep = self._clock.monotonic() + GRACE
        while True:
            try:
                await self.forget()
                if self._clock.monotonic() >= next_sweep:
                    next_sweep = self._clock.monotonic() + SWEEP_EVERY
                    await self.sweep()
            except (LedgerUnavailable, StorageFailed, OSError) as error:
                extra = {"action": "retention.failed"}
                _log.warning("retention stopped short: %s", error, extra=extra)
            await self._clock.sleep(FORGET_EVERY)

    async def forget(self) -> int:
        """Delete every job that is past its time, then its files. Returns how many jobs."""
        if self._days is None:
            return 0
        forgotten = 0
        before = self._clock.now() - self._days * DAY
        while jobs := await self._ledger.forget(before):
            for job in jobs:
                for file in (*job.inputs, *job.artifacts):
                    await self._artifacts.delete(file.key)
            forgotten += len(jobs)
            await self._clock.sleep(PAUSE)
        if forgotten:
            extra = {"action": "retention.forgot", "jobs": forgotten}
            _log.info("%d jobs forgotten", forgotten, extra=extra)
        return forgotten

    async def sweep(self) -> int:
        """Delete every orphaned artifact. Returns how many."""
        swept = 0
        async for key, written in self._artifacts.keys():
            if self._clock.now() - written < GRACE:
                continue
            job = await self._ledger.get(self._owner(key))
            if orphaned(key, written, job, self._clock.now()):
                await self._artifacts.delete(key)
                swept += 1
        if swept:
            extra = {"action": "retention.swept", "artifacts": swept}
            _log.info("%d orphaned artifacts deleted", swept, extra=extra)
        return swept
