"""What is left when somebody loses patience, and whose patience is asked for."""

import asyncio
import gc
import time
from io import BufferedIOBase
from pathlib import Path

import pytest

from kinesphere import AsyncClient, Client
from kinesphere.client import Unavailable
from tests.client.conftest import Connect
from tests.client.faults import FaultyServer, Heard, answer, events, pings, problem, stall
from tests.client.test_faults import (
    DATA,
    FILE,
    JOB,
    SUBMITTED,
    ended,
    job,
)
from tests.waiting import wait_until


def test_a_limit_is_waited_for(connect: Connect, faulty: FaultyServer) -> None:
    limited = problem(429, "RATE_LIMITED", retry=True, Retry_After="1")
    faulty.on(f"GET /v1/jobs/{JOB}", limited, answer(job()))
    began = time.monotonic()
    assert connect(faulty.url).job(JOB).id == JOB
    assert 1.0 <= time.monotonic() - began < 5.0
    assert len(faulty.heard) == 2


def test_a_deadline_out_of_reach_is_not_tried_again(connect: Connect, faulty: FaultyServer) -> None:
    faulty.on("POST /v1/motions", problem(503, "DEADLINE_UNREACHABLE", Retry_After="7"))
    with pytest.raises(Unavailable) as caught:
        connect(faulty.url).submit("wave")
    assert (caught.value.error_code, caught.value.retry_after) == ("DEADLINE_UNREACHABLE", 7.0)
    assert len(faulty.heard) == 1


def test_an_eta_has_its_basis(connect: Connect, faulty: FaultyServer) -> None:
    basis = {"ahead": 3, "work_ahead_seconds": 2.5, "replicas": 2, "measured": True, "new": 1}
    eta = {"time": "2026-03-01T12:00:04Z", "seconds": 4.0, "basis": basis}
    faulty.on(f"GET /v1/jobs/{JOB}", answer(job(eta=eta)))
    told = connect(faulty.url).job(JOB).eta
    assert told is not None
    assert told.time.isoformat() == "2026-03-01T12:00:04+00:00"
    assert (told.basis.ahead, told.basis.work_ahead_seconds, told.basis.measured) == (3, 2.5, True)


def test_ctrl_c_leaves_no_file(faulty: FaultyServer, tmp_path: Path) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))
    faulty.on(f"GET {FILE}", answer(DATA))

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with Client(faulty.url) as client:
        with pytest.raises(KeyboardInterrupt):
            client.download(JOB, tmp_path / "m.bvh", on_progress=interrupt)
        assert list(tmp_path.iterdir()) == []
        # The client is as good as before.
        assert client.download(JOB, tmp_path / "m.bvh").read_bytes() == DATA


async def test_a_cancelled_download_leaves_no_file(faulty: FaultyServer, tmp_path: Path) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}", answer(ended(faulty)))

    def half(server: FaultyServer, heard: Heard, out: BufferedIOBase) -> None:
        answer(DATA, only=1000)(server, heard, out)
        out.flush()
        stall(server, heard, out)

    faulty.on(f"GET {FILE}", half)
    arrived: list[int] = []
    async with AsyncClient(faulty.url) as client:
        to = tmp_path / "m.bvh"
        task = asyncio.create_task(
            client.download(JOB, to, on_progress=lambda done, _: arrived.append(done))
        )
        await wait_until(lambda: bool(arrived), "some bytes have arrived")
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list(tmp_path.iterdir()) == []


def test_leaving_a_loop_over_events_closes_their_stream(faulty: FaultyServer) -> None:
    faulty.on(f"GET /v1/jobs/{JOB}/events", events(SUBMITTED, then=pings, end=False))
    with Client(faulty.url) as client:
        for event in client.events(JOB):
            assert event.name == "submitted"
            break
        # Nothing that warns of what was not closed may be left: warnings are errors here.
        gc.collect()
        faulty.on(f"GET /v1/jobs/{JOB}", answer(job()))
        assert client.job(JOB).id == JOB
