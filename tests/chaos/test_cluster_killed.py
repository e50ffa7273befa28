"""`kill -9` of every process of a cluster, at every point in the life of a job."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from enum import StrEnum

import pytest

from kinesphere.core.jobs import EventKind
from tests.chaos.rig import Rig, Worker, kill, until
from tests.chaos.table import Row
from tests.network import Fault

KILLS = int(os.environ.get("CHAOS_CLUSTER_KILLS", "1"))
"""Of each victim at each point."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 300 * KILLS)]


class Point(StrEnum):
    """Where in the life of a job a process is struck, in order."""

    ACCEPTED = "after accept"
    HINTED = "after hint"
    CLAIMED = "after claim"
    STARTED = "after start"
    MID_STEP = "mid-step"
    UPLOADED = "at upload"
    COMMITTING = "before commit"
    COMMITTED = "after commit"


def reach(rig: Rig, point: Point, job_id: str, stack: ExitStack) -> bool:
    """Return when a job is at this point, and held there until the stack unwinds if need be.

    False where the job was past it before it could be held.
    """
    if point is Point.HINTED:
        until(
            lambda: (
                rig.happened(job_id, EventKind.CLAIMED)
                or any(job_id in worker.hinted() for worker in rig.workers)
            ),
            "a worker hears of the job",
        )
    if point in (Point.ACCEPTED, Point.HINTED):
        return True
    holder = rig.holder(job_id)
    if point is Point.STARTED:
        until(lambda: rig.job(job_id)["progress"] > 0.0, "the engine has begun")
    elif point is Point.MID_STEP:
        until(lambda: rig.job(job_id)["progress"] > 0.4, "the engine is in the middle")
    elif point is Point.UPLOADED:
        # The store gets the file, and the worker does not learn of it.
        holder.s3.break_down(Fault.SILENT_BACK)
        stack.callback(holder.s3.mend)
        until(lambda: rig.stored(job_id), "the file is stored")
    elif point is Point.COMMITTING:
        until(lambda: rig.job(job_id)["progress"] > 0.4, "the engine is in the middle")
        stack.enter_context(rig.writers_held())
        if rig.happened(job_id, EventKind.SUCCEEDED):
            return False
        until(lambda: rig.stored(job_id), "the file is stored")
        until(lambda: rig.waits_to_commit(holder), "the worker waits to commit")
    elif point is Point.COMMITTED:
        until(lambda: rig.happened(job_id, EventKind.SUCCEEDED), "the job is committed")
    return True


def _worker_of(rig: Rig, job_id: str) -> Worker:
    with suppress(StopIteration):
        if rig.happened(job_id, EventKind.CLAIMED):
            return rig.holder(job_id)
    return next((w for w in rig.workers if job_id in w.hinted()), rig.chance.choice(rig.workers))


def _parent(rig: Rig, job_id: str) -> None:
    process = _worker_of(rig, job_id).process
    process.kill(children=False)
    process.start()


def _child(rig: Rig, job_id: str) -> None:
    for child in _worker_of(rig, job_id).process.children():
        kill(child)


def _api(rig: Rig, job_id: str) -> None:
    # The first one accepted it.
    rig.made.apis[0].kill()
    rig.start(rig.made.apis[0])


def _sweeper(rig: Rig, job_id: str) -> None:
    found = rig.rows("SELECT holder FROM leaders WHERE office = 'sweeper'")
    leader = str(found[0][0]).split("/")[1] if found else ""
    sweepers = rig.made.sweepers
    process = next((s for s in sweepers if str(s.pid) == leader), sweepers[0])
    process.kill()
    process.start()


VICTIMS: dict[str, Callable[[Rig, str], None]] = {
    "worker": _parent,
    "engine": _child,
    "API": _api,
    "sweeper": _sweeper,
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_process_is_killed_at_every_point(cluster: Rig, victim: str) -> None:
    for point in Point:
        with cluster.case(f"`kill -9` of the {victim} {point.value}") as row:
            for _ in range(KILLS):
                _strike(cluster, victim, point, row)
            assert row.strikes == KILLS


def _strike(rig: Rig, victim: str, point: Point, row: Row) -> None:
    rig.started()
    jobs: list[str] = []
    struck = False
    while not struck:
        with ExitStack() as stack:
            job_id = rig.submit()
            jobs += [job_id, *(rig.submit("steady") for _ in range(2))]
            if struck := reach(rig, point, job_id, stack):
                VICTIMS[victim](rig, job_id)
    row.strikes += 1
    row.seconds.append(rig.ended(jobs))


def test_processes_are_killed_at_random_times(cluster: Rig) -> None:
    """What the points above do not name is met in time."""
    with cluster.case("`kill -9` of anything at any time") as row:
        stop = threading.Event()
        user = threading.Thread(target=_ask, args=(cluster, stop))
        user.start()
        try:
            for _ in range(4 * KILLS):
                time.sleep(cluster.chance.uniform(0.0, 1.0))
                process = cluster.chance.choice(cluster.made.processes)
                process.kill(children=bool(cluster.chance.getrandbits(1)))
                process.start()
                row.strikes += 1
        finally:
            stop.set()
            user.join()


def _ask(rig: Rig, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        rig.submit()
