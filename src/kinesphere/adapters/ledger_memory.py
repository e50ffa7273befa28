"""The ledger in this process's memory: for tests, trials, and servers that need not remember.

It keeps its promises between the tasks of one event loop, because none of its methods waits in
the middle; nothing survives the process.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from math import inf
from typing import TypeAlias

from kinesphere.adapters.documents import copied, detached
from kinesphere.adapters.leases import renewed
from kinesphere.adapters.outbox_memory import MemoryOutbox
from kinesphere.adapters.ranking import Ranking
from kinesphere.adapters.searching import picked
from kinesphere.adapters.shared_runs import SharedRuns
from kinesphere.adapters.waiting import Lane, Queue, Waiting
from kinesphere.core.fairness import enters, start_tag
from kinesphere.core.jobs import (
    Claim,
    Command,
    Event,
    Expire,
    Job,
    Reap,
    Recover,
    Refused,
    Revive,
    State,
    WrongState,
)
from kinesphere.core.line import Look, ahead
from kinesphere.core.sharing import Change, accepted, revived, settled
from kinesphere.core.transitions import decide
from kinesphere.ports import (
    LINE_LOOK,
    SEARCH_LOOK,
    Backlog,
    Clock,
    Feed,
    Found,
    Hold,
    IdempotencyConflict,
    IdempotencyKey,
    JobQuery,
    JobUnknown,
    LedgerUnavailable,
    Line,
    Queued,
    Record,
    Standing,
    Submission,
)

_Change: TypeAlias = tuple[Job | None, Job, tuple[Event, ...]]


class MemoryLedger:
    """See `kinesphere.ports.Ledger`."""

    def __init__(self, clock: Clock, announce: Feed, key_seconds: float = 86_400.0) -> None:
        self._clock = clock
        self._announce = announce
        self._closed = False
        self.outbox = MemoryOutbox(clock, self._opened)
        self._jobs: dict[str, Job] = {}
        self._tags: dict[str, int] = {}
        self._ids: list[str] = []
        self._ids_of: defaultdict[str, list[str]] = defaultdict(list)
        self._key_seconds = key_seconds
        self._keys: dict[tuple[str, str], tuple[str, str, float]] = {}
        self._key_of: dict[str, tuple[str, str]] = {}
        self._runs = SharedRuns()
        self._lanes: defaultdict[tuple[str, int], Lane] = defaultdict(Lane)
        self._pools: defaultdict[str, Waiting] = defaultdict(Waiting)
        self._leases: Ranking[float] = Ranking()
        self._deadlines: Ranking[float] = Ranking()
        self._endings: Ranking[float] = Ranking()
        self._counts: Counter[tuple[str, str, State, bool]] = Counter()
        self._open: Counter[str] = Counter()
        self._records: list[Record] = []
        self._records_of: defaultdict[str, list[Record]] = defaultdict(list)
        self._seq = 0

    async def submit(
        self, job: Job, key: IdempotencyKey | None = None, missing: Collection[str] = ()
    ) -> Submission:
        """See the port."""
        self._opened()
        if key is not None and (known := self._known(job.user, key)) is not None:
            return Submission(detached(known), created=False)
        if job.state is not State.QUEUED:
            raise WrongState(f"{job.id} is {job.state}; only queued jobs are submitted")
        if job.id in self._jobs:
            raise Refused(f"{job.id} is known already")
        job, now = detached(job), self._clock.now()
        if key is not None:
            self._remember(job, key, now)
        insort(self._ids, job.id)
        insort(self._ids_of[job.user], job.id)
        changes = accepted(job, self._answering(job.content), now, missing)
        self._commit(self._changes(changes), now)
        return Submission(detached(self._jobs[job.id]), created=True)

    def _known(self, user: str, key: IdempotencyKey) -> Job | None:
        digest, job_id, at = self._keys.get((user, key.key), ("", "", -inf))
        if at <= self._clock.now() - self._key_seconds:
            return None
        if digest != key.digest:
            raise IdempotencyConflict(key.key)
        return self._jobs[job_id]

    def _remember(self, job: Job, key: IdempotencyKey, now: float) -> None:
        name = (job.user, key.key)
        if name in self._keys:
            self._key_of.pop(self._keys[name][1], None)
        self._keys[name] = (key.digest, job.id, now)
        self._key_of[job.id] = name

    async def replay(self, user: str, key: IdempotencyKey) -> Job | None:
        """See the port."""
        self._opened()
        known = self._known(user, key)
        return None if known is None else detached(known)

    async def answering(self, content: str) -> Job | None:
        """See the port."""
        self._opened()
        job = self._answering(content)
        return None if job is None else detached(job)

    def _answering(self, content: str) -> Job | None:
        job_id = self._runs.answering.get(content)
        return None if job_id is None else self._jobs[job_id]

    async def get(self, job_id: str) -> Job | None:
        """See the port."""
        self._opened()
        job = self._jobs.get(job_id)
        return None if job is None else detached(job)

    async def list(self, query: JobQuery) -> tuple[Job, ...]:
        """See the port."""
        self._opened()
        ids = self._ids if query.user is None else self._ids_of.get(query.user, [])
        end = len(ids) if query.before is None else bisect_left(ids, query.before)
        newest = (self._jobs[ids[i]] for i in range(end - 1, -1, -1))
        matching = (
            detached(job)
            for job in newest
            if (not query.states or job.state in query.states)
            and (query.task is None or job.task == query.task)
            and (query.model is None or job.model == query.model)
        )
        return tuple(islice(matching, max(query.limit, 0)))

    async def search(self, query: JobQuery, words: Sequence[str]) -> Found:
        """See the port."""
        looked = await self.list(replace(query, limit=SEARCH_LOOK))
        return picked(looked, len(looked), words, query.limit)

    async def claim(self, pool: str, worker: str, limit: int, lease: float) -> tuple[Job, ...]:
        """See the port."""
        self._opened()
        if pool not in self._pools:
            return ()
        now = self._clock.now()
        command = Claim(worker, now + lease)
        return self._decide([(job_id, command) for job_id in self._batch(pool, limit, now)], now)

    def _batch(self, name: str, limit: int, now: float) -> Sequence[str]:
        pool = self._pools[name]
        for job_id in pool.delayed.first(len(pool.delayed), lambda ready_at: ready_at > now):
            pool.delayed.drop(job_id)
            pool.ready.put(job_id, (-self._jobs[job_id].precedence, self._tags[job_id]))
        claimable = self._claimable(now)
        first = pool.ready.first(min(limit, 1), accept=claimable)
        if not first or self._jobs[first[0]].alone:
            return first
        return pool.ready.first(
            limit, accept=lambda job_id: claimable(job_id) and not self._jobs[job_id].alone
        )

    def _claimable(self, now: float) -> Callable[[str], bool]:
        def claimable(job_id: str) -> bool:
            job = self._jobs[job_id]
            return job.ready_at <= now and (job.deadline is None or job.deadline > now)

        return claimable

    async def apply(self, job_id: str, command: Command) -> Job:
        """See the port."""
        self._opened()
        if job_id not in self._jobs:
            raise JobUnknown(job_id)
        now = self._clock.now()
        self._commit(self._decided(job_id, command, now), now)
        return detached(self._jobs[job_id])

    async def extend(self, holds: Sequence[Hold], lease: float) -> Mapping[str, Standing]:
        """See the port."""
        self._opened()
        now = self._clock.now()
        return {hold.job_id: self._extended(hold, now, lease) for hold in holds}

    def _extended(self, hold: Hold, now: float, lease: float) -> Standing:
        job = self._jobs.get(hold.job_id)
        standing, after = renewed(job, hold, lease, now)
        if after is not None:
            self._commit([(job, after, ())], now)
        return standing

    async def reap(self, limit: int = 100) -> tuple[Job, ...]:
        """See the port."""
        self._opened()
        now = self._clock.now()
        lapsed = self._leases.first(limit, lambda lease_until: lease_until > now)
        missed = self._deadlines.first(limit - len(lapsed), lambda deadline: deadline > now)
        commands: list[tuple[str, Command]] = [(job_id, Reap()) for job_id in lapsed]
        return self._decide(commands + [(job_id, Expire()) for job_id in missed], now)

    async def recover(self, worker_prefix: str) -> tuple[Job, ...]:
        """See the port."""
        self._opened()
        running = sorted(self._leases.first(len(self._leases)))
        lost = [
            (job_id, Recover())
            for job_id in running
            if (self._jobs[job_id].worker or "").startswith(worker_prefix)
        ]
        return self._decide(lost, self._clock.now())

    async def events(
        self, after: int = 0, job_id: str | None = None, limit: int = 1000
    ) -> tuple[Record, ...]:
        """See the port."""
        self._opened()
        records = self._records if job_id is None else self._records_of.get(job_id, [])
        start = bisect_left(records, after + 1, key=lambda record: record.seq)
        return tuple(map(_told, records[start : start + max(limit, 0)]))

    async def backlogs(self) -> Mapping[str, Backlog]:
        """See the port."""
        self._opened()
        tallies: defaultdict[str, Counter[State]] = defaultdict(Counter)
        for (pool, _, state, led), jobs in self._counts.items():
            if state in (State.QUEUED, State.RUNNING) and not led:
                tallies[pool][state] += jobs
        now = self._clock.now()
        return {
            pool: Backlog(tally[State.QUEUED], tally[State.RUNNING], self._oldest(pool, now))
            for pool, tally in tallies.items()
        }

    def _oldest(self, pool: str, now: float) -> float | None:
        since = self._pools[pool].since
        first = since.first(1, lambda ready_at: ready_at > now, self._claimable(now))
        return self._jobs[first[0]].ready_at if first else None

    async def queue(self, pool: str, limit: int) -> tuple[Queued, ...]:
        """See the port."""
        self._opened()
        if pool not in self._pools:
            return ()
        waiting = (self._jobs[job_id] for job_id in self._pools[pool].queue.first(limit))
        return tuple(Queued(job.ready_at, job.deadline, job.weight) for job in waiting)

    async def line(self, job: Job) -> tuple[Line, ...]:
        """See the port."""
        self._opened()
        return tuple(self._line(job, pool) for pool in job.pools[job.stage :])

    def _line(self, job: Job, pool: str) -> Line:
        lane = self._lanes[pool, job.precedence]
        known = self._jobs.get(job.id)
        if known is not None and known.pool == pool and known.in_line:
            tag = self._tags[job.id]
        else:
            tag = start_tag(lane.virtual, lane.finishes.rank(job.user))
        queue = self._pools[pool].queue if pool in self._pools else Queue()
        before = queue.before(job.precedence, tag, job.id, LINE_LOOK)
        more = [each for each, _ in before[LINE_LOOK // 2 :]] if len(before) == LINE_LOOK else ()
        look = Look(len(before), sum(weight for _, weight in before), tag, more)
        loads = queue.loads()
        load = ahead(look, job.precedence, loads)
        running = sum(
            jobs
            for (each, _, state, _), jobs in self._counts.items()
            if each == pool and state is State.RUNNING
        )
        waiting = sum(each.jobs for each in loads.values())
        higher = sum(each.jobs for level, each in loads.items() if level > job.precedence)
        return Line(
            waiting=waiting,
            running=running,
            ahead=load.jobs,
            alike=load.jobs - higher,
            weight=load.weight,
            slack=max(0, tag - lane.virtual),
        )

    async def counts(self) -> Mapping[tuple[str, State], int]:
        """See the port."""
        self._opened()
        totals: Counter[tuple[str, State]] = Counter()
        for (_, model, state, _), jobs in self._counts.items():
            totals[model, state] += jobs
        return dict(totals)

    async def ended(self, after: float, limit: int = 1000) -> tuple[Job, ...]:
        """See the port."""
        self._opened()
        found = [(at, job) for job in self._jobs.values() if (at := job.finished_at or 0.0) > after]
        found.sort(key=lambda each: (each[0], each[1].id), reverse=True)
        return tuple(detached(job) for _, job in found[: max(limit, 0)])

    async def open_jobs(self, user: str) -> int:
        """See the port."""
        self._opened()
        return self._open[user]

    async def forget(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        """See the port."""
        self._opened()
        ids = self._endings.first(limit, lambda finished_at: finished_at >= before)
        forgotten = [self._forgotten(job_id) for job_id in ids]
        return self._runs.freed(forgotten, self._jobs)

    async def erase(self, job_id: str) -> Job | None:
        """See the port."""
        self._opened()
        job = self._jobs.get(job_id)
        if job is None:
            return None
        if not job.ended:
            raise WrongState(f"{job.id} is {job.state}; only ended jobs are erased")
        (gone,) = self._runs.freed([self._forgotten(job_id)], self._jobs)
        return gone

    async def lent(self, keys: Sequence[str]) -> frozenset[str]:
        """See the port."""
        self._opened()
        return frozenset(key for key in keys if key in self._runs.loans)

    async def stored(self) -> int:
        """See the port."""
        self._opened()
        return self._runs.bytes

    def _forgotten(self, job_id: str) -> Job:
        job = self._jobs.pop(job_id)
        self.outbox.forget(job_id)
        self._tags.pop(job_id, None)
        self._endings.drop(job_id)
        self._count(job, -1)
        ids = self._ids_of[job.user]
        for ordered in (self._ids, ids):
            del ordered[bisect_left(ordered, job_id)]
        if not ids:
            del self._ids_of[job.user]
        if (key := self._key_of.pop(job_id, None)) is not None:
            del self._keys[key]
        for record in self._records_of.pop(job_id):
            at = bisect_left(self._records, record.seq, key=lambda kept: kept.seq)
            del self._records[at]
        return job

    async def close(self) -> None:
        """See the port."""
        self._closed = True

    def _opened(self) -> None:
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")

    def _decide(self, commands: Iterable[tuple[str, Command]], now: float) -> tuple[Job, ...]:
        decided = []
        for job_id, command in commands:
            # One that waited for the run of another may have met its end with that one.
            with suppress(Refused):
                self._commit(self._decided(job_id, command, now), now)
                decided.append(job_id)
        return tuple(detached(self._jobs[job_id]) for job_id in decided)

    def _decided(self, job_id: str, command: Command, now: float) -> Sequence[_Change]:
        before = self._jobs[job_id]
        after, events = decide(before, command, now)
        if isinstance(command, Revive):
            return self._changes(revived(after, events, self._answering(after.content)))
        followers = [self._jobs[each] for each in self._runs.followers(job_id)]
        return self._changes(settled(before, after, events, followers, now))

    def _changes(self, changes: Sequence[Change]) -> Sequence[_Change]:
        found = []
        for after, events in changes:
            before = self._jobs.get(after.id)
            shared = before is None or after.notes is not before.notes
            found.append((before, detached(after) if shared else after, events))
        return found

    def _commit(self, changes: Sequence[_Change], now: float) -> None:
        records = []
        for before, after, events in changes:
            self._place(before, after)
            for event in events:
                self._seq += 1
                record = Record(self._seq, after.id, now, event)
                self._records.append(record)
                self._records_of[after.id].append(record)
                self.outbox.enter(after, record)
                records.append(_told(record))
        if records:
            self._announce.publish(records)

    def _place(self, before: Job | None, after: Job) -> None:
        lane = self._lanes[after.pool, after.precedence]
        self._runs.seen(before, after)
        if before is not None:
            self._count(before, -1)
            if before.in_line:
                self._pools[before.pool].leave(before.id)
                if after.state is State.RUNNING:
                    lane.claimed(self._tags[after.id])
        self._count(after, 1)
        self._jobs[after.id] = after
        if enters(before, after):
            self._tags[after.id] = lane.enter(after.user)
        elif before is not None and before.leader is not None and after.leader is None:
            self._tags[after.id] = self._tags[before.leader]
        queued = after.state is State.QUEUED
        if after.in_line:
            self._pools[after.pool].enter(after, self._tags[after.id])
        _rank(self._leases, after, after.lease_until)
        _rank(self._deadlines, after, after.deadline if queued else None)
        _rank(self._endings, after, after.finished_at)

    def _count(self, job: Job, change: int) -> None:
        kept = (job.pool, job.model, job.state, job.leader is not None)
        self._counts[kept] += change
        if not self._counts[kept]:
            del self._counts[kept]
        if not job.ended:
            self._open[job.user] += change
            if not self._open[job.user]:
                del self._open[job.user]


def _rank(ranking: Ranking[float], job: Job, rank: float | None) -> None:
    if rank is None:
        ranking.drop(job.id)
    else:
        ranking.put(job.id, rank)


def _told(record: Record) -> Record:
    event = Event(record.event.kind, copied(record.event.data))
    return Record(record.seq, record.job_id, record.at, event)
