"""Looking at jobs, following them, ending and reviving them.

Nobody but an operator sees another's.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import ArtifactRef, Cancel, EventKind, Job, Revive, State, WrongState
from kinesphere.core.searching import words_of
from kinesphere.core.webhooks import Delivery
from kinesphere.ports import Bell, Feed, Found, JobQuery, JobUnknown, Ledger, Progress, Record
from kinesphere.service.values import Caller

_LAST: Final = frozenset(
    {EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED, EventKind.EXPIRED}
)  # fmt: skip


class Jobs:
    """The jobs that a caller may see."""

    def __init__(self, ledger: Ledger, feed: Feed, hints: Bell) -> None:
        self._ledger = ledger
        self._feed = feed
        self._hints = hints
        self._waits: set[asyncio.Timeout] = set()

    async def get(self, job_id: str, caller: Caller) -> Job:
        """One of the caller's jobs. Raises Rejected with JOB_NOT_FOUND."""
        job = await self._ledger.get(job_id)
        if job is None or not (caller.operator or job.user == caller.user):
            raise Rejected("JOB_NOT_FOUND", f"There is no job {job_id!r}.")
        return job

    async def list(self, query: JobQuery) -> tuple[Job, ...]:
        """A page of jobs, newest first."""
        return await self._ledger.list(query)

    async def search(self, query: JobQuery, text: str) -> Found:
        """Those of them that a text is found in, without regard to case."""
        return await self._ledger.search(query, words_of(text))

    async def deliveries(self, jobs: Sequence[Job]) -> Mapping[str, Delivery]:
        """The last webhook of each of these jobs that one is owed for."""
        told = [job.id for job in jobs if job.webhook is not None]
        return await self._ledger.outbox.latest(told) if told else {}

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """End a job that has not ended. Raises Rejected: JOB_NOT_FOUND, JOB_FINISHED."""
        await self.get(job_id, caller)
        try:
            return await self._ledger.apply(job_id, Cancel())
        except WrongState:
            job = await self.get(job_id, caller)
            raise Rejected(
                "JOB_FINISHED", f"The job has already ended: {job.state.value}."
            ) from None
        except JobUnknown:
            raise Rejected("JOB_NOT_FOUND", f"There is no job {job_id!r}.") from None

    async def revive(self, job_id: str, caller: Caller) -> Job:
        """Give a job that failed or expired another set of attempts.

        Raises Rejected: JOB_NOT_FOUND, JOB_NOT_REVIVABLE.
        """
        await self.get(job_id, caller)
        try:
            job = await self._ledger.apply(job_id, Revive())
        except WrongState as refusal:
            raise Rejected("JOB_NOT_REVIVABLE", f"{refusal}.") from None
        except JobUnknown:
            raise Rejected("JOB_NOT_FOUND", f"There is no job {job_id!r}.") from None
        if job.in_line:
            self._hints.ring(job.pool, job.id)
        return job

    async def forget(self, job_id: str, caller: Caller) -> tuple[ArtifactRef, ...]:
        """Delete one of the caller's jobs that has ended; the files that went with it.

        Files that another job lists stay. None go where there is no such job: to delete twice is
        to delete once. Raises Rejected: JOB_NOT_FINISHED.
        """
        job = await self._ledger.get(job_id)
        if job is None or not (caller.operator or job.user == caller.user):
            return ()
        try:
            gone = await self._ledger.erase(job_id)
        except WrongState:
            raise Rejected(
                "JOB_NOT_FINISHED", f"The job is {job.state.value}; cancel it first."
            ) from None
        return () if gone is None else (*gone.inputs, *gone.artifacts)

    async def wait(self, job: Job, caller: Caller, seconds: float) -> Job:
        """A job that was submitted here just now, when it has ended.

        Or as it stands after `seconds`, or when the server stops.
        """
        async with self._feed.listen(job.id) as news:
            # It may have ended between the commit and now.
            last = self._feed.end(job.id)
            if last is None:
                async with self._patience(seconds):
                    async for item in news:
                        if isinstance(item, Record) and item.event.kind in _LAST:
                            last = item
                            break
        if last is not None and last.job is not None and last.job.ended:
            return last.job
        return await self.get(job.id, caller)

    async def follow(
        self, job_id: str, caller: Caller, after: int = 0
    ) -> AsyncGenerator[Record | Progress, None]:
        """Stored events after `after`, then news as it comes, until the job has ended.

        It ends too when the server stops; then the last event is not a terminal one.
        """
        job = await self.get(job_id, caller)
        async with self._news(job) as news, self._patience(None):
            last = after
            # Asked before the events are read: an end that comes between is then in what follows.
            over = await self._ended(job_id)
            for record in await self._ledger.events(after, job_id):
                yield record
                last = record.seq
                over = _is_over(record, over)
            if over:
                return
            async for item in news:
                if isinstance(item, Progress):
                    yield item
                elif item.seq > last:
                    # News of two processes overtake each other on their way; what is stored up to
                    # this event is complete, because the ledger commits in order of `seq`.
                    for record in await self._ledger.events(last, job_id) or (item,):
                        yield record
                        last = record.seq
                        over = _is_over(record, over)
                    if over:
                        return

    @asynccontextmanager
    async def _news(self, job: Job) -> AsyncIterator[AsyncIterator[Record | Progress]]:
        """News of a job, with the progress of the run that it waits for."""
        async with self._feed.listen(job.id) as own:
            if job.leader is None:
                yield own
                return
            # One item at a time: what is not taken waits in the feed, which bounds it.
            items: asyncio.Queue[Record | Progress] = asyncio.Queue(1)
            tasks = [
                asyncio.create_task(_pump(own, items)),
                asyncio.create_task(self._relay(job.id, items)),
            ]
            try:
                yield _drawn(items)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(self, job_id: str, items: "asyncio.Queue[Record | Progress]") -> None:
        """Tell the progress of the run that a job waits for, whoever leads it."""
        while (job := await self._ledger.get(job_id)) is not None and job.leader is not None:
            async with self._feed.listen(job.leader) as news:
                async for item in news:
                    if isinstance(item, Progress):
                        await items.put(replace(item, job_id=job_id))
                    elif item.event.kind in _LAST:
                        break

    async def told(self, job: Job, after: int) -> bool:
        """Whether nothing that is stored of a job comes after the event `after`."""
        return not await self._ledger.events(after, job.id, 1)

    def let_go(self) -> None:
        """End every `wait` and `follow`: the server stops, and they would wait in vain."""
        for patience in self._waits:
            patience.reschedule(0.0)

    @asynccontextmanager
    async def _patience(self, seconds: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds) as patience:
                self._waits.add(patience)
                try:
                    yield
                finally:
                    self._waits.discard(patience)
        except TimeoutError:
            pass

    async def _ended(self, job_id: str) -> bool:
        job = await self._ledger.get(job_id)
        return job is None or job.ended

    def progress(self, job: Job) -> tuple[float, str]:
        """How far a job is, 0 to 1 over all its stages, and what is being done."""
        running = job.state is State.RUNNING or job.leader is not None
        latest = self._feed.latest(job.leader or job.id) if running else None
        within, phase = job.progress, ""
        if latest is not None and latest.stage == job.stage and _of_run(latest, job):
            within, phase = latest.fraction, latest.phase
        if job.state is State.SUCCEEDED:
            return 1.0, ""
        return (job.stage + within) / len(job.pools), phase


def _is_over(record: Record, before: bool) -> bool:
    """Whether the job has ended by this event, given whether it had before."""
    if record.event.kind is EventKind.REVIVED:
        return False
    return before or record.event.kind in _LAST


def _of_run(latest: Progress, job: Job) -> bool:
    return job.leader is not None or latest.token == job.token


async def _pump(
    news: AsyncIterator[Record | Progress], items: "asyncio.Queue[Record | Progress]"
) -> None:
    async for item in news:
        await items.put(item)


async def _drawn(
    items: "asyncio.Queue[Record | Progress]",
) -> AsyncIterator[Record | Progress]:
    while True:
        yield await items.get()
