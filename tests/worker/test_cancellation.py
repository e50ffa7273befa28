import asyncio
from dataclasses import replace

from kinesphere.core.jobs import Cancel, State
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import Progress
from tests.waiting import wait_until
from tests.worker.bench import CALM, Bench


async def test_a_running_job_is_cancelled_between_steps(bench: Bench) -> None:
    job = await bench.submit("obeys")
    replica = bench.start()
    await bench.told(job)
    assert replica.status.state is ReplicaState.BUSY
    await bench.seams.ledger.apply(job, Cancel())
    await bench.state(replica, ReplicaState.READY)
    assert (await bench.job(job)).state is State.CANCELLED
    assert replica.status.children == 1
    assert not replica.status.measured, "what was cancelled says nothing of the speed"
    assert bench.recorder.counts["stale"] == 0
    assert await bench.stored() == []


async def test_an_engine_that_ignores_a_cancellation_is_killed(bench: Bench) -> None:
    job = await bench.submit("ignores")
    replica = bench.start()
    await bench.told(job)
    await bench.seams.ledger.apply(job, Cancel())
    await wait_until(lambda: replica.status.children == 2, "the child was replaced")
    assert "went on with cancelled work" in replica.status.last_error
    assert (await bench.job(job)).state is State.CANCELLED
    assert (await bench.ended(await bench.submit())).attempts == 1


async def test_a_neighbour_of_a_cancelled_job_is_not_disturbed(bench: Bench) -> None:
    cancelled, neighbour = await bench.submit("obeys"), await bench.submit()
    replica = bench.start()
    await bench.told(cancelled)
    await bench.seams.ledger.apply(cancelled, Cancel())
    ended = await bench.ended(neighbour)
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, 1)
    assert replica.status.children == 1


async def test_a_missed_cancellation_is_learnt_at_renewal(bench: Bench) -> None:
    class Deaf(type(bench.seams.feed)):  # type: ignore[misc]  # the very feed, told nothing
        def publish(self, records: object) -> None:
            pass

    feed = bench.seams.feed
    job = await bench.submit("obeys")
    replica = bench.start(seams=replace(bench.seams, feed=Deaf()), terms=replace(CALM, lease=60.0))
    await bench.state(replica, ReplicaState.BUSY)
    assert feed is not None
    await bench.seams.ledger.apply(job, Cancel())
    await bench.state(replica, ReplicaState.READY)
    assert replica.status.children == 1


async def test_progress_is_told_and_throttled(bench: Bench) -> None:
    job = await bench.submit("progresses")
    heard: list[Progress] = []
    async with bench.seams.feed.listen(job) as news:

        async def hear() -> None:
            async for item in news:
                heard.extend([item] if isinstance(item, Progress) else [])

        listening = asyncio.create_task(hear())
        bench.start()
        await bench.ended(job)
        listening.cancel()
    fractions = [item.fraction for item in heard]
    assert fractions == sorted(fractions)
    assert {(item.token, item.phase) for item in heard} == {(1, "step")}
    # The engine spoke 2,000 times in a second or two.
    assert 3 <= len(heard) <= 60


async def test_progress_is_stored_at_renewal(bench: Bench) -> None:
    job = await bench.submit("obeys")
    bench.start(terms=replace(CALM, lease=30.0))
    await bench.told(job)

    async def stored() -> bool:
        return (await bench.job(job)).progress == 0.5

    await wait_until(stored, "the progress is in the ledger")
