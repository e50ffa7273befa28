"""Workers that stand still and come back: what they say late is refused, and holds nobody up."""

import time

import pytest

from kinesphere.core.jobs import EventKind
from tests.chaos.rig import LEASE, Rig, Worker, until
from tests.network import Fault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _lost(worker: Worker) -> float:
    """Claims that a worker lost, as it learned when it renewed them or had its last word."""
    names = ("kinesphere_leases_lost_total", "kinesphere_stale_tokens_total")
    return sum(map(worker.metric, names))


def test_a_worker_that_stood_still_for_two_leases_commits_nothing(cluster: Rig) -> None:
    with cluster.case("`SIGSTOP` of a worker for two leases, mid-step") as row:
        lost = {worker: _lost(worker) for worker in cluster.workers}
        job_id = cluster.submit()
        holder = cluster.holder(job_id)
        holder.process.pause()
        try:
            # Its engine, which has a session of its own, goes on and ends.
            row.strikes += 1
            time.sleep(2 * LEASE)
            until(lambda: cluster.happened(job_id, EventKind.REQUEUED), "the lease is reaped")
        finally:
            holder.process.resume()
        until(lambda: _lost(holder) > lost[holder], "the worker learns that it has lost the job")
        row.seconds.append(cluster.ended([job_id]))
    commit = cluster.happened(job_id, EventKind.SUCCEEDED)
    assert commit is not None
    assert commit["token"] > 1


def test_a_worker_that_stood_still_while_it_committed_is_refused(cluster: Rig) -> None:
    with cluster.case("`SIGSTOP` of a worker for two leases, before commit") as row:
        job_id = cluster.submit()
        holder = cluster.holder(job_id)
        refused = holder.metric("kinesphere_stale_tokens_total")
        # Its file has arrived, which it does not learn: so its last word is still to be said.
        holder.s3.break_down(Fault.SILENT_BACK)
        until(lambda: cluster.stored(job_id), "the file is stored")
        holder.process.pause()
        try:
            row.strikes += 1
            until(lambda: cluster.happened(job_id, EventKind.REQUEUED), "the lease is reaped")
            row.seconds.append(cluster.ended([job_id]))
        finally:
            holder.s3.mend()
            holder.process.resume()
        until(
            lambda: holder.metric("kinesphere_stale_tokens_total") > refused,
            "the late commit is refused and counted",
        )


def test_a_worker_that_stands_still_in_a_transaction_holds_nobody_up(cluster: Rig) -> None:
    with cluster.case("`SIGSTOP` of a worker in a transaction") as row:
        job_id = cluster.submit()
        holder = cluster.holder(job_id)
        with cluster.writers_held():
            until(lambda: cluster.waits_to_commit(holder), "the worker waits to commit")
            holder.process.pause()
        row.strikes += 1
        try:
            began = time.monotonic()
            cluster.submit(api=1)
            row.seconds.append(time.monotonic() - began)
        finally:
            holder.process.resume()
        assert row.seconds[0] < 30.0
