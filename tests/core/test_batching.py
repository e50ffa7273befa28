import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.batching import (
    GATHER_SHARE,
    RECENT_ARRIVALS,
    RECENT_SECONDS,
    Arrivals,
    BatchTime,
    gather_seconds,
)

seconds = st.floats(0.0, 1e4)


@given(st.integers(1, 64), st.integers(1, 64), st.floats(0.0, 1e4), seconds)
def test_nobody_waits_for_more_than_a_twentieth(
    waiting: int, limit: int, rate: float, batch: float
) -> None:
    gathered = gather_seconds(waiting, limit, rate, batch)
    assert 0.0 <= gathered <= GATHER_SHARE * batch
    if waiting >= limit or rate == 0.0:
        assert gathered == 0.0


def test_gathering_ends_when_the_batch_should_be_full() -> None:
    assert gather_seconds(6, 8, 10.0, 20.0) == pytest.approx(0.2)
    assert gather_seconds(1, 64, 10.0, 20.0) == pytest.approx(1.0)


def test_no_gathering_for_less_than_one_more_job() -> None:
    assert gather_seconds(1, 8, 0.9, 20.0) == 0.0


def test_a_lone_arrival_is_no_traffic() -> None:
    assert Arrivals().rate(0.0) == 0.0
    assert Arrivals().seen(10.0).rate(10.0) == 0.0


def test_the_rate_is_that_of_the_recent_arrivals() -> None:
    arrivals = Arrivals()
    for at in (13.0, 10.0, 12.0, 11.0):
        arrivals = arrivals.seen(at)
    assert arrivals.times == (10.0, 11.0, 12.0, 13.0)
    assert arrivals.rate(13.0) == pytest.approx(1.0)
    assert arrivals.rate(16.0) == pytest.approx(0.5)
    assert arrivals.rate(14.0 + RECENT_SECONDS) == 0.0


@given(st.lists(st.floats(0.0, 1e6), max_size=100))
def test_few_arrivals_are_kept_in_order(times: list[float]) -> None:
    arrivals = Arrivals()
    for at in times:
        arrivals = arrivals.seen(at)
    assert len(arrivals.times) <= RECENT_ARRIVALS
    assert list(arrivals.times) == sorted(arrivals.times)


@given(st.floats(0.0, 10.0), st.floats(0.01, 10.0), st.lists(st.integers(1, 16), min_size=2))
def test_the_line_through_exact_batches_is_found(
    fixed: float, per_job: float, sizes: list[int]
) -> None:
    estimate = BatchTime.guessed(1.0, 1.0)
    for size in sizes:
        estimate = estimate.seen(size, fixed + per_job * size)
    for size in sizes[-24:]:
        assert estimate.seconds(size) == pytest.approx(fixed + per_job * size, abs=1e-6)
    if len(set(sizes[-24:])) > 1:
        assert estimate.fixed == pytest.approx(fixed, abs=1e-6)


def test_a_few_slow_batches_do_not_bend_the_line() -> None:
    estimate = BatchTime.guessed(1.0, 1.0)
    for turn in range(20):
        size = 1 + turn % 4
        estimate = estimate.seen(size, 2.0 + 0.5 * size + (60.0 if turn in (5, 11) else 0.0))
    assert estimate.seconds(4) == pytest.approx(4.0, rel=0.1)


def test_one_size_alone_scales_the_first_guess() -> None:
    estimate = BatchTime.guessed(3.0, 1.0).seen(1, 2.0).seen(1, 2.0)
    assert (estimate.fixed, estimate.per_job) == pytest.approx((1.5, 0.5))


def test_a_first_guess_of_nothing_is_replaced() -> None:
    estimate = BatchTime.guessed(0.0, 0.0).seen(2, 3.0)
    assert estimate.seconds(2) == pytest.approx(3.0)


def test_times_are_never_negative() -> None:
    estimate = BatchTime.guessed(1.0, 1.0).seen(1, 5.0).seen(4, 1.0)
    assert estimate.per_job == 0.0
    assert estimate.fixed >= 0.0
    steep = BatchTime.guessed(1.0, 1.0).seen(1, 0.1).seen(2, 5.0)
    assert steep.fixed == 0.0
    assert steep.per_job > 0.0
