"""Wake-ups for replicas, and news of jobs."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from kinesphere.ports.ledger import Record


class Bell(Protocol):
    """Wakes replicas, wherever they are."""

    def ring(self, pool: str, job_id: str = "") -> None:
        """Say that `pool` may have work, for example this job. Never blocks, never fails."""
        ...


class Hints(Bell, Protocol):
    """Wake-ups for replicas. Losing one costs latency, never a job."""

    async def wait(self, pool: str, seconds: float) -> bool:
        """Return True when `pool` has been rung since the last wait, or False after `seconds`.

        One ring wakes at least one waiter.
        """
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running attempt is; told, not stored.

    Attributes:
        job_id: Whose.
        token: The claim that says it.
        stage: Index of the stage.
        fraction: 0 to 1 of that stage.
        phase: What the engine is doing, in a word or two; may be empty.
    """

    job_id: str
    token: int
    stage: int
    fraction: float
    phase: str


class Feed(Protocol):
    """News of jobs, after the commit, to whoever listens now. What is missed is in the ledger."""

    def publish(self, records: Sequence[Record]) -> None:
        """Tell committed events. Never blocks, never fails."""
        ...

    def progress(self, progress: Progress) -> None:
        """Tell how far an attempt is. Never blocks, never fails."""
        ...

    def latest(self, job_id: str) -> Progress | None:
        """The last progress told of a job that has not ended since, if known here."""
        ...

    def end(self, job_id: str) -> Record | None:
        """The event that a job ended by, if it was told here lately: one of the last 1,000."""
        ...

    def listen(
        self, job_id: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator["Record | Progress"]]:
        """News from the moment of entering: of one job all, or of every job its records alone.

        A listener that falls more than 1,000 items behind loses the oldest progress first, and
        then the oldest records; it can read those from the ledger.
        """
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What one process tells the others of how its replicas take turns.

    Attributes:
        worker: The process that tells it.
        replicas: How many of it take jobs of the pool.
        claimed: Jobs that it took from the queue since it last told, or could have.
        gathers: Seconds for which a replica of it gathers jobs yet, until its turn; 0 where one
            has started a batch.
    """

    worker: str
    replicas: int
    claimed: int
    gathers: float = 0.0


class TurnNews(Protocol):
    """What the processes that serve one pool tell one another. Losing any of it harms nobody."""

    def tell(self, turn: Turn) -> None:
        """Tell all of them. Never blocks, never fails."""
        ...

    def hear(self, heard: Callable[[Turn], None]) -> None:
        """Have `heard` called with what is told from now on, also by this process itself."""
        ...
