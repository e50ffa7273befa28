"""Releases in memory, on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.releases_memory import MemoryReleases
from kinesphere.ports import Releases
from tests.contracts.releases import ReleasesContract, release
from tests.core.jobs import new_job
from tests.postgres import postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


class TestMemory(ReleasesContract):
    @pytest.fixture
    def releases(self) -> Releases:
        return MemoryReleases()


class TestSql(ReleasesContract):
    @pytest.fixture(params=["sqlite", "postgresql"])
    async def releases(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> AsyncIterator[Releases]:
        url = f"sqlite:///{tmp_path}/ledger.db"
        if request.param == "postgresql":
            url = request.getfixturevalue("database")
            engine = create_engine(url)
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            engine.dispose()
        ledger = await SqlLedger.open(url, SystemClock(), EmbeddedFeed())
        yield ledger.releases
        await ledger.close()


async def test_a_release_begins_after_the_last_event_there_is(tmp_path: Path) -> None:
    ledger = await SqlLedger.open(f"sqlite:///{tmp_path}/l.db", SystemClock(), EmbeddedFeed())
    await ledger.submit(new_job())
    (event,) = await ledger.events()
    begun = await ledger.releases.begin(release(1))
    assert begun is not None
    assert begun.cursor == event.seq
    assert await ledger.releases.current() == {"motion": begun}
    await ledger.close()
