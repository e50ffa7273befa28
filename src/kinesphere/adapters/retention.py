"""Forgetting: ended jobs after their time, or for room, and files that belong to no job."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kinesphere.core.jobs import Job
from kinesphere.core.sharing import maker
from kinesphere.ports import Artifacts, Clock, Ledger, LedgerUnavailable, StorageFailed

DAY: Final = 86_400.0
HOUR: Final = 3_600.0
MINUTE: Final = 60.0
TRIM_EVERY: Final = MINUTE
FORGET_EVERY: Final = HOUR
SWEEP_EVERY: Final = DAY
PAUSE: Final = 0.05
"""Seconds between two batches, so that a long backlog of forgetting leaves room for the jobs."""

GRACE: Final = HOUR
"""Age under which nothing is deleted but for its time: a file may be on its way to a job that has
not settled, and a result on its way to who asked for it."""

TRIMMED: Final = 20
"""Jobs that are deleted for room at once; what they free is counted after each time."""

_log = logging.getLogger("kinesphere.retention")


def orphaned(key: str, written: float, job: Job | None, now: float) -> bool:
    """Whether an artifact can be deleted.

    It can when its maker is unknown, or has ended without it, and no other job lists it: an attempt
    that lost its lease between storing and settling leaves such files. Never before it is an hour
    old.
    """
    if now - written < GRACE:
        return False
    if job is None:
        return True
    return job.ended and all(key != kept.key for kept in (*job.inputs, *job.artifacts))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: ended jobs for `days`, files of `size` bytes in all; None is no bound."""

    days: float | None = None
    size: int | None = None


class Retention:
    """Forgets jobs beyond the bounds, and sweeps the artifact store once a day."""

    def __init__(
        self,
        ledger: Ledger,
        artifacts: Artifacts,
        clock: Clock,
        bounds: Bounds,
    ) -> None:
        self._ledger = ledger
        self._artifacts = artifacts
        self._clock = clock
        self._bounds = bounds

    async def run(self) -> None:
        """Trim each minute, forget each hour and sweep each day, until cancelled.

        What fails is tried next time.
        """
        next_forget = self._clock.monotonic()
        next_sweep = next_forget + GRACE
        while True:
            try:
                if self._clock.monotonic() >= next_forget:
                    next_forget = self._clock.monotonic() + FORGET_EVERY
                    await self.forget()
                await self.trim()
                if self._clock.monotonic() >= next_sweep:
                    next_sweep = self._clock.monotonic() + SWEEP_EVERY
                    await self.sweep()
            except (LedgerUnavailable, StorageFailed, OSError) as error:
                extra = {"action": "retention.failed"}
                _log.warning("retention stopped short: %s", error, extra=extra)
            await self._clock.sleep(TRIM_EVERY)

    async def forget(self) -> int:
        """Delete every job that is past its time, then its files. Returns how many jobs."""
        if self._bounds.days is None:
            return 0
        forgotten = 0
        before = self._clock.now() - self._bounds.days * DAY
        while jobs := await self._ledger.forget(before):
            await self._delete(jobs)
            forgotten += len(jobs)
            await self._clock.sleep(PAUSE)
        if forgotten:
            extra = {"action": "retention.forgot", "jobs": forgotten}
            _log.info("%d jobs forgotten", forgotten, extra=extra)
        return forgotten

    async def trim(self) -> int:
        """Delete jobs, those that ended or were served first, until the files fit the bound.

        Returns how many jobs.
        """
        if self._bounds.size is None:
            return 0
        trimmed = 0
        before = self._clock.now() - GRACE
        while await self._ledger.stored() > self._bounds.size:
            jobs = await self._ledger.forget(before, TRIMMED)
            if not jobs:
                break
            await self._delete(jobs)
            trimmed += len(jobs)
            await self._clock.sleep(PAUSE)
        if trimmed:
            extra = {"action": "retention.trimmed", "jobs": trimmed}
            _log.info("%d jobs deleted for room", trimmed, extra=extra)
        return trimmed

    async def _delete(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            for file in (*job.inputs, *job.artifacts):
                await self._artifacts.delete(file.key)

    async def sweep(self) -> int:
        """Delete every orphaned artifact. Returns how many."""
        swept = 0
        async for key, written in self._artifacts.keys():
            if self._clock.now() - written < GRACE:
                continue
            job = await self._ledger.get(maker(key))
            if not orphaned(key, written, job, self._clock.now()):
                continue
            if not await self._ledger.lent([key]):
                await self._artifacts.delete(key)
                swept += 1
        if swept:
            extra = {"action": "retention.swept", "artifacts": swept}
            _log.info("%d orphaned artifacts deleted", swept, extra=extra)
        return swept
