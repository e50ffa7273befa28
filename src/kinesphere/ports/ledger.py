"""The durable store of jobs and events."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from kinesphere.core.jobs import Command, Event, Job, State
from kinesphere.ports.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Record:
    """A stored event: `seq` grows with every event of the ledger and has no meaning but order.

    `job` is the job as the transaction left it, where the record comes from the one that committed
    it, and mostly where the record was sent and is of a beginning or an end: not to be changed.
    Otherwise None.
    """

    seq: int
    job_id: str
    at: float
    event: Event
    job: Job | None = field(default=None, compare=False, repr=False)


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


SEARCH_LOOK: Final = 2000
"""Jobs that one search looks through, see `Ledger.search`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, newest first.

    Attributes:
        jobs: Those that match.
        before: Where to go on: the id of the last job looked at. None when all were.
    """

    jobs: tuple[Job, ...]
    before: str | None


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


@dataclass(frozen=True, slots=True)
class Queued:
    """A waiting job as the scaler sees it.

    Attributes:
        ready_at: When it became, or becomes, ready to be claimed.
        deadline: When it expires, or None.
        weight: Its work beside a typical job's.
    """

    ready_at: float
    deadline: float | None
    weight: float


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
    Changes are decided by `kinesphere.core.transitions.decide` and by nothing else; the events it
    returns are stored in the same transaction and announced to the feed after the commit, in order
    of `seq`. Returned jobs are values: nobody sees another's changes in them. Any number of
    callers, in any number of processes, may call any method at once.

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

    async def search(self, query: JobQuery, words: Sequence[str]) -> Found:
        """As `list`, those alone that match every one of `words`: `core.searching.matches`.

        At most `SEARCH_LOOK` jobs are looked through, so that what is rare costs no more in a
        large ledger; there may then be fewer than `query.limit`, or none, and more to come.
        """
        ...

    async def claim(self, pool: str, worker: str, limit: int, lease: float) -> tuple[Job, ...]:
        """Take up to `limit` ready jobs of `pool` for `lease` seconds, as one compatible batch.

        A job that waits for another's run is never claimed. Order: precedence (the priority, or a
        higher one of those who wait for the run), highest first; then fair share between users, by
        start-time fair queueing
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

    async def queue(self, pool: str, limit: int) -> tuple[Queued, ...]:
        """The first `limit` jobs that wait in a pool, in order of claims, ready or not."""
        ...

    async def counts(self) -> Mapping[tuple[str, State], int]:
        """Jobs kept, by model and state."""
        ...

    async def ended(self, after: float, limit: int = 1000) -> tuple[Job, ...]:
        """Jobs that ended after `after`, the last first; those beyond `limit` are left out."""
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

    async def erase(self, job_id: str) -> Job | None:
        """Delete one ended job, as `forget` does, and return it; None where there is none.

        Raises WrongState when it has not ended.
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
