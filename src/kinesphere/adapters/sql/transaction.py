"""One transaction that changes the ledger: what it read, what it will write, what happened.

Jobs, keys, counts and places in the fair order are kept here once read, so that every operation of
a group sees the effects of those before it. `flush` writes them together.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection, Executable, RowMapping, bindparam, delete, select, update

from kinesphere.adapters.documents import detached
from kinesphere.adapters.sql import schema
from kinesphere.adapters.sql.bulk import bulk
from kinesphere.adapters.sql.outbox import enter, forget
from kinesphere.adapters.sql.rows import job_of, job_row, key_name, record_row, tallied
from kinesphere.core.fairness import COST, enters, start_tag
from kinesphere.core.jobs import Event, Job, State
from kinesphere.core.sharing import answers, freed, lent, maker, own_bytes
from kinesphere.ports import IdempotencyKey, Record

AT_ONCE: Final = 500
"""Ids in one statement; databases limit how many values it may have."""

_JOBS: Final = schema.jobs.c
_LANES: Final = schema.lanes.c
_FINISHES: Final = schema.finishes.c
_KEYS: Final = schema.keys.c

STORED: Final = select(_JOBS.id, _JOBS.tag, _JOBS.answers, _JOBS.document)
LOAD: Final = STORED.where(_JOBS.id.in_(bindparam("ids", expanding=True)))
ANSWERING: Final = STORED.where(_JOBS.answers.in_(bindparam("contents", expanding=True)))
FOLLOWERS: Final = STORED.where(_JOBS.leader == bindparam("leader")).order_by(_JOBS.id)
VIRTUAL: Final = select(_LANES.virtual).where(
    _LANES.pool == bindparam("pool"), _LANES.priority == bindparam("priority")
)
FINISHES: Final = select(_FINISHES.user, _FINISHES.tag).where(
    _FINISHES.pool == bindparam("pool"),
    _FINISHES.priority == bindparam("priority"),
    _FINISHES.user.in_(bindparam("users", expanding=True)),
)
KNOWN: Final = select(_KEYS.name, _KEYS.digest, _KEYS.job_id).where(
    _KEYS.name.in_(bindparam("names", expanding=True)), _KEYS.created_at > bindparam("since")
)
LENT: Final = (
    select(schema.loans.c.key)
    .where(schema.loans.c.key.in_(bindparam("keys", expanding=True)))
    .distinct()
)
ADVANCE: Final = (
    update(schema.head)
    .values(
        seq=schema.head.c.seq + bindparam("number"), bytes=schema.head.c.bytes + bindparam("more")
    )
    .returning(schema.head.c.seq)
)

Value = TypeVar("Value")
Lane: TypeAlias = tuple[str, int]
"""A pool and a priority."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What an operation will read, for its group to read together.

    Attributes:
        job_ids: Jobs.
        place: The lane and the user of a job that is submitted.
        key: The name of the idempotency key that comes with it, see `key_name`.
        content: Its content, or "".
    """

    job_ids: Sequence[str] = ()
    place: tuple[Lane, str] | None = None
    key: str | None = None
    content: str = ""


NOTHING: Final = Reads()


@dataclass(slots=True)
class _Kept:
    job: Job
    tag: int
    answers: bool = False
    new: bool = False
    changed: bool = False
    given: bool = False


class Transaction:
    """Reads and writes of operations that run one after the other, in one database transaction.

    Attributes:
        connection: Within the transaction.
        records: The events stored so far, in order; complete after `flush`.
    """

    def __init__(
        self, connection: Connection, now: Callable[[Connection], float], key_seconds: float
    ) -> None:
        self.connection = connection
        self.records: list[Record] = []
        self._now = now
        self._at: float | None = None
        self._key_seconds = key_seconds
        self._bulk = bulk(connection.dialect)
        self._kept: dict[str, _Kept] = {}
        self._happened: list[tuple[str, float, Event]] = []
        self._tallies: Counter[tuple[str, str, str, int]] = Counter()
        self._weights: defaultdict[tuple[str, str, str, int], float] = defaultdict(float)
        self._virtuals: dict[Lane, int] = {}
        self._advanced: set[Lane] = set()
        self._finishes: dict[tuple[Lane, str], int | None] = {}
        self._placed: set[tuple[Lane, str]] = set()
        self._keys: dict[str, tuple[str, str] | None] = {}
        self._new_keys: dict[str, dict[str, Any]] = {}
        self._answering: dict[str, str | None] = {}
        self._loans: list[dict[str, str]] = []
        self._more_bytes = 0

    def now(self) -> float:
        """The ledger's time, one for the whole group: PostgreSQL's costs a question."""
        if self._at is None:
            self._at = self._now(self.connection)
        return self._at

    def load(self, reads: Iterable[Reads]) -> None:
        """Read all this, as far as it exists, in few statements; before anything else."""
        job_ids: set[str] = set()
        users: defaultdict[Lane, set[str]] = defaultdict(set)
        keys: set[str] = set()
        contents: set[str] = set()
        for read in reads:
            if read.content:
                contents.add(read.content)
            job_ids.update(read.job_ids)
            if read.place is not None:
                lane, user = read.place
                users[lane].add(user)
            if read.key is not None:
                keys.add(read.key)
        self._load_jobs(job_ids)
        for lane, names in users.items():
            self._load_finishes(lane, names)
        self._load_keys(keys)
        self._load_answering(contents)

    def _load_answering(self, contents: Collection[str]) -> None:
        self._answering.update(dict.fromkeys(contents))
        for some in parts(contents):
            for row in self.connection.execute(ANSWERING, {"contents": some}).mappings():
                self._answering[row["answers"]] = row["id"]
                self._adopt(row)

    def _load_jobs(self, job_ids: Collection[str]) -> None:
        for ids in parts(job_ids):
            for row in self.connection.execute(LOAD, {"ids": ids}).mappings():
                self._adopt(row)

    def _load_finishes(self, lane: Lane, users: Collection[str]) -> None:
        self._finishes.update(dict.fromkeys((lane, user) for user in users))
        for names in parts(users):
            parameters = {"pool": lane[0], "priority": lane[1], "users": names}
            for row in self.connection.execute(FINISHES, parameters):
                self._finishes[lane, row.user] = row.tag

    def _load_keys(self, keys: Collection[str]) -> None:
        self._keys.update(dict.fromkeys(keys))
        if not keys:
            return
        since = self.now() - self._key_seconds
        for names in parts(keys):
            for row in self.connection.execute(KNOWN, {"names": names, "since": since}):
                self._keys[row.name] = (row.digest, row.job_id)

    def get(self, job_id: str) -> Job | None:
        """The job as this transaction sees it."""
        if job_id not in self._kept:
            self._load_jobs([job_id])
        kept = self._kept.get(job_id)
        return None if kept is None else kept.job

    def stored(self, job_id: str) -> Job:
        """The same of a job that was read here."""
        return self._kept[job_id].job

    def give(self, job_id: str) -> Job:
        """The job as a value for a caller. No two callers get the same mappings."""
        kept = self._kept[job_id]
        if kept.given:
            return detached(kept.job)
        kept.given = True
        return kept.job

    def find(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[Job]:
        """The jobs that a query of stored jobs yields, in its order."""
        self._flush_jobs()
        rows = self.connection.execute(statement, parameters).mappings()
        return [self._adopt(row).job for row in rows]

    def _adopt(self, row: RowMapping) -> _Kept:
        kept = self._kept.get(row["id"])
        if kept is None:
            answers = row["answers"] is not None
            kept = self._kept[row["id"]] = _Kept(job_of(row), row["tag"], answers)
        return kept

    def answering(self, content: str) -> Job | None:
        """The job that answers for this content."""
        if content not in self._answering:
            self._load_answering([content])
        job_id = self._answering[content]
        return None if job_id is None else self.get(job_id)

    def followers(self, leader: Job) -> Sequence[Job]:
        """The jobs that wait for this one's run, the oldest first."""
        return () if leader.raised is None else self.find(FOLLOWERS, {"leader": leader.id})

    def add(self, job: Job, happened: Sequence[Event], now: float) -> None:
        """Store a new job."""
        tag = self._enter(job) if enters(None, job) else 0
        self._kept[job.id] = _Kept(job, tag, new=True)
        self._count(tallied(job), job, 1)
        self._happened += [(job.id, now, event) for event in happened]
        self._list(None, job)

    def change(self, after: Job, happened: Sequence[Event], now: float) -> None:
        """Store what became of a job that was read here."""
        kept = self._kept[after.id]
        before, kept.job, kept.changed = kept.job, after, True
        self._happened += [(after.id, now, event) for event in happened]
        was, became = tallied(before), tallied(after)
        if was != became:
            self._count(was, before, -1)
            self._count(became, after, 1)
        self._list(before, after)
        if enters(before, after):
            kept.tag = self._enter(after)
        elif before.leader is not None:
            if after.leader is None and not after.ended:
                kept.tag = self._kept[before.leader].tag
        elif before.state is State.QUEUED and after.state is State.RUNNING:
            lane = (after.pool, after.precedence)
            if kept.tag > self._virtual(lane):
                self._virtuals[lane] = kept.tag
                self._advanced.add(lane)

    def _list(self, before: Job | None, after: Job) -> None:
        """Take note of the files that a job lists now, and of the content it answers for."""
        if before is None:
            self._loans += [{"key": key, "job_id": after.id} for key in lent(after)]
            self._more_bytes += own_bytes(after)
        elif before.artifacts is not after.artifacts:
            new = lent(after) - lent(before)
            self._loans += [{"key": key, "job_id": after.id} for key in new]
            self._more_bytes += own_bytes(after) - own_bytes(before)
        said = answers(before, after)
        if said is None:
            return
        held = self.answering(after.content)
        if said and held is not None:
            self._kept[held.id].answers = False
            self._kept[held.id].changed = True
        if said or (held is not None and held.id == after.id):
            self._answering[after.content] = after.id if said else None
            self._kept[after.id].answers = said

    def remove(self, job_ids: Sequence[str]) -> Sequence[Job]:
        """Delete jobs that were read here, with their events and keys.

        Returns them, each with the files that go with it.
        """
        self.flush()
        removed = [self.give(job_id) for job_id in job_ids]
        for job_id in job_ids:
            job = self._kept.pop(job_id).job
            self._count(tallied(job), job, -1)
        for ids in parts(job_ids):
            for column in (
                schema.events.c.job_id,
                schema.keys.c.job_id,
                schema.loans.c.job_id,
                schema.jobs.c.id,
            ):
                self.connection.execute(delete(column.table).where(column.in_(ids)))
            forget(self.connection, ids)
        self._keys.clear()
        self._answering.clear()
        gone = freed(removed, self._listed([a.key for job in removed for a in job.artifacts]))
        self._more_bytes -= sum(f.size for job in gone for f in (*job.inputs, *job.artifacts))
        return gone

    def _listed(self, keys: Collection[str]) -> frozenset[str]:
        """Those of these files that a job lists."""
        makers = {maker(key) for key in keys}
        self._load_jobs(makers)
        made = {a.key for i in makers if (kept := self._kept.get(i)) for a in kept.job.artifacts}
        for some in parts(keys):
            made.update(self.connection.execute(LENT, {"keys": some}).scalars())
        return frozenset(made)

    def known(self, user: str, key: str) -> tuple[str, str] | None:
        """The digest and job id that this key led to."""
        name = key_name(user, key)
        if name not in self._keys:
            self._load_keys([name])
        return self._keys[name]

    def remember(self, job: Job, key: IdempotencyKey) -> None:
        """Store that this key led to this job."""
        name = key_name(job.user, key.key)
        self._keys[name] = (key.digest, job.id)
        self._new_keys[name] = {
            "name": name,
            "digest": key.digest,
            "job_id": job.id,
            "created_at": self.now(),
        }

    def _count(self, kept: tuple[str, str, str, int], job: Job, change: int) -> None:
        self._tallies[kept] += change
        self._weights[kept] += change * job.weight

    def _enter(self, job: Job) -> int:
        lane = (job.pool, job.precedence)
        if (lane, job.user) not in self._finishes:
            self._load_finishes(lane, [job.user])
        tag = start_tag(self._virtual(lane), self._finishes[lane, job.user])
        self._finishes[lane, job.user] = tag + COST
        self._placed.add((lane, job.user))
        return tag

    def _virtual(self, lane: Lane) -> int:
        if lane not in self._virtuals:
            parameters = {"pool": lane[0], "priority": lane[1]}
            self._virtuals[lane] = self.connection.execute(VIRTUAL, parameters).scalar() or 0
        return self._virtuals[lane]

    def flush(self) -> None:
        """Write all that was added, changed, placed, counted and remembered."""
        self._flush_jobs()
        self._flush_events()
        self._flush_lanes()
        tallies = [
            {
                **dict(zip(("pool", "model", "state", "priority"), kept, strict=True)),
                "jobs": jobs,
                "weight": self._weights[kept],
            }
            for kept, jobs in sorted(self._tallies.items())
            if jobs or self._weights[kept]
        ]
        self._bulk.count(self.connection, tallies)
        self._tallies.clear()
        self._weights.clear()
        self._bulk.remember(self.connection, list(self._new_keys.values()))
        self._new_keys.clear()
        self._bulk.lend(self.connection, self._loans)
        self._loans.clear()

    def _flush_jobs(self) -> None:
        new, changed = [], []
        for kept in self._kept.values():
            if kept.new:
                new.append(job_row(kept.job, kept.tag, kept.answers))
            elif kept.changed:
                changed.append(job_row(kept.job, kept.tag, kept.answers))
            kept.new = kept.changed = False
        # Who answers for a content no more lets go of it before another takes it.
        changed.sort(key=lambda row: row["answers"] is not None)
        self._bulk.change(self.connection, changed)
        self._bulk.add(self.connection, new)

    def _flush_events(self) -> None:
        if not self._happened and not self._more_bytes:
            return
        number = len(self._happened)
        advanced = {"number": number, "more": self._more_bytes}
        last = self.connection.execute(ADVANCE, advanced).scalar_one()
        self._more_bytes = 0
        records = [
            Record(seq, job_id, at, event)
            for seq, (job_id, at, event) in enumerate(self._happened, last - number + 1)
        ]
        self._bulk.tell(self.connection, [record_row(record) for record in records])
        enter(self.connection, [(self._kept[record.job_id].job, record) for record in records])
        self.records += records
        self._happened.clear()

    def _flush_lanes(self) -> None:
        advanced = [
            {"pool": pool, "priority": priority, "virtual": self._virtuals[pool, priority]}
            for pool, priority in sorted(self._advanced)
        ]
        self._bulk.advance(self.connection, advanced)
        self._bulk.pass_by(self.connection, advanced)
        finishes = [
            {"pool": lane[0], "priority": lane[1], "user": user, "tag": tag}
            for lane, user in sorted(self._placed)
            if (tag := self._finishes[lane, user] or 0) > self._virtual(lane)
        ]
        self._bulk.place(self.connection, finishes)
        self._advanced.clear()
        self._placed.clear()


def parts(values: Collection[Value]) -> Iterator[Sequence[Value]]:
    """The values in parts that one statement may have."""
    ordered = list(values)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]
