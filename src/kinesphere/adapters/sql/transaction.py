"""One transaction that changes the ledger: what it read, what it will write, what happened.

Jobs, keys, counts and places in the fair order are kept here once read, so that every operation of
a group sees the effects of those before it. `flush` writes them together.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Executable,
    bindparam,
    delete,
    func,
    select,
)

from kinesphere.adapters.documents import detached
from kinesphere.adapters.sql import direct, schema
from kinesphere.adapters.sql.bulk import bulk
from kinesphere.adapters.sql.engines import is_shared, slot_of
from kinesphere.adapters.sql.outbox import forget
from kinesphere.adapters.sql.parts import parts
from kinesphere.adapters.sql.places import Places
from kinesphere.adapters.sql.remembered import Keys
from kinesphere.adapters.sql.rows import job_of, job_row, tallied
from kinesphere.adapters.sql.tallies import Tallies
from kinesphere.adapters.sql.telling import Telling
from kinesphere.core.fairness import enters
from kinesphere.core.jobs import Event, Job, State
from kinesphere.core.sharing import answers, freed, lent, maker, own_bytes
from kinesphere.ports import IdempotencyKey, Record

_JOBS: Final = schema.jobs.c

STORED: Final = select(_JOBS.id, _JOBS.tag, _JOBS.answers, _JOBS.document)
# Locked in the order of their ids, so that no two transactions wait for each other.
LOAD: Final = (
    STORED.where(_JOBS.id.in_(bindparam("ids", expanding=True)))
    .order_by(_JOBS.id)
    .with_for_update()
)
LEADS: Final = select(_JOBS.answers, _JOBS.id).where(
    _JOBS.answers.in_(bindparam("contents", expanding=True))
)
FOLLOWERS: Final = (
    STORED.where(_JOBS.leader == bindparam("leader")).order_by(_JOBS.id).with_for_update()
)
LENT: Final = (
    select(schema.loans.c.key)
    .where(schema.loans.c.key.in_(bindparam("keys", expanding=True)))
    .distinct()
)
_FORGETTING: Final = 0x4B696E66
"""PostgreSQL's advisory lock of whoever forgets jobs, see `Transaction.remove`."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What an operation will read, for its group to read together.

    Attributes:
        job_ids: Jobs.
        key: The name of the idempotency key that comes with it, see `key_name`.
        content: Its content, or "".
        searches: Whether it looks for jobs that it cannot name.
    """

    job_ids: Sequence[str] = ()
    key: str | None = None
    content: str = ""
    searches: bool = False


NOTHING: Final = Reads()
SEARCHES: Final = Reads(searches=True)


@dataclass(slots=True)
class _Kept:
    job: Job
    tag: int = 0
    answers: bool = False
    new: bool = False
    changed: bool = False
    given: bool = False


class Transaction:
    """Reads and writes of operations that run one after the other, in one database transaction.

    Attributes:
        connection: Within the transaction.
        shared: Whether others write at the same time, so that what is read must be locked.
        waits: Whether it may wait for what it looks for, because it does nothing else.
    """

    def __init__(
        self, connection: Connection, now: Callable[[Connection], float], key_seconds: float
    ) -> None:
        self.connection = connection
        self._now = now
        self._at: float | None = None
        self._bulk = bulk(connection.dialect)
        self._kept: dict[str, _Kept] = {}
        self.shared = is_shared(connection)
        self.waits = False
        slot = slot_of(connection)
        self._places = Places(connection, slot, self.shared)
        self._tallies = Tallies(connection, slot)
        self._keys = Keys(connection, key_seconds)
        self._telling = Telling(connection, self.shared)
        self._entering: list[Job] = []
        self._answering: dict[str, str | None] = {}
        self._loans: list[dict[str, str]] = []

    @property
    def records(self) -> Sequence[Record]:
        """The events stored so far, in order; complete after `flush`."""
        return self._telling.records

    def now(self) -> float:
        """The ledger's time, one for the whole group: PostgreSQL's costs a question.

        It is asked for when the jobs of the group are locked, so what a job was told before by
        others is not later.
        """
        if self._at is None:
            self._at = self._now(self.connection)
        return self._at

    def load(self, reads: Iterable[Reads]) -> None:
        """Read all this, as far as it exists, in few statements; before anything else."""
        job_ids: set[str] = set()
        keys: set[str] = set()
        contents: set[str] = set()
        for read in reads:
            if read.content:
                contents.add(read.content)
            job_ids.update(read.job_ids)
            if read.key is not None:
                keys.add(read.key)
        job_ids.update(self._keys.load(keys))
        self._load_answering(contents, job_ids)

    def _load_answering(self, contents: Collection[str], job_ids: Collection[str] = ()) -> None:
        """Find out who answers for these contents; lock them, with other jobs that are wanted."""
        unsure = set(contents)
        wanted = set(job_ids)
        while unsure or wanted:
            leads = {
                row.answers: row.id
                for some in parts(unsure)
                for row in direct.rows(self.connection, LEADS, {"contents": some})
            }
            self._load_jobs(wanted.union(leads.values()))
            self._answering.update({content: leads.get(content) for content in unsure})
            # Whoever had it locked until now may have had another answer.
            unsure = {content for content, job_id in leads.items() if not self._leads(job_id)}
            wanted = set()

    def _leads(self, job_id: str) -> bool:
        kept = self._kept.get(job_id)
        return kept is not None and kept.answers

    def _load_jobs(self, job_ids: Collection[str]) -> None:
        for ids in parts(sorted(set(job_ids).difference(self._kept))):
            for row in direct.rows(self.connection, LOAD, {"ids": ids}):
                self._adopt(row)

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

    def find(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Job]:
        """The jobs that a query of stored jobs yields, in its order."""
        self._flush_jobs()
        rows = direct.rows(self.connection, statement, parameters)
        return [self._adopt(row).job for row in rows]

    def exclude(self, lock: int) -> None:
        """Wait until no other transaction has this lock, a number of PostgreSQL's, and keep it."""
        if self.shared:
            self.connection.execute(select(func.pg_advisory_xact_lock(lock)))

    def exists(self, statement: Executable, parameters: Mapping[str, Any]) -> bool:
        """Whether a query yields anything, locked by others or not."""
        return direct.first(self.connection, statement, parameters) is not None

    def _adopt(self, row: Any) -> _Kept:
        kept = self._kept.get(row.id)
        if kept is None:
            answers = row.answers is not None
            kept = self._kept[row.id] = _Kept(job_of(row), row.tag, answers)
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
        self._kept[job.id] = _Kept(job, new=True)
        if enters(None, job):
            self._entering.append(job)
        self._tallies.count(job, 1)
        self._telling.happened(job.id, now, happened)
        self._list(None, job)

    def change(self, after: Job, happened: Sequence[Event], now: float) -> None:
        """Store what became of a job that was read here."""
        kept = self._kept[after.id]
        before, kept.job, kept.changed = kept.job, after, True
        self._telling.happened(after.id, now, happened)
        if tallied(before) != tallied(after):
            self._tallies.count(before, -1)
            self._tallies.count(after, 1)
        self._list(before, after)
        if enters(before, after):
            self._entering.append(after)
        elif before.leader is not None:
            if after.leader is None and not after.ended:
                kept.tag = self._tag(before.leader)
        elif before.state is State.QUEUED and after.state is State.RUNNING:
            self._places.claimed((after.pool, after.precedence), self._tag(after.id))

    def _list(self, before: Job | None, after: Job) -> None:
        """Take note of the files that a job lists now, and of the content it answers for."""
        if before is None:
            self._loans += [{"key": key, "job_id": after.id} for key in lent(after)]
            self._telling.more_bytes += own_bytes(after)
        elif before.artifacts is not after.artifacts:
            new = lent(after) - lent(before)
            self._loans += [{"key": key, "job_id": after.id} for key in new]
            self._telling.more_bytes += own_bytes(after) - own_bytes(before)
        said = answers(before, after)
        if said is None:
            return
        kept = self._kept[after.id]
        # Looked up only where it matters: a follower that ends must not lock its leader.
        held = self.answering(after.content) if said else None
        if held is not None:
            self._kept[held.id].answers = False
            self._kept[held.id].changed = True
        if said or kept.answers:
            self._answering[after.content] = after.id if said else None
            kept.answers = said

    def remove(self, job_ids: Sequence[str]) -> Sequence[Job]:
        """Delete jobs that were read here, with their events and keys.

        Returns them, each with the files that go with it. Two transactions that did so at once
        would each leave to the other a file that jobs of both list.
        """
        self.exclude(_FORGETTING)
        self._flush_rows()
        if self._telling.concerns(job_ids):
            self._telling.flush(self.stored)
        removed = [self.give(job_id) for job_id in job_ids]
        for job_id in job_ids:
            job = self._kept.pop(job_id).job
            self._tallies.count(job, -1)
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
        self._telling.more_bytes -= sum(
            f.size for job in gone for f in (*job.inputs, *job.artifacts)
        )
        return gone

    def _listed(self, keys: Collection[str]) -> frozenset[str]:
        """Those of these files that a job lists."""
        makers = {maker(key) for key in keys}
        self._load_jobs(makers)
        made = {a.key for i in makers if (kept := self._kept.get(i)) for a in kept.job.artifacts}
        for some in parts(keys):
            made.update(row.key for row in direct.rows(self.connection, LENT, {"keys": some}))
        return frozenset(made)

    def known(self, user: str, key: str) -> tuple[str, str] | None:
        """The digest and job id that this key led to, unless that is too long ago."""
        return self._keys.known(user, key, self.now)

    def remember(self, job: Job, key: IdempotencyKey) -> None:
        """Store that this key led to this job."""
        self._keys.remember(job, key, self.now())

    def pass_by(self) -> None:
        """Delete what the fair order needs no more."""
        self._places.pass_by()

    def _tag(self, job_id: str) -> int:
        """The job's place in its lane."""
        self._take_places()
        return self._kept[job_id].tag

    def _take_places(self) -> None:
        entering, self._entering = self._entering, []
        for job_id, tag in self._places.take(entering).items():
            self._kept[job_id].tag = tag

    def flush(self) -> None:
        """Write all that was added, changed, placed, counted, remembered and told."""
        self._flush_rows()
        # Last, because from here to the commit nobody else can tell anything.
        self._telling.flush(self.stored)

    def _flush_rows(self) -> None:
        self._flush_jobs()
        self._places.flush()
        self._tallies.flush()
        self._keys.flush()
        self._bulk.lend(self.connection, self._loans)
        self._loans.clear()

    def _flush_jobs(self) -> None:
        self._take_places()
        new, changed = [], []
        for kept in self._kept.values():
            if kept.new:
                new.append(job_row(kept.job, kept.tag, kept.answers))
            elif kept.changed:
                changed.append(job_row(kept.job, kept.tag, kept.answers))
            kept.new = kept.changed = False
        # Who answers for a content no more lets go of it before another takes it; and two groups
        # that take several take them in one order.
        for rows in (changed, new):
            rows.sort(key=lambda row: row["answers"] or "")
        self._bulk.change(self.connection, changed)
        self._bulk.add(self.connection, new)
