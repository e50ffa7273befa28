"""A plan's replicas divided among classes of hardware."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinesphere.core.admission import Service
from kinesphere.core.scaling.division import Division, Hardware, Standing, carried, divide
from kinesphere.core.scaling.tiers import Demand, Tier
from kinesphere.core.scaling.values import Phase, Plan, Replica, Snapshot

A10 = Tier(name="a10", price=1.0, memory=24.0)
A100 = Tier(name="a100", price=2.2, speed=3.0, memory=80.0)
SPOT = Tier(name="a10-spot", price=0.4, memory=24.0, spot=True, losses=0.2)
BOTH = Hardware(tiers=(A10, SPOT), on_demand=1)
SPEED = {"a10": 1.0, "a10-spot": 1.0, "a100": 3.0}


def replica(name: str, tier: str, phase: Phase = Phase.BUSY, until: float = 0.0) -> Replica:
    return Replica(name, phase, until, SPEED[tier], tier=tier)


def snapshot(*replicas: Replica, now: float = 1000.0, per_job: float = 60.0) -> Snapshot:
    return Snapshot(
        now=now, replicas=replicas, waiting=(), queued=0, running=0, arrived=0,
        service=Service(0.0, per_job, 1), cold_start=60.0, slack=30.0,
    )  # fmt: skip


def plan(number: int, tier: str = "", recommended: int | None = None) -> Plan:
    needed = number if recommended is None else recommended
    return Plan(replicas=number, drain=None, recommended=needed, reason="", tier=tier)


def divided(
    number: int,
    *replicas: Replica,
    hardware: Hardware = BOTH,
    before: Standing | None = None,
    recommended: int | None = None,
) -> Division:
    wanted = plan(number, recommended=recommended)
    return divide(wanted, snapshot(*replicas), hardware, 8, before or Standing())[0]


def test_on_demand_first_and_spot_above() -> None:
    assert divided(4).counts == {"a10": 1, "a10-spot": 3}
    assert divided(1).counts == {"a10": 1, "a10-spot": 0}
    assert divided(0).counts == {"a10": 0, "a10-spot": 0}


def test_one_fast_replica_for_several_slow_ones_where_it_is_cheaper() -> None:
    hardware = Hardware(tiers=(A10, A100))
    assert divided(1, hardware=hardware).counts == {"a10": 1, "a100": 0}
    assert divided(5, hardware=hardware).counts == {"a10": 0, "a100": 2}


def test_what_is_there_stays_while_more_is_ordered() -> None:
    there = (replica("x", "a10", Phase.IDLE), replica("y", "a10", Phase.IDLE))
    assert divided(3, *there).counts == {"a10": 2, "a10-spot": 1}


def test_the_dearest_idle_replica_goes_and_the_base_stays() -> None:
    there = (
        replica("x", "a10", Phase.IDLE, 10.0),
        replica("y", "a10", Phase.IDLE, 20.0),
        replica("z", "a10-spot", Phase.IDLE, 5.0),
    )
    down = divided(2, *there)
    assert (down.counts, down.drain) == ({"a10": 1, "a10-spot": 1}, ("x",))
    busy = (there[0], there[1]._replace(phase=Phase.BUSY), there[2])
    assert divided(2, *busy).drain == ("x",)
    busy = (*there[:2], there[2]._replace(phase=Phase.BUSY))
    assert divided(1, *busy).drain == ("x",)


def test_nothing_ready_goes_for_what_is_on_its_way() -> None:
    there = (replica("x", "a10", Phase.IDLE), replica("y", "a10-spot", Phase.STARTING, 2000.0))
    assert divided(1, *there).drain == ()


def test_a_spot_replica_that_is_taken_away_is_replaced_at_once_and_on_demand() -> None:
    there = (
        replica("x", "a10"),
        replica("y", "a10-spot"),
        replica("z", "a10-spot", Phase.DRAINING, 1010.0),
    )
    before = Standing({"a10": 1, "a10-spot": 2})
    found, after = divide(plan(3), snapshot(*there), BOTH, 8, before)
    assert found.counts == {"a10": 2, "a10-spot": 1}
    assert found.why == "1 a10-spot being taken away and replaced on demand"
    again = (*there, replica("w", "a10", Phase.STARTING, 1060.0))
    assert divide(plan(3), snapshot(*again), BOTH, 8, after)[0].counts == found.counts
    only = divided(2, *there[1:], hardware=Hardware(tiers=(SPOT,)), before=before)
    assert only.counts == {"a10-spot": 2}


def test_a_drain_of_our_own_is_no_notice() -> None:
    there = (replica("x", "a10"), replica("z", "a10-spot", Phase.DRAINING, 1010.0))
    found = divided(1, *there, before=Standing({"a10": 1, "a10-spot": 0}))
    assert (found.counts, found.why) == ({"a10": 1, "a10-spot": 0}, "")


def test_a_cheaper_mix_is_moved_to_once_nothing_has_changed_for_a_quarter_of_an_hour() -> None:
    there = [replica("x", "a10"), replica("y", "a10")]
    counts = {"a10": 2, "a10-spot": 0}
    early = divided(2, *there, before=Standing(counts, since=200.0))
    assert early.counts == counts
    late = divided(2, *there, before=Standing(counts, since=100.0))
    assert late.counts == {"a10": 2, "a10-spot": 1}
    full = divide(plan(2), snapshot(*there), BOTH, 2, Standing(counts, since=0.0))[0]
    assert full.counts == counts
    done = (there[0], replica("y", "a10", Phase.IDLE), replica("z", "a10-spot"))
    assert divided(2, *done).drain == ("y",)


def test_a_tier_that_is_sold_out_is_left_for_ten_minutes() -> None:
    there = (replica("x", "a10"),)
    before = Standing({"a10": 1, "a10-spot": 2}, short={"a10-spot": 600.0})
    found, after = divide(plan(3), snapshot(*there), BOTH, 8, before)
    assert found.counts == {"a10": 3, "a10-spot": 0}
    assert after.away == {"a10-spot": 1600.0}
    soon = snapshot(*there, now=1500.0)
    assert divide(plan(3), soon, BOTH, 8, after)[0].counts == found.counts
    later = snapshot(*there, now=1700.0)
    assert divide(plan(3), later, BOTH, 8, after)[0].counts == {"a10": 1, "a10-spot": 2}


def test_jobs_that_do_not_fit_move_up_and_the_new_come_first() -> None:
    hardware = Hardware(tiers=(A10, A100), memory=40.0)
    old = (replica("x", "a10"), replica("y", "a10", Phase.IDLE))
    up = divided(2, *old, hardware=hardware)
    assert (up.counts, up.drain) == ({"a10": 2, "a100": 1}, ())
    assert up.why == "jobs do not fit or take too long on what is there"
    starting = (*old, replica("z", "a100", Phase.STARTING, 1060.0))
    assert divided(3, *starting, hardware=hardware).drain == ()
    ready = (*old, replica("z", "a100", Phase.IDLE, 1060.0))
    over = divided(3, *ready, hardware=hardware, recommended=1)
    assert over.counts == {"a10": 0, "a100": 1}
    assert set(over.drain) == {"x", "y"}


def test_work_that_takes_too_long_moves_up_and_so_does_a_policy_that_says_so() -> None:
    slow = Hardware(tiers=(A10, A100), within=30.0)
    assert divided(1, hardware=slow).counts == {"a10": 0, "a100": 1}
    view = snapshot(replica("x", "a10"))
    both = Hardware(tiers=(A10, A100))
    assert divide(plan(2, "larger"), view, both, 8, Standing())[0].counts["a100"] >= 1
    hopeless = Hardware(tiers=(A10, A100), memory=999.0)
    assert sum(divided(2, hardware=hopeless).counts.values()) > 0


def test_a_replica_that_does_not_tell_its_tier_counts_as_one_of_the_first() -> None:
    silent = Replica("x", Phase.BUSY, 0.0)
    assert divided(2, silent).counts == {"a10": 1, "a10-spot": 1}


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 8),
    st.lists(st.tuples(st.sampled_from(sorted(SPEED)), st.sampled_from(list(Phase))), max_size=8),
    st.integers(0, 3),
)
# More spot on its way than is wanted, and what must not be spot is not there, or has no room.
@example(1, [("a10-spot", Phase.STARTING)] * 2, 1)
@example(3, [("a10-spot", Phase.STARTING)] * 6, 3)
def test_it_never_stops_what_works_and_never_has_less_than_was_planned(
    number: int, there: list[tuple[str, Phase]], base: int
) -> None:
    replicas = [replica(f"r{i}", tier, phase) for i, (tier, phase) in enumerate(there)]
    hardware = Hardware(tiers=(A10, SPOT, A100), on_demand=base)
    found, after = divide(plan(number), snapshot(*replicas), hardware, 8, Standing())
    assert after.counts == found.counts
    phases = {r.name: r.phase for r in replicas}
    assert all(phases[name] is Phase.IDLE for name in found.drain)
    have = Counter(r.tier for r in replicas if r.phase is not Phase.DRAINING)
    busy = Counter(r.tier for r in replicas if r.phase in (Phase.BUSY, Phase.STARTING))
    assert all(found.counts[tier] >= n for tier, n in busy.items())
    if number >= sum(have.values()):
        assert all(found.counts[tier] >= n for tier, n in have.items())
        assert carried(pairs(found.counts), DEMAND) >= 0.9 * carried([(SPOT, number)], DEMAND)


DEMAND = Demand(load=0.0, seconds=60.0, patience=30.0)


def pairs(counts: Mapping[str, int]) -> list[tuple[Tier, int]]:
    tiers = {tier.name: tier for tier in (A10, SPOT, A100)}
    return [(tiers[name], n) for name, n in counts.items() if n]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_single_tier_has_what_the_policy_says(number: int) -> None:
    shaky = replace(SPOT, losses=5.0)
    assert divided(number, hardware=Hardware(tiers=(shaky,))).counts == {"a10-spot": number}
