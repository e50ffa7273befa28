"""Short work that threads do in groups."""

import asyncio
import threading
from functools import partial

import pytest

from kinesphere.adapters.batched_executor import GROUP, THREADS, BatchedExecutor


async def test_everything_is_done_and_answered_to_whoever_asked() -> None:
    executor, number = BatchedExecutor(), 3 * THREADS * GROUP
    here = threading.get_ident()

    def work(each: int) -> tuple[int, int]:
        return each, threading.get_ident()

    done = await asyncio.gather(*(executor.run(partial(work, each)) for each in range(number)))
    assert [each for each, _ in done] == list(range(number))
    assert here not in {thread for _, thread in done}


async def test_one_that_fails_harms_no_neighbour() -> None:
    executor = BatchedExecutor()
    works = [executor.run(partial(int, text)) for text in ("1", "two", "3")]
    one, two, three = await asyncio.gather(*works, return_exceptions=True)
    assert (one, three) == (1, 3)
    assert isinstance(two, ValueError)


async def test_no_more_threads_are_busy_than_there_may_be() -> None:
    executor, lock, gate = BatchedExecutor(), threading.Lock(), threading.Event()
    busy = most = 0

    def work() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        gate.wait(10)
        with lock:
            busy -= 1

    works = [asyncio.create_task(executor.run(work)) for _ in range(4 * THREADS * GROUP)]
    while most < THREADS:
        await asyncio.sleep(0.001)
    gate.set()
    await asyncio.gather(*works)
    assert most == THREADS


async def test_what_comes_while_the_last_group_ends_is_not_forgotten() -> None:
    executor = BatchedExecutor()

    async def again_and_again() -> int:
        return sum([await executor.run(lambda: 1) for _ in range(50)])

    async with asyncio.timeout(20):
        found = await asyncio.gather(*(again_and_again() for _ in range(2 * THREADS)))
    assert found == [50] * 2 * THREADS


async def test_it_is_done_though_nobody_waits_any_more() -> None:
    executor, begun, done = BatchedExecutor(), threading.Event(), threading.Event()

    def work() -> None:
        begun.wait(10)
        done.set()

    task = asyncio.create_task(executor.run(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    begun.set()
    assert await asyncio.to_thread(done.wait, 10)
    assert await executor.run(lambda: 7) == 7
