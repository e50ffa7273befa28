"""What durability costs: jobs a second through the SQLite ledger, submitted, claimed and finished.

64 submitters, two claimers that take batches of 16, every commit synced. Prints JSON with the same
on the memory ledger, which is the limit of everything but the database; and how many requests a
second the service answers whose result is there already, beside those that it accepts as new.

    python benchmarks/ledger.py [--jobs 4000]
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ulid import ULID

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.errands import ChildErrands
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.hints_embedded import EmbeddedHints
from kinesphere.adapters.ledger_memory import MemoryLedger
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.catalog import Catalog, Model, Stage
from kinesphere.core.jobs import ArtifactRef, Finish, Job, Json
from kinesphere.core.requests import MotionAsk
from kinesphere.ports import IdempotencyKey, Ledger, PoolStatus
from kinesphere.service import Caller, Service, Terms

SUBMITTERS, CLAIMERS, BATCH = 64, 2, 16
REQUEST: dict[str, Json] = {
    "prompt": "a man walks in a circle, then waves",
    "duration": 4.0,
    "seed": 7,
}


def new_job(user: str) -> Job:
    now = time.time()
    return Job(
        id=str(ULID()),
        task="motion",
        model="choreo",
        model_version="1",
        user=user,
        request=REQUEST,
        pools=("choreo",),
        created_at=now,
        ready_at=now,
    )


async def through(ledger: Ledger, jobs: int) -> dict[str, float]:
    """Take `jobs` jobs through the ledger as fast as it lets."""
    left, done = jobs, 0
    waits: list[float] = []

    async def submit(number: int) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await ledger.submit(new_job(f"user-{number}"), IdempotencyKey(str(ULID()), "digest"))
            waits.append(time.perf_counter() - began)

    async def claim() -> None:
        nonlocal done
        while done < jobs:
            batch = await ledger.claim("choreo", "bench", BATCH, 30.0)
            if not batch:
                await asyncio.sleep(0.002)
            words = []
            for job in batch:
                key = f"{job.id}/{job.token}/motion.bvh"
                made = ArtifactRef(key, "motion.bvh", "application/x-bvh", 100_000, "0" * 64)
                words.append(ledger.apply(job.id, Finish(job.token, (made,))))
            await asyncio.gather(*words)
            done += len(batch)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(
        *(submit(n) for n in range(SUBMITTERS)), *(claim() for _ in range(CLAIMERS))
    )
    seconds = time.perf_counter() - began
    waits.sort()
    return {
        "jobs_per_second": round(jobs / seconds),
        "cpu_ms_per_job": round(1e3 * (time.process_time() - cpu) / jobs, 2),
        "submit_p50_ms": round(1e3 * waits[len(waits) // 2], 1),
        "submit_p99_ms": round(1e3 * waits[int(len(waits) * 0.99)], 1),
    }


class NoPools:
    """Replicas would only be in the way."""

    def statuses(self) -> Mapping[str, PoolStatus]:
        """None, so nothing is estimated or refused."""
        return {}

    async def warm(self, seconds: float) -> bool:
        """Nothing to wait for."""
        return seconds >= 0.0


async def asked(folder: Path, requests: int, *, cached: bool) -> dict[str, float]:
    """Ask the service, over SQLite and a folder of artifacts, 64 times at once."""
    clock, feed = SystemClock(), EmbeddedFeed()
    artifacts = LocalArtifacts(folder / "artifacts", b"0" * 32, clock)
    ledger = await SqlLedger.open(f"sqlite:///{folder / 'asked.db'}", clock, feed)
    stage = Stage(name="", engine="none:None")
    model = Model("choreo", "1", "motion", "", (stage,), ("bvh",), durations=(0.5, 30.0))
    intake = Service(
        catalog=Catalog((model,)), ledger=ledger, hints=EmbeddedHints(clock), feed=feed,
        artifacts=artifacts, pools=NoPools(), releases=ledger.releases, plans=ledger.plans,
        clock=clock, new_id=lambda: str(ULID()), new_seed=lambda: 1, terms=Terms(),
        errands=ChildErrands(clock), player=ChildErrands(clock),
    ).intake  # fmt: skip
    ask = MotionAsk(prompt=str(REQUEST["prompt"]))
    if cached:
        await intake.motion(ask, Caller("first"))
        (job,) = await ledger.claim("choreo", "bench", 1, 30.0)
        made = ArtifactRef(f"{job.id}/1/motion.bvh", "motion.bvh", "application/x-bvh", 4, "0" * 64)
        await artifacts.put(made.key, b"made")
        await ledger.apply(job.id, Finish(1, (made,)))
    left = requests

    async def caller(number: int) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            this = ask if cached else replace(ask, seed=left)
            accepted = await intake.motion(this, Caller(f"user-{number}"))
            assert accepted.job.cached is cached

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(number) for number in range(SUBMITTERS)))
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    await ledger.close()
    return {
        "requests_per_second": round(requests / seconds),
        "cpu_ms_per_request": round(1e3 * spent / requests, 2),
    }


async def measure(jobs: int) -> dict[str, dict[str, float]]:
    clock = SystemClock()
    memory = await through(MemoryLedger(clock, EmbeddedFeed()), jobs)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        ledger = await SqlLedger.open(url, clock, EmbeddedFeed())
        sqlite = await through(ledger, jobs)
        await ledger.close()
        return {
            "memory": memory,
            "sqlite, synced": sqlite,
            "service, new": await asked(Path(folder) / "new", jobs, cached=False),
            "service, cached": await asked(Path(folder) / "cached", jobs, cached=True),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4000)
    print(json.dumps(asyncio.run(measure(parser.parse_args().jobs)), indent=2))


if __name__ == "__main__":
    main()
