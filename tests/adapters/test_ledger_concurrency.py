"""Several ledgers on one PostgreSQL, each with an event loop and a thread of its own."""

import asyncio
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, create_engine, event, text
from ulid import ULID

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.sql.operations import TO_CLAIM
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Cancel, EventKind, Fail, Finish, Job, Refused, State
from kinesphere.ports import Hold, IdempotencyKey, JobQuery, LedgerUnavailable, Record
from tests.contracts.ledger import artifact
from tests.core.jobs import new_job
from tests.postgres import postgres

WRITERS = 8
LEASE = 30.0
Result = TypeVar("Result")
Work = Callable[[SqlLedger, int], Awaitable[Result]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def database(server: str) -> Iterator[Engine]:
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    yield engine
    engine.dispose()


async def _opened(url: str, work: Callable[[SqlLedger], Awaitable[Result]]) -> Result:
    ledger = await SqlLedger.open(url, SystemClock(), EmbeddedFeed())
    try:
        return await work(ledger)
    finally:
        await ledger.close()


def at_once(url: str, work: Work[Result], number: int = WRITERS) -> list[Result]:
    """What `work` returns from each of `number` ledgers that begin together."""
    results: dict[int, Result] = {}
    errors: list[BaseException] = []
    start = threading.Barrier(number)

    async def together(ledger: SqlLedger, place: int) -> Result:
        await asyncio.to_thread(start.wait)
        return await work(ledger, place)

    def run(place: int) -> None:
        try:
            results[place] = asyncio.run(_opened(url, partial(together, place=place)))
        except BaseException as error:
            start.abort()
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise ExceptionGroup("some ledgers failed", [e for e in errors if isinstance(e, Exception)])
    return [results[place] for place in range(number)]


def alone(url: str, work: Callable[[SqlLedger], Awaitable[Result]]) -> Result:
    return asyncio.run(_opened(url, work))


def fresh(user: str = "ada", **fields: Any) -> Job:
    return new_job(id=str(ULID()), user=user, **{"created_at": 0.0, "ready_at": 0.0, **fields})


async def submit_many(ledger: SqlLedger, number: int) -> None:
    await asyncio.gather(*(ledger.submit(fresh(f"user-{i % 7}")) for i in range(number)))


async def everything(ledger: SqlLedger) -> tuple[Sequence[Job], Sequence[Record]]:
    return await ledger.list(JobQuery(limit=100_000)), await ledger.events(limit=1_000_000)


def check_accounts(url: str, engine: Engine) -> tuple[Sequence[Job], Sequence[Record]]:
    """The sums that are kept are those of the jobs; the events have no hole; none is twice."""
    jobs, records = alone(url, everything)
    counted = Counter((job.model, job.state) for job in jobs)
    assert alone(url, SqlLedger.counts) == dict(counted)
    backlogs = alone(url, SqlLedger.backlogs)
    for pool in {job.pool for job in jobs}:
        here = [job for job in jobs if job.pool == pool]
        waiting = sum(job.in_line for job in here)
        running = sum(job.state is State.RUNNING for job in here)
        known = backlogs.get(pool)
        assert (known.waiting, known.running) == (waiting, running) if known else not waiting
    with engine.connect() as connection:
        head = connection.execute(text("SELECT seq, bytes FROM head")).one()
        weight = connection.execute(
            text("SELECT coalesce(sum(weight), 0) FROM tallies WHERE state = 'queued'")
        ).scalar_one()
    assert [record.seq for record in records] == list(range(1, head.seq + 1))
    assert weight == pytest.approx(sum(job.weight for job in jobs if job.in_line))
    own = {a.key: a.size for job in jobs for a in job.artifacts}
    assert head.bytes == sum(own.values())
    check_histories(records)
    return jobs, records


def check_histories(records: Sequence[Record]) -> None:
    """Of each job the events are in an order that its life can have."""
    tokens: defaultdict[str, int] = defaultdict(int)
    running: dict[str, bool] = {}
    for record in records:
        kind, data = record.event.kind, record.event.data
        if kind is EventKind.SUBMITTED:
            assert record.job_id not in running
            running[record.job_id] = False
        elif kind is EventKind.CLAIMED:
            assert not running[record.job_id]
            assert data["token"] == tokens[record.job_id] + 1, record
            tokens[record.job_id] += 1
            running[record.job_id] = True
        else:
            running[record.job_id] = False


@pytest.mark.slow
def test_each_job_is_claimed_once(server: str, database: Engine) -> None:
    alone(server, partial(submit_many, number=2_000))

    async def work(ledger: SqlLedger, place: int) -> list[str]:
        done: list[str] = []
        while batch := await ledger.claim("choreo", f"w{place}", 8, LEASE):
            await asyncio.gather(
                *(ledger.apply(job.id, Finish(job.token, (artifact(job),))) for job in batch)
            )
            done += [job.id for job in batch]
        return done

    finished = [job_id for done in at_once(server, work) for job_id in done]
    assert (len(finished), len(set(finished))) == (2_000, 2_000)
    jobs, records = check_accounts(server, database)
    assert {job.state for job in jobs} == {State.SUCCEEDED}
    assert len(records) == 6_000


def test_nobody_goes_away_from_a_job_that_another_lets_go(server: str, database: Engine) -> None:
    """Each claim looks at a whole batch, and takes of it one job that must be alone."""

    async def prepare(ledger: SqlLedger) -> None:
        await asyncio.gather(*(ledger.submit(fresh(alone=True)) for _ in range(WRITERS)))

    async def claim(ledger: SqlLedger, place: int) -> int:
        return len(await ledger.claim("choreo", f"w{place}", 8, LEASE))

    alone(server, prepare)
    assert at_once(server, claim) == [1] * WRITERS


def test_a_job_that_must_be_alone_is_a_batch(server: str, database: Engine) -> None:
    async def prepare(ledger: SqlLedger) -> None:
        for number in range(60):
            await ledger.submit(fresh(alone=number % 3 == 0))

    async def claim(ledger: SqlLedger, place: int) -> list[Sequence[Job]]:
        batches: list[Sequence[Job]] = []
        while batch := await ledger.claim("choreo", f"w{place}", 4, LEASE):
            batches.append(batch)
        return batches

    alone(server, prepare)
    batches = [batch for found in at_once(server, claim) for batch in found]
    assert sorted(len(batch) for batch in batches if any(job.alone for job in batch)) == [1] * 20
    assert len({job.id for batch in batches for job in batch}) == 60


MANY = """
    INSERT INTO jobs SELECT id || n, "user", task, model, pool, state, urgency, n, weight, alone,
        ready_at, deadline, worker, lease_until, finished_at, leader, answers, document
    FROM jobs, generate_series(1, 20000) AS numbers (n)
"""


def test_a_claim_reads_its_index_as_far_as_it_needs(server: str, database: Engine) -> None:
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "SKIP LOCKED" in statement:
            cursor.execute(f"EXPLAIN {statement}", parameters)
            steps.extend(row[0].split("(")[0].strip() for row in cursor.fetchall())

    alone(server, partial(submit_many, number=1))
    event.listen(database, "before_cursor_execute", explain)
    with database.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE jobs"))
        connection.execute(TO_CLAIM, {"pool": "choreo", "now": 1.0, "limit": 16})
    assert steps[:3] == ["Limit", "->  LockRows", "->  Index Scan using jobs_to_claim on jobs"]


@pytest.mark.parametrize("number", [1, 20])
def test_one_key_makes_one_job(server: str, database: Engine, number: int) -> None:
    async def submit(ledger: SqlLedger, place: int) -> list[str]:
        keys = [IdempotencyKey(f"key-{n}", "digest") for n in range(number)]
        random.Random(place).shuffle(keys)
        told = await asyncio.gather(*(ledger.submit(fresh(), key) for key in keys))
        return sorted({submission.job.id for submission in told})

    found = at_once(server, submit)
    assert all(ids == found[0] for ids in found)
    jobs, _ = check_accounts(server, database)
    assert sorted(job.id for job in jobs) == found[0]


@pytest.mark.parametrize("number", [1, 20])
def test_one_content_has_one_leader(server: str, database: Engine, number: int) -> None:
    async def submit(ledger: SqlLedger, place: int) -> None:
        contents = [f"content-{n}" for n in range(number)] * 3
        random.Random(place).shuffle(contents)
        await asyncio.gather(*(ledger.submit(fresh(content=content)) for content in contents))

    at_once(server, submit)
    jobs, _ = check_accounts(server, database)
    assert len(jobs) == 3 * number * WRITERS
    leaders = {job.content: job for job in jobs if job.leader is None}
    assert len(leaders) == sum(job.leader is None for job in jobs) == number
    assert all(job.leader == leaders[job.content].id for job in jobs if job.leader)


def test_what_is_served_already_is_served_to_all(server: str, database: Engine) -> None:
    async def prepare(ledger: SqlLedger) -> None:
        await ledger.submit(fresh(content="c"))
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        await ledger.apply(job.id, Finish(job.token, (artifact(job),)))

    async def submit(ledger: SqlLedger, place: int) -> list[bool]:
        told = [await ledger.submit(fresh(f"user-{place}", content="c")) for _ in range(10)]
        return [submission.job.cached for submission in told]

    alone(server, prepare)
    assert at_once(server, submit) == [[True] * 10] * WRITERS
    jobs, _ = check_accounts(server, database)
    assert {job.state for job in jobs} == {State.SUCCEEDED}


def test_places_in_the_fair_order_are_given_once(server: str, database: Engine) -> None:
    async def submit(ledger: SqlLedger, place: int) -> None:
        for _ in range(5):
            await asyncio.gather(*(ledger.submit(fresh("ada")) for _ in range(4)))

    at_once(server, submit)
    with database.connect() as connection:
        tags = connection.execute(text("SELECT tag FROM jobs ORDER BY tag")).scalars().all()
    assert tags == list(range(20 * WRITERS))


@dataclass
class Chaos:
    """Random operations of one ledger, and what they told."""

    ledger: SqlLedger
    place: int
    chance: random.Random
    holds: list[Hold] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            acts = self.chance.choices(
                (self.submit, self.claim, self.settle, self.cancel, self.extend, self.sweep),
                weights=(6, 4, 5, 2, 1, 1),
                k=self.chance.randint(1, 6),
            )
            await asyncio.gather(*(self.dare(act) for act in acts))

    async def dare(self, act: Callable[[], Awaitable[None]]) -> None:
        with suppress(Refused):
            await act()

    async def submit(self) -> None:
        content = self.chance.choice(("", "", "x", "y", "z"))
        pools = ("shape", "texture") if content else ("choreo",)
        named = IdempotencyKey(f"k{self.chance.randrange(30)}", "d")
        job = fresh(
            f"user-{self.chance.randrange(4)}",
            content=content,
            pools=pools,
            priority=self.chance.choice((5, 5, 9)),
            alone=self.chance.random() < 0.2,
            weight=self.chance.choice((1.0, 2.5)),
            webhook="http://there.example/" if self.chance.random() < 0.2 else None,
        )
        key = named if self.chance.random() < 0.3 else None
        self.ids.append((await self.ledger.submit(job, key)).job.id)

    async def claim(self) -> None:
        pool = self.chance.choice(("choreo", "shape", "texture"))
        lease = self.chance.choice((0.0, LEASE))
        batch = await self.ledger.claim(pool, f"w{self.place}", self.chance.randint(1, 5), lease)
        self.holds += [Hold(job.id, job.token, 0.5) for job in batch]

    async def settle(self) -> None:
        if not self.holds:
            return
        hold = self.holds.pop(self.chance.randrange(len(self.holds)))
        job = await self.ledger.get(hold.job_id)
        if job is None or job.token != hold.token:
            return
        failure = Failure("ENGINE_FAILED", "It raised an error.")
        command = self.chance.choice(
            (Finish(hold.token, (artifact(job),)), Fail(hold.token, failure))
        )
        await self.ledger.apply(hold.job_id, command)

    async def cancel(self) -> None:
        if self.ids:
            await self.ledger.apply(self.chance.choice(self.ids), Cancel())

    async def extend(self) -> None:
        await self.ledger.extend(self.holds[-6:], LEASE)

    async def sweep(self) -> None:
        await self.ledger.reap(self.chance.randint(1, 20))
        await self.ledger.outbox.claim(4, LEASE, {}, 100)


class Reader:
    """Goes on after the last event that it saw, as the feeds do, from a thread of its own."""

    def __init__(self, url: str) -> None:
        self.seen: list[int] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: alone(url, self._read))

    async def _read(self, ledger: SqlLedger) -> None:
        last_look = False
        while not last_look:
            last_look = self._over.is_set()
            after = self.seen[-1] if self.seen else 0
            while found := await ledger.events(after, limit=100):
                self.seen += [record.seq for record in found]
                after = self.seen[-1]

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_at_once_the_accounts_are_right(
    server: str, database: Engine, seed: int
) -> None:
    async def work(ledger: SqlLedger, place: int) -> None:
        await Chaos(ledger, place, random.Random(100 * seed + place)).run(40)

    alone(server, partial(submit_many, number=1))
    with Reader(server) as reader:
        at_once(server, work, 6)
    _, records = check_accounts(server, database)
    assert reader.seen == [record.seq for record in records]


@pytest.mark.slow
def test_connections_that_die_leave_nothing_half_done(server: str, database: Engine) -> None:
    class Shaken(Chaos):
        async def dare(self, act: Callable[[], Awaitable[None]]) -> None:
            with suppress(LedgerUnavailable):
                await super().dare(act)

    begun, over = threading.Event(), threading.Event()

    def kill() -> None:
        chance = random.Random(7)
        begun.wait()
        while not over.wait(chance.uniform(0.02, 0.1)):
            with database.begin() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' "
                        "ORDER BY random() LIMIT 2"
                    )
                )

    async def work(ledger: SqlLedger, place: int) -> None:
        begun.set()
        await Shaken(ledger, place, random.Random(place)).run(40)

    alone(server, partial(submit_many, number=1))
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        at_once(server, work, 4)
    finally:
        begun.set()
        over.set()
        killer.join()
    check_accounts(server, database)


def test_reads_go_on_when_every_connection_was_cut(server: str, database: Engine) -> None:
    async def read(ledger: SqlLedger) -> list[str]:
        job = new_job()
        await ledger.submit(job)
        # Each of the readers has a connection that it keeps.
        await asyncio.gather(*(ledger.get(job.id) for _ in range(8)), ledger.line(job))
        with database.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        found = await asyncio.gather(*(ledger.get(job.id) for _ in range(8)))
        await ledger.line(job)
        return [each.id for each in found if each is not None]

    assert asyncio.run(_opened(server, read)) == [new_job().id] * 8
