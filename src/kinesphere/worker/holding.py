"""The claims of one replica: taken, renewed, and settled with a last word to the ledger."""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final

from kinesphere.core.batching import RECENT_BATCHES
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import (
    ArtifactRef,
    Command,
    EventKind,
    Fail,
    Finish,
    GiveBack,
    Job,
    Moved,
    Refused,
    StaleToken,
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
        job: As it was claimed; with another id and token once another inherited the claim.
        claim: The name of this claim towards the child.
        progress: 0 to 1, as last told by the engine.
        wanted: False once the job was cancelled, or the lease lost.
        settling: Whether a last word is on its way.
        due: When its result is expected to be stored (monotonic), or None before its batch began.
        freed: When the device was free of it (monotonic), or None before.
    """

    job: Job
    progress: float = 0.0
    wanted: bool = True
    settling: bool = False
    due: float | None = None
    freed: float | None = None
    claim: str = field(init=False)

    def __post_init__(self) -> None:
        self.claim = f"{self.job.id}/{self.job.token}"


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
        self._deliveries: deque[float] = deque(maxlen=RECENT_BATCHES)

    @property
    def delivery(self) -> float:
        """Typical seconds from a free device to a stored result; 0 before any."""
        return median(self._deliveries) if self._deliveries else 0.0

    def remaining(self) -> Mapping[str, float]:
        """Expected seconds until each job that runs is delivered, by job id."""
        now = self._seams.clock.monotonic()
        return {
            held.job.id: max(0.0, held.due - now)
            for held in self._held.values()
            if held.due is not None
        }

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
                if standing is Standing.MOVED:
                    # Nobody has renewed the lease in the other's name.
                    pause = 0.0
                    with suppress(LedgerUnavailable):
                        await self._look(asked[job_id])
                elif standing is not Standing.HELD and asked[job_id].job.id == job_id:
                    self._drop(asked[job_id], standing)

    async def listen(self) -> None:
        """Learn of cancellations as they happen, for ever."""
        async with self._seams.feed.listen() as news:
            async for item in news:
                if isinstance(item, Record) and item.event.kind is EventKind.CANCELLED:
                    self._cancelled(item)

    def _cancelled(self, record: Record) -> None:
        held, data = self._held.get(record.job_id), record.event.data
        if held is None:
            return
        heir, token = data.get("heir"), data.get("heir_token")
        if not isinstance(heir, str) or not isinstance(token, int):
            self._drop(held, Standing.CANCELLED)
        elif data.get("token") == held.job.token:
            self._move(held, Moved(heir, token))

    async def _look(self, held: Held) -> None:
        """Ask the ledger whether, and to whom, a claim has moved. Raises LedgerUnavailable."""
        job = held.job
        known = await self._seams.ledger.get(job.id)
        if held.job is not job or known is None or known.moved is None:
            return
        if known.token == job.token:
            self._move(held, known.moved)

    def _move(self, held: Held, to: Moved) -> None:
        """Go on with a run whose job was cancelled in the name of one that wants it still."""
        extra = {"action": "claim_moved", "job_id": to.job_id}
        log.info("claim moved from %s", held.job.id, extra=extra)
        listed = self._held.get(held.job.id) is held
        self._forget(held)
        held.job = replace(held.job, id=to.job_id, token=to.token)
        if listed:
            self._held[to.job_id] = held

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
        extra = {**_named("attempt_failed", held.job), "error_code": failure.code}
        # The detail may quote a prompt; it is in the event, which `JobLog` tells without.
        log.warning("attempt failed: %s", failure.code, extra=extra)
        self._begin(held, self._say(held, lambda token: Fail(token, failure, alone)))

    def give_back(self, held: Held) -> None:
        """Begin to return the job to the queue, unharmed."""
        self._begin(held, self._say(held, GiveBack))

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
        extra = _named(f"claim_{standing.value}", held.job)
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
            extra = _named("settle_failed", held.job)
            log.exception("the last word about a claim was lost", extra=extra)
        finally:
            self._forget(held)

    def _forget(self, held: Held) -> None:
        # A claim that was lost may have been followed by a new one of this very replica.
        if self._held.get(held.job.id) is held:
            del self._held[held.job.id]

    async def _say(self, held: Held, word: Callable[[int], Command]) -> None:
        """Say a last word, and again in the name of the job that inherited the claim."""
        said = None
        while said is not held.job:
            said = held.job
            if await self._apply(held, word(said.token)) is not None:
                return

    async def _store(self, held: Held, done: Done) -> None:
        stored = None
        while stored is not held.job:
            stored = held.job
            if await self._stored(held, done):
                return

    async def _stored(self, held: Held, done: Done) -> bool:
        """Store the files and finish with them; False when the claim was refused."""
        artifacts, claim = self._seams.artifacts, held.job
        began = self._seams.clock.monotonic()
        refs = [await _reference(claim, file) for file in done.files]
        pairs = zip(refs, done.files, strict=True)
        puts = [artifacts.put(ref.key, file.data, ref.media_type) for ref, file in pairs]
        troubles = [e for e in await asyncio.gather(*puts, return_exceptions=True) if e is not None]
        self._tell_phases(held, began)
        word: Command = Finish(claim.token, tuple(refs), done.notes)
        if troubles:
            if not isinstance(troubles[0], StorageFailed):
                await self._discard(refs)
                raise troubles[0]
            detail = f"The result could not be stored: {troubles[0]}"
            word = Fail(claim.token, Failure("STORAGE_FAILED", detail))
        # The claim may have moved while the files were written.
        taken = held.job is claim and await self._apply(held, word) is not None
        if troubles or not taken:
            await self._discard(refs)
            return taken
        self.finished += 1
        if held.freed is not None:
            self._deliveries.append(self._seams.clock.monotonic() - held.freed)
        return True

    def _tell_phases(self, held: Held, began: float) -> None:
        """Tell what became of a result whose storing `began` (monotonic) and is over."""
        seconds = self._seams.clock.monotonic() - began
        if held.freed is not None:
            encoding = max(0.0, began - held.freed)
            self._seams.observer.phase_ended(held.job, "encode", encoding, ago=seconds)
        self._seams.observer.phase_ended(held.job, "store", seconds)

    async def _discard(self, refs: Sequence[ArtifactRef]) -> None:
        deletes = [self._seams.artifacts.delete(ref.key) for ref in refs]
        await asyncio.gather(*deletes, return_exceptions=True)

    async def _apply(self, held: Held, command: Command) -> Job | None:
        """Say it until the ledger answers; None when it was refused.

        The lease may lapse meanwhile: while the ledger is away nobody else can take the job
        either, and whether the token still holds is for the ledger to say. A refusal may come of
        the claim's having moved: then `held.job` is another when this returns.
        """
        pause, claim = FIRST_PAUSE, held.job
        while True:
            try:
                job = await self._tried(held, claim, command)
            except LedgerUnavailable:
                await self._seams.clock.sleep(pause)
                pause = min(2.0 * pause, LONGEST_PAUSE)
            except (Refused, JobUnknown) as refusal:
                self._seams.observer.stale_token(self._pool)
                extra = _named("stale_token", held.job)
                log.info("last word refused: %s", refusal, extra=extra)
                return None
            else:
                if job is not None:
                    self._seams.observer.job_settled(job)
                    self._wake(job)
                return job

    async def _tried(self, held: Held, claim: Job, command: Command) -> Job | None:
        """Say it once; None when another has inherited the claim."""
        try:
            return await self._seams.ledger.apply(claim.id, command)
        except StaleToken:
            if held.job is claim:
                await self._look(held)
            if held.job is claim:
                raise
            return None

    def _wake(self, job: Job) -> None:
        """Ring for a job that waits again: now, or when its back-off is over."""
        if job.state is not State.QUEUED:
            return
        delay = job.ready_at - self._seams.clock.now()
        if delay <= 0.0:
            self._seams.hints.ring(job.pool, job.id)
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


def _named(action: str, job: Job) -> dict[str, object]:
    """What a line of the log says of a claim's job."""
    return {"action": action, "job_id": job.id, "trace_id": job.trace_id}
