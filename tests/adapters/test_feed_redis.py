"""The feed between processes: over a real Redis, in fair weather and foul."""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from deploy.onebox.redis_server import RedisServer, redis_server
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_redis import OUTBOX, Paces, RedisFeed
from kinesphere.adapters.feed_wire import JOB_LIMIT, decoded, encoded
from kinesphere.adapters.ledger_tail import REMEMBERED, Tail, last
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import ArtifactRef, Event, EventKind, Job, Moved, State
from kinesphere.ports import Feed, LedgerUnavailable, Progress, Record
from tests.contracts.feed import FeedContract, heard, progress, record
from tests.waiting import wait_until

QUICK = Paces(gap=0.05, away=0.05, check=60.0, silence=0.3, retry=0.02, longest_retry=0.1)

_channels = count()


class Past:
    """What the ledger has committed; counts how often it is asked."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.asked = 0
        self.away = False

    async def __call__(self, after: int, limit: int) -> Sequence[Record]:
        self.asked += 1
        if self.away:
            raise LedgerUnavailable("gone")
        return [r for r in self.records if r.seq > after][:limit]

    def commit(self, *records: Record) -> tuple[Record, ...]:
        self.records += records
        return records


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as started:
        yield started


@pytest.fixture
def past() -> Past:
    return Past()


@asynccontextmanager
async def running(*feeds: RedisFeed, connected: bool = True) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(feed.run()) for feed in feeds]
    try:
        if connected:
            await wait_until(lambda: all(feed.connected for feed in feeds), "all are connected")
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result


def feeds_of(
    server: RedisServer, past: Past, number: int = 2, paces: Paces = QUICK
) -> tuple[RedisFeed, ...]:
    channel = f"test-{next(_channels)}"
    return tuple(RedisFeed(server.url, SystemClock(), past, channel, paces) for _ in range(number))


async def soon(
    news: AsyncIterator[Record | Progress], number: int, seconds: float = 10.0
) -> list[Record | Progress]:
    async with asyncio.timeout(seconds):
        return await heard(news, number)


class TestRedisFeed(FeedContract):
    """With Redis there."""

    @pytest.fixture
    async def feed(self, server: RedisServer, past: Past) -> AsyncIterator[Feed]:
        one, other = feeds_of(server, past)
        async with running(one, other):
            yield one


class TestRedisFeedAlone(FeedContract):
    """With Redis away."""

    @pytest.fixture
    async def feed(self, past: Past) -> AsyncIterator[Feed]:
        with redis_server(started=False) as server:
            (feed,) = feeds_of(server, past, 1)
            async with running(feed, connected=False):
                yield feed


# -------------------------------------------------------------------------- between processes


async def test_who_minds_cancellations_alone_hears_nothing_else_of_others(
    server: RedisServer, past: Past
) -> None:
    (one,) = feeds_of(server, past, 1)
    channel = f"test-{next(_channels) - 1}"
    worker = RedisFeed(server.url, SystemClock(), past, channel, QUICK, cancelled_only=True)
    ended = record(3, "b", EventKind.CANCELLED)
    async with running(one, worker), one.listen() as first, worker.listen() as second:
        one.publish(past.commit(record(1), record(2, "b"), ended))
        assert await soon(second, 1) == [ended]
        worker.publish(past.commit(record(4)))
        assert await soon(second, 1) == [record(4)]
        assert await soon(first, 4) == [record(1), record(2, "b"), ended, record(4)]


async def test_news_reach_every_process_once(server: RedisServer, past: Past) -> None:
    one, two, three = feeds_of(server, past, 3)
    async with (
        running(one, two, three),
        one.listen() as first,
        two.listen() as second,
        three.listen("a") as third,
    ):
        one.progress(progress(0.5))
        # Not in the ledger, which might be quicker than Redis.
        one.publish([record(1), record(2, "b")])
        await wait_until(lambda: three.latest("a") == progress(0.5), "progress is known")
        two.publish([record(3)])
        for news in (first, second):
            assert await soon(news, 3) == [record(1), record(2, "b"), record(3)]
        assert await soon(third, 3) == [progress(0.5), record(1), record(3)]


async def test_the_end_of_a_job_ends_its_progress_everywhere(
    server: RedisServer, past: Past
) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two):
        one.progress(progress(0.5))
        await wait_until(lambda: two.latest("a") == progress(0.5), "progress is known")
        # In a message progress comes first, so that it cannot outlive its job's end.
        one.progress(progress(0.9))
        one.publish([record(1, kind=EventKind.SUCCEEDED)])
        await wait_until(lambda: two.latest("a") is None, "it is forgotten")


async def test_own_is_what_this_process_publishes(server: RedisServer, past: Past) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two), one.own.listen() as own, one.listen() as all_news:
        two.publish(past.commit(record(1)))
        assert await soon(all_news, 1) == [record(1)]
        one.publish(past.commit(record(2)))
        assert await soon(own, 1) == [record(2)]


async def test_nobody_asks_the_ledger_while_all_is_well(server: RedisServer, past: Past) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two), two.listen() as news:
        one.publish(past.commit(record(1)))
        await soon(news, 1)
        asked = past.asked
        for seq in range(2, 300):
            one.publish(past.commit(record(seq)))
        assert await soon(news, 298) == [record(seq) for seq in range(2, 300)]
        # Once after its connection.
        assert past.asked <= asked + 1


async def test_platforms_on_one_redis_do_not_hear_each_other(
    server: RedisServer, past: Past
) -> None:
    (one,), (other,) = feeds_of(server, past, 1), feeds_of(server, Past(), 1)
    async with running(one, other), one.listen("a") as news:
        other.progress(progress(0.1))
        one.progress(progress(0.2))
        assert await soon(news, 1) == [progress(0.2)]
        assert other.latest("a") == progress(0.1)


# ------------------------------------------------------------------------------------- faults


async def test_an_event_that_was_lost_is_found_by_its_number(
    server: RedisServer, past: Past
) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two), two.listen() as news:
        one.publish(past.commit(record(1)))
        await soon(news, 1)
        past.commit(record(2))
        one.publish(past.commit(record(3)))
        assert {item.seq for item in await soon(news, 2) if isinstance(item, Record)} == {2, 3}


async def test_an_event_whose_publisher_cannot_reach_redis(server: RedisServer, past: Past) -> None:
    (feed,) = feeds_of(server, past, 1, Paces(check=0.05))
    async with running(feed), feed.listen() as news:
        feed.publish(past.commit(record(1)))
        past.commit(record(2))
        assert await soon(news, 2) == [record(1), record(2)]


async def test_redis_killed_and_back_empty(past: Past) -> None:
    with redis_server() as server:
        one, two = feeds_of(server, past)
        async with running(one, two), one.listen("a") as here, two.listen("a") as there:
            one.publish(past.commit(record(1)))
            assert await soon(there, 1) == [record(1)]
            server.kill()
            await wait_until(lambda: not two.connected, "the loss is seen")
            one.publish(past.commit(record(2)))
            assert await soon(there, 1) == [record(2)]
            assert await soon(here, 2) == [record(1), record(2)]
            asked = past.asked
            await wait_until(lambda: past.asked > asked + 2, "the ledger is looked at")
            server.restart(empty=True)
            await wait_until(lambda: one.connected and two.connected, "both are back")
            two.publish(past.commit(record(3)))
            two.progress(progress(0.7))
            assert await soon(there, 2) == [record(3), progress(0.7)]
            arrived = await soon(here, 2)
            assert record(3) in arrived
            assert progress(0.7) in arrived


async def test_redis_refuses_at_the_start(past: Past, caplog: pytest.LogCaptureFixture) -> None:
    past.commit(record(1))
    with redis_server(started=False) as server, caplog.at_level(logging.WARNING):
        one, two = feeds_of(server, past)
        async with running(one, two, connected=False), two.listen("a") as news:
            await wait_until(lambda: past.asked > 4, "the end of the ledger is known")
            one.publish(past.commit(record(2)))
            one.progress(progress(0.3))
            assert await soon(news, 1) == [record(2)]
            assert caplog.text.count("Redis is away") == 2
            server.start()
            await wait_until(lambda: one.connected and two.connected, "both are connected")
            one.progress(progress(0.4))
            item: Record | Progress = progress(0.3)
            while item == progress(0.3):
                (item,) = await soon(news, 1)
            assert item == progress(0.4)


async def test_what_is_published_while_redis_is_away_arrives_after(past: Past) -> None:
    with redis_server(started=False) as server:
        one, two = feeds_of(server, Past())
        async with running(one, two, connected=False), two.listen() as news:
            one.publish([record(1)])
            server.start()
            await wait_until(lambda: two.connected, "it is connected")
            one.publish([record(2)])
            found = [item.seq for item in await soon(news, 1) if isinstance(item, Record)]
            assert found in ([1], [2])


@pytest.mark.slow
async def test_a_redis_that_sleeps_is_taken_for_gone(past: Past) -> None:
    with redis_server() as server:
        one, two = feeds_of(server, past)
        async with running(one, two), two.listen() as news:
            sleeping = asyncio.create_task(asyncio.to_thread(server.command, "DEBUG", "SLEEP", "4"))
            await wait_until(lambda: not two.connected, "the silence is noticed")
            began = time.monotonic()
            one.publish(past.commit(record(1)))
            assert time.monotonic() - began < 0.5
            assert await soon(news, 1, 2.0) == [record(1)]
            await sleeping
            await wait_until(lambda: one.connected and two.connected, "both are back")
            one.publish(past.commit(record(2)))
            assert await soon(news, 1) == [record(2)]


async def test_flushing_redis_loses_nothing(server: RedisServer, past: Past) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two), two.listen() as news:
        for seq in range(1, 20):
            one.publish(past.commit(record(seq)))
            if seq == 10:
                await asyncio.to_thread(server.command, "FLUSHALL")
        assert await soon(news, 19) == [record(seq) for seq in range(1, 20)]


async def test_connections_that_are_cut_again_and_again(server: RedisServer, past: Past) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two), two.listen() as news:
        for seq in range(1, 201):
            one.publish(past.commit(record(seq)))
            if seq % 50 == 0:
                for kind in ("pubsub", "normal"):
                    await asyncio.to_thread(server.command, "CLIENT", "KILL", "TYPE", kind)
            await asyncio.sleep(0)
        found = [item.seq for item in await soon(news, 200) if isinstance(item, Record)]
        assert sorted(found) == list(range(1, 201))


async def test_the_ledger_away_too(past: Past) -> None:
    with redis_server() as server:
        one, two = feeds_of(server, past)
        async with running(one, two), two.listen() as news:
            server.kill()
            await wait_until(lambda: not two.connected, "the loss is seen")
            past.away = True
            one.publish(past.commit(record(1)))
            asked = past.asked
            await wait_until(lambda: past.asked > asked + 1, "it is tried again")
            past.away = False
            assert await soon(news, 1) == [record(1)]


@pytest.mark.parametrize(
    "message", ["", "{}", "[1]", '{"origin":"x","events":[[1]]}', "\x00", '{"origin":5}']
)
async def test_a_message_of_somebody_else_harms_nobody(
    server: RedisServer, past: Past, message: str
) -> None:
    (feed,) = feeds_of(server, past, 1)
    async with running(feed), feed.listen() as news:
        await asyncio.to_thread(server.command, "PUBLISH", feed._channel, message)
        stranger = encoded("stranger", past.commit(record(1)), ())
        await asyncio.to_thread(server.command, "PUBLISH", feed._channel, stranger.decode())
        assert await soon(news, 1) == [record(1)]


async def test_an_event_that_cannot_be_written_down_holds_up_no_other(
    server: RedisServer, past: Past
) -> None:
    one, two = feeds_of(server, past)
    async with running(one, two), two.listen() as news:
        half = Record(1, "a", 1.0, Event(EventKind.FAILED, {"detail": "\ud800"}))
        one.publish([half])
        await wait_until(lambda: not one._records, "it is given up")
        one.publish(past.commit(record(2)))
        assert await soon(news, 1) == [record(2)]


async def test_the_outbox_is_bounded(past: Past) -> None:
    with redis_server(started=False) as server:
        (feed,) = feeds_of(server, past, 1)
        for seq in range(OUTBOX + 500):
            feed.publish([record(seq)])
        assert len(feed._records) == OUTBOX


# --------------------------------------------------------------------------- the ledger's end


@given(st.sets(st.integers(1, 5_000), max_size=60), st.integers(0, 5_000))
def test_the_last_event_is_found(seqs: set[int], known: int) -> None:
    past = Past()
    past.records = [record(seq) for seq in sorted(seqs)]
    found = asyncio.run(last(past, known))
    assert found == max([known, *seqs])
    assert past.asked <= 30


@given(st.permutations(range(2, 40)), st.sets(st.integers(2, 39)), st.integers(0, 38))
def test_each_event_is_told_once_in_any_order(
    order: list[int], lost: set[int], asked_after: int
) -> None:
    """Those lost are found in the ledger, if a later one was heard."""

    async def scenario() -> None:
        past, tail = Past(), Tail()
        past.records = [record(seq) for seq in range(1, 40)]
        told = tail.hear([record(1)])
        for number, seq in enumerate(order):
            if seq not in lost:
                told += tail.hear([record(seq), record(seq)])
            if number == asked_after:
                told += await tail.missed(past)
        told += await tail.missed(past)
        assert sorted(item.seq for item in told) == list(range(1, 40))
        assert not tail.gaps

    asyncio.run(scenario())


async def test_one_who_was_away_for_long_hears_of_the_end_only(past: Past) -> None:
    tail = Tail()
    tail.hear([record(1)])
    past.records = [record(seq) for seq in range(1, 20_001)]
    found = await tail.missed(past)
    assert [item.seq for item in found] == list(range(19_001, 20_001))
    assert past.asked < 50


def test_a_ledger_that_was_restored_begins_anew() -> None:
    tail = Tail()
    tail.hear([record(5 * REMEMBERED)])
    assert tail.hear([record(7), record(8)]) == [record(7), record(8)]
    assert not tail.gaps


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)


@given(
    st.lists(
        st.builds(
            Record,
            st.integers(1, 2**62),
            TEXT,
            st.floats(0, 4e9),
            st.builds(Event, st.sampled_from(EventKind), st.dictionaries(TEXT, JSON, max_size=3)),
        ),
        max_size=4,
    ),
    st.lists(
        st.builds(Progress, TEXT, st.integers(0, 2**63), st.integers(0, 9), st.floats(0, 1), TEXT),
        max_size=4,
    ),
)
def test_news_arrive_as_they_were(records: list[Record], told: list[Progress]) -> None:
    news = decoded(encoded("me", records, told))
    assert news.origin == "me"
    assert news.records() == records
    assert list(news.progress) == told


ENDED = Job(
    id="01JOB",
    task="motion",
    model="choreo",
    model_version="1",
    user="ada",
    request={"prompt": "wave", "seed": 7, "parts": [1.5, None, {"left": True}]},
    pools=("choreo.a", "choreo.b"),
    created_at=1.0,
    ready_at=1.5,
    stage=1,
    state=State.FAILED,
    failure=Failure("OUT_OF_MEMORY", "It did not fit."),
    artifacts=(ArtifactRef("01JOB/1/a.bvh", "a.bvh", "text/plain", 3, "0" * 64),),
    moved=Moved("01OTHER", 3),
)


def sent(kind: EventKind, job: Job, instead: bytes = b"") -> Job | None:
    """The job that arrives with news of it, or with what was sent instead."""
    message = encoded("me", [Record(1, job.id, 1.0, Event(kind), job)], ())
    return decoded(message.replace(b'"user"', instead or b'"user"')).records()[0].job


def test_a_job_goes_along_with_its_beginning_and_its_end() -> None:
    for kind in EventKind:
        told = kind in {"submitted", "succeeded", "failed", "cancelled", "expired"}
        assert sent(kind, ENDED) == (ENDED if told else None)
    news = decoded(encoded("me", [Record(1, "01JOB", 1.0, Event(EventKind.FAILED), ENDED)], ()))
    assert news.records(lambda job_id: job_id == "01OTHER")[0].job is None
    assert sent(EventKind.FAILED, replace(ENDED, notes={"long": "x" * JOB_LIMIT})) is None


@pytest.mark.parametrize("instead", [b'"whom"', b'"user":1,"user"', b'"more":1,"user"'])
def test_a_job_of_another_release_is_left_to_the_ledger(instead: bytes) -> None:
    assert sent(EventKind.FAILED, ENDED, instead) is None


# ------------------------------------------------------------------------- another process

_PUBLISHER = """
import asyncio, sys, time
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_redis import RedisFeed
from kinesphere.core.jobs import Event, EventKind
from kinesphere.ports import Record

async def nothing(after, limit):
    return ()

async def main(url, channel, number, rate):
    feed = RedisFeed(url, SystemClock(), nothing, channel)
    running = asyncio.create_task(feed.run())
    while not feed.connected:
        await asyncio.sleep(0.01)
    for seq in range(1, number + 1):
        feed.publish([Record(seq, "a", time.time(), Event(EventKind.CLAIMED))])
        await asyncio.sleep(1 / rate)
    await asyncio.sleep(0.2)
    running.cancel()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
"""


@pytest.mark.slow
async def test_another_process_hears_within_a_quarter_of_a_second(
    server: RedisServer, past: Past, tmp_path: Path
) -> None:
    clock = SystemClock()
    (feed,) = feeds_of(server, past, 1, Paces())
    script = tmp_path / "publisher.py"
    script.write_text(_PUBLISHER)
    channel = feed._channel.removesuffix(":news")
    async with running(feed), feed.listen() as news:
        publisher = await asyncio.create_subprocess_exec(
            sys.executable, str(script), server.url, channel, "300", "200", env={**os.environ}
        )
        delays = []
        with contextlib.suppress(TimeoutError):
            for _ in range(300):
                (item,) = await soon(news, 1)
                assert isinstance(item, Record)
                delays.append(clock.now() - item.at)
        assert await publisher.wait() == 0
    delays.sort()
    p50, p95 = delays[len(delays) // 2], delays[int(len(delays) * 0.95)]
    print(f"{len(delays)} events, p50 {p50 * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms")
    assert len(delays) == 300
    assert p95 < 0.25
