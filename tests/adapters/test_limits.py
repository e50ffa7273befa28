"""Counting requests: in memory in virtual time, in a real Redis, and while Redis is away."""

import asyncio
import itertools
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from deploy.onebox.redis_server import RedisServer, redis_server

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.limits_memory import MemoryLimits
from kinesphere.adapters.limits_redis import PAUSE, RedisLimits
from kinesphere.ports import Quota
from tests.clock import VirtualClock
from tests.contracts.limits import FIVE, LimitsContract


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


class TestMemoryLimits(LimitsContract):
    @pytest.fixture(autouse=True)
    def _clock(self, clock: VirtualClock) -> None:
        self.clock = clock

    @pytest.fixture
    async def limits(self, clock: VirtualClock) -> AsyncIterator[MemoryLimits]:
        limits = MemoryLimits(clock)
        yield limits
        await limits.close()

    async def pass_by(self, seconds: float) -> None:
        self.clock.tick(seconds)

    async def test_who_is_gone_is_forgotten(self, limits: MemoryLimits) -> None:
        for number in range(1_000):
            await limits.take(f"user/{number}", FIVE)
            self.clock.tick(0.01)
        # Those of the last two seconds, and no more.
        assert 150 <= len(limits) <= 210
        for _ in range(200):
            await limits.take("one", FIVE)
            self.clock.tick(0.01)
        assert len(limits) <= 3


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


def shared(server: RedisServer, fell: list[int] | None = None) -> RedisLimits:
    noted: list[int] = [] if fell is None else fell
    return RedisLimits(server.url, SystemClock(), lambda: noted.append(1))


@pytest.mark.slow
class TestRedisLimits(LimitsContract):
    @pytest.fixture
    async def limits(self, redis: RedisServer) -> AsyncIterator[RedisLimits]:
        redis.command("FLUSHALL")
        fell: list[int] = []
        limits = shared(redis, fell)
        yield limits
        await limits.close()
        assert not fell

    async def pass_by(self, seconds: float) -> None:
        # Redis forgets by its own clock.
        await asyncio.sleep(seconds)

    async def test_nothing_is_left_behind(self, limits: RedisLimits, redis: RedisServer) -> None:
        await limits.take("a", FIVE)
        assert redis.command("DBSIZE") == 1
        await self.pass_by(2.5)
        assert redis.command("DBSIZE") == 0


RUSH = """
import asyncio, json, sys
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.limits_redis import RedisLimits
from kinesphere.ports import Quota

async def main():
    fell = []
    limits = RedisLimits(sys.argv[1], SystemClock(), lambda: fell.append(1))
    quota = Quota(100, 60)
    print("ready", flush=True)
    sys.stdin.readline()
    found = []
    for _ in range(10):
        found += await asyncio.gather(*(limits.take("user/ann", quota) for _ in range(20)))
    print(json.dumps([sum(f.admitted for f in found), len(fell)]), flush=True)
    await limits.close()

asyncio.run(main())
"""


@pytest.mark.slow
def test_processes_together_admit_exactly_the_quota(redis: RedisServer) -> None:
    redis.command("FLUSHALL")
    runners = [
        subprocess.Popen(
            [sys.executable, "-c", RUSH, redis.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for runner in runners:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "ready\n"
    for runner in runners:
        assert runner.stdin is not None
        runner.stdin.write("\n")
        runner.stdin.flush()
    admitted = []
    for runner in runners:
        told, _ = runner.communicate(timeout=60)
        number, fell = json.loads(told)
        assert fell == 0
        admitted.append(number)
    assert sum(admitted) == 100


async def until_it_counts(limits: RedisLimits, fell: list[int]) -> None:
    """Return when Redis counts again. Raises TimeoutError."""
    async with asyncio.timeout(10):
        for number in itertools.count():
            before = len(fell)
            await limits.take(f"probe/{number}", Quota(1, 1))
            if len(fell) == before:
                return
            await asyncio.sleep(PAUSE / 10)


@pytest.mark.slow
async def test_without_redis_each_process_counts_and_returns_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fell: list[int] = []
    caplog.set_level(logging.INFO, "kinesphere.limits")
    with redis_server() as server:
        limits = shared(server, fell)
        assert (await limits.take("a", FIVE)).admitted
        server.kill()
        found = [await limits.take("a", FIVE) for _ in range(8)]
        assert [f.admitted for f in found] == [True] * 5 + [False] * 3
        assert len(fell) == 8
        assert not (await limits.look("a", FIVE)).admitted

        server.start()
        await until_it_counts(limits, fell)
        # Redis was empty, so the count begins anew there.
        assert (await limits.take("b", FIVE)).remaining == 4
        assert server.command("EXISTS", "kinesphere:LIMITER/b/5/2/second") == 1
        await limits.close()
    actions = [record.__dict__["action"] for record in caplog.records]
    assert actions == ["limits.degraded", "limits.recovered"]


@pytest.mark.slow
async def test_a_redis_that_hangs_costs_half_a_second_once() -> None:
    fell: list[int] = []
    with redis_server() as server:
        limits = shared(server, fell)
        await limits.take("a", FIVE)
        server.pause()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await limits.take("a", FIVE)).admitted
        first = loop.time() - began
        for _ in range(20):
            await limits.take("b", FIVE)
        rest = loop.time() - began - first
        server.resume()
        await until_it_counts(limits, fell)
        await limits.close()
    assert 0.4 <= first < 1.0
    assert rest < 0.1
