"""What the ledger's methods read, each within one snapshot."""

from collections import defaultdict
from collections.abc import Mapping
from heapq import nlargest
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, func, select

from kinesphere.adapters.sql import schema
from kinesphere.adapters.sql.operations import CLAIMABLE
from kinesphere.adapters.sql.rows import job_of, record_of
from kinesphere.core.jobs import Job, State
from kinesphere.ports import Backlog, JobQuery, Record

_JOBS: Final = schema.jobs.c
_EVENTS: Final = schema.events.c
_TALLIES: Final = schema.tallies.c

GET: Final = select(_JOBS.document).where(_JOBS.id == bindparam("id"))
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
    .where(_TALLIES.state.in_([State.QUEUED.value, State.RUNNING.value]), _TALLIES.jobs > 0)
    .group_by(_TALLIES.pool, _TALLIES.state)
)
COUNTS: Final = (
    select(_TALLIES.model, _TALLIES.state, func.sum(_TALLIES.jobs).label("jobs"))
    .where(_TALLIES.jobs > 0)
    .group_by(_TALLIES.model, _TALLIES.state)
)


def get(connection: Connection, job_id: str) -> Job | None:
    """See `Ledger.get`."""
    row = connection.execute(GET, {"id": job_id}).mappings().first()
    return None if row is None else job_of(row)


def find(connection: Connection, query: JobQuery) -> tuple[Job, ...]:
    """See `Ledger.list`."""
    rows = [
        row
        for statement in find_statements(query)
        for row in connection.execute(statement.limit(max(query.limit, 0))).mappings()
    ]
    return tuple(map(job_of, nlargest(query.limit, rows, key=lambda row: str(row["id"]))))


def find_statements(query: JobQuery) -> list[Select[Any]]:
    """Queries that together yield the jobs asked for.

    One walks backwards through the jobs of the user, or of all; for states of all users there is
    one a state, since the few dead letters must be found among any number of successes.
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
    if query.user is not None:
        return [statement.where(_JOBS.state.in_(states))]
    return [statement.where(_JOBS.state == state) for state in dict.fromkeys(states)]


def events(
    connection: Connection, after: int, job_id: str | None, limit: int
) -> tuple[Record, ...]:
    """See `Ledger.events`."""
    parameters = {"after": after, "limit": max(limit, 0)}
    if job_id is None:
        rows = connection.execute(EVENTS, parameters)
    else:
        rows = connection.execute(EVENTS_OF_JOB, {**parameters, "job_id": job_id})
    return tuple(map(record_of, rows.mappings()))


def backlogs(connection: Connection, now: float) -> Mapping[str, Backlog]:
    """See `Ledger.backlogs`."""
    tallies: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(WAITING):
        tallies[row.pool][row.state] = int(row.jobs)
    found = {}
    for pool, tally in tallies.items():
        waiting = tally.get(State.QUEUED, 0)
        parameters = {"pool": pool, "now": now}
        oldest = connection.execute(OLDEST, parameters).scalar() if waiting else None
        found[pool] = Backlog(waiting, tally.get(State.RUNNING, 0), oldest)
    return found


def counts(connection: Connection) -> Mapping[tuple[str, State], int]:
    """See `Ledger.counts`."""
    rows = connection.execute(COUNTS)
    return {(row.model, State(row.state)): int(row.jobs) for row in rows}
