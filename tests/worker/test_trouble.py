"""The table of engines that misbehave, each in a real child process.

Whatever an engine does to one job, the job ends with the right code, its neighbour in the batch
succeeds, and the replica serves the next job.
"""

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from kinesphere.core.jobs import State
from kinesphere.core.replicas import ReplicaState
from kinesphere.worker.process import Launch
from kinesphere.worker.supervisor import DEFUNCT_AFTER
from tests.waiting import wait_until
from tests.worker.bench import Bench
from tests.worker.engines import HELPER

TROUBLE = [
    ("raises", "ENGINE_FAILED", "KeyError: 'joint'", 3),
    ("runs_out_of_memory", "OOM_HOST", "memory", 3),
    ("exits", "ENGINE_CRASHED", "exited with status 3", 3),
    ("exits_at_once", "ENGINE_CRASHED", "exited with status 0", 3),
    ("segfaults", "ENGINE_CRASHED", "SIGSEGV", 3),
    ("is_killed", "ENGINE_CRASHED", "SIGKILL", 3),
    ("garbles", "ENGINE_CRASHED", "no message", 3),
    ("is_left_out", "ENGINE_OUTPUT_INVALID", "0 as outcomes of 1", 2),
    ("is_a_number", "ENGINE_OUTPUT_INVALID", "int", 1),
    ("has_odd_notes", "ENGINE_OUTPUT_INVALID", "notes", 1),
    ("has_odd_code", "ENGINE_OUTPUT_INVALID", "OUT_OF_LUCK", 1),
    ("skips", "ENGINE_OUTPUT_INVALID", "not cancelled", 1),
    ("is_broken_numbers", "QUALITY_REJECTED", "The motion failed", 1),
]


@pytest.mark.parametrize(("act", "code", "detail", "attempts"), TROUBLE)
async def test_trouble_stays_with_the_job_that_makes_it(
    bench: Bench, act: str, code: str, detail: str, attempts: int
) -> None:
    bad, neighbour = await bench.submit(act), await bench.submit()
    bench.start()
    failed, innocent = await bench.ended(bad), await bench.ended(neighbour)
    assert failed.state is State.FAILED
    assert failed.failure is not None
    assert failed.failure.code == code
    assert detail in failed.failure.detail
    assert failed.attempts == attempts
    assert innocent.state is State.SUCCEEDED
    assert innocent.attempts <= 2
    assert bench.recorder.batches[0] == 2
    following = await bench.ended(await bench.submit())
    assert following.state is State.SUCCEEDED
    assert following.attempts == 1


@pytest.mark.parametrize("act", ["hangs", "hangs_with_helper"])
async def test_a_batch_over_its_limit_is_stopped(bench: Bench, act: str) -> None:
    bad, neighbour = await bench.submit(act), await bench.submit()
    replica = bench.start(run_limit=5.0)
    failed, innocent = await bench.ended(bad), await bench.ended(neighbour)
    assert failed.failure is not None
    assert (failed.state, failed.failure.code) == (State.FAILED, "ENGINE_TIMEOUT")
    assert innocent.state is State.SUCCEEDED
    assert "ran too long" in replica.status.last_error
    assert "\0".join(HELPER) not in command_lines()
    assert (await bench.ended(await bench.submit())).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        ("Missing", "Missing"),
        ("tests.worker.raises_on_import:Engine", "ImportError: no such library"),
        ("RaisesInConstructor", "ValueError: no such precision"),
        ("RaisesInLoad", "RuntimeError: no device cpu"),
        ("RaisesInWarmUp", "RuntimeError: cold"),
        ("ExitsInLoad", "SystemExit: 3"),
        ("DiesInLoad", "exited with status 4"),
    ],
)
async def test_a_failed_set_up_is_data_and_jobs_stay_queued(
    bench: Bench, engine: str, reason: str
) -> None:
    waiting = await bench.submit()
    replica = bench.start(engine)
    await bench.state(replica, ReplicaState.SETUP_FAILED)
    status = replica.status
    assert reason in status.last_error
    assert status.pid is None
    job = await bench.job(waiting)
    assert (job.state, job.attempts) == (State.QUEUED, 0)


async def test_a_load_over_its_limit_fails_the_set_up(bench: Bench) -> None:
    replica = bench.start("HangsInLoad", load_limit=5.0)
    await bench.state(replica, ReplicaState.SETUP_FAILED)
    assert "not ready after 5 s" in replica.status.last_error


async def test_a_set_up_is_tried_again(bench: Bench) -> None:
    waiting = await bench.submit()
    replica = bench.start("LoadsOnlyTheSecondTime", options={"mark": str(bench.folder / "mark")})
    assert (await bench.ended(waiting)).state is State.SUCCEEDED
    assert replica.status.children == 2
    assert ReplicaState.SETUP_FAILED in bench.recorder.states


async def test_many_failed_set_ups_make_a_replica_defunct(bench: Bench) -> None:
    replica = bench.start("DiesInLoad")
    await bench.state(replica, ReplicaState.DEFUNCT)
    assert len(bench.recorder.deaths) == DEFUNCT_AFTER
    await wait_until(lambda: replica.status.children > DEFUNCT_AFTER, "it goes on trying")
    assert replica.status.state is ReplicaState.DEFUNCT


async def test_prints_neither_flood_nor_stall(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kinesphere.worker")
    job = await bench.submit("prints")
    bench.start()
    assert (await bench.ended(job)).state is State.SUCCEEDED
    await bench.close()
    printed = [r.getMessage() for r in caplog.records if "engine_print" in vars(r).values()]
    assert sum(map(len, printed)) < 5_000_000
    assert any("bytes left out" in line for line in printed)


async def test_standard_streams_are_not_the_protocol(bench: Bench) -> None:
    job = await bench.submit("talks_to_its_output")
    bench.start()
    ended = await bench.ended(job)
    assert (ended.state, ended.notes["said"]) == (State.SUCCEEDED, "")


async def test_a_leak_is_reported(bench: Bench) -> None:
    replica = bench.start()
    await bench.state(replica, ReplicaState.READY)
    before = replica.status.memory
    await bench.ended(await bench.submit("leaks"))
    assert replica.status.memory - before > 60 * 1024 * 1024
    assert before > 1024 * 1024


async def test_signals_are_for_the_supervisor(bench: Bench) -> None:
    replica = bench.start()
    await bench.state(replica, ReplicaState.READY)
    pid = replica.status.pid
    assert pid is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert (await bench.ended(await bench.submit())).state is State.SUCCEEDED
    assert replica.status.pid == pid


async def test_the_child_dies_of_memory_before_its_supervisor(bench: Bench) -> None:
    replica = bench.start()
    await bench.state(replica, ReplicaState.READY)
    assert out_of_memory_score(str(replica.status.pid)) > out_of_memory_score("self")


def test_a_child_gets_no_settings_of_the_platform() -> None:
    environment = {"KINESPHERE_SECRET": "s", "HOME": "/h", "OMP_NUM_THREADS": "64"}
    variables = Launch(threads=2, environment=environment).variables()
    assert "KINESPHERE_SECRET" not in variables
    assert variables["HOME"] == "/h"
    assert variables["OMP_NUM_THREADS"] == "2"
    assert Launch(threads=0, environment=environment).variables()["OMP_NUM_THREADS"] == "64"


def command_lines() -> list[str]:
    """The command line of every process, its words parted by NUL."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text().rstrip("\0"))
    return found


def out_of_memory_score(pid: str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


async def test_an_idle_child_that_dies_is_replaced(bench: Bench) -> None:
    replica = bench.start()
    await bench.state(replica, ReplicaState.READY)
    talk = replica._talk
    assert talk is not None
    talk._child.kill()
    await wait_until(lambda: replica.status.children == 2, "a second child")
    assert (await bench.ended(await bench.submit())).state is State.SUCCEEDED
