"""The fair order as one transaction sees and changes it: virtual times and finish tags.

A job takes its place as late as it can, when it is about to be written, because on PostgreSQL the
users' finish tags are locked from then on: whoever submits for one of these users waits.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, func, select, text, tuple_

from kinesphere.adapters.sql import direct, schema
from kinesphere.adapters.sql.bulk import bulk
from kinesphere.adapters.sql.parts import parts
from kinesphere.core.fairness import COST, start_tag

if TYPE_CHECKING:
    from kinesphere.core.jobs import Job

_LANES: Final = schema.lanes.c
_FINISHES: Final = schema.finishes.c

Lane: TypeAlias = tuple[str, int]
"""A pool and a priority."""

VIRTUAL: Final = select(func.max(_LANES.virtual)).where(
    _LANES.pool == bindparam("pool"), _LANES.priority == bindparam("priority")
)
VIRTUALS: Final = (
    select(_LANES.pool, _LANES.priority, func.max(_LANES.virtual).label("virtual"))
    .group_by(_LANES.pool, _LANES.priority)
    .order_by(_LANES.pool, _LANES.priority)
)
FINISHES: Final = select(_FINISHES.user, _FINISHES.tag).where(
    _FINISHES.pool == bindparam("pool"),
    _FINISHES.priority == bindparam("priority"),
    _FINISHES.user.in_(bindparam("users", expanding=True)),
)
_PLACE: Final = (_FINISHES.pool, _FINISHES.priority, _FINISHES.user)
PASSED: Final = delete(schema.finishes).where(
    tuple_(*_PLACE).in_(
        select(*_PLACE)
        .where(
            _FINISHES.pool == bindparam("pool"),
            _FINISHES.priority == bindparam("priority"),
            _FINISHES.tag <= bindparam("virtual"),
        )
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )
)
PASSED_AT_ONCE: Final = 1_000
"""Finish tags that are deleted in one transaction, of each lane."""

# PostgreSQL's. Locks what is there, in one order for all, and makes what is not: no other can.
LOCK_FINISHES: Final = text("""
    INSERT INTO finishes (pool, priority, "user", tag)
    SELECT * FROM unnest(
        CAST(:pools AS text[]), CAST(:priorities AS smallint[]), CAST(:users AS text[]),
        CAST(:tags AS bigint[])
    ) AS wanted (pool, priority, "user", tag)
    ORDER BY pool, priority, "user"
    ON CONFLICT (pool, priority, "user") DO UPDATE SET tag = finishes.tag
    RETURNING pool, priority, "user", tag
""")


class Places:
    """The lanes and places that one transaction has to do with.

    `slot` is that of the writer's connection; `shared`: whether others write at the same time.
    """

    def __init__(self, connection: Connection, slot: int, shared: bool) -> None:
        self._connection = connection
        self._slot = slot
        self._shared = shared
        self._virtuals: dict[Lane, int] = {}
        self._advanced: set[Lane] = set()
        self._finishes: dict[tuple[Lane, str], int | None] = {}
        self._placed: set[tuple[Lane, str]] = set()

    def take(self, entering: "Collection[Job]") -> dict[str, int]:
        """The tags of jobs that enter their lanes now, one after the other, by id."""
        places = [((job.pool, job.precedence), job.user) for job in entering]
        unknown = {place for place in places if place not in self._finishes}
        if unknown:
            self._finishes.update(dict.fromkeys(unknown))
            if self._shared:
                self._lock(unknown)
            else:
                self._read(unknown)
        tags = {}
        for job, (lane, user) in zip(entering, places, strict=True):
            tag = start_tag(self.virtual(lane), self._finishes[lane, user])
            self._finishes[lane, user] = tag + COST
            tags[job.id] = tag
        self._placed.update(places)
        return tags

    def claimed(self, lane: Lane, tag: int) -> None:
        """A job with this tag was claimed: the virtual time is not before it."""
        if tag > self.virtual(lane):
            self._virtuals[lane] = tag
            self._advanced.add(lane)

    def virtual(self, lane: Lane) -> int:
        """The largest tag claimed so far."""
        if lane not in self._virtuals:
            parameters = {"pool": lane[0], "priority": lane[1]}
            self._virtuals[lane] = direct.scalar(self._connection, VIRTUAL, parameters) or 0
        return self._virtuals[lane]

    def _read(self, places: set[tuple[Lane, str]]) -> None:
        users: defaultdict[Lane, list[str]] = defaultdict(list)
        for lane, user in places:
            users[lane].append(user)
        for lane, them in users.items():
            for some in parts(them):
                parameters = {"pool": lane[0], "priority": lane[1], "users": some}
                for row in direct.rows(self._connection, FINISHES, parameters):
                    self._finishes[lane, row.user] = row.tag

    def _lock(self, places: set[tuple[Lane, str]]) -> None:
        wanted = list(places)
        parameters = {
            "pools": [lane[0] for lane, _ in wanted],
            "priorities": [lane[1] for lane, _ in wanted],
            "users": [user for _, user in wanted],
            "tags": [self.virtual(lane) for lane, _ in wanted],
        }
        for row in direct.rows(self._connection, LOCK_FINISHES, parameters):
            self._finishes[(row.pool, row.priority), row.user] = row.tag

    def pass_by(self) -> None:
        """Delete the finish tags that virtual time has reached, unless another is at them."""
        for row in self._connection.execute(VIRTUALS).mappings().all():
            self._connection.execute(PASSED, {**row, "limit": PASSED_AT_ONCE})

    def flush(self) -> None:
        """Write what has changed."""
        statements = bulk(self._connection.dialect)
        advanced: list[dict[str, Any]] = [
            {
                "pool": lane[0],
                "priority": lane[1],
                "slot": self._slot,
                "virtual": self._virtuals[lane],
            }
            for lane in sorted(self._advanced)
        ]
        statements.advance(self._connection, advanced)
        finishes = [
            {"pool": lane[0], "priority": lane[1], "user": user, "tag": tag}
            for lane, user in sorted(self._placed)
            if (tag := self._finishes[lane, user] or 0) > self.virtual(lane)
        ]
        statements.place(self._connection, finishes)
        self._advanced.clear()
        self._placed.clear()
