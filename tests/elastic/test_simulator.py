"""The simulator: nothing is lost, everything adds up, and queues behave as theory says."""

import math
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.core.admission import Service
from kinesphere.core.scaling import POLICIES, Limits, Policy
from kinesphere.core.scaling.forecast import delayed
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.simple import Static
from kinesphere.core.scaling.tiers import Tier
from kinesphere.elastic.simulator import (
    Arrival,
    Pool,
    Result,
    clairvoyant,
    curve,
    measure,
    simulate,
)
from tests.elastic.synthetic import jobs, steady

LIMITS = Limits(minimum=1, maximum=4)


def pool(
    fixed: float = 0.0,
    per_job: float = 10.0,
    batch_limit: int = 1,
    *,
    cold_start: float = 30.0,
    replicas: int = 1,
    tiers: tuple[Tier, ...] = (Tier(name="gpu", price=2.0),),
    on_demand: int = 0,
) -> Pool:
    return Pool(
        name="p",
        service=Service(fixed, per_job, batch_limit),
        cold_start=cold_start,
        replicas=replicas,
        tiers=tiers,
        on_demand=on_demand,
    )


def static(replicas: int) -> Policy:
    return Static(limits=Limits(minimum=replicas, maximum=replicas))


def play(simulated: Pool, policy: Policy, arrivals: list[Arrival], duration: float) -> Result:
    return simulate([simulated], {"p": policy}, arrivals, duration)


arrivals = st.lists(
    st.tuples(
        st.floats(0.0, 600.0),
        st.floats(0.1, 60.0),
        st.none() | st.floats(1.0, 200.0),
        st.sampled_from("abc"),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=60,
).map(
    lambda rows: [
        Arrival(at, own, None if given is None else at + given, user, priority)
        for at, own, given, user, priority in sorted(rows, key=lambda row: row[0])
    ]
)
policies = st.sampled_from(sorted(set(POLICIES) - {"schedule"})).map(
    lambda name: POLICIES[name](limits=LIMITS)  # type: ignore[call-arg]  # all policies take limits
)


@settings(max_examples=40, deadline=None)
@given(arrivals, policies, st.integers(1, 5), st.floats(0.0, 5.0), st.booleans())
def test_every_job_is_done_once_and_time_adds_up(
    arrivals: list[Arrival], policy: Policy, batch: int, fixed: float, spot: bool
) -> None:
    tiers = (
        Tier(name="firm", price=3.0, speed=2.0, most=2),
        Tier(name="spot", price=1.0, spot=True, notice=20.0, losses=30.0 if spot else 0.0),
    )
    simulated = pool(fixed, 10.0, batch, tiers=tiers, on_demand=1)
    result = play(simulated, policy, arrivals, 600.0)
    assert [run.arrival for run in result.runs] == arrivals
    for run in result.runs:
        assert run.arrival.at <= run.began < run.ended <= result.ended
    by_name = {rental.name: rental for rental in result.rentals}
    assert len(by_name) == len(result.rentals)
    batches = {(run.replica, run.began, run.ended) for run in result.runs}
    work: Counter[str] = Counter()
    for name, began, ended in sorted(batches):
        rental = by_name[name]
        assert rental.ready - 1e-9 <= began
        assert ended <= rental.ended + 1e-9
        work[name] += ended - began  # type: ignore[assignment]  # seconds
    for name, rental in by_name.items():
        assert work[name] <= rental.busy + 1e-6
        assert rental.busy <= rental.ended - rental.ready + 1e-6 or rental.busy == 0.0
    for (_, first, last), (_, after, _) in pairwise(
        sorted(b for b in batches if b[0] == result.rentals[0].name)
    ):
        assert first <= last <= after + 1e-9
    figures = measure(result)
    if figures.lost == 0:
        assert sum(work.values()) == pytest.approx(sum(r.busy for r in result.rentals))
    sizes = Counter((run.replica, run.began) for run in result.runs)
    assert max(sizes.values()) <= batch
    assert figures.jobs == len(arrivals)
    paid = sum(
        n * (later - at) for (at, n), (later, _) in pairwise([*curve(result), (result.ended, 0)])
    )
    assert paid / 3600.0 == pytest.approx(figures.gpu_hours)
    assert simulate([simulated], {"p": policy}, arrivals, 600.0) == result


def test_claims_go_by_priority_then_fair_share_then_age() -> None:
    first = Arrival(0.0, 10.0, user="early")
    many = [Arrival(1.0, 10.0, user="many") for _ in range(3)]
    late = [Arrival(2.0, 10.0, user="few"), Arrival(3.0, 10.0, user="x", priority=9)]
    result = play(pool(), static(1), [first, *many, *late], 100.0)
    order = sorted(result.runs, key=lambda run: run.began)
    assert [run.arrival.user for run in order] == ["early", "x", "many", "few", "many", "many"]


def test_a_free_replica_takes_what_waits_as_one_batch() -> None:
    burst = [Arrival(1.0, 2.0) for _ in range(5)]
    result = play(pool(3.0, 2.0, 4), static(1), [Arrival(0.0, 2.0), *burst], 60.0)
    assert [(run.began, run.ended) for run in result.runs] == [
        (0.0, 5.0), *[(5.0, 16.0)] * 4, (16.0, 21.0),
    ]  # fmt: skip


def test_a_faster_tier_works_faster_and_is_paid_for() -> None:
    fast = (Tier(name="h100", price=6.0, speed=4.0),)
    result = play(pool(tiers=fast), static(1), [Arrival(0.0, 40.0)], 3600.0)
    assert result.runs[0].ended == 10.0
    assert measure(result).cost == pytest.approx(6.0)


def test_a_lost_spot_replica_is_replaced_and_its_batch_run_again() -> None:
    shaky = (Tier(name="spot", price=1.0, spot=True, notice=5.0, losses=20.0),)
    work = [Arrival(60.0 * i, 50.0) for i in range(60)]
    result = play(pool(tiers=shaky), static(1), work, 3600.0)
    figures = measure(result)
    assert figures.lost > 5
    assert figures.jobs == 60
    assert figures.starts > 10
    assert max(run.attempts for run in result.runs) > 1


def test_a_sleeping_pool_is_woken_by_its_first_job() -> None:
    policy = LookAhead(limits=Limits(minimum=0, maximum=2))
    result = play(
        pool(replicas=0), policy, [Arrival(901.0, 10.0, 1000.0), Arrival(8000.0, 10.0)], 9000.0
    )
    assert [run.began for run in result.runs] == [931.0, 8030.0]
    assert measure(result).gpu_hours < 0.3


def test_a_policy_that_starts_nothing_is_told_so() -> None:
    with pytest.raises(ValueError, match="1 jobs wait for ever"):
        play(pool(replicas=0), static(0), [Arrival(0.0, 10.0)], 10.0)


def test_jobs_go_where_they_are_routed() -> None:
    big, small = pool(), Pool(name="lite", service=Service(0.0, 1.0, 1), cold_start=5.0)
    work = [Arrival(float(i), 1.0, pool="p") for i in range(20)]
    lone = {"p": static(1), "lite": static(1)}

    asked = simulate([big, small], lone, work, 60.0)
    assert {run.pool for run in asked.runs} == {"p"}
    spread = simulate(
        [big, small], lone, work, 60.0,
        route=lambda _, pools: min(pools, key=lambda name: len(pools[name].queue)),
    )  # fmt: skip
    assert {run.pool for run in spread.runs} == {"p"}  # one each second is done at once
    half = simulate(
        [big, small], lone, work, 60.0, route=lambda job, _: "lite" if job.at % 2 else "p"
    )
    assert Counter(run.pool for run in half.runs) == {"p": 10, "lite": 10}
    with pytest.raises(ValueError, match="no pool is named"):
        simulate([big], lone, [Arrival(0.0, 1.0, pool="other")], 60.0)


@pytest.mark.slow
@pytest.mark.parametrize(("replicas", "load"), [(1, 0.7), (3, 2.2)])
def test_random_work_waits_as_erlang_says(replicas: int, load: float) -> None:
    random = Random(1)
    times = steady(load, 300_000.0, 2, mean=10.0)
    work = [Arrival(at, random.expovariate(0.1)) for at in times]
    result = play(pool(replicas=replicas), static(replicas), work, 300_000.0)
    waits = [run.wait for run in result.runs]
    # M/M/c: Erlang's C, and a mean wait of C s / (c - a).
    waiting = delayed(replicas, load, 0.0)
    assert sum(w > 0.0 for w in waits) / len(waits) == pytest.approx(waiting, rel=0.04)
    mean = waiting * 10.0 / (replicas - load)
    assert sum(waits) / len(waits) == pytest.approx(mean, rel=0.12)
    assert measure(result).busy == pytest.approx(load / replicas, rel=0.03)


@pytest.mark.slow
def test_even_work_waits_half_as_long() -> None:
    times = steady(0.7, 300_000.0, 3, mean=10.0)
    result = play(pool(), static(1), [Arrival(at, 10.0) for at in times], 300_000.0)
    # M/D/1, by Pollaczek and Khinchine: rho s / (2 (1 - rho)).
    assert measure(result).wait_mean == pytest.approx(0.7 * 10.0 / 0.6, rel=0.05)


@pytest.mark.slow
def test_the_share_that_waits_too_long_is_as_sized_for() -> None:
    for load, replicas, patience in ((1.25, 3, 60.0), (1.25, 2, 60.0), (6.0, 8, 75.0)):
        times = steady(load, 1_000_000.0, 4)
        result = play(
            pool(0.0, 75.0, replicas=replicas), static(replicas),
            [Arrival(at, 75.0) for at in times], 1_000_000.0,
        )  # fmt: skip
        share = sum(run.wait > patience for run in result.runs) / len(result.runs)
        expected = delayed(replicas, load, patience / 75.0)
        assert expected / 6.0 < share < 1.15 * expected


@settings(max_examples=40, deadline=None)
@given(arrivals, st.integers(1, 3), st.integers(1, 4))
def test_the_clairvoyant_keeps_to_the_rules(
    arrivals: list[Arrival], minimum: int, batch: int
) -> None:
    result = clairvoyant(pool(1.0, 10.0, batch), arrivals, 600.0, minimum, 4)
    assert [run.arrival for run in result.runs] == arrivals
    assert all(run.began >= run.arrival.at for run in result.runs)
    assert measure(result).replicas_max <= 4
    paid = sum(r.ended - r.ordered for r in result.rentals)
    assert sum(r.busy for r in result.rentals) <= paid + 1e-6


def test_the_clairvoyant_is_no_dearer_and_no_later_than_any_policy() -> None:
    work = jobs(steady(1.25, 40_000.0, 5), Random(6))
    mesh = pool(0.0, 75.0)
    best = measure(clairvoyant(mesh, work, 40_000.0, 1, 4))
    ours = measure(play(mesh, LookAhead(limits=LIMITS), work, 40_000.0))
    assert best.met >= ours.met
    assert best.gpu_hours < ours.gpu_hours
    assert math.isclose(best.jobs, ours.jobs)
