"""The ledgers side by side: the same commands at the same times must look the same from outside."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from operator import methodcaller
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, create_engine, text

from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import (
    Cancel,
    Command,
    Expire,
    Fail,
    Finish,
    GiveBack,
    Job,
    Reap,
    Recover,
    Revive,
    State,
)
from kinesphere.ports import Hold, IdempotencyKey, JobQuery, Ledger, Standing
from tests.clock import VirtualClock
from tests.contracts.ledger import Jobs, RecordingFeed, artifact
from tests.postgres import postgres

POOLS = ("shape", "texture")
users = st.sampled_from(("ada", "bob", "cyd"))
pools = st.sampled_from(POOLS)
places = st.integers(0, 40)


class LedgersAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = VirtualClock()
        self.feeds = (RecordingFeed(), RecordingFeed())
        self.sql = self.loop.run_until_complete(self.opened())
        self.ledgers: tuple[Ledger, ...] = (MemoryLedger(self.clock, self.feeds[0]), self.sql)
        self.jobs = Jobs(self.clock)
        self.known: dict[str, Job] = {}
        self.holds: list[Hold] = []
        self.files: dict[str, int] = {}
        self.spoilt = False

    async def opened(self) -> SqlLedger:
        url = f"sqlite:///{self.directory.name}/ledger.db"
        return await SqlLedger.open(url, self.clock, self.feeds[1])

    def teardown(self) -> None:
        self.loop.run_until_complete(self.sql.close())
        self.loop.close()
        self.directory.cleanup()

    def both(self, ask: Callable[[Ledger], Awaitable[Any]]) -> Any:
        async def outcome(ledger: Ledger) -> Any:
            try:
                return await ask(ledger)
            except Exception as error:
                return (type(error), str(error))

        memory, sql = (self.loop.run_until_complete(outcome(ledger)) for ledger in self.ledgers)
        assert memory == sql
        return memory

    def keep(self, jobs: tuple[Job, ...]) -> None:
        self.known.update((job.id, job) for job in jobs)

    def pick(self, place: int) -> Job | None:
        ids = sorted(self.known)
        return self.known[ids[place % len(ids)]] if ids else None

    @initialize(number=st.integers(0, 6))
    def begin(self, number: int) -> None:
        for _ in range(number):
            self.submit("ada", 5, POOLS, None, False, None, "d", "c")

    @rule(
        user=users,
        priority=st.sampled_from((5, 5, 5, 9)),
        pools=st.sampled_from((POOLS, POOLS[:1], POOLS[1:])),
        deadline=st.none() | st.floats(0, 60),
        alone=st.sampled_from((False, False, True)),
        key=st.none() | st.sampled_from("xy"),
        digest=st.sampled_from("de"),
        content=st.sampled_from(("", "c", "c", "g")),
    )
    def submit(
        self,
        user: str,
        priority: int,
        pools: tuple[str, ...],
        deadline: float | None,
        alone: bool,
        key: str | None,
        digest: str,
        content: str,
    ) -> None:
        due = None if deadline is None else self.clock.now() + deadline
        job = self.jobs(
            user,
            priority=priority,
            pools=pools,
            deadline=due,
            alone=alone,
            # What is asked for says which pools make it.
            content=content and content + pools[0] + pools[-1],
            request={"prompt": "walk", "seed": len(self.known), "seed_drawn": user != "cyd"},
        )
        named = None if key is None else IdempotencyKey(key, digest)
        missing = [key for key in self.files if self.spoilt][:1]
        self.spoilt = False
        submission = self.both(lambda ledger: ledger.submit(job, named, missing))
        if not isinstance(submission, tuple):
            self.keep((submission.job,))

    @rule(pool=pools, limit=st.integers(0, 5), lease=st.floats(1, 30), worker=users)
    def claim(self, pool: str, limit: int, lease: float, worker: str) -> None:
        batch = self.both(lambda ledger: ledger.claim(pool, worker, limit, lease))
        self.keep(batch)
        self.holds += [Hold(job.id, job.token, 0.25) for job in batch]

    @rule(
        place=places,
        stale=st.sampled_from((0, 0, 0, 1)),
        what=st.sampled_from(("finish", "fail", "fail", "give back", "crash", "spoil")),
    )
    def speak(self, place: int, stale: int, what: str) -> None:
        job = self.pick(place)
        if job is None:
            return
        token = job.token - stale
        commands: dict[str, Command] = {
            "finish": Finish(token, (artifact(job),), {"stage": job.stage}),
            "fail": Fail(token, Failure("ENGINE_FAILED", "It raised an error.")),
            "give back": GiveBack(token),
            "crash": Fail(token, Failure("ENGINE_CRASHED", "It died."), alone=True),
            "spoil": Fail(token, Failure("ENGINE_OUTPUT_INVALID", "It made nothing.")),
        }
        self.tell(job.id, commands[what])

    @rule(
        place=places,
        command=st.sampled_from(
            (Cancel(), Cancel(), Revive(), Revive(), Expire(), Reap(), Recover())
        ),
    )
    def order(self, place: int, command: Command) -> None:
        job = self.pick(place)
        self.tell("nobody" if job is None else job.id, command)

    def tell(self, job_id: str, command: Command) -> None:
        after = self.both(lambda ledger: ledger.apply(job_id, command))
        if isinstance(after, Job):
            self.keep((after,))

    @rule(lease=st.floats(0, 60))
    def extend(self, lease: float) -> None:
        standings = self.both(lambda ledger: ledger.extend(self.holds[-6:], lease))
        for job_id, standing in standings.items():
            moved = self.known[job_id].moved if standing is Standing.MOVED else None
            if moved is not None:
                self.holds.append(Hold(moved.job_id, moved.token, 0.5))

    @rule()
    def spoil(self) -> None:
        self.spoilt = True

    @rule(limit=st.integers(0, 4))
    def reap(self, limit: int) -> None:
        self.keep(self.both(lambda ledger: ledger.reap(limit)))

    @rule(prefix=st.sampled_from(("a", "b", "")))
    def recover(self, prefix: str) -> None:
        self.keep(self.both(lambda ledger: ledger.recover(prefix)))

    @rule(seconds=st.sampled_from((0.0, 0.5, 1.0, 10.0, 60.0)))
    def wait(self, seconds: float) -> None:
        self.clock.tick(seconds)

    @rule(age=st.floats(0, 30), limit=st.integers(0, 3))
    def forget(self, age: float, limit: int) -> None:
        before = self.clock.now() - age
        for job in self.both(lambda ledger: ledger.forget(before, limit)):
            self.known.pop(job.id, None)
            for file in job.artifacts:
                # Never the same file twice, and never one that a job lists.
                assert self.files.pop(file.key) == file.size

    @rule(
        user=st.none() | users,
        states=st.lists(st.sampled_from(State), max_size=3).map(tuple),
        limit=st.integers(0, 5),
        place=st.none() | places,
    )
    def page(
        self, user: str | None, states: tuple[State, ...], limit: int, place: int | None
    ) -> None:
        first = None if place is None else self.pick(place)
        query = JobQuery(user, states, before=first.id if first else None, limit=limit)
        self.both(lambda ledger: ledger.list(query))

    @invariant()
    def look_the_same(self) -> None:
        listed = self.both(lambda ledger: ledger.list(JobQuery(limit=1000)))
        assert {job.id for job in listed} == self.known.keys()
        self.keep(listed)
        self.runs_are_shared(listed)
        keys = [file.key for job in listed for file in job.artifacts]
        assert set(keys) == self.files.keys()
        assert self.both(lambda ledger: ledger.stored()) == sum(self.files.values())
        self.both(lambda ledger: ledger.lent(sorted(self.files)))
        for content in {job.content for job in listed}:
            self.both(methodcaller("answering", content))
        self.both(lambda ledger: ledger.events(limit=10_000))
        self.both(lambda ledger: ledger.backlogs())
        counts = self.both(lambda ledger: ledger.counts())
        assert sum(counts.values()) == len(listed)
        assert self.feeds[0].told == self.feeds[1].told

    def runs_are_shared(self, listed: Sequence[Job]) -> None:
        for job in listed:
            self.files.update((file.key, file.size) for file in job.artifacts)
            if job.leader is not None:
                leader = self.known[job.leader]
                assert (job.state, leader.ended, leader.leader) == (State.QUEUED, False, None)
                assert (leader.content, leader.stage) == (job.content, job.stage)
                assert leader.artifacts == job.artifacts
                assert leader.precedence >= job.priority
        flying = [j.content for j in listed if j.content and not j.ended and j.leader is None]
        assert len(flying) == len(set(flying))


class Timed(SqlLedger):
    """A ledger on PostgreSQL whose time can be moved, which the database's cannot."""

    def _now(self, _connection: Connection) -> float:
        return self._clock.now()


class LedgersAgreeOnPostgres(LedgersAgree):
    url = ""

    async def opened(self) -> SqlLedger:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
        return await Timed.open(self.url, self.clock, self.feeds[1])


@pytest.mark.slow
def test_memory_and_postgres_agree() -> None:
    with postgres() as url:
        LedgersAgreeOnPostgres.url = url
        run_state_machine_as_test(
            LedgersAgreeOnPostgres, settings=settings(TestLedgersAgree.settings, max_examples=8)
        )


TestLedgersAgree = LedgersAgree.TestCase
TestLedgersAgree.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
