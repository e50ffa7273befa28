"""The part of the ledger's contract that is about jobs which ask for the same."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

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
    Recover,
    Revive,
    StaleToken,
    State,
    WrongState,
)
from kinesphere.ports import (
    Backlog,
    Hold,
    IdempotencyConflict,
    IdempotencyKey,
    JobQuery,
    Ledger,
    Standing,
)
from tests.clock import VirtualClock

if TYPE_CHECKING:
    from tests.contracts.ledger import Jobs

LEASE = 30.0
FATAL = Failure("ENGINE_OUTPUT_INVALID", "It made nothing.")
DRAWN = {"prompt": "walk", "seed": 7, "seed_drawn": True}


def artifact(job: Job, size: int = 12) -> ArtifactRef:
    key = f"{job.id}/{job.token}/motion.bvh"
    return ArtifactRef(key, "motion.bvh", "text/x-bvh", size, "0" * 64, job.stage)


class SharingContract:
    """Mixed into `tests.contracts.ledger.LedgerContract`."""

    async def job(self, ledger: Ledger, job_id: str) -> Job:
        job = await ledger.get(job_id)
        assert job is not None
        return job

    async def submitted(self, ledger: Ledger, *made: Job) -> list[Job]:
        return [(await ledger.submit(job)).job for job in made]

    async def taken(self, ledger: Ledger, pool: str = "choreo", worker: str = "w") -> Job:
        (job,) = await ledger.claim(pool, worker, 1, LEASE)
        return job

    async def kinds(self, ledger: Ledger, job: Job) -> list[EventKind]:
        return [record.event.kind for record in await ledger.events(job_id=job.id)]

    # -------------------------------------------------------------------------------- joining

    async def test_an_equal_job_joins_the_one_in_flight(self, ledger: Ledger, jobs: "Jobs") -> None:
        leader, follower, other = await self.submitted(
            ledger, jobs(content="c"), jobs("bob", content="c"), jobs(content="d")
        )
        assert (leader.joined, leader.leader) == (False, None)
        assert (follower.joined, follower.leader, follower.state) == (
            True, leader.id, State.QUEUED,
        )  # fmt: skip
        assert not other.joined
        assert (await ledger.backlogs())["choreo"].waiting == 2
        assert await ledger.counts() == {("choreo", State.QUEUED): 3}
        listed = await ledger.list(JobQuery(states=(State.QUEUED,)))
        assert [job.id for job in listed] == [other.id, follower.id, leader.id]
        claimed = await ledger.claim("choreo", "w", 9, LEASE)
        assert {job.id for job in claimed} == {leader.id, other.id}
        assert await ledger.claim("choreo", "w", 9, LEASE) == ()
        assert (await ledger.backlogs())["choreo"] == Backlog(0, 2, None)
        (told,) = await ledger.events(job_id=follower.id)
        assert told.event.data["joined"] is True

    async def test_jobs_without_content_share_nothing(self, ledger: Ledger, jobs: "Jobs") -> None:
        made = await self.submitted(ledger, jobs(), jobs())
        assert not any(job.joined for job in made)
        assert await ledger.answering("") is None

    async def test_concurrent_equal_submits_have_one_leader(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        submissions = await asyncio.gather(*(ledger.submit(jobs(content="c")) for _ in range(30)))
        leaders = [s.job for s in submissions if s.job.leader is None]
        assert len(leaders) == 1
        answering = await ledger.answering("c")
        assert answering is not None
        assert answering.id == leaders[0].id
        assert answering.raised == 5

    async def test_nobody_claims_or_settles_a_follower(self, ledger: Ledger, jobs: "Jobs") -> None:
        _, follower = await self.submitted(ledger, jobs(content="c"), jobs(content="c"))
        with pytest.raises(StaleToken):
            await ledger.apply(follower.id, Finish(0, ()))
        with pytest.raises(WrongState):
            await ledger.apply(follower.id, Recover())

    async def test_a_success_is_everybodys(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        leader, follower = await self.submitted(
            ledger,
            jobs(content="c", request=DRAWN),
            jobs("bob", content="c", request={**DRAWN, "prompt": "Walk", "seed": 8}),
        )
        clock.tick(3)
        held = await self.taken(ledger)
        clock.tick(3)
        done = await ledger.apply(held.id, Finish(held.token, (artifact(held),), {"n": [1]}))
        also = await self.job(ledger, follower.id)
        assert (also.state, also.artifacts, also.notes) == (
            State.SUCCEEDED, done.artifacts, done.notes,
        )  # fmt: skip
        assert also.request == {**DRAWN, "prompt": "Walk", "seed": 7}
        assert (also.leader, also.joined, also.user) == (None, True, "bob")
        assert (also.started_at, also.finished_at) == (held.started_at, clock.now())
        assert await self.kinds(ledger, follower) == [EventKind.SUBMITTED, EventKind.SUCCEEDED]
        assert leader.id == done.id

    async def test_a_finished_stage_is_everybodys(self, ledger: Ledger, jobs: "Jobs") -> None:
        pools = ("shape", "texture")
        _, follower = await self.submitted(
            ledger, jobs(content="c", pools=pools), jobs(content="c", pools=pools)
        )
        held = await self.taken(ledger, "shape")
        onward = await ledger.apply(held.id, Finish(held.token, (artifact(held),)))
        also = await self.job(ledger, follower.id)
        assert (also.stage, also.artifacts, also.leader) == (1, onward.artifacts, held.id)
        assert (await ledger.backlogs()) == {"texture": Backlog(1, 0, onward.ready_at)}
        (late,) = await self.submitted(ledger, jobs(content="c", pools=pools))
        assert (late.stage, late.artifacts) == (1, onward.artifacts)
        assert (await self.kinds(ledger, follower))[-1] is EventKind.STAGE_FINISHED

    async def test_a_failure_for_good_is_everybodys(self, ledger: Ledger, jobs: "Jobs") -> None:
        _, follower = await self.submitted(ledger, jobs(content="c"), jobs(content="c"))
        held = await self.taken(ledger)
        await ledger.apply(held.id, Fail(held.token, FATAL))
        also = await self.job(ledger, follower.id)
        assert (also.state, also.failure, also.leader) == (State.FAILED, FATAL, None)
        assert await self.kinds(ledger, follower) == [EventKind.SUBMITTED, EventKind.FAILED]
        assert await ledger.answering("c") is None

    async def test_an_attempt_that_is_tried_again_is_the_leaders_alone(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        _, follower = await self.submitted(ledger, jobs(content="c"), jobs(content="c"))
        held = await self.taken(ledger)
        await ledger.apply(held.id, GiveBack(held.token))
        assert await self.job(ledger, follower.id) == follower

    async def test_leases_that_lapse_for_good_end_followers_too(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        leader, follower = await self.submitted(
            ledger, jobs(content="c"), jobs(content="c", deadline=clock.now() + 300)
        )
        for _ in range(3):
            clock.tick(100)
            await self.taken(ledger)
            clock.tick(LEASE)
            reaped = await ledger.reap()
        assert [job.id for job in reaped] == [leader.id]
        assert (await self.job(ledger, follower.id)).state is State.FAILED

    async def test_who_leaves_leaves_alone(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        leader, gone, late, stays = await self.submitted(
            ledger,
            jobs(content="c"),
            jobs(content="c"),
            jobs(content="c", deadline=clock.now() + 5),
            jobs(content="c"),
        )
        assert (await ledger.apply(gone.id, Cancel())).leader is None
        clock.tick(5)
        (expired,) = await ledger.reap()
        assert (expired.id, expired.leader) == (late.id, None)
        held = await self.taken(ledger)
        assert held.id == leader.id
        await ledger.apply(held.id, Finish(held.token, (artifact(held),)))
        states = [(await self.job(ledger, job.id)).state for job in (gone, late, stays)]
        assert states == [State.CANCELLED, State.EXPIRED, State.SUCCEEDED]

    # ---------------------------------------------------------------------------------- heirs

    async def test_an_heir_takes_the_place_in_the_line(self, ledger: Ledger, jobs: "Jobs") -> None:
        leader, heir, other, last = await self.submitted(
            ledger, jobs(content="c"), jobs("bob", content="c"), jobs("cyd"), jobs(content="c")
        )
        cancelled = await ledger.apply(leader.id, Cancel())
        assert cancelled.moved is None
        inherited = await self.job(ledger, heir.id)
        assert (inherited.leader, inherited.state, inherited.ready_at) == (
            None, State.QUEUED, leader.ready_at,
        )  # fmt: skip
        assert (await self.job(ledger, last.id)).leader == heir.id
        assert [(await self.taken(ledger)).id for _ in range(2)] == [heir.id, other.id]

    async def test_an_heir_takes_the_claim(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        leader, heir = await self.submitted(
            ledger, jobs(content="c"), jobs("bob", content="c", request=DRAWN)
        )
        held = await self.taken(ledger, worker="worker-1")
        clock.tick(2)
        await ledger.extend([Hold(leader.id, held.token, 0.5)], LEASE)
        cancelled = await ledger.apply(leader.id, Cancel())
        inherited = await self.job(ledger, heir.id)
        assert (inherited.state, inherited.worker, inherited.attempts) == (
            State.RUNNING, "worker-1", 1,
        )  # fmt: skip
        assert (inherited.lease_until, inherited.progress) == (clock.now() + LEASE, 0.5)
        assert cancelled.moved is not None
        assert (cancelled.moved.job_id, cancelled.moved.token) == (heir.id, inherited.token)
        event = (await ledger.events(job_id=leader.id))[-1].event
        assert (event.data["heir"], event.data["heir_token"]) == (heir.id, inherited.token)
        assert await self.kinds(ledger, heir) == [EventKind.SUBMITTED, EventKind.CLAIMED]
        holds = [Hold(leader.id, held.token), Hold(heir.id, inherited.token)]
        assert await ledger.extend(holds, LEASE) == {
            leader.id: Standing.MOVED, heir.id: Standing.HELD,
        }  # fmt: skip
        with pytest.raises(StaleToken):
            await ledger.apply(leader.id, Finish(held.token, ()))
        made = (artifact(inherited),)
        done = await ledger.apply(heir.id, Finish(inherited.token, made))
        assert done.state is State.SUCCEEDED
        assert (await self.job(ledger, leader.id)).state is State.CANCELLED

    async def test_the_last_heir_ends_the_run(self, ledger: Ledger, jobs: "Jobs") -> None:
        leader, heir = await self.submitted(ledger, jobs(content="c"), jobs(content="c"))
        held = await self.taken(ledger)
        await ledger.apply(leader.id, Cancel())
        token = (await self.job(ledger, heir.id)).token
        await ledger.apply(heir.id, Cancel())
        assert await ledger.extend([Hold(heir.id, token), Hold(leader.id, held.token)], 9.0) == {
            heir.id: Standing.CANCELLED, leader.id: Standing.MOVED,
        }  # fmt: skip
        assert await ledger.answering("c") is None
        assert await ledger.claim("choreo", "w", 9, LEASE) == ()

    async def test_a_leader_that_expires_has_an_heir(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        leader, late, heir = await self.submitted(
            ledger,
            jobs(content="c", deadline=clock.now() + 5),
            jobs(content="c", deadline=clock.now() + 5),
            jobs(content="c"),
        )
        clock.tick(5)
        expired = await ledger.reap()
        assert [(job.id, job.state) for job in expired] == [
            (leader.id, State.EXPIRED), (late.id, State.EXPIRED),
        ]  # fmt: skip
        assert (await self.taken(ledger)).id == heir.id

    async def test_an_heir_keeps_the_files_of_stages_that_are_done(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        pools = ("shape", "texture")
        leader, heir = await self.submitted(
            ledger, jobs(content="c", pools=pools), jobs(content="c", pools=pools)
        )
        held = await self.taken(ledger, "shape")
        await ledger.apply(held.id, Finish(held.token, (artifact(held, size=30),)))
        await ledger.apply(leader.id, Cancel())
        clock.tick(1)
        (gone,) = await ledger.forget(clock.now())
        assert (gone.id, gone.artifacts) == (leader.id, ())
        assert await ledger.stored() == 30
        again = await self.taken(ledger, "texture")
        assert (again.id, len(again.artifacts)) == (heir.id, 1)
        assert await ledger.lent([again.artifacts[0].key, "x"]) == {again.artifacts[0].key}

    # --------------------------------------------------------------------------------- places

    async def test_a_follower_raises_a_leader_that_waits(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        first, leader, _ = await self.submitted(
            ledger, jobs(priority=6), jobs(content="c", priority=3), jobs(content="c", priority=9)
        )
        raised = await self.job(ledger, leader.id)
        assert (raised.priority, raised.precedence) == (3, 9)
        assert [(await self.taken(ledger)).id for _ in range(2)] == [leader.id, first.id]

    async def test_a_follower_raises_what_comes_after_a_claim(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        (leader,) = await self.submitted(ledger, jobs(content="c", priority=3))
        held = await self.taken(ledger)
        first, _ = await self.submitted(ledger, jobs(priority=6), jobs(content="c", priority=9))
        await ledger.apply(held.id, GiveBack(held.token))
        assert [(await self.taken(ledger)).id for _ in range(2)] == [leader.id, first.id]

    async def test_who_cannot_raise_a_leader_leaves_its_place(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        leader, other, _ = await self.submitted(
            ledger, jobs("ada", content="c"), jobs("bob"), jobs("cyd", content="c", priority=1)
        )
        assert [(await self.taken(ledger)).id for _ in range(2)] == [leader.id, other.id]

    async def test_following_costs_no_share(self, ledger: Ledger, jobs: "Jobs") -> None:
        await self.submitted(ledger, jobs("ada", content="c"), *(jobs("bob", content="c"),) * 1)
        bobs, cyds = await self.submitted(ledger, jobs("bob"), jobs("cyd"))
        order = [(await self.taken(ledger)).id for _ in range(3)]
        assert order[1:] == [bobs.id, cyds.id]

    # -------------------------------------------------------------------------------- revival

    async def test_a_revived_job_leads_and_the_next_joins_it(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        leader, follower = await self.submitted(ledger, jobs(content="c"), jobs(content="c"))
        held = await self.taken(ledger)
        await ledger.apply(held.id, Fail(held.token, FATAL))
        first = await ledger.apply(follower.id, Revive())
        assert (first.leader, first.joined) == (None, False)
        second = await ledger.apply(leader.id, Revive())
        assert (second.leader, second.joined) == (follower.id, True)
        again = await self.taken(ledger)
        assert again.id == follower.id
        await ledger.apply(again.id, Finish(again.token, (artifact(again),)))
        assert (await self.job(ledger, leader.id)).state is State.SUCCEEDED

    async def test_a_revived_job_with_files_of_its_own_goes_alone(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        pools = ("shape", "texture")
        (failed,) = await self.submitted(ledger, jobs(content="c", pools=pools))
        held = await self.taken(ledger, "shape")
        await ledger.apply(held.id, Finish(held.token, (artifact(held),)))
        held = await self.taken(ledger, "texture")
        await ledger.apply(held.id, Fail(held.token, FATAL))
        await self.submitted(ledger, jobs(content="c", pools=pools))
        revived = await ledger.apply(failed.id, Revive())
        assert (revived.leader, revived.content, revived.stage) == (None, "", 1)

    # ------------------------------------------------------------------------------ the cache

    async def made(self, ledger: Ledger, job: Job, size: int = 12) -> Job:
        await ledger.submit(job)
        held = await self.taken(ledger, job.pools[0])
        assert held.id == job.id
        return await ledger.apply(
            held.id, Finish(held.token, (artifact(held, size),), {"frames": 3})
        )

    async def test_what_was_made_is_served_at_once(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        made = await self.made(ledger, jobs(content="c", request=DRAWN))
        clock.tick(5)
        new = jobs("bob", content="c", request={**DRAWN, "seed": 9}, created_at=clock.now())
        submission = await ledger.submit(replace(new, inputs=(artifact(new),)))
        served = submission.job
        assert submission.created
        assert (served.state, served.cached, served.joined) == (State.SUCCEEDED, True, False)
        assert (served.artifacts, served.notes) == (made.artifacts, made.notes)
        assert (served.inputs, served.request["seed"]) == ((), 7)
        assert (served.user, served.finished_at) == ("bob", clock.now())
        assert await self.job(ledger, served.id) == served
        records = await ledger.events(job_id=served.id)
        assert [r.event.kind for r in records] == [EventKind.SUBMITTED, EventKind.SUCCEEDED]
        assert all(record.event.data["cached"] for record in records)
        assert await ledger.counts() == {("choreo", State.SUCCEEDED): 2}
        assert await ledger.backlogs() == {}
        assert await ledger.claim("choreo", "w", 9, LEASE) == ()

    async def test_values_that_are_served_are_not_shared(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        await self.made(ledger, jobs(content="c", request=DRAWN))
        submissions = await asyncio.gather(*(ledger.submit(jobs(content="c")) for _ in range(5)))
        assert len({id(each.job.notes) for each in submissions}) == 5

    async def test_what_failed_is_not_served(self, ledger: Ledger, jobs: "Jobs") -> None:
        await self.submitted(ledger, jobs(content="c"))
        held = await self.taken(ledger)
        await ledger.apply(held.id, Fail(held.token, FATAL))
        (again,) = await self.submitted(ledger, jobs(content="c"))
        assert again.in_line

    async def test_what_is_missing_is_made_again(self, ledger: Ledger, jobs: "Jobs") -> None:
        made = await self.made(ledger, jobs(content="c"))
        new = jobs(content="c")
        submission = await ledger.submit(new, missing=[made.artifacts[0].key])
        assert submission.job.in_line
        assert (await ledger.submit(jobs(content="c"))).job.leader == new.id
        again = await self.taken(ledger)
        await ledger.apply(again.id, Finish(again.token, (artifact(again),)))
        (served,) = await self.submitted(ledger, jobs(content="c"))
        assert maker_of(served) == new.id

    async def test_files_go_with_the_last_job_that_lists_them(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        made = await self.made(ledger, jobs(content="c"), size=100)
        served = []
        for _ in range(2):
            clock.tick(10)
            served += await self.submitted(ledger, jobs(content="c"))
        assert await ledger.stored() == 100
        (first,) = await ledger.forget(clock.now(), 1)
        assert (first.id, first.artifacts) == (made.id, ())
        (again,) = await self.submitted(ledger, jobs(content="c"))
        assert again.cached
        clock.tick(1)
        forgotten = await ledger.forget(clock.now())
        assert [job.id for job in forgotten] == [served[0].id, served[1].id, again.id]
        assert [file.key for job in forgotten for file in job.artifacts] == [made.artifacts[0].key]
        assert await ledger.stored() == 0
        assert await ledger.lent([made.artifacts[0].key]) == frozenset()
        (anew,) = await self.submitted(ledger, jobs(content="c"))
        assert anew.in_line

    async def test_an_erased_job_leaves_what_another_lists(
        self, ledger: Ledger, jobs: "Jobs"
    ) -> None:
        made = await self.made(ledger, jobs(content="c"), size=100)
        (served,) = await self.submitted(ledger, jobs(content="c"))
        first = await ledger.erase(made.id)
        assert first is not None
        assert (first.id, first.artifacts) == (made.id, ())
        assert await ledger.stored() == 100
        last = await ledger.erase(served.id)
        assert last is not None
        assert [file.key for file in last.artifacts] == [made.artifacts[0].key]
        assert await ledger.stored() == 0

    async def test_what_is_used_goes_last(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        old = await self.made(ledger, jobs(content="a"), size=10)
        clock.tick(1)
        new = await self.made(ledger, jobs(content="b"), size=20)
        clock.tick(1)
        await self.submitted(ledger, jobs(content="a"))
        clock.tick(1)
        gone = [
            file.key
            for _ in range(3)
            for job in await ledger.forget(clock.now(), 1)
            for file in job.artifacts
        ]
        assert gone == [new.artifacts[0].key, old.artifacts[0].key]

    async def test_files_that_came_with_a_job_are_counted(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        job = jobs()
        picture = ArtifactRef(f"{job.id}/0/picture", "picture", "image/png", 50, "0" * 64)
        await ledger.submit(replace(job, inputs=(picture,)))
        assert await ledger.stored() == 50
        await ledger.apply(job.id, Cancel())
        clock.tick(1)
        (gone,) = await ledger.forget(clock.now())
        assert (gone.inputs, await ledger.stored()) == ((picture,), 0)

    # ----------------------------------------------------------------------------------- keys

    async def test_a_key_comes_before_the_cache(self, ledger: Ledger, jobs: "Jobs") -> None:
        key = IdempotencyKey("k", "d")
        first = await ledger.submit(jobs(content="c"), key)
        held = await self.taken(ledger)
        await ledger.apply(held.id, Finish(held.token, (artifact(held),)))
        again = await ledger.submit(jobs(content="c"), key)
        assert (again.created, again.job.id) == (False, first.job.id)

    async def test_a_key_is_replayed(self, ledger: Ledger, jobs: "Jobs") -> None:
        key = IdempotencyKey("k", "d")
        first = await ledger.submit(jobs(), key)
        assert await ledger.replay("ada", key) == await ledger.get(first.job.id)
        assert await ledger.replay("bob", key) is None
        assert await ledger.replay("ada", IdempotencyKey("other", "d")) is None
        with pytest.raises(IdempotencyConflict):
            await ledger.replay("ada", IdempotencyKey("k", "e"))

    async def test_a_key_is_known_for_a_day(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        key, other = IdempotencyKey("k", "d"), IdempotencyKey("k", "e")
        first = await ledger.submit(jobs(), key)
        clock.tick(86_399)
        assert not (await ledger.submit(jobs(), key)).created
        clock.tick(1)
        assert await ledger.replay("ada", key) is None
        second = await ledger.submit(jobs(), other)
        assert second.created
        clock.tick(1)
        await ledger.apply(first.job.id, Cancel())
        clock.tick(1)
        await ledger.forget(clock.now())
        assert (await ledger.submit(jobs(), other)).job.id == second.job.id

    async def test_an_expiry_of_a_follower_is_its_own(
        self, ledger: Ledger, jobs: "Jobs", clock: VirtualClock
    ) -> None:
        _, follower = await self.submitted(
            ledger, jobs(content="c"), jobs(content="c", deadline=clock.now() + 1)
        )
        await self.taken(ledger)
        clock.tick(1)
        expired = await ledger.apply(follower.id, Expire())
        assert expired.failure is not None
        assert "joined" in expired.failure.detail


def maker_of(job: Job) -> str:
    """Who made what a job lists."""
    return job.artifacts[0].key.partition("/")[0]
