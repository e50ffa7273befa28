"""Spare replicas: as many as are asked for beyond those that are busy."""

import pytest

from kinesphere.core.scaling.limits import bounded
from kinesphere.core.scaling.values import Limits, Memory, Phase, Replica, Snapshot


def snapshot(busy: int, running: int | None = None) -> Snapshot:
    return Snapshot(
        now=1_000.0,
        replicas=tuple(Replica(str(n), Phase.BUSY, 1_010.0) for n in range(busy)),
        waiting=(),
        queued=0,
        running=busy if running is None else running,
        arrived=0,
        service=None,
        cold_start=30.0,
    )


@pytest.mark.parametrize(("busy", "kept"), [(0, 2), (1, 3), (4, 6), (7, 8)])
def test_so_many_beyond_the_busy_ones_up_to_the_most(busy: int, kept: int) -> None:
    assert bounded(0, snapshot(busy), Limits(spare=2), Memory()) == kept


def test_a_sleeping_pool_has_none() -> None:
    limits = Limits(minimum=0, spare=2, sleep_after=300.0)
    assert bounded(0, snapshot(0), limits, Memory(worked_at=800.0)) == 2
    assert bounded(0, snapshot(0), limits, Memory(worked_at=600.0)) == 0


def test_more_that_the_load_asks_for_stays() -> None:
    assert bounded(5, snapshot(1), Limits(spare=2), Memory()) == 5
