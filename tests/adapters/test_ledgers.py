"""Every ledger under the one contract."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.ports import Ledger
from tests.clock import VirtualClock
from tests.contracts.ledger import LedgerContract, RecordingFeed
from tests.postgres import postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


class TestMemory(LedgerContract):
    @pytest.fixture
    async def ledger(self, clock: VirtualClock, feed: RecordingFeed) -> AsyncIterator[Ledger]:
        ledger = MemoryLedger(clock, feed)
        yield ledger
        await ledger.close()


class TestSqlite(LedgerContract):
    @pytest.fixture
    async def ledger(
        self, clock: VirtualClock, feed: RecordingFeed, tmp_path: Path
    ) -> AsyncIterator[Ledger]:
        ledger = await SqlLedger.open(f"sqlite:///{tmp_path}/ledger.db", clock, feed)
        yield ledger
        await ledger.close()


class TestPostgres(LedgerContract):
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
