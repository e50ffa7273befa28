"""Every store of API keys under the one contract, and beside a ledger."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.sql.keys import SqlKeys
from kinesphere.ports import Keys, LedgerUnavailable
from tests.clock import VirtualClock
from tests.contracts.keys import KeysContract, key
from tests.contracts.ledger import Jobs, RecordingFeed
from tests.postgres import postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


class TestSqlite(KeysContract):
    @pytest.fixture
    async def keys(self, tmp_path: Path) -> AsyncIterator[Keys]:
        keys = await SqlKeys.open(f"sqlite:///{tmp_path}/ledger.db")
        yield keys
        await keys.close()


class TestPostgres(KeysContract):
    @pytest.fixture
    async def keys(self, database: str) -> AsyncIterator[Keys]:
        engine = create_engine(database)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
        keys = await SqlKeys.open(database)
        yield keys
        await keys.close()


async def test_keys_and_jobs_share_a_database(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/ledger.db", VirtualClock()
    keys = await SqlKeys.open(url)
    ledger = await SqlLedger.open(url, clock, RecordingFeed())
    try:
        await keys.create(key(1))
        job = Jobs(clock)()
        await ledger.submit(job)
        assert await keys.find(key(1).id) == key(1)
        assert await ledger.get(job.id) is not None
    finally:
        await ledger.close()
        await keys.close()


async def test_a_database_that_is_locked_is_unavailable(tmp_path: Path) -> None:
    keys = await SqlKeys.open(f"sqlite:///{tmp_path}/ledger.db", busy_seconds=0.05)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LedgerUnavailable):
            await keys.create(key(1))
        assert await keys.find(key(1).id) is None
    finally:
        other.close()
        await keys.close()


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        await SqlKeys.open(f"sqlite:///{tmp_path}/none/ledger.db")


async def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    secret = "ab" * 32
    keys = await SqlKeys.open(f"sqlite:///{tmp_path}/ledger.db")
    await keys.create(key(1, label="mine"))
    await keys.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"mine" in stored
    assert secret.encode() not in stored
