"""The look-ahead policy, and what holds for every policy."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.admission import Service
from kinesphere.core.batching import BatchTime
from kinesphere.core.scaling import (
    POLICIES,
    Limits,
    Memory,
    Phase,
    Plan,
    Policy,
    Replica,
    Snapshot,
    Waiting,
    plan,
)
from kinesphere.core.scaling.arrivals import Samples, counted, kept_readings
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.values import Warm, service_of

NOW = 1_000_000.0
MESH = Service(0.0, 75.0, 1)
LIMITS = Limits(minimum=1, maximum=8)


def idle(name: str = "a", since: float = NOW - 10.0) -> Replica:
    return Replica(name, Phase.IDLE, since)


def busy(name: str = "b", until: float = NOW + 50.0) -> Replica:
    return Replica(name, Phase.BUSY, until)


def job(age: float = 0.0, slack: float = 85.0, seconds: float | None = 75.0) -> Waiting:
    return Waiting(NOW - age, NOW - age + slack + 75.0, seconds)


def snapshot(
    replicas: tuple[Replica, ...] = (idle(),),
    waiting: tuple[Waiting, ...] = (),
    *,
    now: float = NOW,
    cold_start: float = 30.0,
    arrived: int = 0,
    slack: float | None = 85.0,
) -> Snapshot:
    return Snapshot(
        now=now,
        replicas=replicas,
        waiting=waiting,
        queued=len(waiting),
        running=sum(r.phase is Phase.BUSY for r in replicas),
        arrived=arrived,
        service=MESH,
        cold_start=cold_start,
        slack=slack,
        busy=0.5,
    )


policies = st.sampled_from(sorted(POLICIES)).map(lambda name: POLICIES[name]())
replicas = st.lists(
    st.tuples(st.sampled_from(list(Phase)), st.floats(-300.0, 300.0)), max_size=12
).map(lambda all_: tuple(Replica(f"r{i}", p, NOW + u) for i, (p, u) in enumerate(all_)))
jobs = st.lists(
    st.builds(
        lambda age, given, own: Waiting(
            NOW - age, None if given is None else NOW - age + given, own
        ),
        st.floats(0.0, 1000.0),
        st.none() | st.floats(0.0, 1000.0),
        st.none() | st.floats(0.1, 500.0),
    ),
    max_size=20,
)
limits = st.tuples(st.integers(0, 4), st.integers(0, 6)).map(
    lambda pair: Limits(minimum=pair[0], maximum=max(pair[0] + pair[1], 1))
)


@given(policies, replicas, jobs, limits, st.floats(0.0, 600.0))
def test_no_policy_goes_beyond_its_limits_or_names_what_works(
    policy: Policy,
    present: tuple[Replica, ...],
    waiting: list[Waiting],
    allowed: Limits,
    cold_start: float,
) -> None:
    within = replace(policy, limits=allowed)  # type: ignore[type-var]  # policies are dataclasses
    seen = snapshot(present, tuple(waiting), cold_start=cold_start)
    decided, memory = plan(seen, within, Memory())
    assert allowed.minimum <= decided.replicas <= allowed.maximum
    assert memory.wanted == decided.replicas
    phases = {r.name: r.phase for r in present}
    assert all(phases[name] is Phase.IDLE for name in decided.drain or ())
    assert decided.reason
    assert plan(seen, within, Memory()) == (decided, memory)


@given(replicas, jobs, st.floats(0.0, 600.0), st.integers(1, 60))
def test_idle_replicas_go_and_busy_or_starting_ones_stay(
    present: tuple[Replica, ...], waiting: list[Waiting], cold_start: float, steps: int
) -> None:
    """However often it is asked, until nothing changes any more."""
    policy, memory = LookAhead(limits=LIMITS), Memory()
    here = present
    for step in range(steps):
        seen = snapshot(here, tuple(waiting), now=NOW + 5.0 * step, cold_start=cold_start)
        decided, memory = plan(seen, policy, memory)
        kept = tuple(r for r in here if r.name not in (decided.drain or ()))
        assert {r for r in here if r.phase is not Phase.IDLE} <= set(kept)
        there = sum(r.phase is not Phase.DRAINING for r in kept)
        assert there >= min(decided.replicas, sum(r.phase is not Phase.DRAINING for r in here))
        here = kept


@given(policies, st.sampled_from(["waiting", "queued", "service", "replicas", "arrived"]))
def test_unknown_holds_the_last_plan(policy: Policy, missing: str) -> None:
    gap: dict[str, Any] = {missing: None}
    seen = replace(snapshot((idle("a"), idle("b"), idle("c"))), **gap)
    if missing != "replicas" and missing not in policy.needs:
        return
    decided, memory = plan(seen, policy, Memory(wanted=5))
    assert decided.replicas == 5
    assert decided.drain == ()
    assert missing in decided.reason
    assert memory.wanted == 5


def test_unknown_at_the_first_look_keeps_what_is_there() -> None:
    seen = replace(snapshot((idle("a"), busy("b"))), waiting=None)
    assert plan(seen, LookAhead(limits=LIMITS), Memory())[0].replicas == 2
    blind = replace(seen, replicas=None)
    assert plan(blind, LookAhead(limits=LIMITS), Memory())[0].replicas == 1


@given(jobs, st.integers(1, 20), st.floats(0.0, 300.0), replicas)
def test_more_backlog_never_asks_for_less(
    waiting: list[Waiting], more: int, cold_start: float, present: tuple[Replica, ...]
) -> None:
    policy = LookAhead(limits=Limits(minimum=0, maximum=16))
    longer = (*waiting, *(Waiting(NOW, NOW + 160.0) for _ in range(more)))
    few, _ = plan(snapshot(present, tuple(waiting), cold_start=cold_start), policy, Memory())
    many, _ = plan(snapshot(present, longer, cold_start=cold_start), policy, Memory())
    assert many.recommended >= few.recommended
    assert many.replicas >= few.replicas


def test_a_step_is_one_jump() -> None:
    waiting = tuple(job() for _ in range(7))
    decided, _ = plan(snapshot((busy(),), waiting), LookAhead(limits=LIMITS), Memory())
    # 7 jobs of 75 s that can wait 80 s: one behind the batch that runs, six on new replicas.
    assert decided.replicas == 7
    assert "would wait" in decided.reason
    assert decided.reason.startswith("7 replicas: ")


def test_replicas_on_their_way_are_not_ordered_again() -> None:
    waiting = tuple(job() for _ in range(7))
    coming = tuple(Replica(f"s{i}", Phase.STARTING, NOW + 10.0) for i in range(6))
    decided, _ = plan(snapshot((busy(), *coming), waiting), LookAhead(limits=LIMITS), Memory())
    assert decided.replicas == 7


def test_no_replica_for_a_job_that_it_cannot_save() -> None:
    policy = LookAhead(limits=LIMITS)
    late = (job(age=80.0),)
    assert plan(snapshot((busy(),), late), policy, Memory())[0].replicas == 1
    many = tuple(job(age=80.0) for _ in range(30))
    assert plan(snapshot((busy(),), many), policy, Memory())[0].replicas == 8


def test_a_burst_is_foreseen_before_it_waits() -> None:
    policy = LookAhead(limits=LIMITS)
    quiet = ((NOW - 900.0, 0.0), (NOW - 60.0, 0.0))
    burst = Memory(samples=(*quiet, (NOW - 5.0, 13.0)))
    seen = snapshot((busy(),), (), arrived=16)
    assert plan(replace(seen, slack=30.0), policy, burst)[0].replicas > 3
    # Whoever can wait for a cold start orders when he comes, unless all would be needed.
    assert plan(seen, policy, burst)[0].replicas == 1
    fuller, _ = plan(replace(seen, arrived=46), policy, burst)
    assert (fuller.replicas, "expected" in fuller.reason) == (8, True)
    # One job in a minute is not a rate of one a minute.
    lone, _ = plan(snapshot((busy(),), (), arrived=1), policy, Memory(samples=quiet))
    assert lone.replicas == 1


def test_the_first_jobs_are_no_steady_load() -> None:
    policy = LookAhead(limits=LIMITS)
    memory = Memory(samples=((NOW - 5.0, 0.0),))
    decided, _ = plan(snapshot((busy(),), (), arrived=1, cold_start=120.0), policy, memory)
    assert decided.replicas == 1


def test_ahead_of_the_load_where_nobody_can_wait_for_a_cold_start() -> None:
    policy = LookAhead(limits=LIMITS)
    memory = Memory(samples=tuple((NOW - 900.0 + 10.0 * i, i / 6.0) for i in range(90)))
    seen = snapshot((idle(),), (), arrived=15, cold_start=120.0)
    slow, _ = plan(seen, policy, memory)
    fast, _ = plan(replace(seen, cold_start=30.0), policy, memory)
    assert (slow.replicas, fast.replicas) == (3, 1)
    assert "cannot wait the 120 s" in slow.reason


def test_a_step_is_not_averaged_away_where_nobody_can_wait_for_a_cold_start() -> None:
    policy = LookAhead(limits=LIMITS)
    # One job every 90 s for a quarter of an hour, then eight in the last half minute.
    before = tuple((NOW - 900.0 + 10.0 * i, i / 9.0) for i in range(85))
    seen = snapshot((busy(),), (), arrived=17, cold_start=120.0)
    stepped, _ = plan(seen, policy, Memory(samples=(*before, (NOW - 29.0, 9.0))))
    steady, _ = plan(replace(seen, arrived=10), policy, Memory(samples=before))
    assert (stepped.replicas, steady.replicas) == (8, 3)
    assert "9.7 are busy on average" in stepped.reason


def test_what_will_be_needed_again_within_minutes_is_kept() -> None:
    policy = LookAhead(limits=LIMITS)

    def kept(jobs: int, other: Replica) -> int:
        """With so many in a quarter of an hour."""
        memory = Memory(samples=tuple((NOW - 900.0 + 10.0 * i, jobs * i / 90.0) for i in range(90)))
        pair = (idle("a", NOW - 500.0), other)
        return plan(snapshot(pair, (), arrived=jobs), policy, memory)[0].replicas

    # 1.5 busy on average are 18 jobs of 75 s in a quarter of an hour, and 1 are 12.
    assert [kept(jobs, idle("b", NOW - 500.0)) for jobs in (17, 18, 19)] == [1, 1, 2]
    assert [kept(jobs, busy("b")) for jobs in (11, 12, 13)] == [1, 1, 2]


def test_what_the_load_alone_asks_for_is_kept_and_not_ordered() -> None:
    policy = LookAhead(limits=LIMITS)
    memory = Memory(samples=tuple((NOW - 900.0 + 10.0 * i, 0.3 * i) for i in range(90)))
    seen = snapshot((idle("a", NOW - 500.0),), (), arrived=27)
    assert plan(seen, policy, memory)[0].replicas == 1
    pair = (idle("a", NOW - 500.0), idle("b", NOW - 500.0))
    assert plan(replace(seen, replicas=pair), policy, memory)[0].replicas == 2
    # Where jobs cannot wait for it, it is ordered.
    assert plan(replace(seen, cold_start=120.0), policy, memory)[0].replicas == 4


@pytest.mark.parametrize(("lately", "kept"), [(16, 2), (25, 2), (12, 1), (4, 1)])
def test_the_load_of_hours_counts_unless_that_of_late_speaks_against_it(
    lately: int, kept: int
) -> None:
    # 1.7 busy on average for two hours.
    before = tuple((NOW - 7200.0 + 100.0 * i, 100.0 * i * 1.7 / 75.0) for i in range(64))
    count = before[-1][1]
    memory = Memory(samples=(*before, (NOW - 900.0, count)))
    pair = (idle("a", NOW - 500.0), idle("b", NOW - 500.0))
    seen = snapshot(pair, (), arrived=round(count) + lately)
    assert plan(seen, LookAhead(limits=LIMITS), memory)[0].replicas == kept


def test_readings_of_hours_are_few_and_exact_where_they_are_young() -> None:
    samples: Samples = ()
    for at in range(0, 20_000, 5):
        samples = kept_readings(samples, (float(at), at / 50.0), 900.0, 7200.0)
    assert 150 < len(samples) < 300
    now = samples[-1][0]
    for window in (60.0, 900.0, 7200.0):
        jobs, seconds = counted(samples, now, window)
        assert jobs / seconds == pytest.approx(1.0 / 50.0)
        assert window - max(10.0, window / 45.0) <= seconds <= window
    assert kept_readings(samples, (now + 5.0, 0.0), 900.0, 7200.0) == ((now + 5.0, 0.0),)


def test_the_reason_is_that_of_now() -> None:
    policy = LookAhead(limits=Limits(minimum=0, maximum=8))
    waits = snapshot((), (job(),))
    first, memory = plan(waits, policy, Memory())
    assert first.reason == "1 replica: without one a job would never be served"
    coming = (Replica("a", Phase.STARTING, NOW + 20.0),)
    second, memory = plan(replace(waits, now=NOW + 5.0, replicas=coming), policy, memory)
    assert second.reason == first.reason
    served = replace(waits, now=NOW + 30.0, waiting=(), replicas=(idle("a", NOW),))
    third, _ = plan(served, policy, memory)
    assert third.reason == (
        "1 replica: 25 s ago it took 1, and none is stopped within 50 s of that"
    )


def test_running_work_that_is_not_known_is_taken_to_end_late() -> None:
    policy = LookAhead(limits=LIMITS, slack_share=0.7)
    # It is to begin within 0.7 of 85 s.
    seen = snapshot((busy(until=NOW + 55.0),), (job(seconds=75.0),))
    assert plan(seen, policy, Memory())[0].replicas == 1
    unsure = replace(seen, waiting=(job(seconds=None),))
    assert plan(unsure, policy, Memory())[0].replicas == 2


def test_a_counter_that_starts_again_is_no_burst() -> None:
    policy = LookAhead(limits=LIMITS)
    memory = Memory(samples=((NOW - 60.0, 5_000.0), (NOW - 5.0, 5_001.0)))
    decided, after = plan(snapshot((idle(),), (), arrived=3), policy, memory)
    assert decided.replicas == 1
    assert after.samples == ((NOW, 3.0),)


@pytest.mark.parametrize(
    ("cold_start", "window"), [(5.0, 50.0), (30.0, 50.0), (60.0, 60.0), (400.0, 300.0)]
)
def test_the_largest_recommendation_of_the_window_holds(cold_start: float, window: float) -> None:
    policy = LookAhead(limits=LIMITS)
    memory = Memory(wanted=4, recommended=((NOW - window + 1.0, 4),), worked_at=NOW)
    four = tuple(idle(f"r{i}", NOW - 100.0 - i) for i in range(4))
    seen = snapshot(four, cold_start=cold_start)
    held, memory = plan(seen, policy, memory)
    assert (held.replicas, held.drain) == (4, ())
    assert "none is stopped within" in held.reason
    freed, _ = plan(replace(seen, now=NOW + 1.5), policy, memory)
    assert (freed.replicas, freed.drain) == (1, ("r3", "r2", "r1"))


def day(hours: float) -> float:
    """A moment of Monday, 5 January 1970."""
    return (4 * 24 + hours) * 3600.0


@pytest.mark.parametrize(
    ("moment", "replicas_"),
    [(7.9, 1), (7.995, 3), (12.0, 3), (17.9, 3), (18.1, 1), (23.0, 2), (25.0, 2), (30.5, 1)],
)
def test_floors_hold_by_time_of_day_and_are_warm_in_time(moment: float, replicas_: int) -> None:
    weekdays = Warm(8 * 3600.0, 18 * 3600.0, 3, (0, 1, 2, 3, 4))
    night = Warm(22 * 3600.0, 6 * 3600.0, 2, (0,))
    allowed = Limits(minimum=1, maximum=8, warm=(weekdays, night))
    for name in ("look-ahead", "schedule", "keda-queue"):
        policy = replace(POLICIES[name](), limits=allowed)  # type: ignore[type-var]  # dataclasses
        memory = Memory(worked_at=day(moment) - 1000.0)
        decided, _ = plan(snapshot(now=day(moment)), policy, memory)
        assert decided.replicas == replicas_, name


def test_a_floor_of_the_weekend_leaves_monday_alone() -> None:
    allowed = Limits(warm=(Warm(0.0, 86_400.0, 4, (5, 6)),), utc_offset=3600.0)
    policy = LookAhead(limits=allowed)
    assert plan(snapshot(now=day(0.5)), policy, Memory())[0].replicas == 1
    assert plan(snapshot(now=day(-1.5)), policy, Memory())[0].replicas == 4


def test_a_pool_sleeps_after_its_time_and_wakes_for_one_job() -> None:
    policy = LookAhead(limits=Limits(minimum=0, maximum=4))
    awake, memory = plan(snapshot(now=NOW), policy, Memory())
    assert awake.replicas == 1
    still, memory = plan(snapshot(now=NOW + 299.0), policy, memory)
    assert still.replicas == 1
    asleep, memory = plan(snapshot(now=NOW + 301.0), policy, memory)
    assert (asleep.replicas, asleep.drain) == (0, ("a",))
    nothing, memory = plan(snapshot((), now=NOW + 400.0), policy, memory)
    assert nothing.replicas == 0
    late = (Waiting(NOW + 400.0, NOW + 410.0),)
    woken, _ = plan(snapshot((), late, now=NOW + 401.0), policy, memory)
    assert woken.replicas == 1


def test_what_is_busy_is_the_reason_where_no_more_are_needed() -> None:
    both = (busy("a"), busy("b"))
    decided, _ = plan(snapshot(both), LookAhead(limits=LIMITS), Memory())
    assert decided.reason == (
        "2 replicas: all of them are busy or on their way, and none is stopped"
    )


def test_planning_takes_the_mean_of_measured_batches() -> None:
    measured = BatchTime.guessed(0.0, 10.0)
    for seconds in (10.0, 10.0, 40.0):
        measured = measured.seen(1, seconds)
    assert measured.seconds(1) == pytest.approx(10.0)
    assert service_of(measured, 4).batch_seconds(1) == pytest.approx(20.0)
    assert service_of(BatchTime.guessed(1.0, 2.0), 4) == Service(1.0, 2.0, 4)


def test_a_plan_is_a_plain_value() -> None:
    decided, _ = plan(snapshot(), LookAhead(limits=LIMITS), Memory())
    assert decided == Plan(
        replicas=1,
        drain=(),
        recommended=0,
        reason="1 replica, the fewest allowed now: nothing waits that would not be served in time",
    )
