"""When a pool of devices may start its next batch."""

import heapq
from collections import deque
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.batching import BatchTime
from kinesphere.core.spacing import BUSY, LEAST_PAUSE, WINDOW, Spacing

TEN = BatchTime.guessed(10.0, 0.0)


def spacing(*claims: tuple[float, int], started: float | None = None) -> Spacing:
    made = Spacing()
    for at, jobs in claims:
        made.claimed(at, jobs)
    if started is not None:
        made.started(started)
    return made


def test_starts_are_a_batch_divided_by_the_devices_apart() -> None:
    made = spacing((100.0, 80), started=99.0)
    assert made.pause(100.0, 4, TEN, waiting=2, limit=64) == pytest.approx(1.5)
    assert made.pause(101.0, 4, TEN, waiting=2, limit=64) == pytest.approx(0.5)
    assert made.pause(101.5, 4, TEN, waiting=2, limit=64) == 0.0


def test_a_batch_that_is_full_or_alone_or_early_enough_starts() -> None:
    made = spacing((100.0, 80), started=99.0)
    assert made.pause(100.0, 4, TEN, waiting=64, limit=64) == 0.0
    assert made.pause(100.0, 1, TEN, waiting=2, limit=64) == 0.0
    assert Spacing().pause(100.0, 4, TEN, waiting=2, limit=64) == 0.0


def test_nobody_waits_where_the_devices_could_do_what_comes_one_by_one() -> None:
    enough = int(WINDOW * 4 * BUSY)
    few, many = (spacing((100.0, jobs), started=99.0) for jobs in (enough - 1, enough))
    assert few.pause(100.0, 4, TEN, waiting=2, limit=64) == 0.0
    assert many.pause(100.0, 4, TEN, waiting=2, limit=64) > 0.0


def test_what_came_long_ago_says_nothing() -> None:
    made = spacing((99.0 - 10.0 * WINDOW, 4_000), started=99.0)
    assert made.pause(100.0, 4, TEN, waiting=2, limit=64) == 0.0


def test_nobody_waits_where_a_device_would_do_less() -> None:
    # A job more takes as long as a batch of its own: nothing is shared.
    costly = BatchTime.guessed(0.1, 10.0)
    assert spacing((100.0, 80), started=99.0).pause(100.0, 4, costly, waiting=30, limit=64) == 0.0


def test_it_waits_no_longer_than_it_takes_to_fill_the_batch() -> None:
    made = spacing((100.0, 80), started=100.0)
    assert made.pause(100.0, 4, TEN, waiting=2, limit=3) == pytest.approx(0.5)


@given(
    claims=st.lists(st.tuples(st.floats(0.0, 60.0), st.integers(1, 64)), max_size=200),
    devices=st.integers(1, 64),
    fixed=st.floats(0.0, 30.0),
    per_job=st.floats(0.0, 5.0),
    waiting=st.integers(1, 64),
    since=st.floats(0.0, 60.0),
    each=st.floats(0.1, 10.0),
)
def test_the_wait_is_none_or_some_and_within_a_share_of_a_batch(
    claims: list[tuple[float, int]],
    devices: int,
    fixed: float,
    per_job: float,
    waiting: int,
    since: float,
    each: float,
) -> None:
    times = BatchTime.guessed(fixed, per_job)
    made = spacing(*sorted(claims), started=60.0 - since)
    seconds = made.pause(60.0, devices, times, waiting=waiting, limit=64, each=each)
    most = max(times.seconds(64 * each) / devices, LEAST_PAUSE)
    assert seconds == 0.0 or LEAST_PAUSE <= seconds <= most * 1.000001


class _Devices:
    """Devices of one pool at work in virtual time; `spread` decides whether they take turns."""

    def __init__(self, devices: int, times: BatchTime, limit: int, *, spread: bool) -> None:
        self.devices, self.times, self.limit, self.spread = devices, times, limit, spread
        self.random = Random(7)
        self.spacing = Spacing()
        self.free, self.queue, self.gathered = devices, deque[float](), list[float]()
        self.gathering = False
        self.events: list[tuple[float, int, str, list[float]]] = []
        self.took: list[float] = []
        self.number = 0

    def at(self, when: float, what: str, batch: list[float] | None = None) -> None:
        self.number += 1
        heapq.heappush(self.events, (when, self.number, what, batch or []))

    def look(self, now: float) -> None:
        while self.free and not self.gathering and (self.queue or self.gathered):
            room = self.limit - len(self.gathered)
            new = [self.queue.popleft() for _ in range(min(room, len(self.queue)))]
            self.gathered += new
            if new:
                self.spacing.claimed(now, len(new))
            size = len(self.gathered)
            wait = self.spacing.pause(now, self.devices, self.times, waiting=size, limit=self.limit)
            if self.spread and wait > 0.0:
                self.gathering = True
                self.at(now + wait, "turn")
                return
            self.spacing.started(now)
            self.free -= 1
            seconds = self.times.seconds(size) * self.random.uniform(0.9, 1.1)
            self.at(now + seconds, "end", self.gathered)
            self.gathered = []

    def run(self, until: float, rate: float = 0.0, users: int = 0) -> float:
        """Mean seconds of a job, of random traffic or of users who ask again when answered."""
        self.at(0.0, "come")
        for _ in range(users):
            self.at(self.random.random(), "again")
        while self.events:
            now, _, what, batch = heapq.heappop(self.events)
            if now > until:
                break
            if what in {"come", "again"} and (what == "again" or rate):
                self.queue.append(now)
            if what == "come" and rate:
                self.at(now + self.random.expovariate(rate), "come")
            if what == "turn":
                self.gathering = False
            if what == "end":
                self.free += 1
                self.took += [now - came for came in batch]
                for number in range(len(batch) if users else 0):
                    self.at(now + 0.02 + 0.005 * number, "again")
            self.look(now)
        return sum(self.took) / len(self.took)


@pytest.mark.parametrize("load", [0.05, 0.2, 0.4, 0.6, 0.8, 0.9])
@pytest.mark.parametrize(("devices", "fixed", "limit"), [(8, 3.2, 64), (16, 3.0, 32), (4, 1.0, 64)])
def test_random_traffic_waits_less_where_devices_take_turns(
    devices: int, fixed: float, limit: int, load: float
) -> None:
    times = BatchTime.guessed(fixed, 0.01)
    rate = load * devices * limit / times.seconds(limit)
    spread, not_spread = (
        _Devices(devices, times, limit, spread=spread).run(200 * fixed, rate)
        for spread in (True, False)
    )
    assert spread < (0.92 if load >= 0.4 else 1.01) * not_spread


@pytest.mark.parametrize("load", [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize(("devices", "per_job", "limit"), [(2, 1.0, 4), (4, 1.0, 4), (2, 0.1, 16)])
def test_it_costs_little_where_batches_gain_little(
    devices: int, per_job: float, limit: int, load: float
) -> None:
    times = BatchTime.guessed(1.0, per_job)
    rate = load * devices * limit / times.seconds(limit)
    spread, not_spread = (
        _Devices(devices, times, limit, spread=spread).run(1_000.0, rate)
        for spread in (True, False)
    )
    assert spread < 1.01 * not_spread


def test_users_who_ask_again_are_served_sooner() -> None:
    times = BatchTime.guessed(3.2, 0.01)
    spread, not_spread = (
        _Devices(8, times, 64, spread=spread).run(300.0, users=500) for spread in (True, False)
    )
    assert spread < 0.95 * not_spread
