"""What the ledger's methods do within a transaction. Each decides before it changes anything.

So an operation that is refused leaves nothing behind, and its neighbours in the group go on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import bindparam, false, func, or_

from kinesphere.adapters.documents import detached
from kinesphere.adapters.leases import renewed
from kinesphere.adapters.sql import schema
from kinesphere.adapters.sql.collisions import Occupied, Overtaken
from kinesphere.adapters.sql.transaction import STORED, Transaction
from kinesphere.core.jobs import (
    Claim,
    Command,
    Expire,
    Job,
    Reap,
    Recover,
    Refused,
    Revive,
    State,
    WrongState,
)
from kinesphere.core.sharing import accepted, revived, settled
from kinesphere.core.transitions import decide
from kinesphere.ports import (
    Hold,
    IdempotencyConflict,
    IdempotencyKey,
    JobUnknown,
    Standing,
    Submission,
)

_JOBS: Final = schema.jobs.c
_STORED: Final = STORED.limit(bindparam("limit"))
# What another transaction has locked is left to it.
_FREE: Final = _STORED.with_for_update(skip_locked=True)

CLAIMABLE: Final = (
    schema.IN_LINE,
    _JOBS.pool == bindparam("pool"),
    or_(_JOBS.deadline.is_(None), _JOBS.deadline > bindparam("now")),
)
# A sum, which the index holds as well, but which does not tempt SQLite to go by jobs_waiting.
_IN_ORDER: Final = _STORED.where(*CLAIMABLE, _JOBS.ready_at + 0.0 <= bindparam("now")).order_by(
    _JOBS.urgency, _JOBS.tag, _JOBS.id
)
TO_CLAIM: Final = _IN_ORDER.with_for_update(skip_locked=True)
TO_CLAIM_TOGETHER: Final = TO_CLAIM.where(_JOBS.alone == false())
NEXT: Final = _IN_ORDER.with_only_columns(_JOBS.id)
IN_TURN: Final = _IN_ORDER.with_for_update()
TO_REAP: Final = _FREE.where(schema.RUNNING, _JOBS.lease_until <= bindparam("now")).order_by(
    _JOBS.lease_until, _JOBS.id
)
TO_EXPIRE: Final = _FREE.where(
    schema.QUEUED, _JOBS.deadline.is_not(None), _JOBS.deadline <= bindparam("now")
).order_by(_JOBS.deadline, _JOBS.id)
# A comparison, because LIKE knows wildcards and in SQLite no case.
TO_RECOVER: Final = (
    STORED.where(
        schema.RUNNING,
        func.substr(_JOBS.worker, 1, func.length(bindparam("prefix"))) == bindparam("prefix"),
    )
    .order_by(_JOBS.id)
    .with_for_update()
)
TO_FORGET: Final = _FREE.where(
    _JOBS.finished_at.is_not(None), _JOBS.finished_at < bindparam("before")
).order_by(_JOBS.finished_at, _JOBS.id)


def submit(
    transaction: Transaction, job: Job, key: IdempotencyKey | None, missing: Collection[str]
) -> Submission:
    """See `Ledger.submit`."""
    if key is not None and (known := transaction.known(job.user, key.key)) is not None:
        digest, job_id = known
        if digest != key.digest:
            raise IdempotencyConflict(key.key)
        if transaction.get(job_id) is None:
            raise Overtaken(f"{job_id} was forgotten meanwhile, and its idempotency key")
        return Submission(transaction.give(job_id), created=False)
    if job.state is not State.QUEUED:
        raise WrongState(f"{job.id} is {job.state}; only queued jobs are submitted")
    now = transaction.now()
    answering = transaction.answering(job.content) if job.content else None
    (new, happened), *joined = accepted(job, answering, now, missing)
    transaction.add(new if answering is None else detached(new), happened, now)
    for after, happened in joined:
        transaction.change(after, happened, now)
    if key is not None:
        transaction.remember(job, key)
    return Submission(transaction.give(job.id), created=True)


def claim(
    transaction: Transaction, pool: str, worker: str, limit: int, lease: float
) -> tuple[Job, ...]:
    """See `Ledger.claim`."""
    now = transaction.now()
    parameters = {"pool": pool, "now": now, "limit": limit}
    batch = transaction.find(TO_CLAIM, parameters)
    if not batch and transaction.shared:
        batch = _in_turn(transaction, parameters)
    if batch and batch[0].alone:
        batch = batch[:1]
    elif any(job.alone for job in batch):
        batch = transaction.find(TO_CLAIM_TOGETHER, parameters)
    command = Claim(worker, now + lease)
    return _decide(transaction, ((job.id, command) for job in batch), now)


def _in_turn(transaction: Transaction, parameters: Mapping[str, Any]) -> Sequence[Job]:
    """A batch of what others have locked, when they have let go of it.

    They may not take it after all, and nobody would be told of it again.
    """
    first = {**parameters, "limit": min(parameters["limit"], 1)}
    if not transaction.waits:
        if transaction.exists(NEXT, first):
            raise Occupied
        return ()
    return transaction.find(TO_CLAIM, parameters) if transaction.find(IN_TURN, first) else ()


def apply(transaction: Transaction, job_id: str, command: Command) -> Job:
    """See `Ledger.apply`."""
    job = transaction.get(job_id)
    if job is None:
        raise JobUnknown(job_id)
    _change(transaction, job, command, transaction.now())
    return transaction.give(job_id)


def extend(transaction: Transaction, holds: Sequence[Hold], lease: float) -> Mapping[str, Standing]:
    """See `Ledger.extend`."""
    now = transaction.now()
    standings = {}
    for hold in holds:
        standing, after = renewed(transaction.get(hold.job_id), hold, lease, now)
        if after is not None:
            transaction.change(after, (), now)
        standings[hold.job_id] = standing
    return standings


def reap(transaction: Transaction, limit: int) -> tuple[Job, ...]:
    """See `Ledger.reap`."""
    now = transaction.now()
    lapsed = transaction.find(TO_REAP, {"now": now, "limit": limit})
    missed = transaction.find(TO_EXPIRE, {"now": now, "limit": limit - len(lapsed)})
    transaction.pass_by()
    commands: list[tuple[str, Command]] = [(job.id, Reap()) for job in lapsed]
    return _decide(transaction, commands + [(job.id, Expire()) for job in missed], now)


def recover(transaction: Transaction, worker_prefix: str) -> tuple[Job, ...]:
    """See `Ledger.recover`."""
    lost = transaction.find(TO_RECOVER, {"prefix": worker_prefix})
    return _decide(transaction, ((job.id, Recover()) for job in lost), transaction.now())


def forget(transaction: Transaction, before: float, limit: int) -> tuple[Job, ...]:
    """See `Ledger.forget`."""
    ended = transaction.find(TO_FORGET, {"before": before, "limit": limit})
    return tuple(transaction.remove([job.id for job in ended]))


def erase(transaction: Transaction, job_id: str) -> Job | None:
    """See `Ledger.erase`."""
    job = transaction.get(job_id)
    if job is None:
        return None
    if not job.ended:
        raise WrongState(f"{job.id} is {job.state}; only ended jobs are erased")
    (gone,) = transaction.remove([job_id])
    return gone


def _decide(
    transaction: Transaction, commands: Iterable[tuple[str, Command]], now: float
) -> tuple[Job, ...]:
    decided = []
    for job_id, command in commands:
        # One that waited for the run of another may have met its end with that one.
        with suppress(Refused):
            _change(transaction, transaction.stored(job_id), command, now)
            decided.append(job_id)
    return tuple(map(transaction.give, decided))


def _change(transaction: Transaction, before: Job, command: Command, now: float) -> None:
    after, events = decide(before, command, now)
    if isinstance(command, Revive):
        answering = transaction.answering(after.content) if after.content else None
        changes = revived(after, events, answering)
    else:
        changes = settled(before, after, events, transaction.followers(before), now)
    for changed, happened in changes:
        # What one run made is told by many jobs, none of which may share a mapping.
        alone = changed if changed.id == before.id else detached(changed)
        transaction.change(alone, happened, now)
