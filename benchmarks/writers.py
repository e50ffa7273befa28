"""Several processes that write to one PostgreSQL ledger: jobs a second, and how long a claim takes.

The processes share 64 submitters and have two claimers each, which take batches of 16 and finish
them. Each number of processes is measured with row locks, as the ledger is, and with one lock that
every writing transaction takes first. Prints JSON, with the plan of a claim among many queued jobs.

    python -m benchmarks.writers [--jobs 2000] [--processes 1 2 4 8] [--queued 100000]
"""

import argparse
import asyncio
import json
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.ledger import BATCH, SUBMITTERS, new_job
from sqlalchemy import Connection, Engine, create_engine, event, text
from tests.postgres import postgres
from ulid import ULID

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.adapters.sql.operations import TO_CLAIM
from kinesphere.core.jobs import ArtifactRef, Finish
from kinesphere.ports import IdempotencyKey

CLAIMERS = 2
LOCK = 1


@dataclass
class Task:
    """What one of the processes is to do."""

    url: str
    place: int
    processes: int
    jobs: int
    exclusive: bool
    start: Barrier
    done: Any


class Writing:
    """One process's share of the work."""

    def __init__(self, task: Task, ledger: SqlLedger) -> None:
        self._task = task
        self._ledger = ledger
        self._left = task.jobs // task.processes
        self.claims: list[float] = []
        self.submits: list[float] = []

    async def run(self) -> None:
        """Submit this share, and claim and finish until the jobs of all are done."""
        submitters = SUBMITTERS // self._task.processes
        await asyncio.gather(
            *(self._submit(f"user-{self._task.place}-{n}") for n in range(submitters)),
            *(self._claim() for _ in range(CLAIMERS)),
        )

    async def _submit(self, user: str) -> None:
        while self._left > 0:
            self._left -= 1
            began = time.perf_counter()
            await self._ledger.submit(new_job(user), IdempotencyKey(str(ULID()), "digest"))
            self.submits.append(time.perf_counter() - began)

    async def _claim(self) -> None:
        done = self._task.done
        total = self._task.jobs // self._task.processes * self._task.processes
        while done.value < total:
            began = time.perf_counter()
            batch = await self._ledger.claim("choreo", f"w{self._task.place}", BATCH, 30.0)
            if not batch:
                await asyncio.sleep(0.05)
                continue
            self.claims.append(time.perf_counter() - began)
            words = []
            for job in batch:
                key = f"{job.id}/{job.token}/motion.bvh"
                made = ArtifactRef(key, "motion.bvh", "application/x-bvh", 100_000, "0" * 64)
                words.append(self._ledger.apply(job.id, Finish(job.token, (made,))))
            await asyncio.gather(*words)
            with done.get_lock():
                done.value += len(batch)


async def write(task: Task) -> dict[str, Any]:
    ledger = await SqlLedger.open(task.url, SystemClock(), EmbeddedFeed())
    if task.exclusive:

        def begin(connection: Connection) -> None:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))

        event.listen(ledger._writing, "begin", begin)
    work = Writing(task, ledger)
    await asyncio.to_thread(task.start.wait)
    began = time.time()
    await work.run()
    ended = time.time()
    await ledger.close()
    return {"began": began, "ended": ended, "claims": work.claims, "submits": work.submits}


def part(task: Task, answers: Any) -> None:
    answers.put(asyncio.run(write(task)))


def fresh(url: str) -> Engine:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return engine


def measure(url: str, processes: int, jobs: int, *, exclusive: bool) -> dict[str, float]:
    fresh(url).dispose()
    context = multiprocessing.get_context("spawn")
    answers, start = context.Queue(), context.Barrier(processes)
    done = context.Value("i", 0)
    running = [
        context.Process(
            target=part, args=(Task(url, place, processes, jobs, exclusive, start, done), answers)
        )
        for place in range(processes)
    ]
    for process in running:
        process.start()
    told = [answers.get() for _ in running]
    for process in running:
        process.join()
    seconds = max(each["ended"] for each in told) - min(each["began"] for each in told)
    claims = sorted(wait for each in told for wait in each["claims"])
    submits = sorted(wait for each in told for wait in each["submits"])
    return {
        "jobs_per_second": round(done.value / seconds),
        "claim_p50_ms": round(1e3 * claims[len(claims) // 2], 1),
        "claim_p95_ms": round(1e3 * claims[int(len(claims) * 0.95)], 1),
        "submit_p95_ms": round(1e3 * submits[int(len(submits) * 0.95)], 1),
    }


async def _one_job(url: str) -> None:
    ledger = await SqlLedger.open(url, SystemClock(), EmbeddedFeed())
    await ledger.submit(new_job("user-0"))
    await ledger.close()


MANY = """
    INSERT INTO jobs SELECT id || n, "user", task, model, pool, state, urgency, n, weight, alone,
        ready_at, deadline, worker, lease_until, finished_at, leader, answers, document
    FROM jobs, generate_series(1, :number) AS numbers (n)
"""


def plan(url: str, queued: int) -> list[str]:
    """How PostgreSQL finds a batch among so many queued jobs."""
    engine = fresh(url)
    asyncio.run(_one_job(url))
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "SKIP LOCKED" in statement:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
            steps.extend(row[0] for row in cursor.fetchall())

    event.listen(engine, "before_cursor_execute", explain)
    with engine.begin() as connection:
        connection.execute(text(MANY), {"number": queued})
    with engine.begin() as connection:
        connection.execute(text("ANALYZE jobs"))
        connection.execute(TO_CLAIM, {"pool": "choreo", "now": time.time(), "limit": BATCH})
    engine.dispose()
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--queued", type=int, default=100_000)
    asked = parser.parse_args()
    told: dict[str, Any] = {}
    with postgres() as url:
        for processes in asked.processes:
            told[f"{processes} processes"] = {
                name: measure(url, processes, asked.jobs, exclusive=exclusive)
                for name, exclusive in (("one lock", True), ("row locks", False))
            }
        told["claim"] = plan(url, asked.queued)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
