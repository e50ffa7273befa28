"""Which batches a replica forms, and how much it claims for them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kinesphere.core.batching import BatchTime
from kinesphere.core.jobs import Job
from kinesphere.worker.forming import AHEAD, EARLY, LONGEST_AHEAD, MOST_AHEAD, MOST_EARLY, Forming
from kinesphere.worker.held import Held
from kinesphere.worker.turns import Turns
from tests.clock import VirtualClock


class Queue:
    """Jobs that wait, and what was asked of them."""

    def __init__(self, number: int, *, alone: frozenset[int] = frozenset()) -> None:
        self.waiting = [
            Held(
                Job(
                    id=f"j{i}", task="motion", model="m", model_version="1", user="u", request={},
                    pools=("m",), created_at=0.0, ready_at=0.0, alone=i in alone,
                )
            )
            for i in range(number)
        ]  # fmt: skip
        self.asked: list[int] = []
        self.paused: list[float] = []
        self.rung = 0

    async def claim(self, limit: int) -> list[Held]:
        """As the ledger: one that is to run alone is claimed alone."""
        self.asked.append(limit)
        if self.waiting and self.waiting[0].job.alone:
            limit = 1
        found = [held for held in self.waiting[:limit] if limit == 1 or not held.job.alone]
        self.waiting = [held for held in self.waiting if held not in found]
        return found

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    async def news(self, seconds: float) -> bool:
        self.paused.append(seconds)
        return True

    def ring(self) -> None:
        self.rung += 1


def forming(queue: Queue, seconds: float | None) -> Forming:
    """For batches that were seen to take so long; None where none was seen."""
    time = BatchTime.guessed(0.0, 0.0)
    if seconds is not None:
        time = BatchTime(seconds, 0.0, (seconds, 0.0), ((1.0, seconds),))
    return formed_by(VirtualClock(), time, queue, queue.pause)


def formed_by(
    clock: VirtualClock, time: BatchTime, queue: Queue, pause: Callable[[float], Awaitable[None]]
) -> Forming:
    return Forming(
        *(clock, time, Turns()),
        claim=queue.claim,
        pause=pause,
        news=queue.news,
        ring=queue.ring,
    )


def names(batch: list[Held]) -> list[str]:
    return [held.job.id for held in batch]


@pytest.mark.parametrize(
    ("seconds", "batches"),
    [
        (None, 1),
        (AHEAD * 2, 1),
        (AHEAD, 1),
        (AHEAD / 2, 2),
        (AHEAD / 10, 10),
        (0.0, MOST_AHEAD),
    ],
)
async def test_as_much_is_claimed_at_once_as_is_done_in_a_moment(
    seconds: float | None, batches: int
) -> None:
    queue = Queue(1_000)
    formed = forming(queue, seconds)
    assert names(await formed.batch(4)) == ["j0", "j1", "j2", "j3"]
    assert queue.asked == [4 * batches]
    for number in range(1, batches):
        assert names(await formed.batch(4))[0] == f"j{4 * number}"
    assert queue.asked == [4 * batches]
    assert not formed.stocked
    await formed.batch(4)
    assert len(queue.asked) == 2


async def test_nothing_waits() -> None:
    queue = Queue(0)
    assert await forming(queue, 0.001).batch(4) == []


async def test_one_that_was_cancelled_is_not_run() -> None:
    formed = forming(Queue(6), AHEAD / 4)
    await formed.batch(2)
    dropped = await formed.emptied()
    formed.put_back(dropped)
    formed.drop(dropped[0])
    assert names(await formed.batch(2)) == ["j3", "j4"]


async def test_what_was_not_begun_is_known() -> None:
    formed = forming(Queue(4), AHEAD / 4)
    batch = await formed.batch(2)
    formed.put_back(batch)
    assert names(await formed.emptied()) == ["j0", "j1", "j2", "j3"]
    assert not formed.stocked


async def test_who_runs_alone_runs_alone() -> None:
    queue = Queue(3, alone=frozenset({0}))
    formed = forming(queue, AHEAD / 4)
    assert names(await formed.batch(2)) == ["j0"]
    assert names(await formed.batch(2)) == ["j1", "j2"]


async def test_company_that_is_to_run_alone_does_so() -> None:
    queue = Queue(2)
    formed = forming(queue, AHEAD)
    first, second = await formed.batch(2)
    second.job = replace(second.job, alone=True)
    formed.put_back([first, second])
    assert names(await formed.batch(2)) == ["j0"]
    assert names(await formed.batch(2)) == ["j1"]


async def test_company_is_waited_for_where_it_is_expected() -> None:
    queue = Queue(40)
    for number, held in enumerate(queue.waiting):
        held.job = replace(held.job, ready_at=VirtualClock().now() - 1.0 + number / 1_000)
    late, queue.waiting = queue.waiting[30:], queue.waiting[:30]
    formed = forming(queue, 10.0)

    async def arrive(seconds: float) -> None:
        queue.paused.append(seconds)
        queue.waiting += late

    formed = formed_by(VirtualClock(), formed.seconds, queue, arrive)
    assert len(await formed.batch(34)) == 34
    assert len(queue.paused) == 1
    assert queue.asked == [34, 4]


class Replica:
    """A replica in virtual time: `Forming`, and a queue whose jobs come when they are said to."""

    def __init__(self, batch_seconds: float, beside: "Replica | None" = None) -> None:
        self.clock: VirtualClock = beside.clock if beside else VirtualClock(0.0)
        self.queue: Queue = beside.queue if beside else Queue(0)
        self.turns: Turns = beside.turns if beside else Turns()
        self.rung = asyncio.Event()
        self.goes_on = True
        time = BatchTime(batch_seconds, 0.0, (batch_seconds, 0.0), ((1.0, batch_seconds),))
        self.formed = Forming(
            *(self.clock, time, self.turns),
            claim=self.queue.claim,
            pause=self.clock.sleep,
            news=self.news,
            ring=self.queue.ring,
        )

    async def news(self, seconds: float) -> bool:
        self.rung.clear()
        hint = asyncio.ensure_future(self.rung.wait())
        timer = asyncio.ensure_future(self.clock.sleep(seconds))
        await asyncio.wait({hint, timer}, return_when=asyncio.FIRST_COMPLETED)
        hint.cancel()
        timer.cancel()
        return self.goes_on

    def come(self, number: int) -> None:
        for held in Queue(number).waiting:
            held.job = replace(held.job, ready_at=self.clock.now())
            self.queue.waiting.append(held)
        self.rung.set()

    async def during(
        self, work: Awaitable[object], *steps: tuple[float, Callable[[], None]]
    ) -> float:
        """Have things happen, each so long after the one before; how long the work took."""
        began = self.clock.monotonic()
        task = asyncio.ensure_future(work)
        for seconds, step in steps:
            await self.clock.advance(seconds)
            step()
        while not task.done():
            await self.clock.advance(0.001)
        return self.clock.monotonic() - began

    async def start(self, number: int) -> None:
        """Begin with a batch of so many that came at once."""
        self.come(number)
        batch = asyncio.ensure_future(self.formed.batch(64))
        await self.during(batch)
        assert len(batch.result()) == number

    async def learn(self, clients: int) -> None:
        """As many clients as that ask again, 10 ms after they were answered."""
        for _ in range(6):
            self.formed.ended(clients)
            await self.clock.advance(0.01)
            self.come(clients)
            assert len(await self.formed.batch(clients)) == clients
            await self.clock.advance(0.4)
        self.formed.ended(clients)


async def test_those_who_were_answered_are_waited_for_until_they_have_come() -> None:
    replica = Replica(0.4)
    await replica.learn(4)
    replica.come(2)
    batch = asyncio.ensure_future(replica.formed.batch(16))
    took = await replica.during(
        batch, (0.008, lambda: replica.come(1)), (0.004, lambda: replica.come(3))
    )
    assert took == pytest.approx(0.012, abs=0.002)
    assert len(batch.result()) == 6
    assert replica.formed.gathered == pytest.approx(0.012, abs=0.002)


async def test_those_who_do_not_come_are_not_waited_for_long() -> None:
    replica = Replica(0.4)
    await replica.learn(4)
    replica.come(1)
    batch = asyncio.ensure_future(replica.formed.batch(16))
    assert await replica.during(batch) == pytest.approx(0.015, abs=0.002)
    assert len(batch.result()) == 1


async def test_a_replica_that_is_to_leave_waits_for_nobody() -> None:
    replica = Replica(0.4)
    await replica.learn(4)
    replica.come(1)

    def leave() -> None:
        replica.goes_on = False
        replica.rung.set()

    batch = asyncio.ensure_future(replica.formed.batch(16))
    assert await replica.during(batch, (0.005, leave)) == pytest.approx(0.005, abs=0.002)


async def test_who_is_cancelled_while_company_is_awaited_is_not_run() -> None:
    replica = Replica(0.4)
    await replica.learn(4)
    replica.come(1)
    (lone,) = replica.queue.waiting
    batch = asyncio.ensure_future(replica.formed.batch(16))

    def cancel() -> None:
        replica.formed.drop(lone)
        replica.come(4)

    await replica.during(batch, (0.005, cancel))
    assert len(batch.result()) == 4


async def early(replica: Replica, seconds: float) -> float | None:
    """After how long of a batch of so many seconds the next was claimed, if it was."""
    asked = len(replica.queue.asked)
    if not replica.formed.looks_ahead(seconds):
        return None
    ahead = asyncio.ensure_future(replica.formed.meanwhile(4, seconds))
    began = replica.clock.monotonic()
    while not ahead.done() and replica.clock.monotonic() - began < seconds:
        await replica.clock.advance(0.001)
    ahead.cancel()
    return replica.clock.monotonic() - began if len(replica.queue.asked) > asked else None


async def test_a_full_batch_is_claimed_before_the_one_that_runs_has_ended() -> None:
    replica = Replica(0.3)
    replica.come(7)
    assert await early(replica, 0.3) == pytest.approx(0.3 - EARLY, abs=0.002)
    assert replica.formed.stocked
    assert 0.0 < replica.formed.patience <= LONGEST_AHEAD
    assert len(await replica.formed.batch(4)) == 4
    # It needed no other claim; a batch that is not full gets what came since.
    assert replica.queue.asked == [4]
    assert await early(replica, 0.3) is not None
    replica.come(1)
    assert len(await replica.formed.batch(4)) == 4
    assert replica.queue.asked == [4, 4, 1]


async def test_what_was_empty_a_moment_ago_is_not_asked_again_before_it_rings() -> None:
    replica = Replica(0.3)
    assert await early(replica, 0.3) is not None
    asked = len(replica.queue.asked)
    replica.come(1)
    assert await replica.formed.batch(4) == []
    assert len(replica.queue.asked) == asked
    # Once: whoever has waited for a hint, or in vain, looks.
    assert len(await replica.formed.batch(4)) == 1


async def test_what_was_empty_long_ago_is_asked_again() -> None:
    replica = Replica(0.3)
    assert await early(replica, 0.3) is not None
    await replica.clock.advance(3.0 * EARLY)
    replica.come(1)
    assert len(await replica.formed.batch(4)) == 1


@pytest.mark.parametrize("seconds", [0.9 * AHEAD, 1.1 * MOST_EARLY])
async def test_nothing_is_claimed_early_where_it_would_gain_nothing(seconds: float) -> None:
    replica = Replica(seconds)
    replica.come(4)
    assert await early(replica, seconds) is None


async def test_nothing_is_claimed_early_before_a_batch_was_measured() -> None:
    replica = Replica(0.3)
    replica.formed.seconds = BatchTime.guessed(0.3, 0.0)
    assert await early(replica, 0.3) is None


async def test_a_claim_that_is_under_way_is_not_lost() -> None:
    replica, commit = Replica(0.3), asyncio.Event()
    replica.come(4)

    async def slow(limit: int) -> list[Held]:
        await commit.wait()
        return await replica.queue.claim(limit)

    replica.formed._claim = slow
    ahead = asyncio.ensure_future(replica.formed.meanwhile(4, 0.3))
    await replica.clock.advance(0.3)
    ahead.cancel()
    await asyncio.gather(ahead, return_exceptions=True)
    rest = asyncio.ensure_future(replica.formed.emptied())
    await asyncio.sleep(0)
    commit.set()
    assert len(await rest) == 4


async def test_devices_start_in_turn_where_more_comes_than_they_could_do_one_by_one() -> None:
    first = Replica(0.8)
    second = Replica(0.8, first)
    with first.turns.present(), first.turns.present():
        await first.start(16)
        first.come(2)
        batch = asyncio.ensure_future(second.formed.batch(64))
        took = await second.during(
            batch, (0.1, lambda: second.come(2)), (0.1, lambda: second.come(3))
        )
    # Half of the time of a batch after the first, with all that came until then.
    assert took == pytest.approx(0.4, abs=0.005)
    assert len(batch.result()) == 7
    assert second.formed.gathered == pytest.approx(0.4, abs=0.005)


async def test_while_one_waits_for_its_turn_the_others_leave_the_queue_to_it() -> None:
    first = Replica(0.8)
    second, third = Replica(0.8, first), Replica(0.8, first)
    with first.turns.present(), first.turns.present(), first.turns.present():
        await first.start(30)
        first.come(2)
        batch = asyncio.ensure_future(second.formed.batch(64))
        others: list[list[Held]] = []

        async def look() -> None:
            others.append(await third.formed.batch(64))

        rung = first.queue.rung
        looks: list[asyncio.Task[None]] = []
        second.come(3)
        await second.during(batch, (0.1, lambda: looks.append(asyncio.create_task(look()))))
        await asyncio.gather(*looks)
    assert others == [[]]
    assert len(batch.result()) == 5
    # Whoever left the queue to it has another look.
    assert first.queue.rung == rung + 1


async def test_who_waits_for_its_turn_goes_when_it_is_to_leave() -> None:
    first = Replica(0.8)
    second = Replica(0.8, first)

    def leave() -> None:
        second.goes_on = False
        second.rung.set()

    with first.turns.present(), first.turns.present():
        await first.start(16)
        first.come(2)
        batch = asyncio.ensure_future(second.formed.batch(64))
        assert await second.during(batch, (0.1, leave)) == pytest.approx(0.1, abs=0.005)
    assert not first.turns.gathering
