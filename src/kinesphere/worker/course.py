"""What a replica is told, and where it stands: its state, and whether and how long it goes on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kinesphere.core.catalog import Stage
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import Clock


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

    @property
    def names(self) -> dict[str, str]:
        """What a line of the log says of a replica."""
        return {"pool": self.pool, "model": self.model, "replica": self.worker}


class Course:
    """Where one replica stands. `entered` is told of every state that it comes to.

    Attributes:
        state: As others see it.
        since: When it came to be (Unix s).
        leaving: Set for good once it claims no more.
        leave_by: When it must be gone (monotonic), or None.
        wanted: Set as long as it is to be on its device.
    """

    def __init__(self, clock: Clock, entered: Callable[[ReplicaState], None]) -> None:
        self.state = ReplicaState.STARTING
        self.since = clock.now()
        self.leaving = asyncio.Event()
        self.leave_by: float | None = None
        self.wanted = asyncio.Event()
        self.wanted.set()
        self._clock = clock
        self._entered = entered

    def enter(self, state: ReplicaState) -> None:
        """Come to another state, where that changes anything."""
        if self.leaving.is_set() and state is not ReplicaState.STOPPED:
            return
        still_defunct = state in (ReplicaState.STARTING, ReplicaState.SETUP_FAILED)
        if self.state is ReplicaState.DEFUNCT and still_defunct:
            return
        if state is not self.state:
            self.state, self.since = state, self._clock.now()
            self._entered(state)

    def leave(self, by: float) -> float:
        """Be gone by then (monotonic), or by when it was told before if that is sooner; by when."""
        self.leave_by = by if self.leave_by is None else min(by, self.leave_by)
        self.enter(ReplicaState.DRAINING)
        self.leaving.set()
        return self.leave_by

    def time_left(self, most: float) -> float:
        """Seconds until the replica must be gone, between 0 and `most`."""
        if self.leave_by is None:
            return most
        return min(most, max(0.0, self.leave_by - self._clock.monotonic()))

    async def first(self, seconds: float, *events: asyncio.Future[Any]) -> None:
        """Return after `seconds`, or when one of the events comes, or when it is time to leave."""
        if seconds <= 0.0:
            return
        own = (self._clock.sleep(seconds), self.leaving.wait())
        waits = [asyncio.ensure_future(each) for each in own]
        try:
            await asyncio.wait({*waits, *events}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
