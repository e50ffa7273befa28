"""What processes tell one another of their turns, over a real Redis."""

import asyncio
import logging

import pytest
from deploy.onebox.redis_server import redis_server
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_redis import Paces, RedisFeed
from kinesphere.adapters.turns_redis import RedisTurns
from kinesphere.core.batching import BatchTime
from kinesphere.ports import Turn
from kinesphere.wiring.parts import shared_turns
from tests.adapters.test_feed_redis import Past, running
from tests.contracts.feed import record
from tests.waiting import wait_until

TEN = BatchTime.guessed(10.0, 0.0)
QUICK = Paces(silence=0.3, retry=0.02, longest_retry=0.1)


async def test_processes_of_a_pool_hear_of_one_another_while_redis_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with redis_server() as server:
        clock = SystemClock()
        one, two, other = (
            RedisFeed(server.url, clock, Past(), "test", QUICK, cancelled_only=True)
            for _ in range(3)
        )
        here, there = (shared_turns(feed, clock, "m", str(feed)) for feed in (one, two))
        heard: list[Turn] = []
        RedisTurns(other, "m.second").hear(heard.append)
        async with running(one, two, other), Redis.from_url(server.url) as redis:
            with here.present():
                here.waits(clock.monotonic(), 30.0, TEN.fixed, 64)
                await wait_until(lambda: there.taken(clock.monotonic(), TEN), "the other knows")
                assert not here.taken(clock.monotonic(), TEN)
                here.started(clock.monotonic(), TEN.fixed, 64)
                await wait_until(lambda: not there.taken(clock.monotonic(), TEN), "it has started")
                # Nonsense is left out, once with a word about it, and what else travels does so.
                for message in (b"\xff", b"{}", b'{"worker":"x","replicas":1,"claimed":-1}'):
                    await redis.publish("test:turns:m", message)
                async with two.listen() as news:
                    one.publish([record(1), record(2, "b")])
                    two.publish([record(3)])
                    assert await anext(news) == record(3)
                here.waits(clock.monotonic(), 30.0, TEN.fixed, 64)
                await wait_until(lambda: there.taken(clock.monotonic(), TEN), "news go on")
                server.kill()
                await wait_until(lambda: not one.connected, "the loss is seen")
                here.started(clock.monotonic(), TEN.fixed, 64)
                server.restart(empty=True)
                await wait_until(lambda: one.connected and two.connected, "both are back")
                # What was told meanwhile is forgotten, and so may be the first words after.
                assert there.taken(clock.monotonic(), TEN)

                def is_heard() -> bool:
                    here.started(clock.monotonic(), TEN.fixed, 64)
                    return not there.taken(clock.monotonic(), TEN)

                await wait_until(is_heard, "it is heard again")
    assert heard == []
    assert caplog.text.count("not ours") == 2
    assert all(each.levelno <= logging.WARNING for each in caplog.records)


@given(st.binary(max_size=200))
def test_no_message_does_harm(message: bytes) -> None:
    heard: list[Turn] = []

    async def take() -> None:
        feed = RedisFeed("redis://127.0.0.1:1/0", SystemClock(), Past())
        turns = RedisTurns(feed, "m")
        turns.hear(heard.append)
        turns._take(message)

    asyncio.run(take())
    assert heard == []
