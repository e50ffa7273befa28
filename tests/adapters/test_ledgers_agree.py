"""The ledgers side by side: the same commands at the same times must look the same from outside."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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
from kinesphere.ports import Hold, IdempotencyKey, JobQuery, Ledger
from tests.clock import VirtualClock
from tests.contracts.ledger import Jobs, RecordingFeed, artifact

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
        url = f"sqlite:///{self.directory.name}/ledger.db"
        self.sql = self.loop.run_until_complete(SqlLedger.open(url, self.clock, self.feeds[1]))
        self.ledgers: tuple[Ledger, ...] = (MemoryLedger(self.clock, self.feeds[0]), self.sql)
        self.jobs = Jobs(self.clock)
        self.known: dict[str, Job] = {}
        self.holds: list[Hold] = []

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
            self.submit("ada", 5, POOLS, None, False, None, "d")

    @rule(
        user=users,
        priority=st.sampled_from((5, 5, 5, 9)),
        pools=st.sampled_from((POOLS, POOLS[:1], POOLS[1:])),
        deadline=st.none() | st.floats(0, 60),
        alone=st.sampled_from((False, False, True)),
        key=st.none() | st.sampled_from("xy"),
        digest=st.sampled_from("de"),
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
    ) -> None:
        due = None if deadline is None else self.clock.now() + deadline
        job = self.jobs(user, priority=priority, pools=pools, deadline=due, alone=alone)
        named = None if key is None else IdempotencyKey(key, digest)
        submission = self.both(lambda ledger: ledger.submit(job, named))
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
        command=st.sampled_from((Cancel(), Revive(), Revive(), Expire(), Reap(), Recover())),
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
        self.both(lambda ledger: ledger.extend(self.holds[-6:], lease))

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
        self.both(lambda ledger: ledger.events(limit=10_000))
        self.both(lambda ledger: ledger.backlogs())
        counts = self.both(lambda ledger: ledger.counts())
        assert sum(counts.values()) == len(listed)
        assert self.feeds[0].told == self.feeds[1].told


TestLedgersAgree = LedgersAgree.TestCase
TestLedgersAgree.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
