"""Which batches a replica forms, and how much it claims for them."""

from dataclasses import replace

import pytest

from kinesphere.core.batching import BatchTime
from kinesphere.core.jobs import Job
from kinesphere.worker.forming import AHEAD, MOST_AHEAD, Forming
from kinesphere.worker.holding import Held
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


def forming(queue: Queue, seconds: float | None) -> Forming:
    """For batches that were seen to take so long; None where none was seen."""
    time = BatchTime.guessed(0.0, 0.0)
    if seconds is not None:
        time = BatchTime(seconds, 0.0, (seconds, 0.0), ((1.0, seconds),))
    return Forming(VirtualClock(), time, queue.claim, queue.pause)


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
    dropped = formed.emptied()
    formed.put_back(dropped)
    formed.drop(dropped[0])
    assert names(await formed.batch(2)) == ["j3", "j4"]


async def test_what_was_not_begun_is_known() -> None:
    formed = forming(Queue(4), AHEAD / 4)
    batch = await formed.batch(2)
    formed.put_back(batch)
    assert names(formed.emptied()) == ["j0", "j1", "j2", "j3"]
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

    formed = Forming(VirtualClock(), formed.seconds, queue.claim, arrive)
    assert len(await formed.batch(34)) == 34
    assert len(queue.paused) == 1
    assert queue.asked == [34, 4]
