"""The claims of one replica: taken, renewed, and settled with a last word to the ledger."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import (
    ArtifactRef,
    Command,
    EventKind,
    Fail,
    Finish,
    GiveBack,
    Job,
    Refused,
    State,
)
from kinesphere.ports import (
    Artifacts,
    Clock,
    Feed,
    Hints,
    Hold,
    JobUnknown,
    Ledger,
    LedgerUnavailable,
    Progress,
    Record,
    Standing,
    StorageFailed,
)
from kinesphere.worker.messages import Done, Output
from kinesphere.worker.status import Observer

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds between attempts to reach a ledger that does not answer, doubling from first to last."""

HASHED_INLINE: Final = 1 << 20
"""Bytes up to which a digest is taken on the event loop, about a millisecond."""

log = logging.getLogger("kinesphere.worker")


@dataclass(frozen=True, slots=True)
class Seams:
    """The ports that a replica works through."""

    clock: Clock
    ledger: Ledger
    hints: Hints
    feed: Feed
    artifacts: Artifacts
    observer: Observer


@dataclass(slots=True, eq=False)
class Held:
    """One claim, from the moment it was made until its last word.

    Attributes:
        job: As it was claimed.
        progress: 0 to 1, as last told by the engine.
        wanted: False once the job was cancelled, or the lease lost.
        settling: Whether a last word is on its way.
    """

    job: Job
    progress: float = 0.0
    wanted: bool = True
    settling: bool = False

    @property
    def claim(self) -> str:
        """The name of this claim towards the child."""
        return f"{self.job.id}/{self.job.token}"


class Holding:
    """Every claim that a replica has. `unwanted` is called when one is lost or cancelled."""

    def __init__(
        self,
        seams: Seams,
        pool: str,
        worker: str,
        lease: float,
        unwanted: Callable[[Held], None],
    ) -> None:
        self._seams = seams
        self._pool = pool
        self._worker = worker
        self._lease = lease
        self._unwanted = unwanted
        self._held: dict[str, Held] = {}
        self._settling: set[asyncio.Task[None]] = set()
        self._alarms: set[asyncio.Task[None]] = set()
        self.finished = 0

    def __len__(self) -> int:
        return len(self._held)

    async def claim(self, limit: int) -> list[Held]:
        """Take up to `limit` jobs. Raises LedgerUnavailable. Must not be cancelled halfway."""
        jobs = await self._seams.ledger.claim(self._pool, self._worker, limit, self._lease)
        claimed = [Held(job) for job in jobs]
        self._held.update((held.job.id, held) for held in claimed)
        if len(jobs) == limit:
            # More may wait than this replica can take: have another one look.
            self._seams.hints.ring(self._pool)
        return claimed

    async def renew(self) -> None:
        """Renew every lease each third of its length, for ever."""
        pause = self._lease / 3.0
        while True:
            await self._seams.clock.sleep(pause)
            pause = self._lease / 3.0
            if not self._held:
                continue
            holds = [Hold(h.job.id, h.job.token, h.progress) for h in self._held.values()]
            asked = dict(self._held)
            try:
                standings = await self._seams.ledger.extend(holds, self._lease)
            except LedgerUnavailable as error:
                log.warning("leases not renewed: %s", error, extra={"action": "renew_failed"})
                pause = min(pause, LONGEST_PAUSE)
                continue
            for job_id, standing in standings.items():
                if standing is not Standing.HELD:
                    self._drop(asked[job_id], standing)

    async def listen(self) -> None:
        """Learn of cancellations as they happen, for ever."""
        async with self._seams.feed.listen() as news:
            async for item in news:
                if isinstance(item, Record) and item.event.kind is EventKind.CANCELLED:
                    held = self._held.get(item.job_id)
                    if held is not None:
                        self._drop(held, Standing.CANCELLED)

    def tell(self, held: Held, fraction: float, phase: str) -> None:
        """Relay the engine's word about how far it is."""
        held.progress = max(held.progress, fraction)
        job = held.job
        self._seams.feed.progress(Progress(job.id, job.token, job.stage, held.progress, phase))

    def finish(self, held: Held, done: Done) -> None:
        """Begin to store the files and to finish the job with them."""
        self._begin(held, self._store(held, done))

    def fail(self, held: Held, failure: Failure, *, alone: bool = False) -> None:
        """Begin to tell the ledger that the attempt failed."""
        extra = {"action": "attempt_failed", "job_id": held.job.id, "error_code": failure.code}
        # The detail may quote a prompt; it is in the event, which `JobLog` tells without.
        log.warning("attempt failed: %s", failure.code, extra=extra)
        self._begin(held, self._apply(held, Fail(held.job.token, failure, alone)))

    def give_back(self, held: Held) -> None:
        """Begin to return the job to the queue, unharmed."""
        self._begin(held, self._apply(held, GiveBack(held.job.token)))

    async def settled(self, seconds: float) -> None:
        """Wait up to `seconds` for every last word begun; then give up those that are left.

        What is given up keeps its lease until it lapses.
        """
        timer = asyncio.ensure_future(self._seams.clock.sleep(seconds))
        while self._settling and not timer.done():
            await asyncio.wait({timer, *self._settling}, return_when=asyncio.FIRST_COMPLETED)
        await cancelled(timer, *self._settling, *self._alarms)

    def _drop(self, held: Held, standing: Standing) -> None:
        # A last word on its way gets its own answer from the ledger; it may be the very reason
        # why the lease is no more.
        if held.settling or not held.wanted:
            return
        held.wanted = False
        self._forget(held)
        if standing is Standing.LOST:
            self._seams.observer.lease_lost(self._pool)
        extra = {"action": f"claim_{standing.value}", "job_id": held.job.id}
        log.info("claim %s", standing.value, extra=extra)
        self._unwanted(held)

    def _begin(self, held: Held, word: Coroutine[Any, Any, object]) -> None:
        held.settling = True
        task = asyncio.create_task(self._settle(held, word))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, held: Held, word: Coroutine[Any, Any, object]) -> None:
        try:
            await word
        except Exception:
            # Not renewed any more, so the reaper will have it.
            extra = {"action": "settle_failed", "job_id": held.job.id}
            log.exception("the last word about a claim was lost", extra=extra)
        finally:
            self._forget(held)

    def _forget(self, held: Held) -> None:
        # A claim that was lost may have been followed by a new one of this very replica.
        if self._held.get(held.job.id) is held:
            del self._held[held.job.id]

    async def _store(self, held: Held, done: Done) -> None:
        artifacts = self._seams.artifacts
        refs = [await _reference(held.job, file) for file in done.files]
        puts = [artifacts.put(r.key, f.data) for r, f in zip(refs, done.files, strict=True)]
        troubles = [e for e in await asyncio.gather(*puts, return_exceptions=True) if e is not None]
        if troubles:
            await self._discard(refs)
            if not isinstance(troubles[0], StorageFailed):
                raise troubles[0]
            failure = Failure("STORAGE_FAILED", f"The result could not be stored: {troubles[0]}")
            await self._apply(held, Fail(held.job.token, failure))
            return
        if await self._apply(held, Finish(held.job.token, tuple(refs), done.notes)) is None:
            await self._discard(refs)
        else:
            self.finished += 1

    async def _discard(self, refs: Sequence[ArtifactRef]) -> None:
        deletes = [self._seams.artifacts.delete(ref.key) for ref in refs]
        await asyncio.gather(*deletes, return_exceptions=True)

    async def _apply(self, held: Held, command: Command) -> Job | None:
        """Say it until the ledger answers; None when it was refused.

        The lease may lapse meanwhile: while the ledger is away nobody else can take the job
        either, and whether the token still holds is for the ledger to say.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                job = await self._seams.ledger.apply(held.job.id, command)
            except LedgerUnavailable:
                await self._seams.clock.sleep(pause)
                pause = min(2.0 * pause, LONGEST_PAUSE)
            except (Refused, JobUnknown) as refusal:
                self._seams.observer.stale_token(self._pool)
                extra = {"action": "stale_token", "job_id": held.job.id}
                log.info("last word refused: %s", refusal, extra=extra)
                return None
            else:
                self._seams.observer.job_settled(job)
                self._wake(job)
                return job

    def _wake(self, job: Job) -> None:
        """Ring for a job that waits again: now, or when its back-off is over."""
        if job.state is not State.QUEUED:
            return
        delay = job.ready_at - self._seams.clock.now()
        if delay <= 0.0:
            self._seams.hints.ring(job.pool)
            return
        alarm = asyncio.create_task(self._ring_after(delay, job.pool))
        self._alarms.add(alarm)
        alarm.add_done_callback(self._alarms.discard)

    async def _ring_after(self, seconds: float, pool: str) -> None:
        await self._seams.clock.sleep(seconds)
        self._seams.hints.ring(pool)


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _reference(job: Job, file: Output) -> ArtifactRef:
    if len(file.data) > HASHED_INLINE:
        digest = await asyncio.to_thread(_digest, file.data)
    else:
        digest = _digest(file.data)
    return ArtifactRef(
        key=f"{job.id}/{job.token}/{file.name}",
        name=file.name,
        media_type=file.media_type,
        size=len(file.data),
        digest=digest,
        stage=job.stage,
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
