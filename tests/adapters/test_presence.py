"""Replicas and leaders in the ledger's database, on SQLite and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.ports import Presence
from kinesphere.worker.presence import PRESENT, RENEW, Announcer, Watch
from tests.clock import VirtualClock
from tests.postgres import postgres

READY = Status(
    worker="host/1/choreo/1",
    pool="choreo",
    model="choreo",
    state=ReplicaState.READY,
    since=900.0,
    pid=7,
    batches=3,
    jobs=9,
    held=1,
    children=1,
    load_seconds=1.5,
    warm_seconds=None,
    memory=1_000,
    fixed_seconds=0.1,
    job_seconds=0.2,
    last_error="",
    free_in=60.0,
    remaining={"01A": 30.0},
)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def presence(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Presence]:
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("database")
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    ledger = await SqlLedger.open(url, SystemClock(), EmbeddedFeed())
    yield ledger.presence
    await ledger.close()


async def test_a_replica_is_seen_as_it_was_told(presence: Presence) -> None:
    await presence.announce([READY], now=1_000.0)
    (seen,) = await presence.present(PRESENT, now=5_000.0)
    # It had been ready for 100 s, whatever the two clocks say.
    assert seen.since == pytest.approx(4_900.0, abs=5.0)
    assert 50.0 < seen.free_in <= 60.0
    assert 20.0 < seen.remaining["01A"] <= 30.0
    assert replace(seen, since=900.0, free_in=60.0, remaining=READY.remaining) == READY


async def test_the_last_word_counts_and_goodbye_is_heard(presence: Presence) -> None:
    other = replace(READY, worker="host/2/choreo/1")
    await presence.announce([READY, other], now=0.0)
    await presence.announce([replace(READY, state=ReplicaState.BUSY)], now=0.0)
    seen = {s.worker: s.state for s in await presence.present(PRESENT, now=0.0)}
    assert seen == {READY.worker: ReplicaState.BUSY, other.worker: ReplicaState.READY}
    await presence.withdraw([READY.worker])
    assert [s.worker for s in await presence.present(PRESENT, now=0.0)] == [other.worker]


async def test_who_is_silent_is_gone(presence: Presence) -> None:
    await presence.announce([READY], now=0.0)
    await asyncio.sleep(0.05)
    assert await presence.present(0.01, now=0.0) == ()


async def test_one_leads_until_it_lets_go(presence: Presence) -> None:
    assert await presence.lead("sweep", "a", 30.0)
    assert not await presence.lead("sweep", "b", 30.0)
    assert await presence.lead("retention", "b", 30.0)
    assert await presence.lead("sweep", "a", 0.01)
    await asyncio.sleep(0.05)
    assert await presence.lead("sweep", "b", 30.0)
    assert not await presence.lead("sweep", "a", 30.0)


async def test_of_many_at_once_one_leads(presence: Presence) -> None:
    won = await asyncio.gather(*(presence.lead("sweep", str(n), 30.0) for n in range(20)))
    assert won.count(True) == 1


class Remembering:
    """A presence that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.gone: list[str] = []

    async def announce(self, statuses: Sequence[Status], now: float) -> None:
        self.told.append([status.worker for status in statuses])

    async def withdraw(self, workers: Sequence[str]) -> None:
        self.gone += workers

    async def present(self, seconds: float, now: float) -> tuple[Status, ...]:
        return (READY,)

    async def lead(self, office: str, holder: str, seconds: float) -> bool:
        return True


async def test_changes_are_told_at_once_and_the_rest_now_and_then() -> None:
    clock, presence = VirtualClock(), Remembering()
    here = [READY, replace(READY, worker="b")]
    announcer = Announcer(presence, clock, lambda: here)
    await announcer.tell()
    await announcer.tell()
    assert presence.told == [[READY.worker, "b"]]
    here[1] = replace(here[1], state=ReplicaState.BUSY)
    await announcer.tell()
    assert presence.told[1:] == [["b"]]
    clock.tick(RENEW)
    await announcer.tell()
    assert presence.told[2:] == [[READY.worker, "b"]]
    del here[0]
    await announcer.tell()
    assert presence.gone == [READY.worker]
    await announcer.leave()
    assert presence.gone == [READY.worker, "b"]


async def test_a_watch_tells_what_it_saw() -> None:
    watch = Watch(Remembering(), VirtualClock())
    assert watch.statuses() == ()
    await watch.look()
    assert watch.statuses() == (READY,)
