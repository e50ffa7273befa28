"""The seams of the platform. Each protocol's docstring is its specification.

Adapters are judged by one contract suite a port, in `tests/contracts/`. Times are seconds since
the epoch (UTC) unless a name says otherwise.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kinesphere.core.admission import Service
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import ArtifactRef, Command, Event, Job, Json, State

if TYPE_CHECKING:
    from kinesphere.formats.clip import Clip


class Clock(Protocol):
    """The only way to learn the time outside the core."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back; for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


# ---------------------------------------------------------------------------------- the ledger


@dataclass(frozen=True, slots=True)
class Record:
    """A stored event: `seq` grows with every event of the ledger and has no meaning but order."""

    seq: int
    job_id: str
    at: float
    event: Event


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key, and a digest of the body that it came with. Keys are per user."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Submission:
    """The job that a submit led to. `created` is False when the idempotency key was known."""

    job: Job
    created: bool


class IdempotencyConflict(Exception):
    """The idempotency key was used with another body."""


class JobUnknown(Exception):
    """No job has this id."""


class LedgerUnavailable(Exception):
    """The store could not be written or read; nothing was changed. Trying again may help."""


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs to list, newest first. `before` is the id after which the page starts."""

    user: str | None = None
    states: tuple[State, ...] = ()
    task: str | None = None
    model: str | None = None
    before: str | None = None
    limit: int = 50


class Standing(StrEnum):
    """What a holder learns about one of its jobs when it renews."""

    HELD = "held"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Hold:
    """A holder's word about one job: the token that its claim gave, and progress 0 to 1."""

    job_id: str
    token: int
    progress: float = 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a pool has to do.

    Attributes:
        waiting: Queued jobs, those backing off included.
        running: Claimed jobs.
        oldest: When the longest waiting claimable job became ready, or None.
    """

    waiting: int
    running: int
    oldest: float | None


class Ledger(Protocol):
    """The durable store of jobs and events; the only truth.

    Every method is one transaction. When a method that changes something returns, the change is
    committed and synced: it survives the loss of power. When it raises, nothing was changed.
    Changes are decided by `kinesphere.core.jobs.decide` and by nothing else; the events it returns
    are stored in the same transaction and announced to the feed after the commit, in order of
    `seq`. Returned jobs are values: nobody sees another's changes in them. Any number of callers,
    in any number of processes, may call any method at once.

    All methods raise LedgerUnavailable when the store does not answer.
    """

    async def submit(self, job: Job, key: IdempotencyKey | None = None) -> Submission:
        """Accept a new queued job.

        With a key known for this user: the job it led to, `created` False; with the same key and
        another digest IdempotencyConflict. Concurrent submits with one key make one job. The
        ledger gives the job its place in the fair order of its pool (see `claim`).
        """
        ...

    async def get(self, job_id: str) -> Job | None:
        """The job as last committed."""
        ...

    async def list(self, query: JobQuery) -> tuple[Job, ...]:
        """Matching jobs, newest first, at most `query.limit`."""
        ...

    async def claim(self, pool: str, worker: str, limit: int, lease: float) -> tuple[Job, ...]:
        """Take up to `limit` ready jobs of `pool` for `lease` seconds, as one compatible batch.

        Order: priority, highest first; then fair share between users, by start-time fair queueing
        (Goyal, Vin and Cheng 1996): a job's tag is the larger of the pool's virtual time and the
        finish tag of the user's previous job of the same pool and priority, each job costing 1;
        the virtual time of a pool and priority is the largest tag claimed so far; then age. So a
        user with a thousand jobs delays another's first job by one job, not by a thousand.

        Jobs that are not ready (backing off), or past their deadline, are passed over. A job with
        `alone` set is a batch by itself: when it is first in order it is claimed by itself, else
        it is passed over for this batch. Two claims never return the same job.
        """
        ...

    async def apply(self, job_id: str, command: Command) -> Job:
        """Decide one command on one job. Raises JobUnknown, or Refused as `decide` does."""
        ...

    async def extend(self, holds: Sequence[Hold], lease: float) -> Mapping[str, Standing]:
        """Renew many leases for `lease` seconds from now, by job id. Stores progress, no event.

        LOST: the token no longer holds. CANCELLED: it does not because the job was cancelled.
        """
        ...

    async def reap(self, limit: int = 100) -> tuple[Job, ...]:
        """Return jobs with lapsed leases to the queue (or fail them), and expire missed deadlines.

        Returns the jobs changed, at most `limit`. Any process may call it at any time.
        """
        ...

    async def recover(self, worker_prefix: str) -> tuple[Job, ...]:
        """Take every running job whose worker's name starts so as lost to a server that died."""
        ...

    async def events(
        self, after: int = 0, job_id: str | None = None, limit: int = 1000
    ) -> tuple[Record, ...]:
        """Stored events with `seq` > `after`, oldest first, of one job or of all."""
        ...

    async def backlogs(self) -> Mapping[str, Backlog]:
        """What each pool with waiting or running jobs has to do, by pool name."""
        ...

    async def counts(self) -> Mapping[tuple[str, State], int]:
        """Jobs kept, by model and state."""
        ...

    async def forget(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        """Delete jobs that ended before `before`, with their events and keys; returns them.

        The caller then deletes their artifacts: a crash between leaves files without a job, which
        a later sweep of the store finds, never a job without its files.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and release the store. Later calls raise LedgerUnavailable."""
        ...


# ------------------------------------------------------------------------------ hints and feed


class Hints(Protocol):
    """Wake-ups for replicas. Losing one costs latency, never a job."""

    def ring(self, pool: str) -> None:
        """Say that `pool` may have work. Never blocks, never fails."""
        ...

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

    def listen(
        self, job_id: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator["Record | Progress"]]:
        """News from the moment of entering, of one job or of all.

        A listener that falls more than 1,000 items behind loses the oldest progress first, and
        then the oldest records; it can read those from the ledger.
        """
        ...


# ----------------------------------------------------------------------------------- artifacts


class ArtifactMissing(Exception):
    """No artifact has this key."""


class LinkInvalid(Exception):
    """The link's signature does not match."""


class LinkExpired(Exception):
    """The link is past its time."""


class StorageFailed(Exception):
    """The artifact store could not be written, for example because the disk is full."""


class Artifacts(Protocol):
    """Where made files live. A key is written once and never changed."""

    async def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, whole or not at all, synced when it returns.

        Raises StorageFailed, with nothing left behind.
        """
        ...

    async def read(self, key: str) -> bytes:
        """The stored bytes. Raises ArtifactMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the artifact, if it is there."""
        ...

    def keys(self) -> AsyncIterator[tuple[str, float]]:
        """Every stored key with the time it was written, in no order; for the sweep."""
        ...

    def link(self, artifact: ArtifactRef, expires: float) -> str:
        """A signed address under which anyone may download the artifact until `expires`.

        An absolute URL, or a path on this server that begins with "/".
        """
        ...


class SignedFiles(Protocol):
    """What the download route needs of a store that serves its own links."""

    def locate(self, key: str, query: Mapping[str, str]) -> tuple[Path, str]:
        """The file that a signed link names, and the name to save it under.

        Raises LinkInvalid, LinkExpired or ArtifactMissing, checked in this order, so that an
        unsigned caller cannot learn which keys exist.
        """
        ...


# ------------------------------------------------------------------------------------ replicas


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool's replicas as known here.

    Attributes:
        replicas: How many are in each state: starting, ready, busy, setup_failed, defunct, …
        service: How fast one replica works, as measured, or as the model declares before that.
        measured: Whether `service` was measured.
        detail: Why a replica is not ready, in words; "" when all is well.
    """

    replicas: Mapping[str, int]
    service: Service
    measured: bool
    detail: str = ""

    @property
    def serving(self) -> int:
        """Replicas that are loaded and warm."""
        return self.replicas.get("ready", 0) + self.replicas.get("busy", 0)


class Pools(Protocol):
    """What the API may know of the replicas, and ask of them."""

    def statuses(self) -> Mapping[str, PoolStatus]:
        """Every pool that is served, by name."""
        ...

    async def warm(self, seconds: float) -> bool:
        """Return True when every pool has a ready replica, or False after `seconds`."""
        ...


# ---------------------------------------------------------------------------------- the engine


@dataclass(frozen=True, slots=True)
class Work:
    """One job as an engine sees it.

    Attributes:
        request: The validated request. For a motion: `prompt`, `duration` (s), `seed`.
        inputs: Files by name: the caller's picture, or what the stage before made.
    """

    request: Mapping[str, Json]
    inputs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """A finished file from an engine that encodes by itself."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Made:
    """An engine's result for one job.

    Attributes:
        asset: A motion clip, which the platform checks and encodes in the format asked for, or
            finished files.
        notes: JSON facts for the caller, such as the words understood and ignored.
        still: Whether the figure was asked to hold still, so that not moving is no fault.
    """

    asset: "Clip | tuple[File, ...]"
    notes: Mapping[str, Json] = field(default_factory=dict)
    still: bool = False


Outcome = Made | Failure


class Engine(Protocol):
    """Code that turns a stage's inputs into outputs on one device.

    An engine lives in a child process of its own. It never sees HTTP, the ledger or a queue. All
    methods are called from one thread, in this order: the constructor with the stage's options as
    keywords, `load`, `warm_up`, `run` any number of times, `unload`. What it prints goes to the
    log. It may raise anything: an exception from `run` fails the whole batch with ENGINE_FAILED
    (MemoryError: OOM_HOST); from `load` or `warm_up` it fails the set-up of the replica.
    """

    def load(self, device: str) -> None:
        """Bring the model to `device` ("cpu", "cuda:0", …). Called once, may take minutes."""
        ...

    def warm_up(self) -> None:
        """Run the common cases once, so that the first job is as fast as the hundredth."""
        ...

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Make one outcome for each piece of work, in order.

        `report(i, fraction, phase)` tells how far work `i` is; as often as convenient.
        `cancelled(i)` says whether work `i` is wanted no more: ask between steps and skip it
        (return Failure("CANCELLED", …) for it). Equal work gives equal results, whatever else is
        in the batch.
        """
        ...

    def unload(self) -> None:
        """Give back the device. The process ends after it."""
        ...
