"""What the ledger's methods read, each within one snapshot."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import nlargest
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, func, select, tuple_

from kinesphere.adapters.searching import picked
from kinesphere.adapters.sql import direct, schema
from kinesphere.adapters.sql.operations import CLAIMABLE
from kinesphere.adapters.sql.parts import parts
from kinesphere.adapters.sql.places import VIRTUAL
from kinesphere.adapters.sql.remembered import KNOWN
from kinesphere.adapters.sql.rows import JOINED, job_of, key_name, record_of
from kinesphere.adapters.sql.transaction import LENT
from kinesphere.core.fairness import start_tag
from kinesphere.core.jobs import HIGHEST_PRIORITY, Job, State
from kinesphere.core.line import Load, Look, ahead
from kinesphere.ports import (
    LINE_LOOK,
    SEARCH_LOOK,
    Backlog,
    Found,
    IdempotencyConflict,
    IdempotencyKey,
    JobQuery,
    Line,
    Queued,
    Record,
)

_JOBS: Final = schema.jobs.c
_EVENTS: Final = schema.events.c
_TALLIES: Final = schema.tallies.c
_FINISHES: Final = schema.finishes.c

GET: Final = select(_JOBS.document).where(_JOBS.id == bindparam("id"))
ANSWERING: Final = select(_JOBS.document).where(_JOBS.answers == bindparam("content"))
OLDEST: Final = (
    select(_JOBS.ready_at)
    .where(*CLAIMABLE, _JOBS.ready_at <= bindparam("now"))
    .order_by(_JOBS.ready_at)
    .limit(1)
)
EVENTS: Final = (
    select(schema.events)
    .where(_EVENTS.seq > bindparam("after"))
    .order_by(_EVENTS.seq)
    .limit(bindparam("limit"))
)
EVENTS_OF_JOB: Final = EVENTS.where(_EVENTS.job_id == bindparam("job_id"))
WAITING: Final = (
    select(_TALLIES.pool, _TALLIES.state, func.sum(_TALLIES.jobs).label("jobs"))
    .where(_TALLIES.state.in_([State.QUEUED.value, State.RUNNING.value]))
    .group_by(_TALLIES.pool, _TALLIES.state)
    .having(func.sum(_TALLIES.jobs) > 0)
)
LOADS: Final = select(_TALLIES.state, _TALLIES.priority, _TALLIES.jobs, _TALLIES.weight).where(
    _TALLIES.pool == bindparam("pool"),
    _TALLIES.state.in_([State.QUEUED.value, State.RUNNING.value]),
)
_PLACE: Final = select(_JOBS.tag).where(
    _JOBS.id == bindparam("id"), schema.IN_LINE, _JOBS.pool == bindparam("pool")
)
_FINISH: Final = select(_FINISHES.tag).where(
    _FINISHES.pool == bindparam("pool"),
    _FINISHES.priority == bindparam("priority"),
    _FINISHES.user == bindparam("user"),
)
# The virtual time of a job's lane, its own tag where it has one, and its user's finish tag.
STANDING: Final = select(
    VIRTUAL.scalar_subquery(), _PLACE.scalar_subquery(), _FINISH.scalar_subquery()
)
_BEFORE: Final = (
    select(_JOBS.tag, _JOBS.weight)
    .where(
        schema.IN_LINE,
        _JOBS.pool == bindparam("pool"),
        _JOBS.urgency == bindparam("urgency"),
        tuple_(_JOBS.tag, _JOBS.id) < tuple_(bindparam("tag"), bindparam("id")),
    )
    .order_by(_JOBS.tag, _JOBS.id)
)
_LOOKED: Final = _BEFORE.limit(LINE_LOOK).subquery()
# How many stand before a job, and what they weigh, as far as is looked.
BEFORE: Final = select(func.count(), func.coalesce(func.sum(_LOOKED.c.weight), 0.0)).select_from(
    _LOOKED
)
# The tags of the later half of them, where it is as many as are looked at.
LATER: Final = (
    _BEFORE.with_only_columns(_JOBS.tag).limit(LINE_LOOK - LINE_LOOK // 2).offset(LINE_LOOK // 2)
)
QUEUE: Final = (
    select(_JOBS.ready_at, _JOBS.deadline, _JOBS.weight)
    .where(schema.IN_LINE, _JOBS.pool == bindparam("pool"))
    .order_by(_JOBS.urgency, _JOBS.tag, _JOBS.id)
    .limit(bindparam("limit"))
)
COUNTS: Final = (
    select(_TALLIES.model, _TALLIES.state, func.sum(_TALLIES.jobs).label("jobs"))
    .group_by(_TALLIES.model, _TALLIES.state)
    .having(func.sum(_TALLIES.jobs) > 0)
)
ENDED: Final = (
    select(_JOBS.document)
    .where(_JOBS.finished_at > bindparam("after"))
    .order_by(_JOBS.finished_at.desc(), _JOBS.id.desc())
    .limit(bindparam("limit"))
)
STORED_BYTES: Final = select(schema.head.c.bytes)
OPEN: Final = (
    select(func.count())
    .select_from(schema.jobs)
    .where(schema.OPEN, _JOBS.user == bindparam("user"))
)


def queue(connection: Connection, pool: str, limit: int) -> tuple[Queued, ...]:
    """See `Ledger.queue`."""
    rows = direct.rows(connection, QUEUE, {"pool": pool, "limit": limit})
    return tuple(Queued(row.ready_at, row.deadline, row.weight) for row in rows)


def ended(connection: Connection, after: float, limit: int) -> tuple[Job, ...]:
    """See `Ledger.ended`."""
    rows = direct.rows(connection, ENDED, {"after": after, "limit": max(limit, 0)})
    return tuple(job_of(row) for row in rows)


def open_jobs(connection: Connection, user: str) -> int:
    """See `Ledger.open_jobs`."""
    return int(direct.scalar(connection, OPEN, {"user": user}))


def get(connection: Connection, job_id: str) -> Job | None:
    """See `Ledger.get`."""
    row = direct.first(connection, GET, {"id": job_id})
    return None if row is None else job_of(row)


def find(connection: Connection, query: JobQuery) -> tuple[Job, ...]:
    """See `Ledger.list`."""
    return tuple(map(job_of, _found(connection, query)))


def _found(connection: Connection, query: JobQuery) -> list[Any]:
    rows = [
        row
        for statement in find_statements(query)
        for row in connection.execute(statement.limit(max(query.limit, 0)))
    ]
    return nlargest(query.limit, rows, key=lambda row: str(row.id))


def search(connection: Connection, query: JobQuery, words: tuple[str, ...]) -> Found:
    """See `Ledger.search`."""
    rows = _found(connection, replace(query, limit=SEARCH_LOOK))
    return picked(map(job_of, rows), len(rows), words, query.limit)


def find_statements(query: JobQuery) -> list[Select[Any]]:
    """Queries that together yield the jobs asked for.

    One walks backwards through the jobs of the user, or of all; for states there is one a state,
    since the few dead letters must be found among any number of successes.
    """
    statement = select(_JOBS.id, _JOBS.document).order_by(_JOBS.id.desc())
    for column, value in ((_JOBS.user, query.user), (_JOBS.task, query.task)):
        if value is not None:
            statement = statement.where(column == value)
    if query.model is not None:
        statement = statement.where(_JOBS.model == query.model)
    if query.before is not None:
        statement = statement.where(_JOBS.id < query.before)
    states = [state.value for state in query.states]
    if not states:
        return [statement]
    return [statement.where(_JOBS.state == state) for state in dict.fromkeys(states)]


def events(
    connection: Connection, after: int, job_id: str | None, limit: int
) -> tuple[Record, ...]:
    """See `Ledger.events`."""
    parameters = {"after": after, "limit": max(limit, 0)}
    if job_id is None:
        rows = direct.rows(connection, EVENTS, parameters)
    else:
        rows = direct.rows(connection, EVENTS_OF_JOB, {**parameters, "job_id": job_id})
    return tuple(map(record_of, rows))


def backlogs(connection: Connection, now: float) -> Mapping[str, Backlog]:
    """See `Ledger.backlogs`."""
    tallies: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in direct.rows(connection, WAITING):
        tallies[row.pool][row.state] = int(row.jobs)
    found = {}
    for pool, tally in tallies.items():
        waiting = tally.get(State.QUEUED, 0)
        parameters = {"pool": pool, "now": now}
        oldest = direct.scalar(connection, OLDEST, parameters) if waiting else None
        found[pool] = Backlog(waiting, tally.get(State.RUNNING, 0), oldest)
    return found


def line(connection: Connection, job: Job) -> tuple[Line, ...]:
    """See `Ledger.line`."""
    return tuple(_line(connection, job, pool) for pool in job.pools[job.stage :])


def _line(connection: Connection, job: Job, pool: str) -> Line:
    loads: dict[int, Load] = {}
    running = 0
    for state, priority, jobs, weight in direct.tuples(connection, LOADS, {"pool": pool}):
        if state == State.RUNNING.value:
            running += int(jobs)
        else:
            known = loads.get(priority, Load(0, 0.0))
            loads[priority] = Load(known.jobs + jobs, known.weight + weight)
    loads = {priority: load for priority, load in loads.items() if load.jobs > 0}
    place = {"pool": pool, "priority": job.precedence, "id": job.id, "user": job.user}
    virtual, tag, finish = direct.tuples(connection, STANDING, place)[0]
    virtual = virtual or 0
    if tag is None:
        tag = start_tag(virtual, finish)
    urgency = HIGHEST_PRIORITY - job.precedence
    standing = {"pool": pool, "urgency": urgency, "tag": tag, "id": job.id}
    ((seen, weight),) = direct.tuples(connection, BEFORE, standing)
    later: Sequence[int] = ()
    if seen == LINE_LOOK:
        later = [each for (each,) in direct.tuples(connection, LATER, standing)]
    load = ahead(Look(seen, weight, tag, later), job.precedence, loads)
    waiting = sum(each.jobs for each in loads.values())
    higher = sum(each.jobs for level, each in loads.items() if level > job.precedence)
    return Line(
        waiting=waiting,
        running=running,
        ahead=load.jobs,
        alike=load.jobs - higher,
        weight=load.weight,
        slack=max(0, tag - virtual),
    )


def counts(connection: Connection) -> Mapping[tuple[str, State], int]:
    """See `Ledger.counts`."""
    totals: Counter[tuple[str, State]] = Counter()
    for row in direct.rows(connection, COUNTS):
        state = State.QUEUED if row.state == JOINED else State(row.state)
        totals[row.model, state] += int(row.jobs)
    return dict(totals)


def answering(connection: Connection, content: str) -> Job | None:
    """See `Ledger.answering`."""
    row = direct.first(connection, ANSWERING, {"content": content})
    return None if row is None else job_of(row)


def replay(connection: Connection, user: str, key: IdempotencyKey, since: float) -> Job | None:
    """See `Ledger.replay`. Keys from before `since` are not known any more."""
    name = key_name(user, key.key)
    row = direct.first(connection, KNOWN, {"names": [name]})
    if row is None or row.created_at <= since:
        return None
    if row.digest != key.digest:
        raise IdempotencyConflict(key.key)
    return get(connection, row.job_id)


def lent(connection: Connection, keys: Sequence[str]) -> frozenset[str]:
    """See `Ledger.lent`."""
    return frozenset(
        row.key for some in parts(keys) for row in direct.rows(connection, LENT, {"keys": some})
    )


def stored(connection: Connection) -> int:
    """See `Ledger.stored`."""
    return int(direct.scalar(connection, STORED_BYTES))
