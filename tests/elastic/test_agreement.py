"""One trace through a real server and through the simulator; how near they come is measured by
`benchmarks/agreement.py`, on a machine that is left alone."""

import pytest
from benchmarks.agreement import WORK, both

from kinesphere.elastic.simulator import Arrival

MOST = 4


@pytest.mark.slow
def test_a_burst_is_served_whole_by_both_and_grows_both() -> None:
    burst = [Arrival(float(n), WORK, float(n) + 10_000.0, estimate=WORK) for n in range(12)]
    real, simulated = both(burst, duration=400.0, most=MOST, speed=40.0)
    for each in (real, *simulated):
        assert (each.jobs, each.served, each.met) == (12, 12, 1.0)
        assert 1 < each.busiest <= MOST
        assert each.starts >= 1
        assert each.wait_mean > 0.0
        # Work alone takes a quarter of an hour, and nothing is paid for less than it works.
        assert each.gpu_hours >= 0.9 * 12 * WORK / 3600.0
    assert real.cold_start >= 30.0
