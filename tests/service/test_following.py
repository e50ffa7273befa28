"""Following a job to its end, whatever happens between two reads."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.errands import ChildErrands
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.releases_memory import MemoryReleases
from kinesphere.core.catalog import Catalog
from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Cancel, EventKind, Fail, Revive, WrongState
from kinesphere.ports import PoolStatus, Progress, Record
from kinesphere.service import Caller, Service, Terms
from tests.clock import VirtualClock
from tests.core.jobs import new_job
from tests.plans import RememberedPlans

ME = Caller("local")


class NoPools:
    def statuses(self) -> Mapping[str, PoolStatus]:
        return {}

    async def warm(self, seconds: float) -> bool:
        return True


class HastyLedger(MemoryLedger):
    """A ledger in which the job ends right after its events were read."""

    async def events(
        self, after: int = 0, job_id: str | None = None, limit: int = 1000
    ) -> tuple[Record, ...]:
        found = await super().events(after, job_id, limit)
        assert job_id is not None
        with suppress(WrongState):
            await self.apply(job_id, Cancel())
        return found


def service(ledger: MemoryLedger, feed: EmbeddedFeed, clock: VirtualClock, folder: Path) -> Service:
    return Service(
        catalog=Catalog(()),
        ledger=ledger,
        hints=EmbeddedHints(clock),
        feed=feed,
        artifacts=LocalArtifacts(folder, b"0" * 32, clock),
        pools=NoPools(),
        plans=RememberedPlans(),
        releases=MemoryReleases(),
        clock=clock,
        new_id=str,
        new_seed=int,
        terms=Terms(),
        errands=ChildErrands(clock),
        player=ChildErrands(clock),
    )


async def kinds(platform: Service, job_id: str, after: int = 0) -> list[EventKind]:
    return [
        item.event.kind
        async for item in platform.jobs.follow(job_id, ME, after)
        if isinstance(item, Record)
    ]


async def test_an_end_between_two_reads_is_told(tmp_path: Path) -> None:
    clock, feed = VirtualClock(), EmbeddedFeed()
    ledger = HastyLedger(clock, feed)
    job = (await ledger.submit(new_job())).job
    told = await kinds(service(ledger, feed, clock, tmp_path), job.id)
    assert told == [EventKind.SUBMITTED, EventKind.CANCELLED]


async def test_news_that_overtake_each_other_are_told_in_order(tmp_path: Path) -> None:
    clock, silent, feed = VirtualClock(), EmbeddedFeed(), EmbeddedFeed()
    ledger = MemoryLedger(clock, silent)
    job = (await ledger.submit(new_job(created_at=clock.now(), ready_at=clock.now()))).job
    told = service(ledger, feed, clock, tmp_path).jobs.follow(job.id, ME)
    first = await anext(told)
    assert isinstance(first, Record)
    await ledger.claim("choreo", "w", 1, 9.0)
    claimed = (await ledger.events(first.seq))[0]
    await ledger.apply(job.id, Cancel())
    cancelled = (await ledger.events(claimed.seq))[0]
    rest = asyncio.create_task(_all(told))
    # The listener is there already; whoever publishes does so in its own order.
    feed.publish([cancelled])
    feed.publish([claimed])
    assert await rest == [claimed, cancelled]


async def _all(told: AsyncIterator[Record | Progress]) -> list[Record | Progress]:
    return [item async for item in told]


async def test_an_ended_job_is_told_to_its_end_and_not_beyond(tmp_path: Path) -> None:
    clock, feed = VirtualClock(), EmbeddedFeed()
    ledger = MemoryLedger(clock, feed)
    job = (await ledger.submit(new_job(created_at=clock.now(), ready_at=clock.now()))).job
    await ledger.claim("choreo", "w", 1, 9.0)
    await ledger.apply(job.id, Fail(1, Failure("PROMPT_NOT_UNDERSTOOD", "nothing")))
    await ledger.apply(job.id, Revive())
    await ledger.apply(job.id, Cancel())
    platform = service(ledger, feed, clock, tmp_path)
    told = await kinds(platform, job.id)
    assert told[-3:] == [EventKind.FAILED, EventKind.REVIVED, EventKind.CANCELLED]
    assert await kinds(platform, job.id, after=1000) == []
