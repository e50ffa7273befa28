from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.batching import (
    GATHER_SHARE,
    RECENT_ARRIVALS,
    RECENT_SECONDS,
    RETURN_GAIN,
    RETURN_SHARE,
    Arrivals,
    BatchTime,
    Returns,
    gather_seconds,
)

seconds = st.floats(0.0, 1e4)
DEVICE = BatchTime.guessed(0.20, 0.02)
LIMIT = 16


class Device:
    """One device that asks `Returns`, and whoever it serves: `again` is when a job comes back."""

    def __init__(self, again: Callable[[float], float | None]) -> None:
        self.returns = Returns()
        self.coming: list[float] = []
        self.now = 0.0
        self.batches: list[int] = []
        self.waits: list[float] = []
        self._again = again

    def run(self, batches: int) -> None:
        """Run so many, of what has come when each begins."""
        for _ in range(batches):
            self.coming.sort()
            self.now = max(self.now, self.coming[0])
            batch = self._taken(LIMIT)
            company = self.returns.company(self.now, len(batch), LIMIT, DEVICE)
            until, wanted = self.now + company.seconds, len(batch) + company.jobs
            while len(batch) < wanted and self.coming and self.coming[0] <= until:
                self.now = max(self.now, self.coming[0])
                batch += self._taken(wanted - len(batch))
            if len(batch) < wanted:
                self.now = until
            self.batches.append(len(batch))
            self.waits.append(company.seconds)
            self.now += DEVICE.seconds(len(batch))
            self.returns.ended(self.now, len(batch))
            self.coming += [at for at in (self._again(self.now) for _ in batch) if at is not None]

    def _taken(self, most: int) -> list[float]:
        taken = [at for at in self.coming[:most] if at <= self.now]
        del self.coming[: len(taken)]
        for at in taken:
            self.returns.came(at)
        return taken


def asking_again(clients: int) -> Device:
    """Clients that ask 5 to 40 ms after they were answered, in two groups."""
    random = Random(clients)
    device = Device(lambda now: now + random.uniform(0.005, 0.04))
    device.coming = [0.0] * (clients // 2) + [0.1] * (clients - clients // 2)
    return device


@pytest.mark.parametrize("clients", [2, 8, 16])
def test_those_who_ask_again_when_answered_become_one_batch(clients: int) -> None:
    device = asking_again(clients)
    device.run(40)
    assert device.batches[0] == clients // 2
    assert device.batches[-20:] == [clients] * 20


def test_more_than_a_batch_holds_fill_it() -> None:
    device = asking_again(20)
    device.run(40)
    assert device.batches[-20:] == [LIMIT] * 20


def test_a_lone_client_is_not_kept_waiting() -> None:
    device = Device(lambda now: now + 0.01)
    device.coming = [0.0]
    device.run(40)
    assert device.waits == [0.0] * 40


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9])
def test_random_traffic_is_not_kept_waiting(load: float) -> None:
    random, at, device = Random(3), 0.0, Device(lambda _: None)
    for _ in range(6_000):
        at += random.expovariate(load * LIMIT / DEVICE.seconds(LIMIT))
        device.coming.append(at)
    device.run(300)
    assert sum(wait > 0.0 for wait in device.waits) <= 1


def test_who_has_gone_is_waited_for_but_a_few_times() -> None:
    device = asking_again(8)
    device.run(20)
    assert device.batches[-1] == 8
    left = iter([None] * 7)
    again = device._again
    device._again = lambda now: next(left, again(now))
    device.run(30)
    assert device.batches[-29:] == [1] * 29
    assert sum(device.waits[20:]) <= 2 * RETURN_SHARE * DEVICE.seconds(8)


@given(
    st.lists(
        st.tuples(st.integers(1, 16), st.lists(st.floats(0.0, 1.0), max_size=20)), max_size=12
    ),
    st.integers(1, 16),
    st.floats(0.0, 1.0),
)
def test_a_wait_is_short_and_pays(
    past: list[tuple[int, list[float]]], waiting: int, passed: float
) -> None:
    returns, now, last = Returns(), 100.0, 0
    for last, offsets in past:
        now += 2.0
        returns.ended(now, last)
        for offset in offsets:
            returns.came(now + offset)
    company = returns.company(now + passed, waiting, LIMIT, DEVICE)
    alone = DEVICE.seconds(waiting)
    assert 0 <= company.jobs <= min(LIMIT - waiting, last)
    assert (company.jobs > 0) == (company.seconds > 0.0)
    if company.jobs:
        assert company.seconds <= RETURN_SHARE * DEVICE.seconds(last) - passed + 1e-9
        most = (waiting + company.jobs) / DEVICE.seconds(waiting + company.jobs)
        assert most > RETURN_GAIN * waiting / alone


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
