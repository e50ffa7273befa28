import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.retention import DAY, GRACE, HOUR, Bounds, Retention, orphaned
from kinesphere.core.jobs import ArtifactRef, Cancel, Finish, Job, State
from tests.clock import VirtualClock

NOW = 1_800_000_000.0


def artifact(key: str) -> ArtifactRef:
    return ArtifactRef(key=key, name="x.bvh", media_type="text/x-bvh", size=1, digest="0" * 64)


def job(name: str = "J", **fields: object) -> Job:
    made = Job(
        id=name,
        task="motion",
        model="choreo",
        model_version="1",
        user="ann",
        request={},
        pools=("choreo",),
        created_at=NOW,
        ready_at=NOW,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("owner", "orphan"),
    [
        (None, True),
        (job(state=State.QUEUED), False),
        (job(state=State.RUNNING), False),
        (job(state=State.SUCCEEDED, artifacts=(artifact("J/2/x"),)), False),
        (job(state=State.SUCCEEDED, artifacts=(artifact("J/3/x"),)), True),
        (job(state=State.FAILED), True),
        (job(state=State.FAILED, artifacts=(artifact("J/2/x"),)), False),
        (job(state=State.CANCELLED), True),
        (job(state=State.EXPIRED), True),
    ],
)
def test_what_is_an_orphan(owner: Job | None, orphan: bool) -> None:
    assert orphaned("J/2/x", NOW - GRACE, owner, NOW) is orphan
    assert not orphaned("J/2/x", NOW - GRACE + 1, owner, NOW)
    assert not orphaned("J/2/x", NOW + 60, owner, NOW)


class Store:
    """A ledger and a store of artifacts that share a clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(NOW)
        self.ledger = MemoryLedger(self.clock, EmbeddedFeed())
        self.artifacts = LocalArtifacts(folder, b"k" * 32, self.clock)

    def retention(self, days: float | None = 30) -> Retention:
        return Retention(self.ledger, self.artifacts, self.clock, Bounds(days))

    async def made(self, name: str, content: str = "") -> None:
        """A job that succeeds now, with one artifact."""
        now = self.clock.now()
        await self.ledger.submit(job(name, created_at=now, ready_at=now, content=content))
        (claimed,) = await self.ledger.claim("choreo", "w", 1, 9)
        key = f"{name}/{claimed.token}/x.bvh"
        await self.artifacts.put(key, b"x")
        await self.ledger.apply(name, Finish(claimed.token, (artifact(key),)))

    async def kept(self) -> set[str]:
        listing = self.artifacts.keys()
        return {key async for key, _ in listing}

    async def through(self, work: "asyncio.Task[int]") -> int:
        """The result of `work`, with time going on while it waits."""
        while not work.done():
            await self.clock.advance(0.01)
        return await work


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path)
    yield made
    await made.ledger.close()


async def test_jobs_past_their_time_go_with_their_files(store: Store) -> None:
    await store.made("OLD")
    await store.clock.advance(20 * DAY)
    await store.made("NEW")
    await store.ledger.submit(job("WAITING"))
    await store.clock.advance(11 * DAY)
    assert await store.through(asyncio.create_task(store.retention().forget())) == 1
    assert await store.kept() == {"NEW/1/x.bvh"}
    assert await store.ledger.get("OLD") is None
    assert await store.ledger.get("NEW") is not None
    assert await store.ledger.get("WAITING") is not None


async def test_more_than_a_batch_is_forgotten(store: Store) -> None:
    for number in range(250):
        await store.ledger.submit(job(f"J{number}"))
        await store.ledger.apply(f"J{number}", Cancel())
    await store.clock.advance(31 * DAY)
    assert await store.through(asyncio.create_task(store.retention().forget())) == 250


async def test_for_ever_is_for_ever(store: Store) -> None:
    await store.made("OLD")
    await store.clock.advance(10_000 * DAY)
    assert await store.retention(None).forget() == 0
    assert await store.kept() == {"OLD/1/x.bvh"}


async def test_the_sweep_finds_files_without_a_job(store: Store) -> None:
    await store.made("DONE")
    await store.ledger.submit(job("RUNNING"))
    await store.artifacts.put("DONE/7/x.bvh", b"of a claim that was lost")
    await store.artifacts.put("RUNNING/1/x.bvh", b"not settled yet")
    await store.artifacts.put("GONE/1/x.bvh", b"its job was forgotten before a crash")
    assert await store.retention().sweep() == 0
    await store.clock.advance(HOUR)
    await store.artifacts.put("FRESH/1/x.bvh", b"younger than an hour")
    assert await store.retention().sweep() == 2
    assert await store.kept() == {"DONE/1/x.bvh", "RUNNING/1/x.bvh", "FRESH/1/x.bvh"}


async def test_the_loop_goes_on_after_a_failure(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "kinesphere.retention")
    await store.made("OLD")
    away = MemoryLedger(store.clock, EmbeddedFeed())
    await away.close()
    retention = Retention(away, store.artifacts, store.clock, Bounds(30))
    task = asyncio.create_task(retention.run())
    await store.clock.advance(3 * HOUR)
    assert not task.done()
    task.cancel()
    actions = {vars(line)["action"] for line in caplog.records}
    assert actions == {"retention.failed"}
    assert await store.kept() == {"OLD/1/x.bvh"}


async def test_the_loop_forgets_each_hour(store: Store) -> None:
    await store.made("OLD")
    task = asyncio.create_task(store.retention(days=1).run())
    await store.clock.advance(DAY - HOUR / 2)
    assert await store.ledger.get("OLD") is not None
    while await store.kept():
        await store.clock.advance(HOUR / 100)
    task.cancel()
    assert await store.ledger.get("OLD") is None


async def test_files_that_others_were_given_stay_as_long_as_they(store: Store) -> None:
    await store.made("MADE", content="c")
    await store.clock.advance(20 * DAY)
    given = (await store.ledger.submit(job("GIVEN", content="c"))).job
    assert given.cached
    await store.clock.advance(11 * DAY)
    assert await store.through(asyncio.create_task(store.retention().forget())) == 1
    assert await store.ledger.get("MADE") is None
    assert await store.retention().sweep() == 0
    assert await store.kept() == {"MADE/1/x.bvh"}
    await store.clock.advance(20 * DAY)
    assert await store.through(asyncio.create_task(store.retention().forget())) == 1
    assert await store.kept() == set()


async def test_what_was_used_longest_ago_makes_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ABCD":
        await store.made(name, content=name)
        await store.clock.advance(10)
    await store.ledger.submit(job("E", content="A"))
    await store.clock.advance(HOUR)
    await store.made("F", content="F")
    retention = Retention(store.ledger, store.artifacts, store.clock, Bounds(size=2))
    monkeypatch.setattr("kinesphere.adapters.retention.TRIMMED", 1)
    assert await store.through(asyncio.create_task(retention.trim())) == 4
    assert await store.kept() == {"A/1/x.bvh", "F/1/x.bvh"}
    assert (await store.ledger.submit(job("G", content="A"))).job.cached
    assert await retention.trim() == 0


async def test_no_room_is_made_of_what_has_just_ended(store: Store) -> None:
    await store.made("NEW")
    retention = Retention(store.ledger, store.artifacts, store.clock, Bounds(size=0))
    assert await retention.trim() == 0
    await store.clock.advance(HOUR + 1)
    assert await store.through(asyncio.create_task(retention.trim())) == 1
