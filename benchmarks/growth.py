"""What gets slower as the ledger grows: every operation with 10³ to 10⁶ ended jobs kept in SQLite.

A thousand jobs are taken through the ledger; the rest are copies of them, written past it, with ids
and numbers of their own. Then, at each size, jobs are accepted, claimed and finished one after the
other and in turn with what pages and metrics read. Medians in milliseconds, memory of this process
in MiB (VmRSS), JSON to stdout.

    python -m benchmarks.growth [--largest 1000000]
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from benchmarks.ledger import new_job, through
from ulid import ULID

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.jobs import ArtifactRef, Finish, State
from kinesphere.ports import IdempotencyKey, JobQuery

SEED, ROUNDS = 1_000, 300


def fill(path: Path, copies: range) -> None:
    """Add so many copies of every job of the ledger's first thousand, and of their events."""
    with sqlite3.connect(path) as connection:
        connection.create_function("numbered", 2, lambda job, n: f"00{n:08d}{job[10:]}")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
        chosen = ", ".join(
            {
                "id": "numbered(id, n)",
                "document": "replace(document, id, numbered(id, n))",
            }.get(name, f'"{name}"')
            for name in columns
        )
        ((last,),) = connection.execute("SELECT max(seq) FROM events WHERE job_id NOT LIKE '00%'")
        for n in copies:
            connection.execute(
                f"INSERT INTO jobs SELECT {chosen} FROM jobs, (SELECT {n} AS n) "
                "WHERE id NOT LIKE '00%'"
            )
            connection.execute(
                f"INSERT INTO events SELECT seq + {n} * {last}, numbered(job_id, {n}), at, kind, "
                f"replace(data, job_id, numbered(job_id, {n})) FROM events "
                f"WHERE job_id NOT LIKE '00%' AND seq <= {last}"
            )
        connection.execute("UPDATE head SET seq = (SELECT max(seq) FROM events)")


async def timed(
    name: str, what: Callable[[], Awaitable[object]], found: dict[str, list[float]]
) -> None:
    """Note how long it took."""
    began = time.perf_counter()
    await what()
    found.setdefault(name, []).append(1e3 * (time.perf_counter() - began))


async def measured(path: Path) -> dict[str, float]:
    """Medians at the present size."""
    ledger = await SqlLedger.open(f"sqlite:///{path}", SystemClock(), EmbeddedFeed())
    found: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        job = new_job(f"user-{number % 40}")
        key = IdempotencyKey(str(ULID()), "digest")
        await timed("accept", lambda job=job, key=key: ledger.submit(job, key), found)
        began = time.perf_counter()
        (claimed,) = await ledger.claim("choreo", "bench", 16, 30.0)
        found.setdefault("claim", []).append(1e3 * (time.perf_counter() - began))
        name = f"{job.id}/{claimed.token}/motion.bvh"
        made = ArtifactRef(name, "motion.bvh", "application/x-bvh", 100_000, "0" * 64)
        words = Finish(claimed.token, (made,))
        await timed("finish", lambda job=job, words=words: ledger.apply(job.id, words), found)
        reads: dict[str, Callable[[], Awaitable[object]]] = {
            "get": lambda job=job: ledger.get(job.id),
            "list of a user": lambda job=job: ledger.list(JobQuery(user=job.user, limit=50)),
            "list of failed": lambda: ledger.list(JobQuery(states=(State.FAILED,), limit=50)),
            "metrics: backlogs": ledger.backlogs,
            "metrics: counts": ledger.counts,
            "metrics: bytes stored": ledger.stored,
            "nothing to reap": ledger.reap,
            "events of a job": lambda job=job: ledger.events(job_id=job.id),
        }
        for name, read in reads.items():
            await timed(name, read, found)
    await ledger.close()
    return {name: round(median(values), 3) for name, values in found.items()}


def resident() -> float:
    """Memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, 1)


async def run(largest: int) -> dict[str, dict[str, float]]:
    """Figures by size."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        path = Path(folder) / "ledger.db"
        ledger = await SqlLedger.open(f"sqlite:///{path}", SystemClock(), EmbeddedFeed())
        await through(ledger, SEED)
        await ledger.close()
        size = SEED
        while size <= largest:
            found[str(size)] = await measured(path) | {"memory_mib": resident()}
            fill(path, range(size // SEED, 10 * size // SEED))
            size *= 10
    return found


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--largest", type=int, default=1_000_000)
    print(json.dumps(asyncio.run(run(told.parse_args().largest)), indent=1))


if __name__ == "__main__":
    main()
