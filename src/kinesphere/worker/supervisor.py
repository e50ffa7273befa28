"""One replica: claims batches, has a child process run them, and outlives whatever the child does.

The claim loop asks for work whenever the device is free. Nothing is claimed before the engine is
loaded and warm, so jobs of a pool that cannot be set up stay queued.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from kinesphere.core.batching import BatchTime
from kinesphere.core.replicas import Placement, ReplicaState, Status
from kinesphere.worker.berth import Berth
from kinesphere.worker.conversation import Conversation, Limits
from kinesphere.worker.course import Course, Post, Terms
from kinesphere.worker.held import Held, Seams
from kinesphere.worker.holding import Holding
from kinesphere.worker.last_words import cancelled
from kinesphere.worker.messages import Ready, Sleep, Wake
from kinesphere.worker.process import Child, Launch
from kinesphere.worker.serving import Serving
from kinesphere.worker.turns import Turns

LONGEST_BACKOFF: Final = 60.0
DEFUNCT_AFTER: Final = 5
"""Children in a row that never ended a batch, after which a replica calls itself defunct."""

log = logging.getLogger("kinesphere.worker")


class Replica:
    """One replica. `run` once; `drain` or `stop_now` from any task of the same event loop.

    `turns` is what it shares with the other replicas of its pool in this process.
    """

    def __init__(
        self, seams: Seams, post: Post, launch: Launch, terms: Terms, turns: Turns
    ) -> None:
        self._seams = seams
        self._post = post
        self._launch = launch
        self._terms = terms
        self._course = Course(seams.clock, self._entered)
        self._holding = Holding(seams, post.pool, post.worker, terms.lease, self._unwanted)
        self._berth = Berth(post.stage, launch)
        self._serving = Serving(
            *(seams, post, self._course, self._holding),
            berth=self._berth,
            turns=turns,
            poll=terms.poll,
        )
        self._talk: Conversation | None = None
        self._phases: Mapping[str, float] = {}
        self._wake_seconds: float | None = None
        self._last_error = ""
        self._misfortunes = 0
        self._worked = False
        self._children = 0
        self._batches_before = 0
        self._set_up: tuple[float, float] | None = None

    @property
    def status(self) -> Status:
        """How the replica is now."""
        load, warm = self._set_up or (None, None)
        seconds = self._serving.forming.seconds
        return Status(
            worker=self._post.worker,
            pool=self._post.pool,
            model=self._post.model,
            state=self._course.state,
            since=self._course.since,
            pid=None if self._talk is None else self._talk.pid,
            batches=self._serving.batches,
            jobs=self._holding.finished,
            held=len(self._holding),
            children=self._children,
            load_seconds=load,
            warm_seconds=warm,
            memory=self._serving.memory,
            fixed_seconds=seconds.fixed,
            job_seconds=seconds.per_job,
            last_error=self._last_error,
            delivery_seconds=self._holding.delivery,
            free_in=self._serving.free_in,
            remaining=self._holding.remaining(),
            tier=self._post.tier,
            measured=bool(seconds.measured),
            phases=self._phases,
            placement=self._berth.placement,
            wake_seconds=self._wake_seconds,
        )

    @property
    def can_sleep(self) -> bool:
        """Whether its engine is there and can stay in main memory without its device."""
        ready = None if self._talk is None else self._talk.ready
        return ready is not None and ready.done() and ready.result().sleeps

    def sleep(self) -> None:
        """Leave the device when nothing runs, and take no work until woken."""
        self._course.wanted.clear()
        if self._talk is not None:
            self._talk.stir()

    def wake(self) -> None:
        """Come back to the device and take work."""
        self._course.wanted.set()

    def drain(self, grace: float) -> None:
        """Claim no more; give the running batch `grace` seconds, then give back what is left."""
        by = self._course.leave(self._seams.clock.monotonic() + grace)
        if self._talk is not None:
            self._talk.leave(by)

    def stop_now(self) -> None:
        """Give everything back at once and end the child."""
        self.drain(0.0)

    async def run(self) -> None:
        """Serve until drained. When it returns no process and no claim is left."""
        async with asyncio.TaskGroup() as side:
            tasks = (
                side.create_task(self._holding.renew()),
                side.create_task(self._holding.listen()),
            )
            try:
                while not self._course.leaving.is_set():
                    await self._live()
                    await self._course.first(self._backoff())
            finally:
                await self._holding.settled(self._terms.settle_grace)
                await cancelled(*tasks)
                self._course.enter(ReplicaState.STOPPED)

    # ------------------------------------------------------------------------ the child's life

    async def _live(self) -> None:
        """One child, from its start to its end."""
        self._course.enter(ReplicaState.STARTING)
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
                await talk.stop(self._course.time_left(terms.stop_grace))
        finally:
            # Whatever happened, neither a process nor a claim is left behind.
            how = await talk.end()
            self._talk = None
            self._serving.memory = 0
            await self._serving.give_back_rest()
        if not self._course.leaving.is_set():
            self._mishap(how if ready else talk.setup_error or how, ready=ready)

    async def _bring_up(self, talk: Conversation, began: float) -> bool:
        """Have the engine of a child that `began` (monotonic) loaded and warmed; whether it is."""
        stage = self._post.stage
        talk.load(self._berth.order(self._post.formats))
        by = self._seams.clock.monotonic() + stage.load_limit
        while not (talk.ready.done() or talk.lost or self._course.leaving.is_set()):
            left = by - self._seams.clock.monotonic()
            if left <= 0.0:
                talk.setup_error = f"it was not ready after {stage.load_limit:g} s"
                return False
            await self._course.first(left, talk.ready, talk.over)
        if not talk.ready.done():
            return False
        self._settle_in(talk.ready.result(), self._seams.clock.monotonic() - began)
        return True

    def _settle_in(self, ready: Ready, seconds: float) -> None:
        """Take note of a child that is ready, `seconds` after it was started."""
        spawn = max(0.0, seconds - ready.load_seconds - ready.warm_seconds)
        self._set_up = spawn + ready.load_seconds, ready.warm_seconds
        self._phases = {"spawn": spawn, **ready.phases}
        self._serving.memory = ready.memory
        forming = self._serving.forming
        if self._berth.taken_up(ready.placed, typical=ready.run_seconds is not None):
            forming.seconds = BatchTime.guessed(*self._post.stage.seconds)
        if ready.run_seconds is not None and not forming.seconds.measured:
            forming.seconds = forming.seconds.seen(1.0, ready.run_seconds)
        self._course.enter(ReplicaState.READY)
        self._seams.observer.child_ready(self._post.pool, self._phases)
        phases = ", ".join(f"{name} {value:.2f} s" for name, value in self._phases.items())
        log.info(
            "replica ready: %s",
            phases,
            extra={"action": "replica_ready", **self._post.names, **_facts(self._berth.placement)},
        )

    def _mishap(self, how: str, *, ready: bool) -> None:
        """Take note of a child that is no more, though nobody asked it to leave."""
        if self._serving.batches > self._batches_before:
            self._misfortunes, self._batches_before = 0, self._serving.batches
        self._misfortunes += 1
        if ready:
            self._last_error = f"The engine's process {how}."
            self._course.enter(ReplicaState.STARTING)
        else:
            self._last_error = f"The engine could not be set up: {how}."
            self._course.enter(ReplicaState.SETUP_FAILED)
        if self._misfortunes >= DEFUNCT_AFTER:
            self._course.enter(ReplicaState.DEFUNCT)
        self._worked = ready
        self._seams.observer.child_died(self._post.pool, how)
        log.error("%s", self._last_error, extra={"action": "child_died", **self._post.names})

    def _backoff(self) -> float:
        """Seconds before the next child. One that had been ready is replaced at once, at first."""
        failures = self._misfortunes - (1 if self._worked else 0)
        return 0.0 if failures <= 0 else min(2.0 ** min(failures - 1, 16), LONGEST_BACKOFF)

    # ---------------------------------------------------------------------------- the claim loop

    async def _serve(self, talk: Conversation) -> None:
        """Run batch after batch until the child is lost or the replica leaves."""
        while not (self._course.leaving.is_set() or talk.lost):
            if self._course.wanted.is_set() or self._serving.forming.stocked:
                await self._serving.turn(talk)
            elif not await self._slept(talk):
                return

    async def _slept(self, talk: Conversation) -> bool:
        """Sleep until woken, or until it is time to leave; whether the child obeyed."""
        if not await self._turned(talk, Sleep()):
            return False
        self._course.enter(ReplicaState.ASLEEP)
        woken = asyncio.ensure_future(self._course.wanted.wait())
        try:
            while not (woken.done() or talk.lost or self._course.leaving.is_set()):
                await talk.watch(woken)
        finally:
            woken.cancel()
        if talk.lost or self._course.leaving.is_set():
            return True
        self._course.enter(ReplicaState.STARTING)
        began = self._seams.clock.monotonic()
        if not await self._turned(talk, Wake()):
            return False
        self._wake_seconds = self._seams.clock.monotonic() - began
        log.info("replica woken", extra={"action": "replica_woken", **self._post.names})
        return True

    async def _turned(self, talk: Conversation, order: Sleep | Wake) -> bool:
        """Have the child turn, in no more time than a start may take."""
        by = self._seams.clock.monotonic() + self._post.stage.load_limit
        talk.turn(order)
        while not (talk.turned.done() or talk.lost or self._course.leaving.is_set()):
            left = by - self._seams.clock.monotonic()
            if left <= 0.0:
                return False
            await self._course.first(left, talk.turned, talk.over)
        if talk.turned.done():
            self._serving.memory = talk.turned.result().memory
        return talk.turned.done()

    def _entered(self, state: ReplicaState) -> None:
        self._seams.observer.replica_entered(self._post.pool, self._post.worker, state)

    def _unwanted(self, held: Held) -> None:
        self._serving.forming.drop(held)
        if self._talk is not None:
            self._talk.unwanted(held)

    def _printed(self, line: str) -> None:
        log.info("%s", line, extra={"action": "engine_print", **self._post.names})


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
