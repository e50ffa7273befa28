"""Estimates of when a job is done, and what is refused for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.admission import (
    BUSIEST,
    NEARLY_DONE,
    Bounds,
    Estimate,
    Service,
    Stop,
    Traffic,
    estimate,
    refusal,
)

ONE_BY_ONE = Service(fixed=0.0, per_job=10.0, batch_limit=1)
BATCHED = Service(fixed=2.0, per_job=1.0, batch_limit=4)


def stop(
    service: Service = ONE_BY_ONE,
    jobs: int = 0,
    free_in: tuple[float, ...] = (0.0,),
    weight: float | None = None,
    traffic: Traffic | None = None,
    running: float | None = None,
    measured: bool = True,
) -> Stop:
    return Stop(
        service=service,
        measured=measured,
        replicas=len(free_in),
        free_in=free_in,
        jobs=jobs,
        weight=float(jobs) if weight is None else weight,
        traffic=traffic or Traffic(),
        running=running,
    )


def seconds(*course: Stop, weight: float = 1.0, ready_in: float = 0.0) -> float:
    return estimate(course, weight, ready_in).seconds


# -------------------------------------------------------------------------------- one pool


def test_an_idle_pool_takes_the_time_of_one_batch() -> None:
    assert seconds(stop()) == 10.0
    assert seconds(stop(BATCHED)) == 3.0


def test_the_queue_is_shared_among_the_replicas() -> None:
    assert seconds(stop(jobs=4)) == 50.0
    assert seconds(stop(jobs=4, free_in=(0.0,) * 5)) == 10.0
    assert seconds(stop(jobs=5, free_in=(0.0,) * 5)) == 20.0


def test_running_batches_count_with_what_is_left_of_them() -> None:
    assert seconds(stop(free_in=(7.5,))) == 17.5
    assert seconds(stop(free_in=(7.5, 0.0))) == 10.0
    assert seconds(stop(jobs=1, free_in=(7.5, 2.0))) == 17.5


def test_a_replica_that_starts_is_waited_for() -> None:
    assert seconds(stop(jobs=3, free_in=(0.0, 12.0))) == pytest.approx(30.0)


def test_a_job_joins_the_last_batch() -> None:
    found = estimate([stop(BATCHED, jobs=5)], 1.0)
    assert found.seconds == BATCHED.batch_seconds(4) + BATCHED.batch_seconds(2)
    assert (found.start, found.ahead) == (6.0, 5)
    assert found.service_seconds == BATCHED.batch_seconds(2)
    assert found.work_ahead == 2.0 * 5 / 4 + 5.0


def test_heavy_jobs_take_longer() -> None:
    assert seconds(stop(), weight=3.0) == 30.0
    assert seconds(stop(jobs=2, weight=5.0)) == 60.0
    assert seconds(stop(BATCHED, jobs=1, weight=4.0), weight=0.5) == 2.0 + 4.5


def test_a_result_is_delivered_while_the_device_goes_on() -> None:
    service = Service(0.0, 10.0, 1, delivery=3.0)
    assert seconds(stop(service, jobs=2)) == 33.0


def test_a_job_that_backs_off_is_not_claimed_before() -> None:
    assert seconds(stop(), ready_in=4.0) == 14.0
    assert seconds(stop(jobs=1), ready_in=4.0) == 20.0


def test_a_running_job_has_what_is_left_of_it() -> None:
    found = estimate([stop(running=2.5, free_in=())], 1.0)
    assert (found.seconds, found.start, found.ahead) == (2.5, 0.0, 0)


@given(
    st.integers(0, 3000),
    st.lists(st.floats(0.0, 50.0), min_size=1, max_size=5),
    st.integers(1, 8),
)
def test_a_long_queue_is_dealt_out_as_one_by_one(
    jobs: int, free_in: list[float], limit: int
) -> None:
    service = Service(1.0, 0.5, limit)
    free = list(free_in)
    for _ in range(jobs // limit):
        first = free.index(min(free))
        free[first] += service.batch_seconds(limit)
    begin = estimate([stop(service, jobs, tuple(free_in))], 1.0).start
    # Replicas that start together stay together; an even share may be off by one batch.
    assert begin == pytest.approx(min(free), abs=service.batch_seconds(limit))


# ------------------------------------------------------------------------------- later stages


def test_stages_follow_each_other() -> None:
    fast = Service(0.0, 1.0, 1)
    assert seconds(stop(), stop(fast)) == 11.0
    assert seconds(stop(running=4.0, free_in=()), stop(fast)) == 5.0


def test_the_slowest_stage_sets_the_pace() -> None:
    fast = Service(0.0, 1.0, 1)
    assert seconds(stop(jobs=3), stop(fast)) == 41.0
    assert seconds(stop(fast, jobs=3), stop()) == 1.0 + 40.0
    assert seconds(stop(fast, jobs=3), stop(jobs=2)) == pytest.approx(60.0)


def test_who_runs_in_a_stage_is_before_it_in_the_next() -> None:
    fast = Service(0.0, 1.0, 1)
    first = Stop(fast, True, 1, (), 0, 0.0, running=0.5, leaving=1)
    assert seconds(first, stop()) == 20.0
    first = Stop(fast, True, 1, (0.5,), 0, 0.0, leaving=1)
    assert seconds(first, stop()) == 20.5


def test_what_waits_in_a_later_stage_is_done_meanwhile() -> None:
    fast = Service(0.0, 1.0, 1)
    assert seconds(stop(jobs=1), stop(fast, jobs=5)) == 21.0


# ------------------------------------------------------------------------------ what overtakes


def test_a_higher_priority_takes_its_share_of_the_pool() -> None:
    half = Traffic(higher=0.05)
    assert seconds(stop(jobs=4, traffic=half)) == pytest.approx(40.0 / 0.5 + 10.0, rel=0.02)
    assert seconds(stop(traffic=half)) == 10.0


def test_no_rate_makes_a_wait_endless() -> None:
    flood = Traffic(higher=50.0)
    expected = 40.0 / (1.0 - BUSIEST) + 10.0
    assert seconds(stop(jobs=4, traffic=flood)) == pytest.approx(expected, rel=0.02)


def test_rivals_overtake_as_far_as_their_share_goes() -> None:
    rivals = Traffic(rivals=1.0, rivals_ahead=3)
    assert seconds(stop(jobs=4, traffic=rivals)) == pytest.approx(80.0, rel=0.02)
    few = Traffic(rivals=0.02, rivals_ahead=3)
    assert seconds(stop(jobs=4, traffic=few)) == pytest.approx(40.0 / 0.8 + 10.0, rel=0.02)


def test_who_comes_meanwhile_fills_the_batch() -> None:
    joining = Traffic(joining=0.5)
    found = estimate([stop(BATCHED, jobs=0, free_in=(4.0,), traffic=joining)], 1.0)
    assert found.service_seconds == BATCHED.batch_seconds(3)
    flood = Traffic(joining=100.0)
    found = estimate([stop(BATCHED, jobs=1, free_in=(4.0,), traffic=flood)], 1.0)
    assert found.service_seconds == BATCHED.batch_seconds(4)


@given(
    st.integers(0, 200), st.floats(0.0, 10.0), st.floats(0.0, 10.0), st.integers(0, 50),
    st.integers(1, 8), st.floats(0.0, 3.0), st.floats(0.0, 3.0),
)  # fmt: skip
def test_every_estimate_is_finite_and_in_order(
    jobs: int, higher: float, rivals: float, places: int, limit: int, fixed: float, each: float
) -> None:
    traffic = Traffic(higher, rivals, places, higher + rivals)
    service = Service(fixed, each, limit)
    calm = estimate([stop(service, jobs, (0.0, 1.0))], 1.0)
    found = estimate([stop(service, jobs, (0.0, 1.0), traffic=traffic)], 1.0)
    assert 0.0 <= calm.start <= found.start * 1.02
    assert found.start <= found.seconds < 1e9
    assert found.seconds == pytest.approx(found.start + found.service_seconds)


def test_what_was_only_declared_is_said_so() -> None:
    assert estimate([stop()], 1.0).measured
    assert not estimate([stop(), stop(measured=False)], 1.0).measured
    assert 0.0 < NEARLY_DONE < 1.0


# ------------------------------------------------------------------------------------ refusals

BOUNDS = Bounds(jobs=100)


def expected(start: float, service: float = 10.0, measured: bool = True) -> Estimate:
    return Estimate(start + service, start, 3, start, 1, service, measured)


def test_what_fits_is_taken() -> None:
    assert refusal(expected(20.0), 99, None, BOUNDS) is None
    assert refusal(expected(20.0), 99, 30.0, BOUNDS) is None


def test_a_full_queue_is_refused_until_some_of_it_has_gone() -> None:
    refused = refusal(expected(200.0), 100, None, BOUNDS)
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("QUEUE_FULL", 20.0)
    soon = refusal(expected(1.0), 100, None, BOUNDS)
    assert soon is not None
    assert soon.retry_after == 1.0


def test_a_long_wait_is_refused_where_that_is_set() -> None:
    refused = refusal(expected(70.0), 5, None, Bounds(100, 60.0))
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("QUEUE_FULL", 10.0)
    assert refusal(expected(60.0), 5, None, Bounds(100, 60.0)) is None


def test_a_deadline_that_cannot_be_met_is_refused_at_once() -> None:
    refused = refusal(expected(20.0), 5, 25.0, BOUNDS)
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("DEADLINE_UNREACHABLE", 5.0)


def test_a_deadline_that_can_be_met_by_replicas_yet_to_be_ordered_is_taken() -> None:
    assert refusal(expected(20.0), 5, 25.0, BOUNDS, expected(15.0)) is None
    refused = refusal(expected(20.0), 5, 25.0, BOUNDS, expected(18.0))
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("DEADLINE_UNREACHABLE", 3.0)
    # A wait that is too long is one by the replicas that there are.
    assert refusal(expected(70.0), 5, None, Bounds(100, 60.0), expected(15.0)) is not None


def test_a_deadline_shorter_than_the_work_is_never_met() -> None:
    refused = refusal(expected(0.0), 0, 9.0, BOUNDS)
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("DEADLINE_UNREACHABLE", None)


def test_a_guess_refuses_only_what_the_queue_alone_makes_impossible() -> None:
    assert refusal(expected(0.0, measured=False), 0, 9.0, BOUNDS) is None
    assert refusal(expected(20.0, measured=False), 5, 25.0, BOUNDS) is None
    refused = refusal(expected(30.0, measured=False), 5, 25.0, BOUNDS)
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("DEADLINE_UNREACHABLE", 5.0)
