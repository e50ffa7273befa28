"""Jobs that kill who runs them, jobs that are cancelled, and workers that are told to leave."""

import signal
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from deploy.onebox.processes import Api, Process

from kinesphere import Client
from kinesphere.core.jobs import EventKind
from kinesphere.core.transitions import MAX_ATTEMPTS
from tests.chaos.rig import Rig, kill, until
from tests.network import Fault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CODES = {"crash": "ENGINE_CRASHED", "hang": "ENGINE_TIMEOUT", "eat": "OOM_HOST"}


def test_poison_ends_among_the_dead_letters(cluster: Rig) -> None:
    with cluster.case("poison: crash, hang, out of memory") as row:
        worker = cluster.worker("poison")
        # Another, so that a hanging engine does not hold the others up.
        second = cluster.worker("poison")
        poison = {code: cluster.submit("poison", word) for word, code in CODES.items()}
        innocent = [cluster.submit("poison", f"wave {n}") for n in range(8)]
        elsewhere = [cluster.submit() for _ in range(2)]
        row.strikes += len(poison)
        cluster.ended(elsewhere)
        row.seconds.append(cluster.ended([*poison.values(), *innocent]))
        with Client(cluster.made.apis[0].url) as client:
            dead = {job.id: job for job in client.jobs(state="failed")}
            for code, job_id in poison.items():
                failed = dead[job_id]
                assert failed.attempts == MAX_ATTEMPTS
                assert failed.error is not None
                assert failed.error.error_code == code
            assert all(client.job(job_id).state == "succeeded" for job_id in innocent)
            again = client.revive(poison["ENGINE_CRASHED"])
            assert (again.state, again.attempts) == ("queued", 0)
            cluster.ended([again.id])
            assert client.job(again.id).state == "failed"
        for each in (worker, second):
            cluster.leave(each)


def queued(rig: Rig, job_id: str) -> None:
    """At once: it may just be claimed, or not."""


def running(rig: Rig, job_id: str) -> None:
    until(lambda: rig.job(job_id)["progress"] > 0.3, "the engine is at work")


def uploading(rig: Rig, job_id: str) -> None:
    holder = rig.holder(job_id)
    holder.s3.break_down(Fault.SILENT_BACK)
    until(lambda: rig.stored(job_id), "the file is stored")


def backing_off(rig: Rig, job_id: str) -> None:
    for child in rig.holder(job_id).process.children():
        kill(child)
    until(lambda: rig.happened(job_id, EventKind.REQUEUED), "the attempt has failed")


def finished(rig: Rig, job_id: str) -> None:
    rig.ended([job_id])


@pytest.mark.parametrize("state", [queued, running, uploading, backing_off, finished])
def test_a_job_is_cancelled(cluster: Rig, state: Callable[[Rig, str], None]) -> None:
    with cluster.case(f"cancelled while {state.__name__}") as row:
        job_id = cluster.submit()
        state(cluster, job_id)
        answer = httpx.delete(f"{cluster.made.apis[1].url}/v1/jobs/{job_id}", timeout=30)
        row.strikes += 1
        assert answer.status_code == (409 if state is finished else 200)
        for worker in cluster.workers:
            worker.s3.mend()
        # Those that come after it are not held up.
        row.seconds.append(cluster.ended([cluster.submit()]))
        assert cluster.job(job_id)["state"] == ("succeeded" if state is finished else "cancelled")


def test_a_busy_worker_that_is_told_to_leave_finishes(cluster: Rig) -> None:
    with cluster.case("`SIGTERM` of a busy worker") as row:
        job_id = cluster.submit()
        holder = cluster.holder(job_id)
        until(lambda: cluster.job(job_id)["progress"] > 0.1, "the engine is at work")
        began = time.monotonic()
        assert holder.process.stop() == 0
        row.strikes += 1
        row.seconds.append(time.monotonic() - began)
        shown = cluster.job(job_id)
        assert (shown["state"], shown["attempts"]) == ("succeeded", 1)


def test_a_worker_without_time_gives_its_job_back(cluster: Rig) -> None:
    with cluster.case("`SIGTERM` twice of a busy worker") as row:
        job_id = cluster.submit()
        holder = cluster.holder(job_id)
        until(lambda: cluster.job(job_id)["progress"] > 0.1, "the engine is at work")
        began = time.monotonic()
        holder.process.tell(signal.SIGTERM)
        time.sleep(0.1)
        assert holder.process.stop() == 0
        row.strikes += 1
        row.seconds.append(time.monotonic() - began)
        cluster.ended([job_id])
        shown = cluster.job(job_id)
        assert (shown["state"], shown["attempts"]) == ("succeeded", 1)


def test_everything_is_restarted_one_by_one_under_load(cluster: Rig) -> None:
    with cluster.case("rolling restart under load") as row:
        stop = threading.Event()

        def ask() -> None:
            while not stop.wait(0.2):
                cluster.submit()

        user = threading.Thread(target=ask)
        user.start()
        try:
            for process in list(cluster.made.processes):
                assert process.stop() == 0
                process.start()
                _again(process)
                row.strikes += 1
        finally:
            stop.set()
            user.join()
    jobs, records, _ = cluster.everything()
    mine = set(cluster.accepted[-row.jobs :])
    # Nobody was struck down, so nothing was run twice or waited for a lease to lapse.
    lost = [r for r in records if r.job_id in mine and r.event.data.get("code") == "LEASE_LOST"]
    assert lost == []
    assert all(jobs[job_id].state.value == "succeeded" for job_id in mine)


def _again(process: Process) -> None:
    if isinstance(process, Api):
        return
    process.said("replica_ready" if process.name.startswith("steady") else "sweeper.begun")
