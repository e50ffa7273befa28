"""Every ledger under the one contract.

PostgreSQL takes part where KINESPHERE_TEST_POSTGRES names a database, as a SQLAlchemy URL, that the
tests may empty.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.ports import Ledger
from tests.clock import VirtualClock
from tests.contracts.ledger import LedgerContract, RecordingFeed

POSTGRES = os.environ.get("KINESPHERE_TEST_POSTGRES", "")


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


@pytest.mark.skipif(not POSTGRES, reason="KINESPHERE_TEST_POSTGRES names no database")
class TestPostgres(LedgerContract):
    @pytest.fixture
    async def ledger(
        self, clock: VirtualClock, feed: RecordingFeed, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Ledger]:
        engine = create_engine(POSTGRES)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
        # The database's clock cannot be moved.
        monkeypatch.setattr(SqlLedger, "_now", lambda ledger, _: clock.now())
        ledger = await SqlLedger.open(POSTGRES, clock, feed)
        yield ledger
        await ledger.close()
