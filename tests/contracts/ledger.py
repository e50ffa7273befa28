"""The contract of `kinesphere.ports.Ledger`, sentence by sentence."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import (
    ArtifactRef,
    Cancel,
    EventKind,
    Expire,
    Fail,
    Finish,
    GiveBack,
    Job,
    Refused,
    Revive,
    StaleToken,
    State,
    WrongState,
)
from kinesphere.core.searching import words_of
from kinesphere.ports import (
    LINE_LOOK,
    Backlog,
    Hold,
    IdempotencyConflict,
    IdempotencyKey,
    JobQuery,
    JobUnknown,
    Ledger,
    LedgerUnavailable,
    Line,
    Record,
    Standing,
)
from tests.clock import VirtualClock
from tests.contracts.sharing import SharingContract

LEASE = 30.0
FAILURE = Failure("ENGINE_FAILED", "It raised an error.")


class RecordingFeed(EmbeddedFeed):
    """The embedded feed, which keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Record] = []

    def publish(self, records: Sequence[Record]) -> None:
        self.told += records
        super().publish(records)


class Jobs:
    """Makes jobs with ids that ascend."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._numbers = count(1)

    def __call__(self, user: str = "ada", **fields: Any) -> Job:
        now = self._clock.now()
        given = {
            "id": f"{next(self._numbers):026d}",
            "task": "motion",
            "model": "choreo",
            "model_version": "1",
            "user": user,
            "request": {"prompt": "走 walk", "duration": 4.0, "seed": 2**63, "tags": [{"a": None}]},
            "pools": ("choreo",),
            "created_at": now,
            "ready_at": now,
        }
        return Job(**{**given, **fields})


def job_of(jobs: Sequence[Job], job_id: str) -> Job:
    return next(job for job in jobs if job.id == job_id)


def artifact(job: Job) -> ArtifactRef:
    key = f"{job.id}/{job.token}/motion.bvh"
    return ArtifactRef(key, "motion.bvh", "text/x-bvh", 12, "0" * 64, job.stage)


class LedgerContract(SharingContract):
    """Subclasses give a fixture `ledger`, made with the fixtures `clock` and `feed`."""

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock()

    @pytest.fixture
    def feed(self) -> RecordingFeed:
        return RecordingFeed()

    @pytest.fixture
    def jobs(self, clock: VirtualClock) -> Jobs:
        return Jobs(clock)

    # ------------------------------------------------------------------------------- submit

    async def test_a_submitted_job_is_kept_as_it_was(self, ledger: Ledger, jobs: Jobs) -> None:
        job = jobs(notes={"nested": {"deep": [1, 2.5, -0.0, "x", True, None]}}, deadline=2e9)
        submission = await ledger.submit(job)
        assert (submission.job, submission.created) == (job, True)
        assert await ledger.get(job.id) == job
        assert await ledger.get("nobody") is None

    async def test_returned_jobs_are_values(self, ledger: Ledger, jobs: Jobs) -> None:
        job = jobs(request={"list": [1]}, notes={"list": [1]})
        given = await ledger.submit(job)
        stored = await ledger.get(job.id)
        assert stored is not None
        (listed,) = await ledger.list(JobQuery())
        for seen in (job, given.job, stored, listed):
            for mapping in (seen.request, seen.notes):
                inner = mapping["list"]
                assert isinstance(inner, list)
                inner.append(2)
        again = await ledger.get(job.id)
        assert again is not None
        assert (again.request, again.notes) == ({"list": [1]}, {"list": [1]})

    async def test_operations_in_one_group_do_not_share_values(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        key = IdempotencyKey("k", "d")
        submissions = await asyncio.gather(*(ledger.submit(jobs(), key) for _ in range(5)))
        assert len({id(submission.job.request) for submission in submissions}) == 5

    async def test_notes_that_the_holder_keeps_are_not_shared(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        await ledger.submit(jobs())
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        words: list[Any] = ["walk"]
        await ledger.apply(job.id, Finish(job.token, (), {"understood": words}))
        words.append("run")
        stored = await ledger.get(job.id)
        assert stored is not None
        assert stored.notes == {"understood": ["walk"]}

    async def test_a_known_key_leads_to_the_job_it_made(self, ledger: Ledger, jobs: Jobs) -> None:
        key = IdempotencyKey("k", "digest")
        first = await ledger.submit(jobs(), key)
        await ledger.apply(first.job.id, Cancel())
        again = await ledger.submit(jobs(), key)
        assert not again.created
        assert again.job == await ledger.get(first.job.id)
        assert len(await ledger.list(JobQuery())) == 1

    async def test_keys_are_per_user(self, ledger: Ledger, jobs: Jobs) -> None:
        key = IdempotencyKey("k", "digest")
        assert (await ledger.submit(jobs("ada"), key)).created
        assert (await ledger.submit(jobs("bob"), key)).created

    async def test_a_key_with_another_body_is_a_conflict(self, ledger: Ledger, jobs: Jobs) -> None:
        await ledger.submit(jobs(), IdempotencyKey("k", "one"))
        with pytest.raises(IdempotencyConflict):
            await ledger.submit(jobs(), IdempotencyKey("k", "two"))
        assert await ledger.counts() == {("choreo", State.QUEUED): 1}

    async def test_concurrent_submits_with_one_key_make_one_job(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        key = IdempotencyKey("k", "d")
        submissions = await asyncio.gather(*(ledger.submit(jobs(), key) for _ in range(20)))
        assert [submission.created for submission in submissions].count(True) == 1
        assert len({submission.job.id for submission in submissions}) == 1

    async def test_an_id_is_used_once(self, ledger: Ledger, jobs: Jobs) -> None:
        job = jobs()
        await ledger.submit(job)
        neighbours = [ledger.submit(jobs()), ledger.submit(job), ledger.submit(jobs())]
        outcomes = await asyncio.gather(*neighbours, return_exceptions=True)
        assert [isinstance(outcome, Refused) for outcome in outcomes] == [False, True, False]
        assert len(await ledger.list(JobQuery())) == 3

    async def test_only_queued_jobs_are_submitted(self, ledger: Ledger, jobs: Jobs) -> None:
        with pytest.raises(WrongState):
            await ledger.submit(jobs(state=State.RUNNING), IdempotencyKey("k", "d"))
        assert (await ledger.submit(jobs(), IdempotencyKey("k", "d"))).created

    async def test_what_is_not_json_is_not_accepted(self, ledger: Ledger, jobs: Jobs) -> None:
        outcomes = await asyncio.gather(
            ledger.submit(jobs(request={"x": object()})),
            ledger.submit(jobs()),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], TypeError)
        assert len(await ledger.list(JobQuery())) == 1

    # -------------------------------------------------------------------------------- claim

    async def claimed(self, ledger: Ledger, limit: int = 1, pool: str = "choreo") -> list[str]:
        return [job.id for job in await ledger.claim(pool, "w", limit, LEASE)]

    async def test_a_claim_gives_token_and_lease(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        await ledger.submit(jobs())
        clock.tick(5)
        (job,) = await ledger.claim("choreo", "worker-1", 8, LEASE)
        assert (job.state, job.token, job.worker) == (State.RUNNING, 1, "worker-1")
        assert job.lease_until == clock.now() + LEASE
        assert await ledger.get(job.id) == job
        assert await self.claimed(ledger) == []

    async def test_a_claim_takes_at_most_its_limit(self, ledger: Ledger, jobs: Jobs) -> None:
        for _ in range(5):
            await ledger.submit(jobs())
        assert await self.claimed(ledger, limit=0) == []
        assert len(await self.claimed(ledger, limit=3)) == 3
        assert len(await self.claimed(ledger, limit=3)) == 2

    async def test_claims_are_of_one_pool(self, ledger: Ledger, jobs: Jobs) -> None:
        await ledger.submit(jobs(pools=("other",)))
        assert await self.claimed(ledger) == []
        assert len(await self.claimed(ledger, pool="other")) == 1

    async def test_two_claims_never_return_the_same_job(self, ledger: Ledger, jobs: Jobs) -> None:
        await asyncio.gather(*(ledger.submit(jobs()) for _ in range(100)))
        batches = await asyncio.gather(*(self.claimed(ledger, limit=7) for _ in range(20)))
        claimed = [job_id for batch in batches for job_id in batch]
        assert (len(claimed), len(set(claimed))) == (100, 100)

    async def test_the_highest_priority_is_first(self, ledger: Ledger, jobs: Jobs) -> None:
        made = [jobs(priority=priority) for priority in (5, 0, 9, 5)]
        for job in made:
            await ledger.submit(job)
        assert await self.claimed(ledger, 4) == [made[i].id for i in (2, 0, 3, 1)]

    async def test_a_thousand_jobs_delay_another_user_by_one(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        await asyncio.gather(*(ledger.submit(jobs("many")) for _ in range(1000)))
        one = jobs("one")
        await ledger.submit(one)
        first = await self.claimed(ledger, 2)
        assert one.id in first

    async def test_busy_users_take_turns(self, ledger: Ledger, jobs: Jobs) -> None:
        for user in "aaaabbbbcc":
            await ledger.submit(jobs(user))
        batch = await ledger.claim("choreo", "w", 10, LEASE)
        assert "".join(job.user for job in batch) == "abcabcabab"

    async def test_a_user_gains_nothing_by_having_been_away(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        for _ in range(10):
            await ledger.submit(jobs("a"))
        assert len(await self.claimed(ledger, 6)) == 6
        for user in "bbb":
            await ledger.submit(jobs(user))
        batch = await ledger.claim("choreo", "w", 10, LEASE)
        assert "".join(job.user for job in batch) == "bababaa"

    async def test_fair_shares_are_of_one_pool_and_priority(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        for _ in range(3):
            await ledger.submit(jobs("a", priority=9))
            await ledger.submit(jobs("a", pools=("other",)))
        own, others = jobs("a"), jobs("b")
        await ledger.submit(own)
        await ledger.submit(others)
        await self.claimed(ledger, 3)
        assert await self.claimed(ledger, 2) == [own.id, others.id]

    async def test_a_job_that_failed_keeps_its_place(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        for user in "aab":
            await ledger.submit(jobs(user))
        (first,) = await ledger.claim("choreo", "w", 1, LEASE)
        await ledger.apply(first.id, Fail(first.token, FAILURE))
        assert first.id not in await self.claimed(ledger, 1)
        clock.tick(1)
        assert await self.claimed(ledger, 1) == [first.id]

    async def test_a_revived_job_takes_a_new_place(self, ledger: Ledger, jobs: Jobs) -> None:
        dead = jobs("a")
        await ledger.submit(dead)
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        fatal = Failure("ENGINE_OUTPUT_INVALID", "")
        await ledger.apply(job.id, Fail(job.token, fatal))
        waiting = [jobs("a"), jobs("b")]
        for other in waiting:
            await ledger.submit(other)
        await ledger.apply(dead.id, Revive())
        assert await self.claimed(ledger, 3) == [waiting[1].id, waiting[0].id, dead.id]

    async def test_the_next_stage_waits_in_its_own_pool(self, ledger: Ledger, jobs: Jobs) -> None:
        for user in "aab":
            await ledger.submit(jobs(user, pools=("shape", "texture")))
        batch = await ledger.claim("shape", "w", 3, LEASE)
        for job in sorted(batch, key=lambda job: job.id):
            onward = await ledger.apply(job.id, Finish(job.token, (artifact(job),)))
            assert (onward.pool, onward.state) == ("texture", State.QUEUED)
        assert await self.claimed(ledger, 3, "shape") == []
        last = await ledger.claim("texture", "w", 3, LEASE)
        assert [job.user for job in last] == ["a", "b", "a"]
        done = await ledger.apply(last[0].id, Finish(last[0].token, (artifact(last[0]),)))
        assert done.state is State.SUCCEEDED
        assert [made.stage for made in done.artifacts] == [0, 1]

    async def test_a_job_alone_is_a_batch_when_it_is_first(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        made = [jobs(alone=alone) for alone in (True, False, True, False)]
        for job in made:
            await ledger.submit(job)
        assert await self.claimed(ledger, 4) == [made[0].id]
        assert await self.claimed(ledger, 4) == [made[1].id, made[3].id]
        assert await self.claimed(ledger, 4) == [made[2].id]

    async def test_jobs_alone_do_not_make_a_batch_smaller(self, ledger: Ledger, jobs: Jobs) -> None:
        made = [jobs(alone=0 < i < 5) for i in range(8)]
        for job in made:
            await ledger.submit(job)
        assert await self.claimed(ledger, 3) == [made[i].id for i in (0, 5, 6)]

    async def test_what_backs_off_is_passed_over_until_it_is_ready(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        await ledger.submit(jobs())
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        failed = await ledger.apply(job.id, Fail(job.token, FAILURE))
        clock.tick(failed.ready_at - clock.now() - 0.001)
        assert await self.claimed(ledger) == []
        clock.tick(0.002)
        assert await self.claimed(ledger) == [job.id]

    async def test_what_is_past_its_deadline_is_passed_over(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        late, other = jobs(deadline=clock.now() + 5), jobs()
        await ledger.submit(late)
        await ledger.submit(other)
        clock.tick(5)
        assert await self.claimed(ledger, 5) == [other.id]

    # -------------------------------------------------------------------------------- apply

    async def test_commands_on_unknown_jobs(self, ledger: Ledger) -> None:
        with pytest.raises(JobUnknown):
            await ledger.apply("nobody", Cancel())

    async def test_a_stale_token_changes_nothing(self, ledger: Ledger, jobs: Jobs) -> None:
        await ledger.submit(jobs())
        (old,) = await ledger.claim("choreo", "one", 1, LEASE)
        await ledger.apply(old.id, GiveBack(old.token))
        (new,) = await ledger.claim("choreo", "two", 1, LEASE)
        for command in (Finish(old.token, ()), Fail(old.token, FAILURE), GiveBack(old.token)):
            with pytest.raises(StaleToken):
                await ledger.apply(old.id, command)
        assert await ledger.get(new.id) == new

    async def test_a_refusal_reaches_its_caller_alone(self, ledger: Ledger, jobs: Jobs) -> None:
        job = jobs()
        await ledger.submit(job)
        outcomes = await asyncio.gather(
            ledger.submit(jobs()),
            ledger.apply(job.id, Cancel()),
            ledger.apply(job.id, Cancel()),
            ledger.apply("nobody", Cancel()),
            ledger.submit(jobs()),
            return_exceptions=True,
        )
        kinds = [type(outcome).__name__ for outcome in outcomes]
        assert kinds == ["Submission", "Job", "WrongState", "JobUnknown", "Submission"]

    # ------------------------------------------------------------------------------- leases

    async def test_extend_tells_how_each_hold_stands(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        for _ in range(4):
            await ledger.submit(jobs())
        held, cancelled, returned, done = await ledger.claim("choreo", "w", 4, LEASE)
        await ledger.apply(cancelled.id, Cancel())
        await ledger.apply(returned.id, GiveBack(returned.token))
        await ledger.apply(done.id, Finish(done.token, ()))
        before = await ledger.events()
        clock.tick(10)
        holds = [Hold(job.id, job.token, 0.5) for job in (held, cancelled, returned, done)]
        standings = await ledger.extend([*holds, Hold("nobody", 1)], 60.0)
        assert standings == {
            held.id: Standing.HELD,
            cancelled.id: Standing.CANCELLED,
            returned.id: Standing.LOST,
            done.id: Standing.LOST,
            "nobody": Standing.LOST,
        }
        extended = await ledger.get(held.id)
        assert extended == replace(held, lease_until=clock.now() + 60.0, progress=0.5)
        assert await ledger.events() == before

    async def test_extend_keeps_a_job_from_the_reaper(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        await ledger.submit(jobs())
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        clock.tick(LEASE - 1)
        await ledger.extend([Hold(job.id, job.token)], LEASE)
        clock.tick(LEASE - 1)
        assert await ledger.reap() == ()
        clock.tick(1)
        (lapsed,) = await ledger.reap()
        assert (lapsed.id, lapsed.state, lapsed.alone) == (job.id, State.QUEUED, True)
        assert await ledger.get(job.id) == lapsed

    async def test_a_lease_lost_too_often_fails_the_job(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        await ledger.submit(jobs())
        for _ in range(3):
            clock.tick(100)
            assert len(await self.claimed(ledger)) == 1
            clock.tick(LEASE)
            (lapsed,) = await ledger.reap()
        assert (lapsed.state, lapsed.failure and lapsed.failure.code) == (
            State.FAILED,
            "LEASE_LOST",
        )

    async def test_reap_expires_missed_deadlines(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        late = jobs(deadline=clock.now() + 5)
        await ledger.submit(late)
        await ledger.submit(jobs(deadline=clock.now() + 6))
        clock.tick(5)
        (expired,) = await ledger.reap()
        assert (expired.id, expired.state) == (late.id, State.EXPIRED)
        with pytest.raises(WrongState):
            await ledger.apply(late.id, Expire())

    async def test_reap_changes_at_most_its_limit(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        for _ in range(5):
            await ledger.submit(jobs())
        await self.claimed(ledger, 5)
        for _ in range(5):
            await ledger.submit(jobs(deadline=clock.now() + 1))
        clock.tick(LEASE)
        sizes = [len(await ledger.reap(3)) for _ in range(5)]
        assert sizes == [3, 3, 3, 1, 0]

    async def test_recover_takes_the_jobs_of_a_dead_server(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        workers = ("host-1/a", "HOST-1/a", "host-1/b", "host_1/a", "host-10/a")
        for worker in workers:
            await ledger.submit(jobs())
            await ledger.claim("choreo", worker, 1, LEASE)
        await ledger.submit(jobs())
        lost = await ledger.recover("host-1/")
        assert [job.id for job in lost] == [f"{i:026d}" for i in (1, 3)]
        assert {(job.state, job.losses, job.attempts) for job in lost} == {(State.QUEUED, 1, 0)}
        assert len(await ledger.recover("")) == 3

    # ------------------------------------------------------------------------------- events

    async def test_every_change_is_stored_and_told_in_order(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock, feed: RecordingFeed
    ) -> None:
        job = jobs()
        await ledger.submit(job)
        clock.tick(2)
        (held,) = await ledger.claim("choreo", "w", 1, LEASE)
        clock.tick(2)
        await ledger.apply(job.id, Finish(held.token, (artifact(held),)))
        records = await ledger.events()
        assert [record.event.kind for record in records] == [
            EventKind.SUBMITTED,
            EventKind.CLAIMED,
            EventKind.SUCCEEDED,
        ]
        start = job.created_at
        assert [record.at for record in records] == [start, start + 2, start + 4]
        assert records[1].event.data["waited"] == 2.0
        assert feed.told == list(records)

    async def test_a_change_is_told_before_its_caller_goes_on(
        self, ledger: Ledger, jobs: Jobs, feed: RecordingFeed
    ) -> None:
        async def submit() -> None:
            submission = await ledger.submit(jobs())
            assert submission.job.id in {record.job_id for record in feed.told}

        await asyncio.gather(*(submit() for _ in range(50)))
        assert feed.told == list(await ledger.events())
        assert [record.seq for record in feed.told] == sorted({r.seq for r in feed.told})

    async def test_events_are_paged_and_of_one_job(self, ledger: Ledger, jobs: Jobs) -> None:
        made = [jobs() for _ in range(4)]
        for job in made:
            await ledger.submit(job)
        await ledger.apply(made[1].id, Cancel())
        everything = await ledger.events()
        assert len(everything) == 5
        paged: list[Record] = []
        while page := await ledger.events(paged[-1].seq if paged else 0, limit=2):
            paged += page
        assert tuple(paged) == everything
        of_job = await ledger.events(job_id=made[1].id)
        assert [r.event.kind for r in of_job] == [EventKind.SUBMITTED, EventKind.CANCELLED]
        assert await ledger.events(of_job[0].seq, made[1].id) == of_job[1:]
        assert await ledger.events(job_id="nobody") == ()

    async def test_refusals_leave_no_events(self, ledger: Ledger, jobs: Jobs) -> None:
        job = jobs()
        await ledger.submit(job)
        with pytest.raises(StaleToken):
            await ledger.apply(job.id, Finish(1, ()))
        assert len(await ledger.events()) == 1

    async def test_a_caller_who_leaves_corrupts_nothing(
        self, ledger: Ledger, jobs: Jobs, feed: RecordingFeed
    ) -> None:
        tasks = [asyncio.create_task(ledger.submit(jobs())) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ledger.submit(jobs())
        kept = {job.id for job in await ledger.list(JobQuery())}
        assert {task.result().job.id for task in tasks if not task.cancelled()} <= kept
        assert {record.job_id for record in await ledger.events()} == kept
        assert feed.told == list(await ledger.events())

    # -------------------------------------------------------------------------------- lists

    async def test_lists_are_newest_first_in_pages(self, ledger: Ledger, jobs: Jobs) -> None:
        made = [jobs("ab"[i % 2], priority=i) for i in range(7)]
        for job in made:
            await ledger.submit(job)
        for query in (JobQuery(limit=2), JobQuery(limit=2, states=(State.QUEUED,))):
            paged: list[Job] = []
            while page := await ledger.list(replace(query, before=paged[-1].id if paged else None)):
                paged += page
            assert paged == made[::-1]
        assert await ledger.list(JobQuery(user="b")) == (made[5], made[3], made[1])
        assert await ledger.list(JobQuery(user="b", before=made[3].id)) == (made[1],)
        assert await ledger.list(JobQuery(limit=0)) == ()

    async def test_lists_select_by_state_task_and_model(self, ledger: Ledger, jobs: Jobs) -> None:
        made = [jobs(model=model) for model in ("one", "two", "one")]
        made.append(jobs("bob", task="mesh"))
        for job in made:
            await ledger.submit(job)
        cancelled = await ledger.apply(made[0].id, Cancel())

        async def found(**query: Any) -> list[str]:
            return [job.id for job in await ledger.list(JobQuery(**query))]

        assert await found(states=(State.CANCELLED,)) == [cancelled.id]
        assert await found(states=(State.CANCELLED, State.QUEUED)) == [j.id for j in made[::-1]]
        assert await found(states=(State.FAILED,)) == []
        assert await found(task="mesh") == [made[3].id]
        assert await found(model="one", states=(State.QUEUED,)) == [made[2].id]
        assert await found(user="ada", states=(State.QUEUED,)) == [made[2].id, made[1].id]
        assert await found(user="ada", task="mesh") == []

    # ------------------------------------------------------------------------------- counts

    async def test_backlogs(self, ledger: Ledger, jobs: Jobs, clock: VirtualClock) -> None:
        assert await ledger.backlogs() == {}
        start = clock.now()
        for _ in range(4):
            await ledger.submit(jobs())
            clock.tick(1)
        await ledger.submit(jobs(pools=("other",), deadline=clock.now() + 1))
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        assert await ledger.backlogs() == {
            "choreo": Backlog(3, 1, start + 1),
            "other": Backlog(1, 0, start + 4),
        }
        await ledger.apply(job.id, Fail(job.token, FAILURE))
        clock.tick(0.5)
        for waiting in await ledger.claim("choreo", "w", 8, LEASE):
            await ledger.apply(waiting.id, Finish(waiting.token, ()))
        assert (await ledger.backlogs())["choreo"] == Backlog(1, 0, None)
        clock.tick(0.5)
        assert await ledger.backlogs() == {
            "choreo": Backlog(1, 0, start + 5),
            "other": Backlog(1, 0, None),
        }

    # --------------------------------------------------------------------------------- line

    async def test_a_line_tells_what_is_claimed_before(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        made = []
        for turn in range(40):
            user, priority = "abcd"[turn * turn % 4], (5, 5, 5, 8, 2)[turn % 5]
            made.append(jobs(user=user, priority=priority, weight=1.0 + turn % 3))
            expected = await ledger.line(made[-1])
            await ledger.submit(made[-1])
            assert (await ledger.line(made[-1]))[0].ahead == expected[0].ahead
            if turn % 7 == 6:
                (job,) = await ledger.claim("choreo", "w", 1, LEASE)
                made.remove(job_of(made, job.id))
                if turn % 2:
                    await ledger.apply(job.id, Finish(job.token, ()))
        lines = {job.id: (await ledger.line(job))[0] for job in made}
        order = await ledger.claim("choreo", "w", 100, LEASE)
        for place, job in enumerate(order):
            line = lines[job.id]
            assert line.ahead == place
            assert line.weight == pytest.approx(sum(each.weight for each in order[:place]))
            assert (line.waiting, line.running) == (len(made), 5 - 2)
        assert len(order) == len(made)

    async def test_a_line_reaches_over_the_later_stages(self, ledger: Ledger, jobs: Jobs) -> None:
        pools = ("shape", "texture")
        for _ in range(3):
            await ledger.submit(jobs(user="bob", pools=pools))
        for job in await ledger.claim("shape", "w", 2, LEASE):
            await ledger.apply(job.id, Finish(job.token, ()))
        mine = jobs(pools=pools, weight=4.0)
        first, second = await ledger.line(mine)
        assert (first.waiting, first.ahead, first.weight, first.slack) == (1, 0, 0.0, 0)
        assert (second.waiting, second.ahead, second.weight, second.slack) == (2, 1, 1.0, 0)

    async def test_a_long_line_is_estimated(self, ledger: Ledger, jobs: Jobs) -> None:
        for turn in range(2 * LINE_LOOK + 10):
            await ledger.submit(jobs(user="ab"[turn % 2], weight=2.0))
        await ledger.submit(jobs(user="c", priority=9))
        (line,) = await ledger.line(jobs(user="b", priority=5))
        assert line.ahead == pytest.approx(2 * LINE_LOOK + 11, rel=0.02)
        assert line.weight == pytest.approx(4 * LINE_LOOK + 21, rel=0.02)
        assert (await ledger.line(jobs(user="new")))[0].ahead <= 3

    async def test_a_line_of_nothing(self, ledger: Ledger, jobs: Jobs) -> None:
        assert await ledger.line(jobs()) == (Line(0, 0, 0, 0, 0.0, 0),)

    async def test_ended(self, ledger: Ledger, jobs: Jobs, clock: VirtualClock) -> None:
        made = []
        for _ in range(4):
            job = jobs()
            await ledger.submit(job)
            made.append(job.id)
        for job_id in made[:3]:
            clock.tick(1)
            await ledger.apply(job_id, Cancel())
        start = clock.now()
        found = [job.id for job in await ledger.ended(start - 1.5)]
        assert found == [made[2], made[1]]
        assert [job.id for job in await ledger.ended(0.0, limit=1)] == [made[2]]
        assert await ledger.ended(start) == ()

    async def test_counts(self, ledger: Ledger, jobs: Jobs) -> None:
        assert await ledger.counts() == {}
        for model in ("one", "one", "two"):
            await ledger.submit(jobs(model=model, pools=(model,)))
        (job,) = await ledger.claim("one", "w", 1, LEASE)
        await ledger.apply(job.id, Finish(job.token, ()))
        assert await ledger.counts() == {
            ("one", State.SUCCEEDED): 1,
            ("one", State.QUEUED): 1,
            ("two", State.QUEUED): 1,
        }

    async def test_a_user_s_open_jobs_are_those_that_have_not_ended(
        self, ledger: Ledger, jobs: Jobs
    ) -> None:
        assert await ledger.open_jobs("ann") == 0
        for user in ("ann", "ann", "ann", "bob"):
            await ledger.submit(jobs(user))
        (pool,) = {job.pool for job in await ledger.list(JobQuery(user="ann"))}
        assert await ledger.open_jobs("ann") == 3
        claimed = await ledger.claim(pool, "w", 2, LEASE)
        assert await ledger.open_jobs("ann") == 3
        done = next(job for job in claimed if job.user == "ann")
        await ledger.apply(done.id, Finish(done.token, ()))
        assert await ledger.open_jobs("ann") == 2
        for job in await ledger.list(JobQuery(user="ann", states=(State.QUEUED, State.RUNNING))):
            await ledger.apply(job.id, Cancel())
        assert await ledger.open_jobs("ann") == 0
        assert await ledger.open_jobs("bob") == 1

    async def test_counts_are_those_of_a_recount(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        for i in range(60):
            await ledger.submit(jobs(f"user-{i % 3}", pools=("shape", "texture")[: 1 + i % 2]))
            for job in await ledger.claim(("shape", "texture")[i % 2], "w", i % 4, LEASE):
                command = (Finish(job.token, ()), Fail(job.token, FAILURE), Cancel())[i % 3]
                await ledger.apply(job.id, command)
            clock.tick(1)
        kept = await ledger.list(JobQuery(limit=100))
        assert await ledger.counts() == Counter((job.model, job.state) for job in kept)
        waiting = Counter(job.pool for job in kept if job.state is State.QUEUED)
        backlogs = await ledger.backlogs()
        assert {pool: backlog.waiting for pool, backlog in backlogs.items()} == waiting

    # ------------------------------------------------------------------------------- forget

    async def test_forget_deletes_what_ended_before(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        key = IdempotencyKey("k", "d")
        made = [jobs() for _ in range(3)]
        for job in made:
            await ledger.submit(job, key if job is made[0] else None)
        gone = await ledger.apply(made[0].id, Cancel())
        clock.tick(10)
        kept = await ledger.apply(made[1].id, Cancel())
        last = (await ledger.events())[-1].seq
        assert await ledger.forget(clock.now()) == (gone,)
        assert await ledger.forget(clock.now()) == ()
        assert await ledger.get(gone.id) is None
        assert await ledger.events(job_id=gone.id) == ()
        assert await ledger.list(JobQuery()) == (made[2], kept)
        assert await ledger.counts() == {
            ("choreo", State.CANCELLED): 1,
            ("choreo", State.QUEUED): 1,
        }
        assert (await ledger.submit(jobs(), key)).created
        assert (await ledger.events())[-1].seq > last

    async def test_forget_takes_the_oldest_up_to_its_limit(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        made = [jobs() for _ in range(5)]
        for job in made:
            await ledger.submit(job)
        for job in reversed(made):
            await ledger.apply(job.id, Cancel())
            clock.tick(1)
        forgotten = await ledger.forget(clock.now(), 2)
        assert [job.id for job in forgotten] == [made[4].id, made[3].id]

    async def test_a_sequence_never_goes_back(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        job = jobs()
        await ledger.submit(job)
        await ledger.apply(job.id, Cancel())
        last = (await ledger.events())[-1].seq
        clock.tick(1)
        await ledger.forget(clock.now())
        await ledger.submit(jobs())
        assert (await ledger.events())[0].seq > last

    async def test_an_ended_job_is_erased_once(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        key = IdempotencyKey("k", "d")
        job, other = jobs(), jobs()
        await ledger.submit(job, key)
        await ledger.submit(other)
        with pytest.raises(WrongState):
            await ledger.erase(job.id)
        gone = await ledger.apply(job.id, Cancel())
        assert await ledger.erase(job.id) == gone
        assert await ledger.erase(job.id) is None
        assert (await ledger.get(job.id), await ledger.events(job_id=job.id)) == (None, ())
        assert [kept.id for kept in await ledger.list(JobQuery())] == [other.id]
        assert await ledger.counts() == {("choreo", State.QUEUED): 1}
        assert (await ledger.submit(jobs(), key)).created

    # ------------------------------------------------------------------------------- search

    async def test_every_word_of_a_search_is_found(self, ledger: Ledger, jobs: Jobs) -> None:
        prompts = ("A Man walks", "挥手", "a man WAVES slowly", "ÜBER 100% of a_man")
        made = [jobs(request={"prompt": prompt}) for prompt in prompts]
        meshes = [jobs("bob", task="mesh", request={"picture": "Man.png"})]
        for job in made + meshes:
            await ledger.submit(job)
        man, wave, slow, over = (job.id for job in made)

        async def found(text: str, **query: Any) -> list[str]:
            chosen = JobQuery(**{"user": "ada", **query})
            return [job.id for job in (await ledger.search(chosen, words_of(text))).jobs]

        assert await found("man") == [over, slow, man]
        assert await found("slow MAN") == [slow]
        assert await found("挥") == [wave]
        assert await found("über") == [over]
        # Neither of these is a pattern.
        assert await found("100%") == [over]
        assert await found("a%n") == await found("man_") == []
        assert await found(man.lower()) == [man]
        assert await found("man", before=slow) == [man]
        assert await found("man", states=(State.FAILED,)) == []
        assert await found("man", user=None, task="mesh") == [meshes[0].id]

    async def test_a_search_goes_on_where_it_stopped(self, ledger: Ledger, jobs: Jobs) -> None:
        prompts = ("wave", *["walk"] * 3, "wave", "wave")
        made = [jobs(request={"prompt": prompt}) for prompt in prompts]
        for job in made:
            await ledger.submit(job)
        first = await ledger.search(JobQuery(limit=2), ["wave"])
        assert [job.id for job in first.jobs] == [made[5].id, made[4].id]
        assert first.before == made[4].id
        second = await ledger.search(JobQuery(limit=2, before=first.before), ["wave"])
        assert ([job.id for job in second.jobs], second.before) == ([made[0].id], None)

    # -------------------------------------------------------------------------------- close

    async def test_close_finishes_what_was_begun(self, ledger: Ledger, jobs: Jobs) -> None:
        begun = [asyncio.create_task(ledger.submit(jobs())) for _ in range(10)]
        await asyncio.sleep(0)
        await ledger.close()
        submissions = await asyncio.gather(*begun)
        assert all(submission.created for submission in submissions)
        with pytest.raises(LedgerUnavailable):
            await ledger.submit(jobs())
        with pytest.raises(LedgerUnavailable):
            await ledger.get("x")
        await ledger.close()
