"""The one transition function of a job: `decide(job, command, now)`.

A job passes through its stages in order, each run by one pool. Every claim raises the token, and
every later word about that claim must show it: a replica that lost its lease can say nothing more.

    queued ──Claim──▶ running ──Finish──▶ queued (next stage) … ──▶ succeeded
       ▲                 │──Fail, Reap, GiveBack──▶ queued (again, after a back-off) or failed
       └──── Revive ─────┘   Cancel ──▶ cancelled from either;  Expire ──▶ expired while queued

Jobs that ask for the same may share one run; `kinesphere.core.sharing` says what that changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from kinesphere.core.failures import Failure, kind
from kinesphere.core.jobs import (
    Cancel,
    Claim,
    Command,
    Event,
    EventKind,
    Expire,
    Extend,
    Fail,
    Finish,
    GiveBack,
    Job,
    Json,
    Reap,
    Recover,
    Revive,
    StaleToken,
    State,
    WrongState,
)

MAX_ATTEMPTS: Final = 3
MAX_LOSSES: Final = 20
BACKOFF_BASE: Final = 1.0
BACKOFF_CAP: Final = 30.0

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
