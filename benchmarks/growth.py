"""What gets slower as the ledger grows: every operation with 10³ to 10⁶ ended jobs kept.

A thousand jobs are taken through the ledger; the rest are copies of them, written past it, with ids
and numbers of their own. Then, at each size, jobs are accepted, claimed and finished one after the
other and in turn with what pages and metrics read; after that clients, each waiting for a job of
its own before it asks again, are served by replicas that take one job at a time. Both are tasks of
one process, and a replica works for no time, so that the ledger is all that is measured. Medians in
milliseconds, memory of this process in MiB (VmRSS), bytes on disk a job kept; and of each operation
by how many times it grew, beside the logarithm of the jobs. JSON to stdout.

    python -m benchmarks.growth [--largest 100000] [--stores sqlite postgresql] [--clients 1 1000]
"""

import argparse
import asyncio
import json
import math
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ledger import new_job, through
from sqlalchemy import Connection, create_engine, inspect, text
from tests.postgres import postgres
from ulid import ULID

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.jobs import ArtifactRef, Finish, Job, State
from kinesphere.ports import IdempotencyKey, JobQuery

SEED, ROUNDS = 1_000, 100
CLIENTS, REPLICAS = (1, 10, 100, 1_000), (1, 4, 16, 64)
USUAL_CLIENTS, USUAL_REPLICAS = 64, 4
ASKED = 400
NOISE = 1.5
"""Times the logarithm of the jobs over which an operation counts as growing faster."""
Figures = dict[str, Any]


def fill(connection: Connection, start: int, copies: int) -> None:
    """Add copies of every job of the ledger's first thousand, and of their events and keys.

    All are older than any that is accepted from now on.
    """
    sqlite = connection.dialect.name == "sqlite"
    numbers = (
        f"WITH RECURSIVE c(n) AS (SELECT {start} UNION ALL SELECT n + 1 FROM c "
        f"WHERE n < {start + copies - 1}) SELECT n FROM c"
        if sqlite
        else f"SELECT generate_series({start}, {start + copies - 1}) AS n"
    )
    padded = "printf('%08d', n)" if sqlite else "lpad(n::text, 8, '0')"

    def numbered(column: str) -> str:
        return f"('00' || {padded} || substr({column}, 11))"

    last = connection.execute(
        text("SELECT max(seq) FROM events WHERE job_id NOT LIKE '00%'")
    ).scalar()
    changed = {
        "jobs": {"id": numbered("id"), "document": f"replace(document, id, {numbered('id')})"},
        "events": {
            "seq": f"seq + CAST(n AS BIGINT) * {last}",
            "job_id": numbered("job_id"),
            "data": f"replace(data, job_id, {numbered('job_id')})",
        },
        "keys": {"name": f"(name || {padded})", "job_id": numbered("job_id")},
    }
    for table, own in changed.items():
        names = [column["name"] for column in inspect(connection).get_columns(table)]
        chosen = ", ".join(own.get(name, f'"{name}"') for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        key = "id" if table == "jobs" else "job_id"
        connection.execute(
            text(
                f"INSERT INTO {table} ({columns}) SELECT {chosen} FROM {table}, ({numbers}) AS m "
                f"WHERE {key} IN (SELECT id FROM first)"
            )
        )
    connection.execute(text("UPDATE head SET seq = (SELECT max(seq) FROM events)"))
    if not sqlite:
        connection.execute(text("ANALYZE"))


async def timed(name: str, what: Callable[[], Awaitable[Any]], found: Figures) -> Any:
    """What it gives; how long it took is noted."""
    began = time.perf_counter()
    given = await what()
    found.setdefault(name, []).append(1e3 * (time.perf_counter() - began))
    return given


async def measured(ledger: SqlLedger) -> Figures:
    """Medians of one after the other, at the present size."""
    found: Figures = {}
    for number in range(ROUNDS):
        job = new_job(f"user-{number % 40}")
        key = IdempotencyKey(str(ULID()), "digest")
        await timed("accept", partial(ledger.submit, job, key), found)
        await timed("line", partial(ledger.line, job), found)
        (claimed,) = await timed("claim", lambda: ledger.claim("choreo", "w", 16, 30.0), found)
        await timed("finish", partial(ledger.apply, job.id, _finish(claimed)), found)
        for name, read in _reads(ledger, job, key).items():
            await timed(name, read, found)
    return {name: round(median(values), 3) for name, values in found.items()}


def _finish(job: Job) -> Finish:
    name = f"{job.id}/{job.token}/motion.bvh"
    made = ArtifactRef(name, "motion.bvh", "application/x-bvh", 100_000, "0" * 64)
    return Finish(job.token, (made,))


def _reads(
    ledger: SqlLedger, job: Job, key: IdempotencyKey
) -> dict[str, Callable[[], Awaitable[object]]]:
    """What pages, metrics, the sweeper and the scaler ask."""
    failed = (State.FAILED,)
    return {
        "get": lambda: ledger.get(job.id),
        "known key": lambda: ledger.replay(job.user, key),
        "open jobs of a user": lambda: ledger.open_jobs(job.user),
        "list": lambda: ledger.list(JobQuery(limit=50)),
        "list of a user": lambda: ledger.list(JobQuery(user=job.user, limit=50)),
        "list of failed": lambda: ledger.list(JobQuery(states=failed, limit=50)),
        "list of a user's failed": lambda: ledger.list(JobQuery(job.user, failed, limit=50)),
        "list of a rare task": lambda: ledger.list(JobQuery(task="mesh", limit=50)),
        "list of a user's rare task": lambda: ledger.list(
            JobQuery(user=job.user, task="mesh", limit=50)
        ),
        "metrics: backlogs": ledger.backlogs,
        "metrics: counts": ledger.counts,
        "metrics: bytes stored": ledger.stored,
        "ended lately": lambda: ledger.ended(time.time() - 0.5, 50),
        "nothing to reap": ledger.reap,
        "nothing to forget": lambda: ledger.forget(0.0),
        "events of a job": lambda: ledger.events(job_id=job.id),
    }


async def crowded(ledger: SqlLedger, clients: int, replicas: int) -> Figures:
    """Clients that wait for their jobs, and replicas that are hinted at each."""
    asked = max(clients, min(ASKED, 100 * clients))
    left = asked
    found: dict[str, list[float]] = {}
    hints = asyncio.Semaphore(0)
    ended: dict[str, asyncio.Event] = {}

    async def client(number: int) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            job = new_job(f"user-{number}")
            done = ended[job.id] = asyncio.Event()
            began = time.perf_counter()
            await timed("accept", partial(ledger.submit, job), found)
            hints.release()
            await done.wait()
            found.setdefault("answer", []).append(1e3 * (time.perf_counter() - began))

    async def replica(number: int) -> None:
        while True:
            await hints.acquire()
            claim = partial(ledger.claim, "choreo", f"w{number}", 1, 30.0)
            for job in await timed("claim", claim, found):
                await timed("finish", partial(ledger.apply, job.id, _finish(job)), found)
                ended.pop(job.id).set()

    began, cpu = time.perf_counter(), time.process_time()
    working = [asyncio.create_task(replica(number)) for number in range(replicas)]
    await asyncio.gather(*(client(number) for number in range(clients)))
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    figures = {f"{name} p50": round(median(times), 2) for name, times in found.items()}
    return figures | {
        "jobs a second": round(asked / seconds),
        "cpu ms": round(1e3 * spent / asked, 2),
    }


def resident() -> float:
    """Memory of this process, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, 1)


async def run(url: str, largest: int, clients: list[int], size_of: Callable[[], int]) -> Figures:
    """Figures by size, and by how many times each has grown."""
    found: dict[int, Figures] = {}
    engine = create_engine(url)
    ledger = await SqlLedger.open(url, SystemClock(), EmbeddedFeed())
    await through(ledger, SEED)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE first AS SELECT id FROM jobs"))
    size = SEED
    while size <= largest:
        figures: Figures = {"one at a time": await measured(ledger)}
        if size in (SEED, largest):
            figures["clients"] = {n: await crowded(ledger, n, USUAL_REPLICAS) for n in clients}
            figures["replicas"] = {n: await crowded(ledger, USUAL_CLIENTS, n) for n in REPLICAS}
        found[size] = figures | {
            "memory_mib": resident(),
            "bytes_a_job": round(size_of() / size),
        }
        if 10 * size <= largest:
            for start in range(size // SEED, 10 * size // SEED, 100):
                with engine.begin() as connection:
                    fill(connection, start, min(100, 10 * size // SEED - start))
        size *= 10
    await ledger.close()
    engine.dispose()
    return {**{str(size): each for size, each in found.items()}, "grown": grown(found)}


def grown(found: dict[int, Figures]) -> Figures:
    """How many times slower each is at the largest size; which grew faster than its logarithm."""
    least, most = min(found), max(found)
    before, after = found[least]["one at a time"], found[most]["one at a time"]
    allowed = math.log(most) / math.log(least)
    times = {name: round(after[name] / before[name], 2) for name in before}
    return {
        "times": times,
        "logarithm": round(allowed, 2),
        "faster": sorted(name for name, each in times.items() if each > NOISE * allowed),
    }


@contextmanager
def store(name: str) -> Iterator[tuple[str, Callable[[], int]]]:
    """The URL of an empty ledger, and how to ask how large it is."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            path = Path(folder) / "ledger.db"
            yield f"sqlite:///{path}", lambda: path.stat().st_size
        return
    with postgres() as url:
        engine = create_engine(url)

        def size() -> int:
            with engine.connect() as connection:
                return int(
                    connection.execute(
                        text("SELECT pg_database_size(current_database())")
                    ).scalar_one()
                )

        yield url, size
        engine.dispose()


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--largest", type=int, default=100_000)
    told.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    told.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS))
    asked = told.parse_args()
    report = {}
    for name in asked.stores:
        with store(name) as (url, size):
            report[name] = asyncio.run(run(url, asked.largest, asked.clients, size))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
