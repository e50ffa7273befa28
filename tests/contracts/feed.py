"""The contract of `kinesphere.ports.Feed`."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kinesphere.core.jobs import Event, EventKind
from kinesphere.ports import Feed, Progress, Record


def record(seq: int, job_id: str = "a", kind: EventKind = EventKind.CLAIMED) -> Record:
    return Record(seq, job_id, 1.0, Event(kind))


def progress(fraction: float, job_id: str = "a") -> Progress:
    return Progress(job_id, 1, 0, fraction, "")


async def heard(news: AsyncIterator[Record | Progress], number: int) -> list[Record | Progress]:
    return [await anext(news) for _ in range(number)]


class FeedContract:
    """Subclasses give a fixture `feed`."""

    async def test_listeners_hear_what_comes_after_they_enter(self, feed: Feed) -> None:
        feed.publish([record(1)])
        async with feed.listen() as news:
            feed.publish([record(2), record(3, "b")])
            assert await heard(news, 2) == [record(2), record(3, "b")]

    async def test_progress_is_told_to_those_alone_who_follow_its_job(self, feed: Feed) -> None:
        async with feed.listen() as everything, feed.listen("a") as own:
            feed.progress(progress(0.5))
            feed.publish([record(1)])
            assert await heard(everything, 1) == [record(1)]
            assert await heard(own, 2) == [progress(0.5), record(1)]

    async def test_a_listener_of_one_job(self, feed: Feed) -> None:
        async with feed.listen("a") as news:
            feed.progress(progress(0.1, "b"))
            feed.publish([record(1, "b"), record(2)])
            feed.progress(progress(0.2))
            assert await heard(news, 2) == [record(2), progress(0.2)]

    async def test_news_wake_a_listener(self, feed: Feed) -> None:
        async with feed.listen() as news:
            waiting = asyncio.create_task(heard(news, 2))
            await asyncio.sleep(0)
            feed.publish([record(1)])
            await asyncio.sleep(0)
            feed.publish([record(2)])
            assert await waiting == [record(1), record(2)]

    async def test_every_listener_hears_everything(self, feed: Feed) -> None:
        async with feed.listen() as one, feed.listen("a") as two:
            feed.publish([record(1)])
            assert await heard(one, 1) == await heard(two, 1) == [record(1)]

    async def test_one_who_falls_behind_loses_the_oldest_progress_first(self, feed: Feed) -> None:
        async with feed.listen("a") as news:
            feed.publish([record(1)])
            feed.progress(progress(0.1))
            feed.progress(progress(0.2))
            feed.publish([record(seq) for seq in range(2, 1000)])
            assert await heard(news, 1000) == [
                record(1),
                progress(0.2),
                *(record(seq) for seq in range(2, 1000)),
            ]

    async def test_and_then_the_oldest_records(self, feed: Feed) -> None:
        async with feed.listen("a") as news:
            feed.progress(progress(0.1))
            feed.publish([record(seq) for seq in range(1, 1006)])
            assert await heard(news, 1000) == [record(seq) for seq in range(6, 1006)]

    @pytest.mark.parametrize(
        "kind", [EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED, EventKind.EXPIRED]
    )
    async def test_the_latest_progress_is_kept_until_the_end(
        self, feed: Feed, kind: EventKind
    ) -> None:
        assert feed.latest("a") is None
        feed.progress(progress(0.1))
        feed.progress(progress(0.2))
        feed.progress(progress(0.9, "b"))
        feed.publish([record(1, kind=EventKind.REQUEUED)])
        assert feed.latest("a") == progress(0.2)
        feed.publish([record(2, kind=kind)])
        assert feed.latest("a") is None
        assert feed.latest("b") == progress(0.9, "b")

    async def test_an_end_is_remembered_until_it_is_none(self, feed: Feed) -> None:
        assert feed.end("a") is None
        feed.publish([record(1), record(2, kind=EventKind.FAILED)])
        assert feed.end("a") == record(2, kind=EventKind.FAILED)
        feed.publish([record(3, kind=EventKind.REVIVED)])
        assert feed.end("a") is None

    async def test_the_latest_ends_are_remembered(self, feed: Feed) -> None:
        ends = [record(seq, f"job {seq}", EventKind.SUCCEEDED) for seq in range(1, 1_003)]
        feed.publish(ends)
        assert [feed.end("job 2"), feed.end("job 3")] == [None, ends[2]]
