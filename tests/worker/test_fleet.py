import asyncio
from collections.abc import AsyncIterator

import pytest

from kinesphere.core.catalog import Stage
from kinesphere.core.jobs import State
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import LedgerUnavailable
from kinesphere.worker.course import Post
from kinesphere.worker.fleet import Fleet, Keeper
from kinesphere.worker.supervisor import Replica
from kinesphere.worker.turns import Turns
from tests.waiting import wait_until
from tests.worker.bench import CALM, Bench, launch


@pytest.fixture
async def fleet(bench: Bench) -> AsyncIterator[Fleet]:
    def make(pool: str, number: int) -> Replica:
        stage = Stage("", "tests.worker.engines:Actor")
        return Replica(bench.seams, Post(pool, "m", stage, f"s/{number}"), launch(), CALM, Turns())

    fleet = Fleet(bench.seams.clock, make)
    try:
        yield fleet
    finally:
        await fleet.drain(0.0)


def states(fleet: Fleet) -> list[str]:
    return sorted(status.state.value for status in fleet.statuses())


async def test_a_pool_has_as_many_replicas_as_it_is_told(bench: Bench, fleet: Fleet) -> None:
    fleet.scale("m", 2, 600.0)
    await wait_until(lambda: states(fleet) == ["ready", "ready"], "two are ready")
    job = await bench.submit("obeys")
    await wait_until(lambda: states(fleet) == ["busy", "ready"], "one is busy")
    fleet.scale("m", 1, 600.0)
    await wait_until(lambda: len(fleet.statuses()) == 1, "one has left")
    assert states(fleet) == ["busy"], "the idle one left"
    assert (await bench.job(job)).state is State.RUNNING
    fleet.scale("m", 2, 600.0)
    assert len({status.worker for status in fleet.statuses()}) == 2
    await fleet.drain(0.0)
    assert fleet.statuses() == ()
    assert (await bench.job(job)).state is State.QUEUED


async def test_a_replica_that_ends_by_our_fault_is_replaced(
    bench: Bench, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Replica, "_serve", fails)
        fleet.scale("m", 1, 0.0)
        await wait_until(lambda: states(fleet) == ["stopped"], "it ended")
    job = await bench.submit()
    assert (await bench.ended(job)).state is State.SUCCEEDED
    assert [status.worker for status in fleet.statuses()] != ["s/1"]


async def test_a_keeper_returns_lost_jobs_and_rings_for_them(bench: Bench) -> None:
    job = await bench.submit()
    await bench.seams.hints.wait("m", 0.0)
    await bench.seams.ledger.claim("m", "gone", 1, 1.0)
    keeper = Keeper(bench.seams.clock, bench.seams.ledger, bench.seams.hints, 1.0)

    async def queued() -> bool:
        await keeper.round()
        return (await bench.job(job)).state is State.QUEUED

    await wait_until(queued, "the lost job is queued")
    assert await bench.seams.hints.wait("m", 0.0)


async def test_a_keeper_goes_on_when_the_ledger_is_away(bench: Bench) -> None:
    rounds = 0

    class Away(Keeper):
        async def round(self) -> None:
            nonlocal rounds
            rounds += 1
            raise LedgerUnavailable

    keeper = Away(bench.seams.clock, bench.seams.ledger, bench.seams.hints, 1.0)
    task = asyncio.create_task(keeper.run())
    await wait_until(lambda: rounds == 3, "three rounds")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_two_replicas_never_share_a_job(bench: Bench, fleet: Fleet) -> None:
    fleet.scale("m", 2, 600.0)
    jobs = [await bench.submit() for _ in range(30)]
    for job in jobs:
        assert (await bench.ended(job)).token == 1
    assert bench.recorder.counts["stale"] == 0
    assert ReplicaState.BUSY in bench.recorder.states
