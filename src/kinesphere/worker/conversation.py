"""What a supervisor and one child say to each other, and which limits of time the child must keep.

Every piece of work that was handed over gets exactly one end here: the child's answer, or, when the
child is no more, what its death means for that piece.
"""

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from kinesphere.core.failures import Failure
from kinesphere.ports import Clock
from kinesphere.worker.held import Held
from kinesphere.worker.last_words import cancelled
from kinesphere.worker.messages import (
    BatchEnded,
    Cancel,
    Done,
    Failed,
    FromChild,
    Garbled,
    Item,
    Load,
    Ready,
    Run,
    SetupFailed,
    Sleep,
    Stop,
    Told,
    Turned,
    Wake,
)
from kinesphere.worker.process import Child

LAST_WORDS: Final = 1.0
"""Seconds in which what a dead child had said is read to its end."""

TURNS_TO_WAKE: Final = 3
"""Turns of the event loop after which whoever waits in `batch_ended` has gone on, and one more."""

log = logging.getLogger("kinesphere.worker")


class Cause(Enum):
    """Why a supervisor killed its child: what became of its process, as a sentence's end."""

    RAN_TOO_LONG = "was stopped because a batch ran too long"
    ANSWERED_TOO_LATE = "was stopped because results were not encoded in time"
    DISOBEYED = "was stopped because it went on with cancelled work"
    GARBLED = "was stopped because it sent what is no message"
    LEAVING = "was stopped because its time to finish was over"


class Results(Protocol):
    """Where the ends of pieces of work go; `Holding` is one."""

    def tell(self, held: Held, fraction: float, phase: str) -> None:
        """The engine says how far it is."""
        ...

    def finish(self, held: Held, done: Done) -> None:
        """The child made it."""
        ...

    def fail(self, held: Held, failure: Failure, *, alone: bool = False) -> None:
        """The attempt failed; `alone` when its batch is not to be trusted."""
        ...

    def give_back(self, held: Held) -> None:
        """Nothing was wrong with it, but this child will not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a child has: for `run`, for obeying a cancellation, and for late answers."""

    run: float
    cancel: float
    answer: float


@dataclass(slots=True, eq=False)
class _Batch:
    held: tuple[Held, ...]
    run_by: float
    ended: asyncio.Future[BatchEnded]
    unwanted_at: float | None = None
    answer_by: float | None = None


class Conversation:
    """One child from its start to its end."""

    def __init__(self, child: Child, clock: Clock, results: Results, limits: Limits) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Ready] = loop.create_future()
        self.turned: asyncio.Future[Turned] = loop.create_future()
        self.setup_error = ""
        self.cause: Cause | None = None
        self._child = child
        self._clock = clock
        self._results = results
        self._limits = limits
        self._leave_by: float | None = None
        self._unanswered: dict[str, Held] = {}
        self._batches: list[_Batch] = []
        self.overdue: _Batch | None = None
        self._stir: asyncio.Future[None] = loop.create_future()
        self._rings: asyncio.Future[None] | None = None
        self._rings_at = 0.0
        self.over = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    @property
    def lost(self) -> bool:
        """Whether nothing more can be expected of the child."""
        return self.cause is not None or self.over.done()

    def load(self, order: Load) -> None:
        """Have the child bring its engine up; `ready` or `lost` tells the rest."""
        self._child.send(order)

    def turn(self, order: Sleep | Wake) -> None:
        """Have the idle child leave its device, or come back; `turned` or `lost` tells the rest."""
        self.turned = asyncio.get_running_loop().create_future()
        self._child.send(order)

    def run(self, work: list[tuple[Held, Item]]) -> None:
        """Hand a batch over. Raises Garbled, with nothing handed over, when it is too large."""
        self._child.send(Run(items=[item for _, item in work]))
        batch = _Batch(
            tuple(held for held, _ in work),
            self._clock.monotonic() + self._limits.run,
            asyncio.get_running_loop().create_future(),
        )
        self._batches.append(batch)
        self._unanswered.update((item.claim, held) for held, item in work)

    async def batch_ended(self) -> BatchEnded | None:
        """Wait until the device is free again; None when it will not be, because the child died."""
        ended = self._batches[-1].ended
        while not (ended.done() or self.lost):
            await self.watch(ended)
        return ended.result() if ended.done() else None

    def unwanted(self, held: Held) -> None:
        """Tell the child that this piece of work is wanted no more."""
        if held.claim not in self._unanswered:
            return
        self._child.send(Cancel(claim=held.claim))
        for batch in self._batches:
            if batch.unwanted_at is None and not any(other.wanted for other in batch.held):
                batch.unwanted_at = self._clock.monotonic()
        self.stir()

    def leave(self, by: float) -> None:
        """Give the child until `by` (monotonic) to answer what it has."""
        self._leave_by = by
        self.stir()

    def stir(self) -> None:
        """Have `watch` return."""
        if not self._stir.done():
            self._stir.set_result(None)

    async def watch(self, *events: asyncio.Future[Any]) -> None:
        """Wait for one of the events, or for news of the child; kill it when its time is up."""
        due = self._due()
        now = self._clock.monotonic()
        if due is not None and due[0] <= now:
            _, self.cause, self.overdue = due
            self._child.kill()
            return
        if self._stir.done():
            self._stir = asyncio.get_running_loop().create_future()
        waits: set[asyncio.Future[Any]] = {self.over, self._stir, *events}
        if due is not None:
            waits.add(self._alarm(now, due[0]))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    def _alarm(self, now: float, at: float) -> asyncio.Future[None]:
        """Done at a time or before. Times are mostly put off, so one alarm does for many."""
        if self._rings is None or self._rings.done() or self._rings_at > at:
            if self._rings is not None:
                self._rings.cancel()
            self._rings = asyncio.ensure_future(self._clock.sleep(at - now))
            self._rings_at = at
        return self._rings

    async def stop(self, seconds: float) -> None:
        """Wait for the answers that are due, then have the child unload and exit, or kill it."""
        while self._unanswered and not self.lost:
            await self.watch()
        if self.lost:
            return
        self._child.send(Stop())
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        await asyncio.wait({timer, self.over}, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()

    async def end(self) -> str:
        """Leave no process and no unanswered work; how the child ended, as a sentence's end."""
        if not self.over.done():
            self._child.kill()
            await asyncio.wait({self.over}, timeout=LAST_WORDS)
        await cancelled(self.over, *([] if self._rings is None else [self._rings]))
        how = await self._child.end()
        if self.cause is not None:
            how = self.cause.value
        left = tuple(self._unanswered.values())
        self._unanswered.clear()
        for held in left:
            if held.wanted:
                self._bereave(held, left, how)
        return how

    def _bereave(self, held: Held, left: tuple[Held, ...], how: str) -> None:
        """Settle work that the child did not live to answer."""
        overdue = self.overdue
        if self.cause in (None, Cause.GARBLED):
            failure = Failure("ENGINE_CRASHED", f"The engine's process {how}.")
            self._results.fail(held, failure, alone=len(left) > 1)
        elif overdue is not None and held in overdue.held and self.cause is not Cause.DISOBEYED:
            doing, limit = ("run", self._limits.run)
            if self.cause is Cause.ANSWERED_TOO_LATE:
                doing, limit = ("check and encode", self._limits.answer)
            failure = Failure("ENGINE_TIMEOUT", f"It took longer than {limit:g} s to {doing}.")
            self._results.fail(held, failure, alone=len(overdue.held) > 1)
        else:
            self._results.give_back(held)

    def _due(self) -> tuple[float, Cause, _Batch | None] | None:
        """When the child's time is up next, why, and for which batch."""
        ends: list[tuple[float, Cause, _Batch | None]] = []
        for batch in self._batches:
            if batch.answer_by is not None:
                ends.append((batch.answer_by, Cause.ANSWERED_TOO_LATE, batch))
                continue
            ends.append((batch.run_by, Cause.RAN_TOO_LONG, batch))
            if batch.unwanted_at is not None:
                ends.append((batch.unwanted_at + self._limits.cancel, Cause.DISOBEYED, batch))
        if self._leave_by is not None:
            ends.append((self._leave_by, Cause.LEAVING, None))
        return min(ends, key=lambda end: end[0], default=None)

    async def _read(self) -> None:
        try:
            while (message := await self._child.receive()) is not None:
                self._hear(message)
                if isinstance(message, BatchEnded):
                    # Results are read when the device has its next batch.
                    for _ in range(TURNS_TO_WAKE):
                        await asyncio.sleep(0)
        except Garbled as error:
            log.error("child: %s", error, extra={"action": "child_garbled"})
            self.cause = Cause.GARBLED
            self._child.kill()

    def _hear(self, message: FromChild) -> None:
        if isinstance(message, Told):
            held = self._unanswered.get(message.claim)
            if held is not None and held.wanted:
                self._results.tell(held, message.fraction, message.phase)
        elif isinstance(message, Done | Failed):
            self._answered(message)
        elif isinstance(message, BatchEnded):
            batch = self._batches[-1] if self._batches else None
            if batch is None or batch.ended.done():
                raise Garbled("a batch ended that was not running")
            batch.ended.set_result(message)
            batch.answer_by = self._clock.monotonic() + self._limits.answer
            self._forget_answered()
        elif isinstance(message, SetupFailed):
            self.setup_error = message.detail
        elif isinstance(message, Turned):
            if not self.turned.done():
                self.turned.set_result(message)
        elif not self.ready.done():
            self.ready.set_result(message)

    def _answered(self, message: Done | Failed) -> None:
        held = self._unanswered.pop(message.claim, None)
        if held is None:
            raise Garbled("an answer to nothing that was asked")
        if held.wanted and isinstance(message, Done):
            self._results.finish(held, message)
        elif held.wanted and isinstance(message, Failed):
            failure = Failure(message.code, message.detail)
            self._results.fail(held, failure, alone=message.shared)
        self._forget_answered()
        if self._leave_by is not None:
            self.stir()

    def _forget_answered(self) -> None:
        self._batches = [
            batch
            for batch in self._batches
            if not batch.ended.done() or any(h.claim in self._unanswered for h in batch.held)
        ]
