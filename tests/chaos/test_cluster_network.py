"""A worker whose network fails, whose clock is wrong, or whose hints are."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from deploy.onebox.debian import install

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.hints_celery import CeleryBell, create_celery, queue_name
from kinesphere.core.jobs import EventKind
from tests.chaos.rig import LEASE, Rig, Worker
from tests.network import Fault, Link

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LONG = int(os.environ.get("CHAOS_CLUSTER_KILLS", "1"))
"""How often each cut is made."""


def there(link: Link) -> None:
    """What the worker says is lost."""
    link.break_down(Fault.SILENT_THERE)
    time.sleep(1.3 * LEASE)
    link.mend()


def back(link: Link) -> None:
    """What the worker is told is lost."""
    link.break_down(Fault.SILENT_BACK)
    time.sleep(1.3 * LEASE)
    link.mend()


def flapping(link: Link) -> None:
    """Connections are reset again and again."""
    for _ in range(5):
        link.break_down(Fault.REFUSED)
        time.sleep(0.3)
        link.mend()
        time.sleep(0.3)


@pytest.mark.parametrize("harm", [there, back, flapping])
@pytest.mark.parametrize("server", ["postgres", "redis", "s3"])
def test_a_worker_is_cut_off(cluster: Rig, server: str, harm: Callable[[Link], None]) -> None:
    with cluster.case(f"network to {server}, {harm.__name__}") as row:
        for _ in range(LONG):
            mine = cluster.submit()
            holder = cluster.holder(mine)
            others = [cluster.submit("steady") for _ in range(2)]
            cutting = threading.Thread(target=harm, args=(holder.links[server],))
            cutting.start()
            # Whoever asks does not notice.
            asked = time.monotonic()
            others.append(cluster.submit())
            assert time.monotonic() - asked < 15.0
            cutting.join()
            row.strikes += 1
            row.seconds.append(cluster.ended([mine, *others]))


@contextmanager
def one_more(rig: Rig, pool: str, **settings: str) -> Iterator[Worker]:
    """A worker that is there for a block."""
    worker = rig.worker(pool, **settings)
    try:
        worker.process.said("replica_ready")
        yield worker
    finally:
        rig.leave(worker)


OFFSET = """
import time

_right = time.time
time.time = lambda: _right() + {offset}
"""


@pytest.mark.parametrize("offset", [3_600, -3_600])
def test_a_worker_whose_clock_is_an_hour_off(cluster: Rig, offset: int, tmp_path: Path) -> None:
    """A thousand leases: were they reckoned by it, every claim would lapse at once, or never.

    Its Python tells the wrong time; the S3 client, which is no Python, signs with the right one.
    """
    (tmp_path / "sitecustomize.py").write_text(OFFSET.format(offset=offset))
    paths = [str(tmp_path), cluster.made.settings["PYTHONPATH"]]
    wrong = {"PYTHONPATH": os.pathsep.join(paths)}
    with (
        cluster.case(f"a worker's clock off by {offset:+} s") as row,
        one_more(cluster, "poison", **wrong) as worker,
    ):
        job_ids = [cluster.submit("poison") for _ in range(20)]
        row.strikes += 1
        row.seconds.append(cluster.ended(job_ids))
        claims = [cluster.happened(job_id, EventKind.CLAIMED) for job_id in job_ids]
        pids = {str(claim and claim["worker"]).split("/")[1] for claim in claims}
        assert pids == {str(worker.process.pid)}
        written = datetime.fromisoformat(worker.process.logged()[-1]["ts"])
        assert abs(written.timestamp() - SystemClock().now()) > 3_000, "its clock is right"
        assert worker.metric("kinesphere_stale_tokens_total") == 0
    assert row.claims == row.jobs


@pytest.fixture(scope="module")
def faketime() -> str:
    """The library that moves a process's clock."""
    install("faketime", "faketime")
    return str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")))


@pytest.mark.parametrize("offset", ["+3600", "-3600"])
def test_a_machine_whose_clock_is_an_hour_off_does_not_begin(
    cluster: Rig, faketime: str, offset: str
) -> None:
    """S3 takes no signature of a quarter of an hour ago, so such a worker could store nothing."""
    wrong = {"LD_PRELOAD": faketime, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with cluster.case(f"a machine's clock off by {offset} s") as row:
        worker = cluster.worker("steady", **wrong)
        assert worker.process.wait() == 1
        assert "set this machine's clock" in worker.process.log.read_text()
        cluster.leave(worker)
        row.strikes += 1
        row.seconds.append(cluster.ended([cluster.submit()]))


def test_hints_are_repeated_reordered_and_for_nothing(cluster: Rig) -> None:
    with cluster.case("hints five times, backwards, and of no job") as row:
        bell = CeleryBell(create_celery(cluster.made.redis.url, ["steady"]))
        try:
            job_ids = [cluster.submit("steady") for _ in range(12)]
            for _ in range(5):
                for job_id in reversed(job_ids):
                    bell.ring("steady", job_id)
                bell.ring("steady", "01KAZ6T3V9S2Q4W8E0R5Y7T1J3")
                row.strikes += 1
            row.seconds.append(cluster.ended(job_ids))
        finally:
            bell.close()
        assert all(cluster.job(job_id)["attempts"] == 1 for job_id in job_ids)


def test_hints_are_lost(cluster: Rig) -> None:
    with cluster.case("every hint lost") as row:
        stop = threading.Event()

        def lose() -> None:
            while not stop.is_set():
                cluster.made.redis.command("DEL", queue_name("steady"))

        losing = threading.Thread(target=lose)
        losing.start()
        try:
            for _ in range(3):
                row.strikes += 1
                row.seconds.append(cluster.ended([cluster.submit()]))
        finally:
            stop.set()
            losing.join()
