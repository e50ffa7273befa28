"""The contract of `kinesphere.ports.Outbox`, with that of the ledger around it."""

import asyncio
from dataclasses import replace

import pytest

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Cancel, Fail, Finish, Job, Refused, Revive
from kinesphere.core.webhooks import Answer, Delivery, DeliveryState, Schedule
from kinesphere.ports import Ledger, LedgerUnavailable
from tests.clock import VirtualClock
from tests.contracts.ledger import Jobs, RecordingFeed

A, B = "http://a.example/hook", "http://b.example/hook"
OK, ERROR = Answer(200), Answer(500)
SCHEDULE = Schedule(first=10.0, attempts=3)
LEASE = 30.0


class OutboxContract:
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

    async def test_the_end_of_a_job_is_owed_as_soon_as_it_is_committed(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        job = (await ledger.submit(jobs(webhook=A))).job
        assert job.webhook == A
        (job,) = await ledger.claim("choreo", "w", 1, LEASE)
        assert await ledger.outbox.due_in() is None
        assert await ledger.outbox.latest([job.id]) == {}
        await ledger.apply(job.id, Finish(job.token, ()))
        last = (await ledger.events(job_id=job.id))[-1]
        assert await ledger.outbox.due_in() == 0.0
        expected = Delivery(
            id=f"{job.id}-{last.seq}",
            job_id=job.id,
            url=A,
            event="job.succeeded",
            at=clock.now(),
            due_at=clock.now(),
        )
        assert await ledger.outbox.latest([job.id, "other"]) == {job.id: expected}

    async def test_a_job_without_a_webhook_owes_nothing(self, ledger: Ledger, jobs: Jobs) -> None:
        await ended(ledger, jobs())
        assert await ledger.outbox.due_in() is None
        assert await claimed(ledger) == ()

    async def test_a_command_that_is_refused_owes_nothing(self, ledger: Ledger, jobs: Jobs) -> None:
        job = (await ledger.submit(jobs(webhook=A))).job
        with pytest.raises(Refused):
            await ledger.apply(job.id, Finish(1, ()))
        assert await ledger.outbox.due_in() is None

    async def test_every_kind_of_end_is_owed(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        failed = (await ledger.submit(jobs(webhook=A))).job
        await ledger.claim("choreo", "w", 1, LEASE)
        await ledger.apply(failed.id, Fail(1, Failure("PROMPT_NOT_UNDERSTOOD", "nothing")))
        await ended(ledger, jobs(webhook=A))
        await ledger.submit(jobs(webhook=A, deadline=clock.now() + 1))
        await clock.advance(2.0)
        await ledger.reap()
        found = await ledger.outbox.claim(10, LEASE, {}, 10)
        assert [d.event for d in found] == ["job.failed", "job.cancelled", "job.expired"]

    async def test_a_job_that_ends_twice_is_told_twice(self, ledger: Ledger, jobs: Jobs) -> None:
        job = (await ledger.submit(jobs(webhook=A))).job
        await ledger.claim("choreo", "w", 1, LEASE)
        await ledger.apply(job.id, Fail(1, Failure("PROMPT_NOT_UNDERSTOOD", "nothing")))
        await ledger.apply(job.id, Revive())
        await ledger.apply(job.id, Cancel())
        found = await ledger.outbox.claim(10, LEASE, {}, 10)
        assert [d.event for d in found] == ["job.failed", "job.cancelled"]
        assert len({d.id for d in found}) == 2
        assert (await ledger.outbox.latest([job.id]))[job.id].event == "job.cancelled"

    async def test_a_claim_is_exclusive_and_counted(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        for _ in range(5):
            await ended(ledger, jobs(webhook=A))
        batches = await asyncio.gather(*(ledger.outbox.claim(2, LEASE, {}, 10) for _ in range(4)))
        taken = [delivery for batch in batches for delivery in batch]
        assert len({d.id for d in taken}) == len(taken) == 5
        assert {(d.attempts, d.held, d.due_at) for d in taken} == {(1, True, clock.now() + LEASE)}
        assert await ledger.outbox.due_in() == LEASE

    async def test_a_delivery_whose_claimer_died_is_due_again(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        await ended(ledger, jobs(webhook=A))
        (first,) = await claimed(ledger)
        await clock.advance(LEASE + 1)
        (second,) = await claimed(ledger)
        assert (second.id, second.attempts) == (first.id, 2)
        assert await ledger.outbox.settle(first, OK, SCHEDULE, 0.5) is None
        after = await ledger.outbox.settle(second, OK, SCHEDULE, 0.5)
        assert after is not None and after.state is DeliveryState.DELIVERED
        assert await ledger.outbox.settle(second, OK, SCHEDULE, 0.5) is None

    async def test_what_failed_is_due_when_the_schedule_says_so(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        job = await ended(ledger, jobs(webhook=A))
        for number, wait in ((1, 10.0), (2, 50.0)):
            (delivery,) = await claimed(ledger)
            assert delivery.attempts == number
            after = await ledger.outbox.settle(delivery, ERROR, SCHEDULE, 0.5)
            assert after is not None and after.last_status == 500
            assert await ledger.outbox.due_in() == pytest.approx(wait)
            assert await claimed(ledger) == ()
            await clock.advance(wait)
        (delivery,) = await claimed(ledger)
        after = await ledger.outbox.settle(delivery, ERROR, SCHEDULE, 0.5)
        assert after is not None and after.state is DeliveryState.GIVEN_UP
        assert (await ledger.outbox.latest([job.id])) == {job.id: after}
        assert await ledger.outbox.due_in() is None

    async def test_one_host_leaves_room_for_the_others(self, ledger: Ledger, jobs: Jobs) -> None:
        for _ in range(6):
            await ended(ledger, jobs(webhook=A))
        await ended(ledger, jobs(webhook=B))
        found = await ledger.outbox.claim(4, LEASE, {"http://a.example": 1}, 3)
        assert [d.url for d in found] == [A, A, B]
        assert await ledger.outbox.due_in() == 0.0
        assert await ledger.outbox.due_in({"http://a.example"}) == LEASE

    async def test_what_dead_processes_held_is_released(self, ledger: Ledger, jobs: Jobs) -> None:
        await ended(ledger, jobs(webhook=A))
        await ended(ledger, jobs(webhook=A))
        (waiting,) = await claimed(ledger, 1)
        await ledger.outbox.settle(waiting, ERROR, SCHEDULE, 0.5)
        (held,) = await claimed(ledger, 1)
        assert await ledger.outbox.release() == 1
        (again,) = await claimed(ledger)
        assert again == replace(held, attempts=2)

    async def test_a_job_that_is_forgotten_takes_its_webhooks_along(
        self, ledger: Ledger, jobs: Jobs, clock: VirtualClock
    ) -> None:
        job = await ended(ledger, jobs(webhook=A))
        await clock.advance(10.0)
        await ledger.forget(clock.now())
        assert await ledger.outbox.latest([job.id]) == {}
        assert await ledger.outbox.due_in() is None

    async def test_a_closed_ledger_has_no_outbox(self, ledger: Ledger) -> None:
        await ledger.close()
        with pytest.raises(LedgerUnavailable):
            await claimed(ledger)
        with pytest.raises(LedgerUnavailable):
            await ledger.outbox.due_in()


async def ended(ledger: Ledger, job: Job) -> Job:
    await ledger.submit(job)
    return await ledger.apply(job.id, Cancel())


async def claimed(ledger: Ledger, limit: int = 10) -> tuple[Delivery, ...]:
    return await ledger.outbox.claim(limit, LEASE, {}, 10)
