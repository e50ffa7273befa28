"""The seams of the platform. Each protocol's docstring is its specification.

Adapters are judged by one contract suite a port, in `tests/contracts/`. Times are seconds since
the epoch (UTC) unless a name says otherwise.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from kinesphere.core.admission import Service
from kinesphere.core.failures import Failure
from kinesphere.core.identity import ApiKey, Principal
from kinesphere.core.jobs import ArtifactRef, Command, Event, Job, Json, State
from kinesphere.core.replicas import Status
from kinesphere.core.webhooks import Answer, Delivery, Schedule

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


LINE_LOOK: Final = 256
"""Jobs before a job that are looked at one by one, see `Ledger.line`."""


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
    MOVED = "moved"


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
        waiting: Queued jobs, those backing off included, those that wait for another's run not.
        running: Claimed jobs.
        oldest: When the longest waiting claimable job became ready, or None.
    """

    waiting: int
    running: int
    oldest: float | None


class Outbox(Protocol):
    """Webhooks that are owed, in the store of the ledger.

    The ledger enters a delivery in the same transaction as each event that ends a job with a
    webhook, and deletes it with the job. So there is one for every such end, and none for what was
    not committed. Any number of callers, in any number of processes, may call any method at once.
    All methods raise LedgerUnavailable.
    """

    async def claim(
        self, limit: int, lease: float, busy: Mapping[str, int], per_host: int
    ) -> tuple[Delivery, ...]:
        """Take up to `limit` due deliveries for `lease` seconds, those due longest first.

        Of one host at most `per_host`, less those that `busy` says the caller has under way, so
        that a receiver that does not answer holds up nobody but itself. Each claim raises
        `attempts`. One that is not settled within its lease is due again: its claimer has died.
        """
        ...

    async def settle(
        self, delivery: Delivery, answer: Answer, schedule: Schedule, chance: float
    ) -> Delivery | None:
        """Store what came of an attempt, as `kinesphere.core.webhooks.settled` decides.

        Returns what is stored, or None, with nothing stored, when the claim was lost.
        """
        ...

    async def due_in(self, full: Collection[str] = ()) -> float | None:
        """Seconds until a delivery to a host not in `full` is due, 0 at least; None without one."""
        ...

    async def latest(self, job_ids: Collection[str]) -> Mapping[str, Delivery]:
        """The last delivery of each of these jobs that has one."""
        ...

    async def release(self) -> int:
        """Make all that is held due now, and tell how many: who held it is known to have died."""
        ...


class Presence(Protocol):
    """Which replicas there are, and which process leads, in the store of the ledger.

    Both lapse unless they are renewed. The store's own time counts: a process whose clock is wrong
    is neither young nor old for that. All methods raise LedgerUnavailable.
    """

    async def announce(self, statuses: Sequence[Status], now: float) -> None:
        """Say how some replicas are; `now` is the time by which the statuses were made."""
        ...

    async def withdraw(self, workers: Sequence[str]) -> None:
        """Say that these replicas are no more."""
        ...

    async def present(self, seconds: float, now: float) -> tuple[Status, ...]:
        """The replicas announced within the last `seconds`, their times told by the caller's `now`.

        What was to come when they were announced (`free_in`, `remaining`) is nearer by their age.
        """
        ...

    async def lead(self, office: str, holder: str, seconds: float) -> bool:
        """Whether `holder` leads in `office` for `seconds` from now, first come.

        The one that leads renews it by asking again. At most one leads at any moment.
        """
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A pool's queue as one job meets it, in the order of claims.

    Attributes:
        waiting: Queued jobs of the pool, those backing off included.
        running: Claimed jobs of the pool.
        ahead: Queued jobs that are claimed before this one if no other comes.
        alike: Those of them that have its priority.
        weight: Of the jobs ahead, together.
        slack: How many jobs another user could still place before it: its own tag less the
            virtual time of its priority.
    """

    waiting: int
    running: int
    ahead: int
    alike: int
    weight: float
    slack: int


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

    @property
    def outbox(self) -> Outbox:
        """The webhooks that are owed."""
        ...

    async def submit(
        self, job: Job, key: IdempotencyKey | None = None, missing: Collection[str] = ()
    ) -> Submission:
        """Accept a new queued job.

        With a key known for this user: the job it led to, `created` False; with the same key and
        another digest IdempotencyConflict. Concurrent submits with one key make one job. A key is
        known for as long as the ledger was opened with, and no longer than its job.

        A job with `content` joins the job in flight that has the same, or is given what the last
        one made, already succeeded, unless that lists one of the `missing` files: see
        `kinesphere.core.sharing`. Of the jobs with one content at most one is in flight without a
        leader, whoever submits at once. Any other job gets its place in the fair order of its
        pool (see `claim`).
        """
        ...

    async def replay(self, user: str, key: IdempotencyKey) -> Job | None:
        """The job that this key led to, if it is known. Raises IdempotencyConflict as `submit`."""
        ...

    async def answering(self, content: str) -> Job | None:
        """The job that a submit with this content would join or be served from."""
        ...

    async def get(self, job_id: str) -> Job | None:
        """The job as last committed."""
        ...

    async def list(self, query: JobQuery) -> tuple[Job, ...]:
        """Matching jobs, newest first, at most `query.limit`."""
        ...

    async def claim(self, pool: str, worker: str, limit: int, lease: float) -> tuple[Job, ...]:
        """Take up to `limit` ready jobs of `pool` for `lease` seconds, as one compatible batch.

        A job that waits for another's run is never claimed. Order: precedence (the priority, or a
        higher one of those who wait for the run), highest first; then fair share between users, by start-time fair queueing
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
        """Decide one command on one job. Raises JobUnknown, or Refused as `decide` does.

        What it means for those who wait for the job's run (`kinesphere.core.sharing.settled`) is
        in the same transaction; so it is in `reap` and `recover`.
        """
        ...

    async def extend(self, holds: Sequence[Hold], lease: float) -> Mapping[str, Standing]:
        """Renew many leases for `lease` seconds from now, by job id. Stores progress, no event.

        LOST: the token no longer holds. CANCELLED: it does not because the job was cancelled.
        MOVED: so it was, but others want the run, and the claim is now that of `Job.moved`.
        """
        ...

    async def reap(self, limit: int = 100) -> tuple[Job, ...]:
        """Return jobs with lapsed leases to the queue (or fail them), and expire missed deadlines.

        Returns the jobs reaped and expired, at most `limit`, without those who waited for their
        runs. Any process may call it at any time.
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

    async def line(self, job: Job) -> tuple[Line, ...]:
        """What stands before a job: in the pool of its stage, then in those of its later stages.

        A job that waits has its own place; any other the place that it would take now. `ahead` and
        `weight` are exact up to LINE_LOOK jobs of the same priority, and estimated beyond, so that
        a long queue costs no more than a short one.
        """
        ...

    async def counts(self) -> Mapping[tuple[str, State], int]:
        """Jobs kept, by model and state."""
        ...

    async def open_jobs(self, user: str) -> int:
        """How many of a user's jobs have not ended."""
        ...

    async def forget(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        """Delete jobs that ended before `before`, with their events and keys; returns them.

        The longest ended first, so what was served last goes last. A job is returned with those
        files only that no other job lists. The caller then deletes them: a crash between leaves
        files without a job, which a later sweep of the store finds, never a job without its files.
        """
        ...

    async def lent(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of these files that a job lists which has not made them."""
        ...

    async def stored(self) -> int:
        """Size of the files that jobs list, each counted once, in bytes."""
        ...

    async def close(self) -> None:
        """Finish what was begun and release the store. Later calls raise LedgerUnavailable."""
        ...


# ------------------------------------------------------------------------------ hints and feed


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
    """The artifact store could not be written or read, for example because the disk is full."""


class Artifacts(Protocol):
    """Where made files live. A key is written once and never changed."""

    async def put(
        self, key: str, data: bytes, media_type: str = "application/octet-stream"
    ) -> None:
        """Store `data` under `key`, whole or not at all, synced when it returns.

        A store that is downloaded from directly answers with `media_type`. Raises StorageFailed,
        with nothing left behind.
        """
        ...

    async def read(self, key: str) -> bytes:
        """The stored bytes. Raises ArtifactMissing."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether the artifact is there; cheaper than to read it."""
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


# -------------------------------------------------------------------------------------- limits


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `requests` (1 or more) within any `seconds` (1 or more)."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still do.

    Attributes:
        admitted: Whether one request was (or would be) within the quota.
        quota: That quota.
        remaining: Requests that would be admitted now, one after the other.
        reset: Seconds until the oldest counted request leaves the window, so that one more is
            admitted; 0 when none is counted.
    """

    admitted: bool
    quota: Quota
    remaining: int
    reset: float


class Limits(Protocol):
    """Counts requests by key within a window that moves with time.

    Exact: of any number of calls at once, by any number of processes that share the store, as
    many are admitted as the quota says and not one more. What is refused is not counted. Counts
    of one key under different quotas are apart. No method raises because a store is out of reach:
    it then counts in this process alone, since a limit is no reason to refuse everybody.
    """

    async def take(self, key: str, quota: Quota) -> Allowance:
        """Count one request of `key`, if the quota admits it."""
        ...

    async def look(self, key: str, quota: Quota) -> Allowance:
        """The same without counting."""
        ...

    async def close(self) -> None:
        """Release the store."""
        ...


# ------------------------------------------------------------------------------------ identity


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Which keys to list, newest first. `before` is the id after which the page starts."""

    user: str | None = None
    before: str | None = None
    limit: int = 50


class Keys(Protocol):
    """The API keys that were made, the revoked ones included.

    Every method is one transaction, committed and synced when it returns. Any number of callers,
    in any number of processes, may call any method at once. All methods raise LedgerUnavailable.
    """

    async def create(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    async def find(self, key_id: str) -> ApiKey | None:
        """The key with this id, revoked and expired ones too. Finding none takes no less work."""
        ...

    async def list(self, query: KeyQuery) -> tuple[ApiKey, ...]:
        """Matching keys, newest first, at most `query.limit`."""
        ...

    async def revoke(self, key_id: str, at: float) -> ApiKey | None:
        """Revoke a key, and return it; None where there is none. The first time stays."""
        ...

    async def touch(self, key_id: str, at: float) -> None:
        """Note that a key was used at `at`. Never goes back; an unknown id is passed over."""
        ...

    async def close(self) -> None:
        """Release the store."""
        ...


class TokenRefused(Exception):
    """The token is not valid here; the message says why, for the log alone."""


class TokensUnavailable(Exception):
    """Whether the token is valid cannot be told now.

    Attributes:
        retry_after: Seconds after which it may be.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Tokens(Protocol):
    """Checks bearer tokens of an issuer."""

    async def verify(self, token: str) -> Principal:
        """Whose the token is. Raises TokenRefused or TokensUnavailable.

        `token` may be anything. What is known of the issuer's keys answers at once; only a token
        that names a key not seen before may wait for the issuer, for a bounded time.
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
        free_in: Expected seconds until each replica is free that works or is on its way; 0 for one
            that waits for work.
        remaining: Expected seconds until each job that runs here is delivered, by job id.
        detail: Why a replica is not ready, in words; "" when all is well.
    """

    replicas: Mapping[str, int]
    service: Service
    measured: bool
    detail: str = ""
    free_in: tuple[float, ...] = ()
    remaining: Mapping[str, float] = field(default_factory=dict)

    @property
    def serving(self) -> int:
        """Replicas that are loaded and warm."""
        return self.replicas.get("ready", 0) + self.replicas.get("busy", 0)

    @property
    def defunct(self) -> bool:
        """Whether there are replicas, and all have given up."""
        return self.replicas.get("defunct", 0) == sum(self.replicas.values()) > 0


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
