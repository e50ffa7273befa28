"""Hints over Celery and a real Redis; what is lost costs nobody more than a look at the ledger."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from deploy.onebox.rabbitmq import rabbitmq
from deploy.onebox.redis_server import RedisServer, redis_server

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.hints_celery import CeleryHints, create_celery, queue_name

pytestmark = pytest.mark.slow

POOLS = ("choreo", "relief.shape")


@pytest.fixture(scope="module")
def shared_broker() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def broker(shared_broker: RedisServer) -> RedisServer:
    shared_broker.command("FLUSHALL")
    return shared_broker


@pytest.fixture
async def hints(broker: RedisServer) -> AsyncIterator[CeleryHints]:
    hints = CeleryHints(create_celery(broker.url, POOLS), "choreo", SystemClock())
    yield hints
    await hints.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> float:
    """Seconds until the condition holds."""
    clock = SystemClock()
    start = clock.monotonic()
    async with asyncio.timeout(seconds):
        while not await condition():
            await clock.sleep(0.05)
    return clock.monotonic() - start


async def test_a_ring_wakes_a_waiter(hints: CeleryHints) -> None:
    waiting = asyncio.create_task(hints.wait("choreo", 20))
    hints.ring("choreo", "01JOB")
    assert await waiting is True


async def test_nothing_rung_is_false_after_the_time(hints: CeleryHints) -> None:
    assert await hints.wait("choreo", 0.2) is False


async def test_a_ring_before_the_wait_is_kept(hints: CeleryHints) -> None:
    hints.ring("choreo")
    assert await hints.wait("choreo", 20) is True
    assert await hints.wait("choreo", 0.3) is False


async def test_pools_are_apart(hints: CeleryHints) -> None:
    hints.ring("relief.shape")
    assert await hints.wait("choreo", 0.5) is False
    with pytest.raises(ValueError, match="serves choreo"):
        await hints.wait("relief.shape", 0.1)


async def test_two_rings_wake_two_replicas(hints: CeleryHints) -> None:
    waiting = [asyncio.create_task(hints.wait("choreo", 20)) for _ in range(2)]
    hints.ring("choreo")
    hints.ring("choreo")
    assert await asyncio.gather(*waiting) == [True, True]


async def test_a_waiter_that_left_takes_no_ring(hints: CeleryHints) -> None:
    leaving = asyncio.create_task(hints.wait("choreo", 20))
    await asyncio.sleep(0)
    leaving.cancel()
    hints.ring("choreo")
    assert await hints.wait("choreo", 20) is True


async def test_one_hint_stays_with_the_broker_while_all_are_busy(
    hints: CeleryHints, broker: RedisServer
) -> None:
    async def kept() -> bool:
        return await asyncio.to_thread(broker.command, "LLEN", queue_name("choreo")) == 1

    hints.ring("choreo")
    assert await hints.wait("choreo", 20) is True
    # Nobody waits now: the replica that was woken is at work.
    hints.ring("choreo")
    await until(kept)
    for _ in range(100):
        hints.ring("choreo")
        hints.ring("relief.shape")

    async def all_sent() -> bool:
        return bool(await asyncio.to_thread(broker.command, "LLEN", queue_name("relief.shape")))

    await until(all_sent)
    assert await kept()
    assert await hints.wait("choreo", 20) is True
    assert await hints.wait("choreo", 0.3) is False


async def test_another_process_takes_what_this_one_leaves(
    hints: CeleryHints, broker: RedisServer
) -> None:
    hints.ring("choreo")
    assert await hints.wait("choreo", 20) is True
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.adapters.hint_consumer", broker.url, "choreo"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert other.stdout is not None
    try:
        assert json.loads(await other.stdout.readline()) == "ready"
        hints.ring("choreo")
        async with asyncio.timeout(20):
            while json.loads(await other.stdout.readline()) is not True:
                hints.ring("choreo")
    finally:
        other.kill()
        await other.wait()


async def heard_again(hints: CeleryHints) -> float:
    async def heard() -> bool:
        hints.ring("choreo")
        return await hints.wait("choreo", 0.5)

    return await until(heard)


@pytest.mark.parametrize("trouble", ["killed", "restarted empty", "wiped", "disconnected", "slow"])
async def test_hints_come_again_after_trouble(
    hints: CeleryHints, broker: RedisServer, trouble: str
) -> None:
    await heard_again(hints)
    if trouble == "killed":
        await asyncio.to_thread(broker.kill)
        for _ in range(3):
            hints.ring("choreo")
            assert await hints.wait("choreo", 1.0) is False
        await asyncio.to_thread(broker.start)
    elif trouble == "restarted empty":
        await asyncio.to_thread(broker.restart, empty=True)
    elif trouble == "wiped":
        await asyncio.to_thread(broker.command, "FLUSHALL")
    elif trouble == "disconnected":
        await asyncio.to_thread(broker.command, "CLIENT", "KILL", "TYPE", "normal")
    else:
        await asyncio.to_thread(broker.command, "DEBUG", "SLEEP", "3")
    assert await heard_again(hints) < 10.0


@pytest.mark.timeout(240)
async def test_rabbitmq_carries_hints_too() -> None:
    with rabbitmq() as other:
        hints = CeleryHints(create_celery(other.url, POOLS), "choreo", SystemClock())
        for number in range(5):
            hints.ring("choreo", str(number))
            assert await hints.wait("choreo", 20) is True
        await asyncio.to_thread(other.restart)
        assert await heard_again(hints) < 20.0
        await hints.close()


async def test_a_broker_that_is_not_there_holds_nobody_up() -> None:
    with redis_server(started=False) as absent:
        hints = CeleryHints(create_celery(absent.url, POOLS), "choreo", SystemClock())
        clock = SystemClock()
        start = clock.monotonic()
        for number in range(1_000):
            hints.ring("choreo", str(number))
        assert clock.monotonic() - start < 1.0
        assert await hints.wait("choreo", 0.2) is False
        await asyncio.to_thread(absent.start)
        assert await heard_again(hints) < 10.0
        await hints.close()
