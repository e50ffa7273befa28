"""What is committed to the ledger, told with the job it is about: for the log and the metrics."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from kinesphere.core.jobs import TERMINAL, Event, EventKind, Job
from kinesphere.ports import Feed, LedgerUnavailable, Record

REMEMBERED: Final = 2_000
"""Jobs whose facts are kept, so that a job's events cost one look-up, not one each."""

_ENDS: Final = frozenset(state.value for state in TERMINAL)

_CODES: Final = {EventKind.CANCELLED: "CANCELLED", EventKind.EXPIRED: "DEADLINE_MISSED"}

Teller: TypeAlias = Callable[[Record, Job | None], None]


def error_code(event: Event) -> str | None:
    """The code of what went wrong, or None where nothing did."""
    code = event.data.get("code") or _CODES.get(event.kind)
    return None if code is None else str(code)


class JobNews:
    """Tells each committed event to every teller, in order of commit.

    The job is as it was when its first event was seen, but for its stage: what never changes is
    right, and what changes is in the event. It is None when the ledger does not have it.

    A server that commits faster than this is told loses the oldest events, as `Feed.listen` says.
    """

    def __init__(
        self,
        feed: Feed,
        lookup: Callable[[str], Awaitable[Job | None]],
        tellers: Sequence[Teller],
    ) -> None:
        self._feed = feed
        self._lookup = lookup
        self._tellers = tellers
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    async def run(self) -> None:
        """Tell until cancelled."""
        async with self._feed.listen() as news:
            async for item in news:
                if isinstance(item, Record):
                    job = await self._job(item)
                    for tell in self._tellers:
                        tell(item, job)

    async def _job(self, record: Record) -> Job | None:
        kind = record.event.kind
        job = self._jobs.pop(record.job_id, record.job)
        if job is None:
            try:
                job = await self._lookup(record.job_id)
            except LedgerUnavailable:
                return None
        elif kind is EventKind.STAGE_FINISHED:
            # Told with the stage that finished, kept with the one that follows.
            self._keep(replace(job, stage=job.pools.index(str(record.event.data["next"]))))
            return job
        if job is not None and kind.value not in _ENDS:
            self._keep(job)
        return job

    def _keep(self, job: Job) -> None:
        self._jobs[job.id] = job
        if len(self._jobs) > REMEMBERED:
            self._jobs.popitem(last=False)
