"""How batches are formed, and how a replica leaves."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from kinesphere.core.batching import BatchTime
from kinesphere.core.jobs import Cancel, State
from kinesphere.core.replicas import ReplicaState
from tests.waiting import wait_until
from tests.worker.bench import ROOT, Bench, launch


async def test_batches_fill_while_the_device_is_busy(bench: Bench) -> None:
    first = await bench.submit()
    replica = bench.start("Simple", options={"fixed": 0.2})
    await bench.state(replica, ReplicaState.BUSY)
    rest = [await bench.submit() for _ in range(9)]
    for job in (first, *rest):
        assert (await bench.ended(job)).state is State.SUCCEEDED
    assert bench.recorder.batches == [1, 4, 4, 1]
    assert bench.recorder.counts["engine"] == bench.recorder.counts["store"] == 10


async def test_a_lone_job_on_an_idle_device_starts_at_once(bench: Bench) -> None:
    replica = bench.start("Simple", seconds=(1000.0, 1000.0))
    await bench.state(replica, ReplicaState.READY)
    job = await bench.ended(await bench.submit())
    assert job.started_at is not None
    assert job.finished_at is not None
    # Five in a hundred of the expected time would have been 100 s of this hurried clock.
    assert job.finished_at - job.created_at < 20.0


async def test_a_batch_gathers_where_traffic_says_so(bench: Bench) -> None:
    replica = bench.start("Simple", seconds=(200.0, 0.0), batch_limit=8)
    await bench.state(replica, ReplicaState.READY)
    now = bench.seams.clock.now()
    # One a second, so the three that would fill the batch are worth 3 s of a batch of 200 s.
    for ago in (4.0, 3.0, 2.0, 1.0, 0.0):
        await bench.submit(ready_at=now - ago)
    await wait_until(lambda: replica.status.held == 5, "five are claimed")
    assert bench.recorder.batches == []
    late = [await bench.submit() for _ in range(3)]
    for job in late:
        await bench.ended(job)
    assert bench.recorder.batches == [8]


async def test_a_job_to_be_run_alone_is_a_batch_by_itself(bench: Bench) -> None:
    jobs = [await bench.submit(alone=True), await bench.submit(), await bench.submit()]
    bench.start()
    for job in jobs:
        await bench.ended(job)
    assert bench.recorder.batches == [1, 2]


async def test_what_was_claimed_ahead_goes_to_another_where_a_batch_takes_long(
    tmp_path: Path,
) -> None:
    bench = Bench.build(tmp_path, rate=2.0)
    first = bench.start(batch_limit=1)
    await bench.ended(await bench.submit())
    # Whatever this machine takes: as if it had been quick.
    quick = BatchTime(0.001, 0.0, (0.001, 0.0), ((1.0, 0.001),))
    first._serving.forming.seconds = quick
    await bench.state(first, ReplicaState.READY)
    jobs = await asyncio.gather(bench.submit("obeys"), bench.submit(), bench.submit())
    await bench.told(jobs[0])
    assert {(await bench.job(job)).worker for job in jobs} == {first.status.worker}
    bench.start(batch_limit=1)
    for job in jobs[1:]:
        ended = await bench.ended(job)
        assert (ended.state, ended.attempts) == (State.SUCCEEDED, 1)
    assert (await bench.job(jobs[0])).state is State.RUNNING
    await bench.close()


async def test_the_next_batch_is_claimed_before_the_device_is_free(tmp_path: Path) -> None:
    # A slow clock: what is 30 ms to the replica is 0.2 s here.
    bench = Bench.build(tmp_path, rate=0.15)
    replica = bench.start("Simple", options={"fixed": 0.5}, batch_limit=2)
    measured = BatchTime(0.075, 0.0, (0.075, 0.0), ((1.0, 0.075),))
    replica._serving.forming.seconds = measured
    for _ in range(2):
        await bench.submit()
    await wait_until(lambda: bench.recorder.batches == [2], "two run")
    second = [await bench.submit() for _ in range(3)]

    async def claimed() -> bool:
        return (await bench.job(second[1])).state is State.RUNNING

    await wait_until(claimed, "two more are claimed")
    assert bench.recorder.counts["batches"] == 0, "the device is not free yet"
    assert replica.status.held == 4
    await bench.seams.ledger.apply(second[0], Cancel())
    await asyncio.gather(*(bench.ended(job) for job in second))
    # The place of the one that was cancelled is taken by one that came later.
    assert bench.recorder.batches == [2, 2]
    assert (await bench.job(second[0])).state is State.CANCELLED
    await bench.close()


async def test_what_was_claimed_early_survives_a_crash_unharmed(tmp_path: Path) -> None:
    bench = Bench.build(tmp_path, rate=1.0)
    replica = bench.start(batch_limit=1)
    await bench.ended(await bench.submit())
    replica._serving.forming.seconds = BatchTime(0.2, 0.0, (0.2, 0.0), ((1.0, 0.2),))
    running = await bench.submit("obeys")
    await bench.told(running)
    later = await bench.submit()

    async def claimed() -> bool:
        return (await bench.job(later)).state is State.RUNNING

    await wait_until(claimed, "the next is claimed")
    assert replica.status.pid is not None
    os.kill(replica.status.pid, signal.SIGKILL)
    await bench.seams.ledger.apply(running, Cancel())
    ended = await bench.ended(later)
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, 1)
    await bench.close()


async def test_a_drain_lets_the_batch_finish(bench: Bench) -> None:
    job = await bench.submit()
    replica = bench.start("Simple", options={"fixed": 0.3})
    await bench.state(replica, ReplicaState.BUSY)
    later = await bench.submit()
    replica.drain(600.0)
    assert replica.status.state is ReplicaState.DRAINING
    await bench.state(replica, ReplicaState.STOPPED)
    assert (await bench.job(job)).state is State.SUCCEEDED
    assert (await bench.job(later)).state is State.QUEUED
    assert replica.status.pid is None


async def test_a_drain_gives_back_what_takes_too_long(bench: Bench) -> None:
    jobs = [await bench.submit("hangs"), await bench.submit()]
    replica = bench.start()
    await bench.state(replica, ReplicaState.BUSY)
    replica.drain(3.0)
    await bench.state(replica, ReplicaState.STOPPED)
    for job in [await bench.job(job) for job in jobs]:
        assert (job.state, job.attempts, job.worker) == (State.QUEUED, 0, None)


async def test_stop_now_gives_back_at_once(bench: Bench) -> None:
    job = await bench.submit("hangs")
    replica = bench.start()
    await bench.state(replica, ReplicaState.BUSY)
    replica.stop_now()
    await bench.state(replica, ReplicaState.STOPPED)
    assert (await bench.job(job)).attempts == 0


@pytest.mark.parametrize("engine", ["HangsInLoad", "HangsInUnload"])
async def test_a_drain_does_not_wait_for_loading_or_unloading(bench: Bench, engine: str) -> None:
    replica = bench.start(engine)
    if engine == "HangsInUnload":
        await bench.state(replica, ReplicaState.READY)
    else:
        await wait_until(lambda: replica.status.pid is not None, "the child was started")
    replica.drain(600.0)
    await bench.state(replica, ReplicaState.STOPPED)


async def test_a_drain_during_back_off_ends_it(bench: Bench) -> None:
    replica = bench.start("RaisesInLoad")
    await bench.state(replica, ReplicaState.SETUP_FAILED)
    replica.drain(600.0)
    await bench.state(replica, ReplicaState.STOPPED)


SERVER = """
import asyncio, sys
from kinesphere.adapters.clock import SystemClock
from kinesphere.worker.process import Child, Launch
from kinesphere.worker.messages import Item, Load, Run

async def main():
    child = await Child.start(Launch(), SystemClock(), print)
    child.send(Load(engine="tests.worker.engines:Actor", options={}, device="cpu", formats=[]))
    await child.receive()
    item = Item(claim="j/1", request={"act": sys.argv[1]}, inputs={}, format="")
    child.send(Run(items=[item]))
    print(child.pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("act", ["fine", "hangs"])
async def test_a_child_does_not_outlive_its_parent(act: str) -> None:
    environment = dict(launch().environment)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, act, stdout=PIPE, env=environment, cwd=ROOT
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await wait_until(lambda: not alive(pid), "the child is gone", 1.0)
    await parent.wait()


def alive(pid: int) -> bool:
    """Whether the process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
