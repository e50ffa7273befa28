"""Many small jobs through PostgreSQL, Celery and S3, in processes of one machine; JSON to stdout.

A model that is stated to take 1 ms a job, in batches of 16. All jobs are asked for by `--callers`
connections as fast as the APIs take them, and worked off meanwhile. Throughput is from the first
request to the last job's end; the latency of a claim is from when a job may be claimed to its claim
event, of jobs that arrive at `--rate` a second afterwards, when no queue stands before them.
Memory is resident (VmRSS), of each process with its children, before and after.

    python -m benchmarks.cluster_jobs [--jobs 10000] [--workers 2]
"""

import argparse
import asyncio
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from deploy.onebox.cluster import Cluster, cluster
from deploy.onebox.processes import Process

CALM_SECONDS = 10.0


def resident(process: Process) -> float:
    """Megabytes of a process and its children."""

    def own(pid: int) -> float:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    return round(sum(map(own, [process.pid, *process.children()])), 1)


async def ask(url: str, numbers: "asyncio.Queue[int]", http: httpx.AsyncClient) -> None:
    """One caller."""
    while not numbers.empty():
        number = numbers.get_nowait()
        body = {"prompt": "he walks", "duration": 1, "seed": number, "cache": "no"}
        answer = await http.post(url + "/v1/motions", json=body)
        answer.raise_for_status()


async def flood(made: Cluster, first: int, number: int, callers: int) -> None:
    """Ask for so many jobs, as fast as they are taken."""
    numbers: asyncio.Queue[int] = asyncio.Queue()
    for each in range(first, first + number):
        numbers.put_nowait(each)
    async with httpx.AsyncClient(timeout=120) as http:
        urls = [made.apis[caller % len(made.apis)].url for caller in range(callers)]
        await asyncio.gather(*(ask(url, numbers, http) for url in urls))


async def calm(made: Cluster, first: int, rate: float) -> None:
    """Ask for jobs at a rate that leaves workers idle."""
    async with httpx.AsyncClient(timeout=120) as http, asyncio.TaskGroup() as group:
        for number in range(int(CALM_SECONDS * rate)):
            one: asyncio.Queue[int] = asyncio.Queue()
            one.put_nowait(first + number)
            url = made.apis[number % len(made.apis)].url
            group.create_task(ask(url, one, http))
            await asyncio.sleep(1.0 / rate)


def drained(made: Cluster, number: int) -> None:
    """Return when so many jobs have succeeded."""
    while True:
        rows = made.postgres.execute("SELECT state, sum(jobs) FROM tallies GROUP BY state")
        counts = {str(state): int(str(jobs)) for state, jobs in rows}
        assert not counts.get("failed"), counts
        if counts.get("succeeded") == number:
            return
        time.sleep(0.05)


def claim_latencies(made: Cluster, after: int) -> dict[str, float]:
    """Of the claims behind this event, in milliseconds."""
    rows = made.postgres.execute(
        f"SELECT data FROM events WHERE kind = 'claimed' AND seq > {after}"
    )
    waited = sorted(1e3 * json.loads(str(row[0]))["waited"] for row in rows)
    return {f"p{p}_ms": round(waited[len(waited) * p // 100], 1) for p in (50, 95, 99)}


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Everything."""
    stage = {"fixed": 0.0, "per_job": 0.001, "batch_limit": 16}
    model = {"name": "small", "payload": 64, "rank": 50, "stages": [stage]}
    settings = {
        "KINESPHERE_RATE_LIMIT": "0",
        "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
        "KINESPHERE_MAX_QUEUE": "1000000",
        "KINESPHERE_LOG_LEVEL": "warning",
        "KINESPHERE_MODELS": "small",
        "KINESPHERE_SIMULATED": json.dumps([model]),
    }
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), settings) as made:
        for _ in range(2):
            # `said` reads what is logged, and an API tells where it listens at info.
            made.api(KINESPHERE_LOG_LEVEL="info")
        made.sweeper()
        for _ in range(given.workers):
            made.worker("small", KINESPHERE_LOG_LEVEL="info")
        made.ready()
        warm = given.jobs // 10
        asyncio.run(flood(made, 0, warm, given.callers))
        drained(made, warm)
        before = {process.name: resident(process) for process in made.processes}
        began = time.monotonic()
        asyncio.run(flood(made, warm, given.jobs, given.callers))
        accepted = time.monotonic() - began
        drained(made, warm + given.jobs)
        ended = time.monotonic() - began
        after = {process.name: resident(process) for process in made.processes}
        (seq,) = made.postgres.execute("SELECT max(seq) FROM events")[0]
        asyncio.run(calm(made, warm + given.jobs, given.rate))
        drained(made, warm + given.jobs + int(CALM_SECONDS * given.rate))
        return {
            "machine": platform.platform(),
            "jobs": given.jobs,
            "workers": given.workers,
            "accepted_per_second": round(given.jobs / accepted, 1),
            "done_per_second": round(given.jobs / ended, 1),
            "claim_latency": {"rate": given.rate, **claim_latencies(made, int(str(seq)))},
            "memory_mb": {name: [before[name], after[name]] for name in before},
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--rate", type=float, default=5.0)
    print(json.dumps(measured(parser.parse_args()), indent=2))
