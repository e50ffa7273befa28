"""Mixes of hardware, against brute force."""

from itertools import product
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.core.scaling.forecast import delayed, staffing
from kinesphere.core.scaling.tiers import (
    Demand,
    Tier,
    cheapest,
    fits,
    late_share,
    next_tier,
)

A10 = Tier(name="a10", price=1.0, memory=24.0)
A100 = Tier(name="a100", price=3.2, speed=3.0, memory=80.0)
SPOT = Tier(name="a10-spot", price=0.4, memory=24.0, spot=True, notice=30.0, losses=0.2)
MOTIONS = Demand(load=2.5, seconds=5.0, patience=10.0)

tiers = st.lists(
    st.builds(
        lambda price, speed, memory, spot, losses, most: (price, speed, memory, spot, losses, most),
        st.sampled_from([0.3, 0.5, 1.0, 1.5, 2.2, 3.0]),
        st.sampled_from([0.5, 1.0, 2.0, 3.0]),
        st.sampled_from([16.0, 24.0, 80.0]),
        st.booleans(),
        st.sampled_from([0.0, 1.0, 10.0]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=3,
).map(
    lambda rows: [
        Tier(name=f"t{i}", price=p, speed=v, memory=m, spot=s, losses=x if s else 0.0, most=n)
        for i, (p, v, m, s, x, n) in enumerate(rows)
    ]
)
demands = st.builds(
    Demand,
    load=st.sampled_from([0.2, 1.0, 2.5, 6.0]),
    seconds=st.sampled_from([5.0, 60.0]),
    patience=st.sampled_from([1.0, 30.0, 90.0]),
    missed=st.sampled_from([0.01, 0.1]),
    within=st.sampled_from([None, 30.0, 100.0]),
    memory=st.sampled_from([8.0, 20.0]),
    cold_start=st.sampled_from([20.0, 120.0]),
)


def brute(demand: Demand, tiers: list[Tier], on_demand: int, most: int) -> float | None:
    """The least price of any mix that is good."""
    best: float | None = None
    for counts in product(*(range(tier.most + 1) for tier in tiers)):
        pairs = list(zip(tiers, counts, strict=True))
        total = sum(counts)
        firm = sum(n for tier, n in pairs if not tier.spot)
        if total > most or firm < on_demand:
            continue
        if any(n and not fits(tier, demand) for tier, n in pairs):
            continue
        if total and late_share(pairs, demand) <= demand.missed:
            price = sum(tier.price * n for tier, n in pairs)
            best = price if best is None else min(best, price)
    return best


@settings(max_examples=80, deadline=None)
@given(demands, tiers, st.integers(0, 2), st.integers(1, 10))
def test_the_mix_is_the_cheapest_there_is(
    demand: Demand, tiers: list[Tier], on_demand: int, most: int
) -> None:
    mix = cheapest(demand, tiers, on_demand=on_demand, most=most)
    best = brute(demand, tiers, on_demand, most)
    assert mix.good == (best is not None)
    assert sum(mix.counts.values()) <= most
    if best is not None:
        assert mix.price == pytest.approx(best)
    by_name = {tier.name: tier for tier in tiers}
    assert all(fits(by_name[name], demand) for name in mix.counts)
    assert all(n <= by_name[name].most for name, n in mix.counts.items())


def test_spot_over_a_base_on_demand() -> None:
    mix = cheapest(MOTIONS, [A10, SPOT], on_demand=2)
    assert mix.counts == {"a10": 2, "a10-spot": 2}
    assert mix.price == pytest.approx(2.8)
    assert mix.good


def test_spot_that_is_lost_too_often_is_worth_less() -> None:
    shaky = Tier(name="shaky", price=0.9, spot=True, notice=0.0, losses=20.0)
    demand = Demand(load=3.0, seconds=5.0, patience=10.0, cold_start=60.0)
    assert cheapest(demand, [A10, shaky]).counts.get("shaky", 0) < 4


def test_a_large_mix_is_filled_with_the_best_value() -> None:
    demand = Demand(load=60.0, seconds=5.0, patience=10.0)
    mix = cheapest(demand, [A10, A100, SPOT], on_demand=10, most=200)
    assert mix.good
    assert mix.counts.get("a10", 0) + mix.counts.get("a100", 0) >= 10
    assert mix.price < cheapest(demand, [A10], most=200).price


def test_where_nothing_is_enough_the_best_there_is() -> None:
    mix = cheapest(Demand(load=50.0, seconds=5.0, patience=10.0), [A10], most=4)
    assert not mix.good
    assert cheapest(MOTIONS, [Tier(name="tiny", price=0.1, memory=1.0)]).good
    none = cheapest(Demand(load=1.0, seconds=5.0, patience=1.0, memory=99.0), [A10])
    assert (none.counts, none.good) == ({}, False)
    nothing = cheapest(Demand(load=0.0, seconds=5.0, patience=1.0), [A10])
    assert (nothing.counts, nothing.price, nothing.good) == ({}, 0.0, True)


def test_the_next_replica() -> None:
    few = Tier(name="few", price=0.1, most=1)
    assert next_tier([A10, SPOT], {}, 1) is A10
    assert next_tier([A10, SPOT], {"a10": 1}, 1) is SPOT
    assert next_tier([A10, few], {"few": 1}, 0) is A10
    assert next_tier([few], {"few": 1}, 0) is None


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_no_tier_without_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Tier(name="x", price=1.0, speed=speed)


def test_erlang() -> None:
    # Two servers at a load of 1: one arrival in three waits. Three at 2: four in nine.
    assert delayed(2, 1.0, 0.0) == pytest.approx(1 / 3)
    assert delayed(3, 2.0, 0.0) == pytest.approx(4 / 9)
    assert delayed(3, 3.0, 10.0) == 1.0
    assert delayed(3, 0.0, 0.0) == 0.0


@given(st.floats(0.1, 40.0), st.floats(0.0, 5.0), st.floats(0.001, 0.5))
def test_staffing_is_the_least_that_is_enough(load: float, patience: float, missed: float) -> None:
    number = staffing(load, patience, missed, 100)
    assert delayed(number, load, patience) <= missed
    assert number == 1 or delayed(number - 1, load, patience) > missed
    assert staffing(load, patience, missed, 1) == 1


def test_infinite_memory_by_default() -> None:
    assert Tier(name="cpu", price=0.1).memory == inf
