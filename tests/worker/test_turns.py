"""Replicas of several processes that take turns, in virtual time: what each knows of the others."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from random import Random

import pytest

from kinesphere.core.batching import BatchTime
from kinesphere.ports import Turn
from kinesphere.worker.forming import Forming, weight
from kinesphere.worker.held import Held
from kinesphere.worker.turns import GRACE, Turns
from tests.clock import VirtualClock
from tests.worker.test_forming import Queue

COMMIT = 0.01
DELAY = 0.003
"""Seconds of a message from process to process."""


def turns(told: list[Turn], name: str = "b") -> Turns:
    return Turns(name, told.append)


TEN = BatchTime.guessed(10.0, 0.0)


def pause(made: Turns, now: float, waiting: int = 2) -> float:
    return made.pause(now, TEN, waiting=waiting, limit=64, each=1.0)


def test_what_others_tell_decides_when_it_is_ones_turn() -> None:
    made = turns([])
    with made.present():
        made.heard(99.0, Turn("a", 2, 60))
        made.heard(100.0, Turn("c", 1, 60))
        assert pause(made, 101.0) == pytest.approx(1.5)
        # One's own comes back, and says nothing new.
        made.heard(101.0, Turn("b", 1, 1_000))
        assert pause(made, 102.0) == pytest.approx(0.5)


def test_who_is_not_heard_of_any_more_is_not_counted() -> None:
    made = turns([])
    with made.present():
        made.heard(1.0, Turn("a", 2, 200))
        made.heard(40.0, Turn("c", 1, 200))
        assert pause(made, 40.0) == pytest.approx(2.5)
        assert pause(made, 41.5) == pytest.approx(3.5)
        assert pause(made, 81.0) == 0.0


def test_while_another_gathers_the_queue_is_left_to_it_but_not_for_ever() -> None:
    made = turns([])
    made.heard(100.0, Turn("a", 1, 2, gathers=1.0))
    assert made.taken(101.0, TEN)
    # It has died, or its word was lost.
    assert not made.taken(101.001 + GRACE, TEN)
    made.heard(110.0, Turn("a", 1, 2, gathers=1.0))
    made.heard(110.5, Turn("a", 1, 2))
    assert not made.taken(110.5, TEN)


def test_of_two_that_wait_for_the_same_turn_one_goes_first() -> None:
    one, two = turns([], "a"), turns([], "b")
    for made, other in ((one, "b"), (two, "a")):
        made.gathering = True
        made.heard(90.0, Turn(other, 1, 100))
        made.heard(95.0, Turn(other, 1, 2, gathers=1.0))
    with one.present(), two.present():
        assert pause(one, 96.0) == 0.0
        assert 0.0 < pause(two, 96.0) <= GRACE
        two.heard(96.01, Turn("a", 1, 5))
        assert pause(two, 96.01) == pytest.approx(5.0)


def test_what_is_told() -> None:
    told: list[Turn] = []
    made = turns(told)
    with made.present():
        made.claimed(1.0, 3)
        made.waits(1.0, 0.5, 10.0, 64)
        made.claimed(1.5, 2)
        made.started(1.5, 10.0, 64)
        made.started(2.0, 10.0, 64)
    assert told == [Turn("b", 1, 3, 0.5), Turn("b", 1, 2), Turn("b", 1, 0)]


@pytest.mark.parametrize(("seconds", "limit", "others"), [(0.1, 64, 0), (9.0, 1, 0), (0.3, 64, 15)])
def test_nothing_is_told_of_batches_that_spare_nothing(
    seconds: float, limit: int, others: int
) -> None:
    told: list[Turn] = []
    made = turns(told)
    made.heard(0.0, Turn("a", others, 1))
    with made.present():
        made.started(1.0, seconds, limit)
        made.waits(1.0, 1.0, seconds, limit)
    assert told == []


def test_a_pool_of_many_devices_tells_little() -> None:
    """Messages to all from all would grow with the square."""
    told: list[Turn] = []
    pool = [Turns(str(number), told.append) for number in range(400)]
    random, heard = Random(3), 0
    for step in range(4_000):
        made = random.choice(pool)
        with made.present():
            made.started(step / 40.0, 10.0, 64)
        for turn in told[heard:]:
            for each in pool:
                each.heard(step / 40.0, turn)
        heard = len(told)
    assert len(told) < 0.1 * 4_000


@pytest.mark.parametrize(("others", "turn"), [(23, 10.0 / 24.0), (24, 0.0)])
def test_nobody_takes_turns_with_so_many_that_it_cannot_know_them_all(
    others: int, turn: float
) -> None:
    made = turns([])
    for number in range(others):
        made.heard(100.0, Turn(f"a{number}", 1, 10))
    made.heard(100.0, Turn("a1", 1, 2, gathers=1.0))
    with made.present():
        assert pause(made, 100.0) == pytest.approx(turn)
        assert made.taken(100.0, TEN) is (turn > 0.0)


class Processes:
    """Processes of one replica each, one queue, and hints that each wake one of those that wait.

    One hint is kept where nobody waits.
    """

    def __init__(self, number: int, times: BatchTime, limit: int, *, linked: bool) -> None:
        self.clock = VirtualClock(0.0)
        self.times = replace(times, measured=((1.0, times.seconds(1.0)),))
        self.limit = limit
        self.random = Random(11)
        self.queue = Queue(0)
        self.waiters: list[asyncio.Future[None]] = []
        self.took: list[float] = []
        self.told = 0
        self.rung = False
        self.users = False
        tell = self.tell if linked else None
        self.turns = [Turns(f"process-{each}", tell) for each in range(number)]
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def tell(self, turn: Turn) -> None:
        async def bring() -> None:
            await self.clock.sleep(DELAY)
            for each in self.turns:
                each.heard(self.clock.monotonic(), turn)

        self.told += 1
        self.begin(bring())

    def ring(self) -> None:
        waiting = [each for each in self.waiters if not each.done()]
        self.rung = not waiting
        if waiting:
            self.random.choice(waiting).set_result(None)

    async def news(self, seconds: float) -> bool:
        if self.rung:
            self.rung = False
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = asyncio.ensure_future(self.clock.sleep(seconds))
        self.waiters.append(waiter)
        try:
            await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiters.remove(waiter)
            timer.cancel()
        return True

    async def claim(self, limit: int) -> list[Held]:
        found = await self.queue.claim(limit)
        await self.clock.sleep(COMMIT)
        if len(found) == limit:
            self.ring()
        return found

    def come(self) -> None:
        (held,) = Queue(1).waiting
        held.job = replace(held.job, ready_at=self.clock.now())
        self.queue.waiting.append(held)
        self.ring()

    async def ask_again(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.come()

    async def traffic(self, rate: float) -> None:
        while True:
            await self.clock.sleep(self.random.expovariate(rate))
            self.come()

    async def serve(self, turns: Turns) -> None:
        forming = Forming(
            *(self.clock, self.times, turns),
            claim=self.claim,
            pause=self.clock.sleep,
            news=self.news,
            ring=self.ring,
        )
        while True:
            with turns.present():
                batch = await forming.batch(self.limit)
                if not batch:
                    await self.news(2.0)
                    continue
                seconds = self.times.seconds(weight(batch))
                if forming.looks_ahead(seconds):
                    self.begin(forming.meanwhile(self.limit, seconds))
                await self.clock.sleep(seconds * self.random.uniform(0.95, 1.05))
                forming.ended(len(batch))
            for number, held in enumerate(batch):
                self.took.append(self.clock.now() - held.job.ready_at)
                if self.users:
                    self.begin(self.ask_again(0.02 + 0.003 * number))

    async def run(self, seconds: float, *, rate: float = 0.0, users: int = 0) -> float:
        """Mean seconds of a job, of random traffic or of users who ask again when answered."""
        self.users = bool(users)
        for turns in self.turns:
            self.begin(self.serve(turns))
        for _ in range(users):
            self.begin(self.ask_again(self.random.random()))
        if rate:
            self.begin(self.traffic(rate))
        await self.clock.advance(seconds)
        for task in (tasks := tuple(self.tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sum(self.took) / len(self.took)


@pytest.mark.parametrize(
    ("number", "fixed", "load", "users", "share"),
    [(8, 3.2, 0.2, 0, 0.9), (8, 3.2, 0.6, 0, 0.9), (2, 3.2, 0.4, 0, 1.0), (4, 1.6, 0.0, 100, 0.97)],
)
async def test_processes_that_know_of_one_another_keep_nobody_waiting_so_long(
    number: int, fixed: float, load: float, users: int, share: float
) -> None:
    times, seconds = BatchTime.guessed(fixed, 0.01), 25.0 * fixed
    rate = load * number * 64 / times.seconds(64)
    linked, not_linked = (Processes(number, times, 64, linked=linked) for linked in (True, False))
    with_news = await linked.run(seconds, rate=rate, users=users)
    without = await not_linked.run(seconds, rate=rate, users=users)
    assert with_news < share * without
    assert linked.told <= 2.2 * number * seconds / fixed
    assert not not_linked.told
