"""The job and its one transition function: `decide(job, command, now)`.

A job passes through its stages in order, each run by one pool. Every claim raises the token, and
every later word about that claim must show it: a replica that lost its lease can say nothing more.

    queued ──Claim──▶ running ──Finish──▶ queued (next stage) … ──▶ succeeded
       ▲                 │──Fail, Reap, GiveBack──▶ queued (again, after a back-off) or failed
       └──── Revive ─────┘   Cancel ──▶ cancelled from either;  Expire ──▶ expired while queued

Jobs that ask for the same may share one run; `kinesphere.core.sharing` says what that changes.

All times are seconds since the epoch (UTC), given by the caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from kinesphere.core.failures import Failure, kind

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_ATTEMPTS: Final = 3
MAX_LOSSES: Final = 20
BACKOFF_BASE: Final = 1.0
BACKOFF_CAP: Final = 30.0
LOWEST_PRIORITY: Final = 0
HIGHEST_PRIORITY: Final = 9
DEFAULT_PRIORITY: Final = 5


def _nothing() -> Mapping[str, Json]:
    return MappingProxyType({})


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TERMINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class EventKind(StrEnum):
    """What happened to a job. Every event is stored in the same transaction as its change."""

    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    STAGE_FINISHED = "stage_finished"
    REQUEUED = "requeued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVIVED = "revived"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: a kind and its facts, JSON values only."""

    kind: EventKind
    data: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """A file made by a job, as the ledger keeps it.

    Attributes:
        key: Where the artifact store has it; holds job id and token, so attempts never collide.
        name: File name for the one who downloads it.
        media_type: Its media type.
        size: Bytes.
        digest: SHA-256, lower-case hexadecimal.
        stage: Index of the stage that made it.
    """

    key: str
    name: str
    media_type: str
    size: int
    digest: str
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the claim of a job went that ended while others wanted its run: a job and a token."""

    job_id: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for one asset.

    Attributes:
        id: ULID, 26 characters, sorts by time of submission.
        task: "motion" or "mesh".
        model: Name of the model that makes it.
        model_version: That model's version.
        user: Who asked.
        request: The validated request, JSON values only.
        pools: One pool name a stage, in order.
        stage: Index into `pools` of the stage that is waiting or running.
        state: Where it is.
        priority: 0 to 9; 9 is claimed first.
        weight: How much work it is beside a typical request of its model, which weighs 1.
        created_at: When it was accepted.
        ready_at: When it may be claimed; later than `created_at` while backing off.
        started_at: When it was first claimed.
        finished_at: When it reached a terminal state.
        deadline: When it expires if nobody has claimed it, or None for never.
        attempts: Claims of this stage that ended in a failure, or are running.
        losses: How often the whole server died under it; not counted as an attempt.
        alone: Whether it must be run in a batch of its own, because a batch it was in crashed.
        token: The number of the last claim; 0 before the first.
        worker: The replica that holds it while running.
        lease_until: When that hold ends unless it is extended.
        progress: 0 to 1 within the stage, as last stored.
        failure: Why the last attempt failed, or None.
        inputs: Files that came with the request, such as the picture, as they were stored.
        artifacts: What the finished stages made.
        notes: What the engine says about the result, such as `understood` and `ignored`.
        request_id: Id of the HTTP request that brought it.
        trace: W3C `traceparent` of that request, or "".
        webhook: URL that is told of its end, or None.
        content: Names what is asked for, equal for equal requests; "" shares with nobody.
        leader: The job whose run this one waits for instead of a claim of its own, or None.
        raised: The highest priority among those who joined its run; None when nobody has.
        joined: Whether it was given another's run.
        cached: Whether it was given what was there already.
        moved: Where its claim went, if it was cancelled while others wanted its run.
        routed: Why its model makes it, a value of kinesphere.core.routing.Routed.
    """

    id: str
    task: str
    model: str
    model_version: str
    user: str
    request: Mapping[str, Json]
    pools: tuple[str, ...]
    created_at: float
    ready_at: float
    stage: int = 0
    state: State = State.QUEUED
    priority: int = DEFAULT_PRIORITY
    weight: float = 1.0
    started_at: float | None = None
    finished_at: float | None = None
    deadline: float | None = None
    attempts: int = 0
    losses: int = 0
    alone: bool = False
    token: int = 0
    worker: str | None = None
    lease_until: float | None = None
    progress: float = 0.0
    failure: Failure | None = None
    inputs: tuple[ArtifactRef, ...] = ()
    artifacts: tuple[ArtifactRef, ...] = ()
    notes: Mapping[str, Json] = field(default_factory=_nothing)
    request_id: str = ""
    trace: str = ""
    webhook: str | None = None
    content: str = ""
    leader: str | None = None
    raised: int | None = None
    joined: bool = False
    cached: bool = False
    moved: Moved | None = None
    routed: str = "default"

    @property
    def trace_id(self) -> str | None:
        """The trace that the job belongs to: the second part of its `traceparent`."""
        return self.trace.split("-")[1] if self.trace else None

    @property
    def precedence(self) -> int:
        """The priority that it is claimed with: its own, or a higher one of who joined it."""
        return self.priority if self.raised is None else max(self.priority, self.raised)

    @property
    def in_line(self) -> bool:
        """Whether it waits for a claim, now or after its back-off."""
        return self.state is State.QUEUED and self.leader is None

    @property
    def pool(self) -> str:
        """The pool that runs the present stage."""
        return self.pools[self.stage]

    @property
    def ended(self) -> bool:
        """Whether nothing but a revival can change it any more."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Claim:
    """A replica takes the job until `lease_until`."""

    worker: str
    lease_until: float


@dataclass(frozen=True, slots=True)
class Extend:
    """The holder keeps its lease until `lease_until` and says how far it is (0 to 1)."""

    token: int
    lease_until: float
    progress: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The holder has made this stage's artifacts, already safe in the store."""

    token: int
    artifacts: tuple[ArtifactRef, ...]
    notes: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Fail:
    """The holder's attempt failed. `alone`: it took others down with it, so isolate it."""

    token: int
    failure: Failure
    alone: bool = False


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The holder is draining and returns the job unharmed; no attempt is counted."""

    token: int


@dataclass(frozen=True, slots=True)
class Reap:
    """The lease lapsed: the replica is taken for dead."""


@dataclass(frozen=True, slots=True)
class Recover:
    """The server that held the job is known to have died, and with it the lease."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user, or an operator, wants it no more."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline passed while it waited."""


@dataclass(frozen=True, slots=True)
class Revive:
    """An operator gives a failed or expired job another set of attempts."""


Command = (
    Claim | Extend | Finish | Fail | GiveBack | Reap | Recover | Cancel | Expire | Revive
)  # fmt: skip


class Refused(Exception):
    """The command does not apply; the job is unchanged."""


class StaleToken(Refused):
    """The claim that speaks is no longer the one that holds the job."""


class WrongState(Refused):
    """The job is not in a state in which this command makes sense."""


Decision: TypeAlias = tuple[Job, tuple[Event, ...]]


def backoff(failures: int) -> float:
    """Seconds to wait before the next attempt after `failures` (>= 1) of them."""
    return min(BACKOFF_BASE * 2.0 ** (min(failures, 16) - 1), BACKOFF_CAP)


def decide(job: Job, command: Command, now: float) -> Decision:
    """The job after `command`, and what happened, or `Refused` with the job unchanged."""
    return _RULES[type(command)](job, command, now)


def submitted(job: Job) -> Event:
    """The event of a job's acceptance, stored with it."""
    return Event(EventKind.SUBMITTED, {"pool": job.pool, "priority": job.priority})


def _claim(job: Job, command: Claim, now: float) -> Decision:
    if not job.in_line or job.ready_at > now:
        raise WrongState(f"{job.id} is not waiting")
    claimed = replace(
        job,
        state=State.RUNNING,
        attempts=job.attempts + 1,
        token=job.token + 1,
        worker=command.worker,
        lease_until=command.lease_until,
        started_at=now if job.started_at is None else job.started_at,
        progress=0.0,
    )
    data: dict[str, Json] = {
        "worker": command.worker,
        "token": claimed.token,
        "attempt": claimed.attempts,
        "pool": job.pool,
        "waited": max(0.0, now - job.ready_at),
    }
    return claimed, (Event(EventKind.CLAIMED, data),)


def _held(job: Job, token: int) -> None:
    if job.state is not State.RUNNING or job.token != token:
        raise StaleToken(f"{job.id}: token {token} no longer holds it ({job.state}, {job.token})")


def _extend(job: Job, command: Extend, _now: float) -> Decision:
    _held(job, command.token)
    progress = max(job.progress, min(command.progress, 1.0))
    return replace(job, lease_until=command.lease_until, progress=progress), ()


def _finish(job: Job, command: Finish, now: float) -> Decision:
    _held(job, command.token)
    done = replace(
        job,
        worker=None,
        lease_until=None,
        artifacts=job.artifacts + command.artifacts,
        notes={**job.notes, **command.notes},
        failure=None,
        alone=False,
    )
    data: dict[str, Json] = {
        "token": command.token,
        "pool": job.pool,
        "artifacts": [artifact.key for artifact in command.artifacts],
    }
    if job.stage + 1 < len(job.pools):
        onward = replace(
            done, state=State.QUEUED, stage=job.stage + 1, ready_at=now, attempts=0, progress=0.0
        )
        return onward, (Event(EventKind.STAGE_FINISHED, {**data, "next": onward.pool}),)
    ended = replace(done, state=State.SUCCEEDED, finished_at=now, progress=1.0)
    return ended, (Event(EventKind.SUCCEEDED, data),)


def _fail(job: Job, command: Fail, now: float) -> Decision:
    _held(job, command.token)
    return _attempt_failed(job, command.failure, now, alone=command.alone)


def _reap(job: Job, _command: Reap, now: float) -> Decision:
    if job.state is not State.RUNNING or job.lease_until is None or job.lease_until > now:
        raise WrongState(f"{job.id} has no lapsed lease")
    failure = Failure("LEASE_LOST", f"The replica {job.worker} stopped renewing its lease.")
    return _attempt_failed(job, failure, now, alone=True)


def _attempt_failed(job: Job, failure: Failure, now: float, *, alone: bool) -> Decision:
    if failure.code == "QUALITY_REJECTED" and job.request.get("seed_drawn"):
        # The caller did not ask for this seed, so another one may serve.
        if job.attempts < MAX_ATTEMPTS:
            return _requeue(_reseeded(job), failure, now, alone=job.alone)
    elif kind(failure.code).retry and job.attempts < MAX_ATTEMPTS:
        return _requeue(job, failure, now + backoff(job.attempts), alone=job.alone or alone)
    ended = replace(
        job, state=State.FAILED, finished_at=now, worker=None, lease_until=None, failure=failure
    )
    data: dict[str, Json] = {
        "code": failure.code,
        "detail": failure.detail,
        "attempts": job.attempts,
        "token": job.token,
    }
    return ended, (Event(EventKind.FAILED, data),)


def _reseeded(job: Job) -> Job:
    """The job with the seed that follows its own (a step of Knuth's MMIX generator)."""
    seed = job.request.get("seed")
    state = (int(str(seed)) * 6364136223846793005 + 1442695040888963407) >> 16
    return replace(job, request={**job.request, "seed": state & 0xFFFFFFFF})


def _requeue(job: Job, failure: Failure | None, ready_at: float, *, alone: bool) -> Decision:
    waiting = replace(
        job,
        state=State.QUEUED,
        worker=None,
        lease_until=None,
        ready_at=ready_at,
        alone=alone,
        progress=0.0,
        failure=failure if failure is not None else job.failure,
    )
    data: dict[str, Json] = {
        "code": failure.code if failure else None,
        "detail": failure.detail if failure else "returned by a replica that is stopping",
        "attempts": job.attempts,
        "token": job.token,
        "ready_at": ready_at,
    }
    return waiting, (Event(EventKind.REQUEUED, data),)


def _give_back(job: Job, command: GiveBack, now: float) -> Decision:
    _held(job, command.token)
    unharmed = replace(job, attempts=job.attempts - 1)
    return _requeue(unharmed, None, now, alone=job.alone)


def _recover(job: Job, _command: Recover, now: float) -> Decision:
    if job.state is not State.RUNNING:
        raise WrongState(f"{job.id} is not running")
    # A job may be the very reason why servers die, so even this has an end.
    failure = Failure("LEASE_LOST", "The server stopped while the job was running.")
    if job.losses >= MAX_LOSSES:
        return _attempt_failed(
            replace(job, attempts=max(job.attempts, MAX_ATTEMPTS)), failure, now, alone=True
        )
    lost = replace(job, losses=job.losses + 1, attempts=job.attempts - 1)
    wait = 0.0 if lost.losses == 1 else backoff(lost.losses - 1)
    return _requeue(lost, failure, now + wait, alone=True)


def _cancel(job: Job, _command: Cancel, now: float) -> Decision:
    if job.ended:
        raise WrongState(f"{job.id} has ended: {job.state}")
    failure = Failure("CANCELLED", "Cancelled on request.")
    ended = replace(
        job,
        state=State.CANCELLED,
        finished_at=now,
        worker=None,
        lease_until=None,
        leader=None,
        failure=failure,
    )
    return ended, (Event(EventKind.CANCELLED, {"while": job.state.value, "token": job.token}),)


def _expire(job: Job, _command: Expire, now: float) -> Decision:
    if job.state is not State.QUEUED or job.deadline is None or job.deadline > now:
        raise WrongState(f"{job.id} is not past a deadline")
    missed = "No replica could start it before its deadline."
    if job.leader is not None:
        missed = "The run that it had joined was not done before its deadline."
    failure = Failure("DEADLINE_MISSED", missed)
    ended = replace(job, state=State.EXPIRED, finished_at=now, leader=None, failure=failure)
    return ended, (Event(EventKind.EXPIRED, {"deadline": job.deadline}),)


def _revive(job: Job, _command: Revive, now: float) -> Decision:
    if job.state not in (State.FAILED, State.EXPIRED):
        raise WrongState(f"{job.id} is {job.state}; only failed and expired jobs are revived")
    queued = replace(
        job,
        state=State.QUEUED,
        attempts=0,
        losses=0,
        ready_at=now,
        finished_at=None,
        deadline=None,
        failure=None,
        progress=0.0,
        raised=None,
        joined=False,
    )
    return queued, (Event(EventKind.REVIVED, {"was": job.state.value}),)


_RULES: Final[Mapping[type, Callable[..., Decision]]] = {
    Claim: _claim,
    Extend: _extend,
    Finish: _finish,
    Fail: _fail,
    GiveBack: _give_back,
    Reap: _reap,
    Recover: _recover,
    Cancel: _cancel,
    Expire: _expire,
    Revive: _revive,
}
