"""Every outbox under the one contract."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from ulid import ULID

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.ports import Ledger
from tests.clock import VirtualClock
from tests.contracts.ledger import RecordingFeed
from tests.contracts.outbox import LEASE, OutboxContract, ended
from tests.core.jobs import new_job
from tests.postgres import postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


class TestMemory(OutboxContract):
    @pytest.fixture
    async def ledger(self, clock: VirtualClock, feed: RecordingFeed) -> AsyncIterator[Ledger]:
        ledger = MemoryLedger(clock, feed)
        yield ledger
        await ledger.close()


class TestSqlite(OutboxContract):
    @pytest.fixture
    async def ledger(
        self, clock: VirtualClock, feed: RecordingFeed, tmp_path: Path
    ) -> AsyncIterator[Ledger]:
        ledger = await SqlLedger.open(f"sqlite:///{tmp_path}/ledger.db", clock, feed)
        yield ledger
        await ledger.close()


class TestPostgres(OutboxContract):
    @pytest.fixture
    async def ledger(
        self,
        clock: VirtualClock,
        feed: RecordingFeed,
        database: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> AsyncIterator[Ledger]:
        engine = create_engine(database)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
        # The database's clock cannot be moved.
        monkeypatch.setattr(SqlLedger, "_now", lambda ledger, _: clock.now())
        ledger = await SqlLedger.open(database, clock, feed)
        yield ledger
        await ledger.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_two_processes_never_claim_the_same(kind: str, database: str, tmp_path: Path) -> None:
    url = database if kind == "postgres" else f"sqlite:///{tmp_path}/ledger.db"
    clock = SystemClock()
    ledgers = [await SqlLedger.open(url, clock, RecordingFeed()) for _ in range(2)]
    first = ledgers[0]
    for _ in range(20):
        await ended(first, new_job(id=str(ULID()), webhook=f"http://{kind}.example/"))
    batches = await asyncio.gather(
        *(ledger.outbox.claim(3, LEASE, {}, 1_000) for ledger in ledgers for _ in range(4))
    )
    taken = [delivery.id for batch in batches for delivery in batch]
    assert len(set(taken)) == len(taken) == 20
    for ledger in ledgers:
        await ledger.close()
