"""The claim loop of one replica: batches are formed, handed to the child, and timed."""

import asyncio
import logging
from collections.abc import Sequence

from kinesphere.core.admission import NEARLY_DONE
from kinesphere.core.batching import BatchTime
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import ArtifactRef, Job
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import ArtifactMissing, LedgerUnavailable
from kinesphere.worker.berth import Berth
from kinesphere.worker.conversation import Conversation
from kinesphere.worker.course import Course, Post
from kinesphere.worker.forming import Forming, weight
from kinesphere.worker.held import Held, Seams
from kinesphere.worker.holding import Holding
from kinesphere.worker.messages import BatchEnded, Garbled, Item
from kinesphere.worker.turns import Turns

log = logging.getLogger("kinesphere.worker")


class Serving:
    """What a replica does with its children, one after the other. It outlives them.

    Attributes:
        forming: Its next batches.
        batches: How many have ended.
        memory: Bytes of the child in main memory, as last told.
    """

    def __init__(
        self,
        seams: Seams,
        post: Post,
        course: Course,
        holding: Holding,
        *,
        berth: Berth,
        turns: Turns,
        poll: float,
    ) -> None:
        guess = BatchTime.guessed(*post.stage.seconds)
        self.forming = Forming(
            *(seams.clock, guess, turns),
            claim=self._claim,
            pause=course.first,
            news=self._news,
            ring=lambda: seams.hints.ring(post.pool),
        )
        self.batches = 0
        self.memory = 0
        self._seams = seams
        self._post = post
        self._poll = poll
        self._course = course
        self._holding = holding
        self._berth = berth
        self._turns = turns
        self._talk: Conversation | None = None
        self._taken_at = 0.0
        self._expected: float | None = None

    @property
    def free_in(self) -> float:
        """Expected seconds until the device is free."""
        if self._expected is None:
            return 0.0
        left = self._taken_at + self._expected - self._seams.clock.monotonic()
        return max(left, NEARLY_DONE * self._expected)

    async def turn(self, talk: Conversation) -> None:
        """Run the next batch, or wait for a hint that there may be one."""
        with self._turns.present():
            await self._turn(talk)

    async def _turn(self, talk: Conversation) -> None:
        self._talk = talk
        self._taken_at = self._seams.clock.monotonic()
        batch = await self.forming.batch(self._berth.batch_limit)
        if self._course.leaving.is_set() or talk.lost:
            self.forming.put_back(batch)
        elif batch:
            # A device that stands idle for company could have begun.
            self._taken_at += self.forming.gathered
            await self._run_batch(talk, batch)
        else:
            self._course.enter(ReplicaState.READY)
            await self._news(self._poll)

    async def give_back_rest(self) -> None:
        """Return what was claimed and not begun to the queue."""
        for held in await self.forming.emptied():
            self._holding.give_back(held)

    async def _claim(self, limit: int) -> list[Held]:
        if self._course.leaving.is_set() or not self._course.wanted.is_set():
            return []
        try:
            return await self._holding.claim(limit)
        except LedgerUnavailable as error:
            log.warning("no claim: %s", error, extra={"action": "claim_failed", **self._post.names})
            return []

    async def _news(self, seconds: float) -> bool:
        """Wait until there may be work, or something else to do; whether the replica goes on."""
        talk = self._talk
        assert talk is not None  # noqa: S101 - nothing is formed but in a turn
        hint = asyncio.ensure_future(self._seams.hints.wait(self._post.pool, seconds))
        try:
            await talk.watch(hint)
            trouble = hint.exception() if hint.done() else None
            if trouble is not None:
                # Hints may be lost at any time; asking the ledger now and then is enough.
                log.warning("no hints: %s", trouble, extra={"action": "hints_failed"})
                await self._course.first(seconds, talk.over)
        finally:
            hint.cancel()
        return not (self._course.leaving.is_set() or talk.lost)

    async def _run_batch(self, talk: Conversation, batch: list[Held]) -> None:
        self._expected = self.forming.seconds.seconds(weight(batch))
        due = self._taken_at + self._expected + self._holding.delivery
        for held in batch:
            held.due = due
        ahead = self.forming.looks_ahead(self._expected)
        beside = asyncio.create_task(self._look_ahead()) if ahead else None
        try:
            await self._hand_over(talk, batch)
        finally:
            self._expected = None
            if beside is not None:
                beside.cancel()

    async def _look_ahead(self) -> None:
        """Claim what comes next in time, and give it back once it has waited too long."""
        await self.forming.meanwhile(self._berth.batch_limit, self.free_in)
        if self.forming.stocked:
            await self._seams.clock.sleep(self.forming.patience)
            await self.give_back_rest()

    async def _hand_over(self, talk: Conversation, batch: list[Held]) -> None:
        files = [_given(held.job) for held in batch]
        if any(files):
            each = (self._read(held, refs) for held, refs in zip(batch, files, strict=True))
            inputs = await asyncio.gather(*each)
        else:
            inputs = [{} for _ in batch]
        pairs = zip(batch, inputs, strict=True)
        work = [
            (held, _item(held, read)) for held, read in pairs if held.wanted and read is not None
        ]
        if not work:
            return
        pool, size = self._post.pool, len(work)
        try:
            talk.run(work)
        except Garbled as error:
            failure = Failure("INTERNAL", f"The batch cannot be handed to the engine: {error}.")
            for held, _ in work:
                self._holding.fail(held, failure, alone=size > 1)
            return
        self._course.enter(ReplicaState.BUSY)
        self._seams.observer.batch_started(pool, size)
        ended = await talk.batch_ended()
        if ended is not None:
            self._ended([held for held, _ in work], ended)

    def _ended(self, batch: list[Held], ended: BatchEnded) -> None:
        """Take note of a batch that left the device."""
        pool, size = self._post.pool, len(batch)
        self.batches += 1
        self.memory = ended.memory
        self.forming.ended(size)
        self._berth.seen(size, ended.taken)
        now = self._seams.clock.monotonic()
        due = now + self._holding.delivery
        for held in batch:
            held.freed, held.due = now, due
            self._seams.observer.phase_ended(held.job, "engine", ended.seconds)
        # What the device costs its pool is all the time from claim to claim, not `run` alone;
        # but what was cancelled on its way would make it seem faster than it is.
        if all(held.wanted for held in batch):
            self.forming.seconds = self.forming.seconds.seen(weight(batch), now - self._taken_at)
        self._seams.observer.batch_ended(pool, size, ended.seconds)

    async def _read(self, held: Held, refs: Sequence[ArtifactRef]) -> dict[str, bytes] | None:
        """The files that a job comes with, by name; None when one is gone."""
        if not refs:
            return {}
        began = self._seams.clock.monotonic()
        try:
            read = await asyncio.gather(*(self._seams.artifacts.read(ref.key) for ref in refs))
        except ArtifactMissing as missing:
            detail = f"A file that the job needs is gone: {missing}"
            self._holding.fail(held, Failure("STORAGE_FAILED", detail))
            return None
        seconds = self._seams.clock.monotonic() - began
        self._seams.observer.phase_ended(held.job, "inputs", seconds)
        return {ref.name: data for ref, data in zip(refs, read, strict=True)}


def _given(job: Job) -> list[ArtifactRef]:
    """What came with a job, and what the stage before made."""
    return [*job.inputs, *(ref for ref in job.artifacts if ref.stage == job.stage - 1)]


def _item(held: Held, inputs: dict[str, bytes]) -> Item:
    """What the child needs to know of a job."""
    request = held.job.request
    return Item(
        claim=held.claim,
        request=dict(request),
        inputs=inputs,
        format=str(request.get("format", "")),
    )
