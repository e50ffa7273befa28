"""One replica: claims batches, has a child process run them, and outlives whatever the child does.

The claim loop asks for work whenever the device is free. Nothing is claimed before the engine is
loaded and warm, so jobs of a pool that cannot be set up stay queued.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kinesphere.core.admission import NEARLY_DONE
from kinesphere.core.batching import BatchTime
from kinesphere.core.catalog import Stage
from kinesphere.core.failures import Failure
from kinesphere.core.replicas import Placement, ReplicaState, Status
from kinesphere.ports import ArtifactMissing, LedgerUnavailable
from kinesphere.worker.berth import Berth
from kinesphere.worker.conversation import Conversation, Limits
from kinesphere.worker.forming import Forming, weight
from kinesphere.worker.holding import Held, Holding, Seams, cancelled
from kinesphere.worker.messages import Garbled, Item, Ready, Sleep, Wake
from kinesphere.worker.process import Child, Launch

LONGEST_BACKOFF: Final = 60.0
DEFUNCT_AFTER: Final = 5
"""Children in a row that never ended a batch, after which a replica calls itself defunct."""

log = logging.getLogger("kinesphere.worker")


@dataclass(frozen=True, slots=True)
class Terms:
    """The times that a replica keeps, in seconds.

    Attributes:
        lease: How long a claim holds without renewal; it is renewed each third of this.
        poll: Longest wait for a hint before the ledger is asked all the same.
        cancel_grace: How long an engine may go on with a batch that nobody wants any more.
        stop_grace: How long a child may take to unload.
        answer_limit: How long results may be checked and encoded after their batch has ended.
        settle_grace: How long a stopping replica waits for its last words to be taken.
    """

    lease: float = 9.0
    poll: float = 2.0
    cancel_grace: float = 5.0
    stop_grace: float = 5.0
    answer_limit: float = 60.0
    settle_grace: float = 5.0


@dataclass(frozen=True, slots=True)
class Post:
    """Which pool a replica serves, under which name.

    Attributes:
        pool: The pool.
        model: Name of the model that the pool belongs to.
        stage: The stage of it that the pool runs.
        worker: The replica's own name.
        formats: Motion formats that its results may be asked for in; warmed with the engine.
        tier: The class of hardware that it runs on, or "".
    """

    pool: str
    model: str
    stage: Stage
    worker: str
    formats: tuple[str, ...] = ()
    tier: str = ""


class Replica:
    """One replica. `run` once; `drain` or `stop_now` from any task of the same event loop."""

    def __init__(self, seams: Seams, post: Post, launch: Launch, terms: Terms) -> None:
        self._seams = seams
        self._post = post
        self._launch = launch
        self._terms = terms
        self._holding = Holding(seams, post.pool, post.worker, terms.lease, self._unwanted)
        self._talk: Conversation | None = None
        guess = BatchTime.guessed(*post.stage.seconds)
        self._forming = Forming(seams.clock, guess, self._claim, self._first)
        self._berth = Berth(post.stage, launch)
        self._phases: Mapping[str, float] = {}
        self._taken_at = 0.0
        self._expected: float | None = None
        self._leave_by: float | None = None
        self._leaving = asyncio.Event()
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._wake_seconds: float | None = None
        self._state = ReplicaState.STARTING
        self._since = seams.clock.now()
        self._last_error = ""
        self._misfortunes = 0
        self._worked = False
        self._left: asyncio.Task[None]
        self._batches = 0
        self._children = 0
        self._set_up: tuple[float, float] | None = None
        self._memory = 0

    @property
    def status(self) -> Status:
        """How the replica is now."""
        load, warm = self._set_up or (None, None)
        return Status(
            worker=self._post.worker,
            pool=self._post.pool,
            model=self._post.model,
            state=self._state,
            since=self._since,
            pid=None if self._talk is None else self._talk.pid,
            batches=self._batches,
            jobs=self._holding.finished,
            held=len(self._holding),
            children=self._children,
            load_seconds=load,
            warm_seconds=warm,
            memory=self._memory,
            fixed_seconds=self._forming.seconds.fixed,
            job_seconds=self._forming.seconds.per_job,
            last_error=self._last_error,
            delivery_seconds=self._holding.delivery,
            free_in=self._free_in(),
            remaining=self._holding.remaining(),
            tier=self._post.tier,
            measured=bool(self._forming.seconds.measured),
            phases=self._phases,
            placement=self._berth.placement,
            wake_seconds=self._wake_seconds,
        )

    def _free_in(self) -> float:
        """Expected seconds until the device is free."""
        if self._expected is None:
            return 0.0
        left = self._taken_at + self._expected - self._seams.clock.monotonic()
        return max(left, NEARLY_DONE * self._expected)

    @property
    def can_sleep(self) -> bool:
        """Whether its engine is there and can stay in main memory without its device."""
        ready = None if self._talk is None else self._talk.ready
        return ready is not None and ready.done() and ready.result().sleeps

    def sleep(self) -> None:
        """Leave the device when nothing runs, and take no work until woken."""
        self._wanted.clear()
        if self._talk is not None:
            self._talk.stir()

    def wake(self) -> None:
        """Come back to the device and take work."""
        self._wanted.set()

    def drain(self, grace: float) -> None:
        """Claim no more; give the running batch `grace` seconds, then give back what is left."""
        by = self._seams.clock.monotonic() + grace
        self._leave_by = by if self._leave_by is None else min(by, self._leave_by)
        self._enter(ReplicaState.DRAINING)
        self._leaving.set()
        if self._talk is not None:
            self._talk.leave(self._leave_by)

    def stop_now(self) -> None:
        """Give everything back at once and end the child."""
        self.drain(0.0)

    async def run(self) -> None:
        """Serve until drained. When it returns no process and no claim is left."""
        async with asyncio.TaskGroup() as side:
            self._left = side.create_task(_returned(self._leaving.wait()))
            tasks = (
                self._left,
                side.create_task(self._holding.renew()),
                side.create_task(self._holding.listen()),
            )
            try:
                while not self._leaving.is_set():
                    await self._live()
                    await self._first(self._backoff())
            finally:
                await self._holding.settled(self._terms.settle_grace)
                await cancelled(*tasks)
                self._enter(ReplicaState.STOPPED)

    # ------------------------------------------------------------------------ the child's life

    async def _live(self) -> None:
        """One child, from its start to its end."""
        self._enter(ReplicaState.STARTING)
        began = self._seams.clock.monotonic()
        child = await Child.start(self._launch, self._seams.clock, self._printed)
        self._children += 1
        terms = self._terms
        limits = Limits(self._post.stage.run_limit, terms.cancel_grace, terms.answer_limit)
        talk = self._talk = Conversation(child, self._seams.clock, self._holding, limits)
        ready = False
        try:
            ready = await self._bring_up(talk, began)
            if ready:
                await self._serve(talk)
                await talk.stop(self._time_left(terms.stop_grace))
        finally:
            # Whatever happened, neither a process nor a claim is left behind.
            how = await talk.end()
            self._talk = None
            self._memory = 0
            self._give_back_rest()
        if not self._leaving.is_set():
            self._mishap(how if ready else talk.setup_error or how, ready=ready)

    async def _bring_up(self, talk: Conversation, began: float) -> bool:
        """Have the engine of a child that `began` (monotonic) loaded and warmed; whether it is."""
        stage = self._post.stage
        talk.load(self._berth.order(self._post.formats))
        by = self._seams.clock.monotonic() + stage.load_limit
        while not (talk.ready.done() or talk.lost or self._leaving.is_set()):
            left = by - self._seams.clock.monotonic()
            if left <= 0.0:
                talk.setup_error = f"it was not ready after {stage.load_limit:g} s"
                return False
            await self._first(left, talk.ready, talk.over)
        if not talk.ready.done():
            return False
        self._settle_in(talk.ready.result(), self._seams.clock.monotonic() - began)
        return True

    def _settle_in(self, ready: Ready, seconds: float) -> None:
        """Take note of a child that is ready, `seconds` after it was started."""
        spawn = max(0.0, seconds - ready.load_seconds - ready.warm_seconds)
        self._set_up = spawn + ready.load_seconds, ready.warm_seconds
        self._phases = {"spawn": spawn, **ready.phases}
        self._memory = ready.memory
        if self._berth.taken_up(ready.placed, typical=ready.run_seconds is not None):
            self._forming.seconds = BatchTime.guessed(*self._post.stage.seconds)
        if ready.run_seconds is not None and not self._forming.seconds.measured:
            self._forming.seconds = self._forming.seconds.seen(1.0, ready.run_seconds)
        self._enter(ReplicaState.READY)
        self._seams.observer.child_ready(self._post.pool, self._phases)
        phases = ", ".join(f"{name} {value:.2f} s" for name, value in self._phases.items())
        log.info(
            "replica ready: %s",
            phases,
            extra={"action": "replica_ready", **self._names, **_facts(self._berth.placement)},
        )

    def _mishap(self, how: str, *, ready: bool) -> None:
        """Take note of a child that is no more, though nobody asked it to leave."""
        self._misfortunes += 1
        if ready:
            self._last_error = f"The engine's process {how}."
            self._enter(ReplicaState.STARTING)
        else:
            self._last_error = f"The engine could not be set up: {how}."
            self._enter(ReplicaState.SETUP_FAILED)
        if self._misfortunes >= DEFUNCT_AFTER:
            self._enter(ReplicaState.DEFUNCT)
        self._worked = ready
        self._seams.observer.child_died(self._post.pool, how)
        log.error("%s", self._last_error, extra={"action": "child_died", **self._names})

    def _backoff(self) -> float:
        """Seconds before the next child. One that had been ready is replaced at once, at first."""
        failures = self._misfortunes - (1 if self._worked else 0)
        return 0.0 if failures <= 0 else min(2.0 ** min(failures - 1, 16), LONGEST_BACKOFF)

    # ---------------------------------------------------------------------------- the claim loop

    async def _serve(self, talk: Conversation) -> None:
        """Run batch after batch until the child is lost or the replica leaves."""
        while not (self._leaving.is_set() or talk.lost):
            if not self._wanted.is_set() and not self._forming.stocked:
                if not await self._slept(talk):
                    return
                continue
            self._taken_at = self._seams.clock.monotonic()
            batch = await self._forming.batch(self._berth.batch_limit)
            if self._leaving.is_set() or talk.lost:
                self._forming.put_back(batch)
            elif batch:
                await self._run_batch(talk, batch)
            else:
                self._enter(ReplicaState.READY)
                await self._hint(talk)

    async def _slept(self, talk: Conversation) -> bool:
        """Sleep until woken, or until it is time to leave; whether the child obeyed."""
        if not await self._turned(talk, Sleep()):
            return False
        self._enter(ReplicaState.ASLEEP)
        woken = asyncio.ensure_future(self._wanted.wait())
        try:
            while not (woken.done() or talk.lost or self._leaving.is_set()):
                await talk.watch(woken, self._left)
        finally:
            woken.cancel()
        if talk.lost or self._leaving.is_set():
            return True
        self._enter(ReplicaState.STARTING)
        began = self._seams.clock.monotonic()
        if not await self._turned(talk, Wake()):
            return False
        self._wake_seconds = self._seams.clock.monotonic() - began
        log.info("replica woken", extra={"action": "replica_woken", **self._names})
        return True

    async def _turned(self, talk: Conversation, order: Sleep | Wake) -> bool:
        """Have the child turn, in no more time than a start may take."""
        by = self._seams.clock.monotonic() + self._post.stage.load_limit
        talk.turn(order)
        while not (talk.turned.done() or talk.lost or self._leaving.is_set()):
            left = by - self._seams.clock.monotonic()
            if left <= 0.0:
                return False
            await self._first(left, talk.turned, talk.over)
        if talk.turned.done():
            self._memory = talk.turned.result().memory
        return talk.turned.done()

    async def _claim(self, limit: int) -> list[Held]:
        if self._leaving.is_set():
            return []
        try:
            return await self._holding.claim(limit)
        except LedgerUnavailable as error:
            log.warning("no claim: %s", error, extra={"action": "claim_failed", **self._names})
            return []

    async def _hint(self, talk: Conversation) -> None:
        """Wait until there may be work, or something else to do."""
        hint = asyncio.ensure_future(self._seams.hints.wait(self._post.pool, self._terms.poll))
        try:
            await talk.watch(hint)
            trouble = hint.exception() if hint.done() else None
            if trouble is not None:
                # Hints may be lost at any time; asking the ledger now and then is enough.
                log.warning("no hints: %s", trouble, extra={"action": "hints_failed"})
                await self._first(self._terms.poll, talk.over)
        finally:
            hint.cancel()

    async def _run_batch(self, talk: Conversation, batch: list[Held]) -> None:
        self._expected = self._forming.seconds.seconds(weight(batch))
        for held in batch:
            held.due = self._taken_at + self._expected + self._holding.delivery
        late = asyncio.create_task(self._not_in_time()) if self._forming.stocked else None
        try:
            await self._hand_over(talk, batch)
        finally:
            self._expected = None
            if late is not None:
                late.cancel()

    async def _not_in_time(self) -> None:
        """Give back what was claimed ahead, once it has waited too long for the batch that runs."""
        await self._seams.clock.sleep(self._forming.patience)
        self._give_back_rest()

    def _give_back_rest(self) -> None:
        for held in self._forming.emptied():
            self._holding.give_back(held)

    async def _hand_over(self, talk: Conversation, batch: list[Held]) -> None:
        gathered = await asyncio.gather(*(self._item(held) for held in batch))
        work = [(h, item) for h, item in zip(batch, gathered, strict=True) if item and h.wanted]
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
        self._enter(ReplicaState.BUSY)
        self._seams.observer.batch_started(pool, size)
        ended = await talk.batch_ended()
        if ended is not None:
            self._batches += 1
            self._misfortunes = 0
            self._memory = ended.memory
            self._berth.seen(size, ended.taken)
            now = self._seams.clock.monotonic()
            for held, _ in work:
                held.freed, held.due = now, now + self._holding.delivery
                self._seams.observer.phase_ended(held.job, "engine", ended.seconds)
            # What the device costs its pool is all the time from claim to claim, not `run` alone;
            # but what was cancelled on its way would make it seem faster than it is.
            if all(held.wanted for held, _ in work):
                load = weight([held for held, _ in work])
                self._forming.seconds = self._forming.seconds.seen(load, now - self._taken_at)
            self._seams.observer.batch_ended(pool, size, ended.seconds)

    async def _item(self, held: Held) -> Item | None:
        """What the child needs to know of a job: what came with it, what the stage before made."""
        job = held.job
        made = [ref for ref in job.artifacts if ref.stage == job.stage - 1]
        given = [*job.inputs, *made]
        began = self._seams.clock.monotonic()
        try:
            read = await asyncio.gather(*(self._seams.artifacts.read(ref.key) for ref in given))
        except ArtifactMissing as missing:
            detail = f"A file that the job needs is gone: {missing}"
            self._holding.fail(held, Failure("STORAGE_FAILED", detail))
            return None
        if given:
            seconds = self._seams.clock.monotonic() - began
            self._seams.observer.phase_ended(job, "inputs", seconds)
        return Item(
            claim=held.claim,
            request=dict(job.request),
            inputs={ref.name: data for ref, data in zip(given, read, strict=True)},
            format=str(job.request.get("format", "")),
        )

    # --------------------------------------------------------------------------------- the rest

    @property
    def _names(self) -> dict[str, str]:
        return {"pool": self._post.pool, "model": self._post.model, "replica": self._post.worker}

    def _enter(self, state: ReplicaState) -> None:
        if self._leaving.is_set() and state is not ReplicaState.STOPPED:
            return
        still_defunct = state in (ReplicaState.STARTING, ReplicaState.SETUP_FAILED)
        if self._state is ReplicaState.DEFUNCT and still_defunct:
            return
        if state is not self._state:
            self._state, self._since = state, self._seams.clock.now()
            self._seams.observer.replica_entered(self._post.pool, self._post.worker, state)

    def _unwanted(self, held: Held) -> None:
        self._forming.drop(held)
        if self._talk is not None:
            self._talk.unwanted(held)

    def _printed(self, line: str) -> None:
        log.info("%s", line, extra={"action": "engine_print", **self._names})

    def _time_left(self, most: float) -> float:
        """Seconds until the replica must be gone, between 0 and `most`."""
        if self._leave_by is None:
            return most
        return min(most, max(0.0, self._leave_by - self._seams.clock.monotonic()))

    async def _first(self, seconds: float, *events: asyncio.Future[Any]) -> None:
        """Return after `seconds`, or when one of the events comes, or when it is time to leave."""
        if seconds <= 0.0:
            return
        timer = asyncio.ensure_future(self._seams.clock.sleep(seconds))
        try:
            waits: set[asyncio.Future[Any]] = {timer, self._left, *events}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()


def _facts(placement: Placement) -> dict[str, object]:
    """What a line of the log says of where an engine is: what is known."""
    facts = {
        "gpu_id": placement.device,
        "device": placement.name,
        "profile": placement.profile,
        "batch_limit": placement.batch_limit,
        "device_bytes": placement.taken,
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


async def _returned(event: Awaitable[object]) -> None:
    await event
