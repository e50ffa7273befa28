"""What is peculiar to the SQL ledger: durability, groups, several processes, failing stores."""

import asyncio
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.sql.transaction import Transaction
from kinesphere.core.jobs import EventKind, Finish, State
from kinesphere.ports import JobQuery, LedgerUnavailable
from tests.clock import VirtualClock
from tests.contracts.ledger import LEASE, Jobs, RecordingFeed


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def jobs(clock: VirtualClock) -> Jobs:
    return Jobs(clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def opened(path: Path, clock: VirtualClock, busy_seconds: float = 5.0) -> SqlLedger:
    url = f"sqlite:///{path}"
    return await SqlLedger.open(url, clock, RecordingFeed(), busy_seconds=busy_seconds)


@pytest.fixture
async def ledger(path: Path, clock: VirtualClock) -> AsyncIterator[SqlLedger]:
    ledger = await opened(path, clock, busy_seconds=0.05)
    yield ledger
    await ledger.close()


def commits_of(ledger: SqlLedger) -> list[object]:
    seen: list[object] = []

    def tell(statement: str) -> None:
        if statement == "COMMIT":
            seen.append(statement)

    def listen(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(tell)

    # Of the connection that the writer makes when it writes first.
    event.listen(ledger._writing, "connect", listen)
    ledger._writing.dispose()
    return seen


async def test_accepted_means_synced(ledger: SqlLedger) -> None:
    with ledger._writing.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", 2]


async def test_jobs_outlive_the_ledger(path: Path, clock: VirtualClock, jobs: Jobs) -> None:
    first = await opened(path, clock)
    job = (await first.submit(jobs(notes={"kept": [1]}))).job
    records = await first.events()
    await first.close()
    second = await opened(path, clock)
    assert await second.get(job.id) == job
    assert await second.events() == records
    await second.close()


async def test_a_thousand_submits_cost_a_few_commits(ledger: SqlLedger, jobs: Jobs) -> None:
    commits = commits_of(ledger)
    await asyncio.gather(*(ledger.submit(jobs()) for _ in range(1000)))
    assert len(commits) <= 10
    assert await ledger.counts() == {("choreo", State.QUEUED): 1000}


async def test_one_operation_that_fails_harms_no_neighbour(ledger: SqlLedger, jobs: Jobs) -> None:
    def spoil(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("DELETE FROM jobs")
        raise ZeroDivisionError

    job = (await ledger.submit(jobs())).job
    outcomes = await asyncio.gather(
        ledger.submit(jobs()), ledger._write(spoil), ledger.submit(jobs()), return_exceptions=True
    )
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Submission",
        "ZeroDivisionError",
        "Submission",
    ]
    assert len(await ledger.list(JobQuery())) == 3
    assert await ledger.get(job.id) == job
    records = await ledger.events()
    assert [record.seq for record in records] == [1, 2, 3]


async def test_operations_of_one_group_see_each_other(ledger: SqlLedger, jobs: Jobs) -> None:
    commits = commits_of(ledger)
    held: list[Any] = [asyncio.create_task(ledger.submit(jobs())) for _ in range(40)]
    held.append(asyncio.create_task(ledger.claim("choreo", "w", 40, LEASE)))
    await asyncio.gather(*held)
    assert len(held[-1].result()) == 40
    assert len(commits) <= 3


async def test_a_locked_database_is_unavailable_until_it_is_free(
    ledger: SqlLedger, path: Path, jobs: Jobs
) -> None:
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    submits = (ledger.submit(jobs()) for _ in range(5))
    outcomes = await asyncio.gather(*submits, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LedgerUnavailable}
    assert await ledger.list(JobQuery()) == ()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (await ledger.submit(jobs())).created
    assert len(await ledger.list(JobQuery())) == 1


async def test_a_full_disk_is_unavailable_until_there_is_room(
    ledger: SqlLedger, jobs: Jobs
) -> None:
    def cap(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 8}").fetchall()

    ledger._writing.dispose()
    event.listen(ledger._writing, "connect", cap)
    accepted = 0
    large = {"prompt": "x" * 5_000}
    with pytest.raises(LedgerUnavailable, match="full"):
        for _ in range(100):
            await ledger.submit(jobs(request=large))
            accepted += 1
    assert len(await ledger.list(JobQuery(limit=1000))) == accepted
    event.remove(ledger._writing, "connect", cap)
    ledger._writing.dispose()
    for _ in range(20):
        await ledger.submit(jobs(request=large))
    assert len(await ledger.events()) == accepted + 20


async def test_a_ledger_that_cannot_be_opened(tmp_path: Path, clock: VirtualClock) -> None:
    with pytest.raises(LedgerUnavailable):
        await opened(tmp_path / "nowhere" / "ledger.db", clock)


async def test_a_reader_that_fails_is_unavailable(ledger: SqlLedger, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE events RENAME TO elsewhere")
    with pytest.raises(LedgerUnavailable):
        await ledger.events()
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE elsewhere RENAME TO events")
    assert await ledger.events() == ()


async def test_two_ledgers_on_one_file_never_share_a_job(
    path: Path, clock: VirtualClock, jobs: Jobs
) -> None:
    ledgers = [await opened(path, clock) for _ in range(2)]
    await asyncio.gather(*(ledgers[i % 2].submit(jobs(f"u{i % 7}")) for i in range(300)))

    async def work(ledger: SqlLedger, worker: str) -> list[str]:
        done: list[str] = []
        while batch := await ledger.claim("choreo", worker, 5, LEASE):
            for job in batch:
                await ledger.apply(job.id, Finish(job.token, ()))
            done += [job.id for job in batch]
        return done

    finished = await asyncio.gather(*(work(ledgers[i % 2], f"w{i}") for i in range(4)))
    ids = [job_id for done in finished for job_id in done]
    assert (len(ids), len(set(ids))) == (300, 300)
    assert await ledgers[0].counts() == {("choreo", State.SUCCEEDED): 300}
    records = await ledgers[1].events()
    assert [record.seq for record in records] == list(range(1, 901))
    for ledger in ledgers:
        await ledger.close()


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_accepted_survives_a_kill(
    path: Path, clock: VirtualClock, seed: int
) -> None:
    lines = random.Random(seed).randint(1, 400)
    accepted: list[str] = []
    command = [sys.executable, "-m", "tests.adapters.submitting", str(path), f"J{seed}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    while len(accepted) < lines:
        accepted.append((await process.stdout.readline()).decode().strip())
    process.kill()
    rest = (await process.communicate())[0].decode()
    accepted += [line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    assert all(accepted)
    ledger = await opened(path, clock)
    kept = {job.id for job in await ledger.list(JobQuery(limit=100_000))}
    assert set(accepted) <= kept
    counts = await ledger.counts()
    assert counts == {("choreo", State.QUEUED): len(kept)}
    assert len(await ledger.events(limit=100_000)) == len(kept)
    await ledger.close()


async def test_a_normal_start_does_not_load_alembic(path: Path, clock: VirtualClock) -> None:
    await (await opened(path, clock)).close()
    code = (
        "import asyncio, sys\n"
        "from tests.adapters.submitting import SqlLedger, RecordingFeed, VirtualClock\n"
        f"opened = SqlLedger.open('sqlite:///{path}', VirtualClock(), RecordingFeed())\n"
        "asyncio.run(opened)\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_ledgers_that_start_together_make_one_schema(
    path: Path, clock: VirtualClock, jobs: Jobs
) -> None:
    ledgers = await asyncio.gather(*(opened(path, clock) for _ in range(4)))
    for ledger in ledgers:
        await ledger.submit(jobs())
    assert await ledgers[0].counts() == {("choreo", State.QUEUED): 4}
    for ledger in ledgers:
        await ledger.close()


async def test_events_of_a_newer_release_are_read(
    ledger: SqlLedger, path: Path, jobs: Jobs
) -> None:
    job = (await ledger.submit(jobs())).job
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET kind = 'invented' WHERE job_id = ?", [job.id])
    [record] = await ledger.events()
    assert record.event.kind is EventKind.OTHER
