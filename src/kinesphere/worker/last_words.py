"""The last word about a claim: its files are stored, and the ledger is told until it answers."""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from statistics import median
from typing import Any, Final

from kinesphere.core.batching import RECENT_BATCHES
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import (
    ArtifactRef,
    Command,
    Fail,
    Finish,
    Job,
    Refused,
    StaleToken,
    State,
)
from kinesphere.ports import JobUnknown, LedgerUnavailable, StorageFailed
from kinesphere.worker.held import Held, Seams
from kinesphere.worker.messages import Done, Output
from kinesphere.worker.muster import Muster

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds between attempts to reach a ledger that does not answer, doubling from first to last."""

HASHED_INLINE: Final = 1 << 20
"""Bytes up to which a digest is taken on the event loop, about a millisecond."""

log = logging.getLogger("kinesphere.worker")


class LastWords:
    """What one replica has to say of its claims, once for each.

    `look` asks the ledger whether a claim has moved to another job, `forget` drops it when its last
    word was said.

    Attributes:
        finished: Jobs whose results the ledger has taken.
    """

    def __init__(
        self,
        seams: Seams,
        pool: str,
        look: Callable[[Held], Awaitable[None]],
        forget: Callable[[Held], None],
    ) -> None:
        self.finished = 0
        self._seams = seams
        self._pool = pool
        self._look = look
        self._forget = forget
        self._muster = Muster(seams.clock)
        self._settling: set[asyncio.Task[None]] = set()
        self._alarms: set[asyncio.Task[None]] = set()
        self._deliveries: deque[float] = deque(maxlen=RECENT_BATCHES)

    @property
    def delivery(self) -> float:
        """Typical seconds from a free device to a stored result; 0 before any."""
        return median(self._deliveries) if self._deliveries else 0.0

    def finish(self, held: Held, done: Done) -> None:
        """Begin to store the files and to finish the job with them."""
        self._begin(held, self._store(held, done))

    def say(self, held: Held, word: Callable[[int], Command]) -> None:
        """Begin to say a last word, given the token that holds."""
        self._begin(held, self._say(held, word))

    async def settled(self, seconds: float) -> None:
        """Wait up to `seconds` for every last word begun; then give up those that are left."""
        timer = asyncio.ensure_future(self._seams.clock.sleep(seconds))
        while self._settling and not timer.done():
            await asyncio.wait({timer, *self._settling}, return_when=asyncio.FIRST_COMPLETED)
        await cancelled(timer, *self._settling, *self._alarms)

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
            extra = named("settle_failed", held.job)
            log.exception("the last word about a claim was lost", extra=extra)
        finally:
            self._forget(held)

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
        self._muster.begin()
        try:
            troubles = await _together(
                [artifacts.put(ref.key, file.data, ref.media_type) for ref, file in pairs]
            )
        finally:
            self._muster.end()
        await self._muster.others()
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
                extra = named("stale_token", held.job)
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


async def _together(works: Sequence[Coroutine[Any, Any, None]]) -> list[BaseException]:
    """Do them all; what they raised."""
    if len(works) > 1:
        ends = await asyncio.gather(*works, return_exceptions=True)
        return [end for end in ends if end is not None]
    try:
        for work in works:
            await work
    except Exception as error:
        return [error]
    return []


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


def named(action: str, job: Job) -> dict[str, object]:
    """What a line of the log says of a claim's job."""
    return {"action": action, "job_id": job.id, "trace_id": job.trace_id}
