"""What a fleet of so many devices needs of API, PostgreSQL, Redis and object store.

First the costs are measured here: processor time of a real PostgreSQL and of a real Redis for what
one job, one replica and one listening process ask of them, the sessions and memory that they hold,
and the sizes of files. Then they are multiplied. What was measured elsewhere is an argument, and
its default says where it is from. JSON to stdout; the tables of docs/capacity.md with `--tables`.

    python -m benchmarks.capacity [--api-cpu-ms 11] [--costs REPORT] [--tables]
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import redis.asyncio as redis
from benchmarks.ledger import new_job
from benchmarks.speed import PROMPTS, textured, vase
from deploy.onebox.redis_server import redis_server
from sqlalchemy import create_engine, text
from tests.postgres import postgres

from kinesphere.adapters import feed_redis
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.core.jobs import ArtifactRef, Finish
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import read
from kinesphere.formats import bvh, mesh_glb
from kinesphere.ports import Hold
from kinesphere.settings import Settings
from kinesphere.worker import presence

FLEETS: Final = (1, 100, 10_000)
AT_ONCE: Final = 16
"""Workers that ask PostgreSQL at the same time while it is measured."""
WATCH_SECONDS: Final = 1.0
"""Between two looks of an API or a sweeper at all replicas: `Watch.run`."""


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of job: seconds of a device for one, how many requests it takes, how large its file.

    Of the requests one submits, one waits for the end, and one fetches the link.
    """

    name: str
    device_seconds: float
    events: int
    megabytes: float
    requests: int = 3


@dataclass(frozen=True, slots=True)
class Costs:
    """Of single things, measured; times are of processors, in milliseconds."""

    job_ms: float
    wal_kb: float
    announce_ms: float
    extend_ms: float
    idle_claim_ms: float
    tail_ms: float
    watched_row_ms: float
    sessions: float
    session_mb: float
    published_us: float
    delivered_us: float


@dataclass(frozen=True, slots=True)
class Servers:
    """One of each, as large as is usual; what is beyond is looked for by partition."""

    postgres_cores: int = 32
    postgres_sessions: int = 2_000
    redis_cores: int = 1
    puts_a_second: int = 3_500


# ---------------------------------------------------------------------------- what is measured


def processor(folder: str) -> float:
    """Seconds of processor time of the PostgreSQL at `folder` and of all its backends."""
    leader = int((Path(folder) / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if leader in (int(entry.name) if entry.name.isdigit() else 0, int(fields[1])):
            # Its own, and of the backends that have ended.
            ticks += sum(map(int, fields[11:15] if int(entry.name) == leader else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def held(folder: str) -> float:
    """Mean memory of a session's process, its share of what is shared included, MB."""
    leader = int((Path(folder) / "postmaster.pid").read_text().split()[0])
    sizes = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (entry / "cmdline").read_bytes()
            if parent == leader and b"[local]" in words:
                lines = (entry / "smaps_rollup").read_text().splitlines()
                sizes += [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
        except (OSError, IndexError):
            continue
    return sum(sizes) / max(1, len(sizes)) / 1024


def status(number: int) -> Status:
    """A busy replica as it tells of itself."""
    return Status(
        worker=f"host-{number}/hymotion/0", pool="hymotion", model="hymotion",
        state=ReplicaState.BUSY, since=time.time(), pid=4711, batches=120, jobs=800, held=8,
        children=1, load_seconds=61.0, warm_seconds=9.0, memory=9 * 2**30, fixed_seconds=4.0,
        job_seconds=2.0, last_error="", remaining={f"01JD000000000000000000000{n}": 9.0 for n in
        range(8)}, measured=True,
    )  # fmt: skip


async def repeated(count: int, what: Callable[[int], Awaitable[object]]) -> None:
    """Do it so often, `AT_ONCE` at a time."""
    left = iter(range(count))

    async def one() -> None:
        for number in left:
            await what(number)

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def of_postgres(url: str, rounds: int) -> dict[str, float]:
    """See `Costs`."""
    folder = parse_qs(urlsplit(url).query)["host"][0]
    # Workers are processes, which do not share a commit.
    # As those of workers, which nearly all processes of a large platform are.
    ledgers = [
        await SqlLedger.open(url, SystemClock(), EmbeddedFeed(), readers=1) for _ in range(AT_ONCE)
    ]
    engine = create_engine(url)

    def wal() -> float:
        with engine.connect() as connection:
            told = connection.execute(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))
            return float(told.scalar_one())

    async def cost(count: int, what: Callable[[int], Awaitable[object]]) -> float:
        await repeated(count // 10, what)
        began = processor(folder)
        await repeated(count, what)
        return round(1e3 * (processor(folder) - began) / count, 3)

    async def job(number: int) -> None:
        own = ledgers[number % AT_ONCE]
        await own.submit(new_job(f"user-{number % 40}"))
        for claimed in await own.claim("choreo", f"w{number}", 1, 30.0):
            key = f"{claimed.id}/{claimed.token}/motion.bvh"
            made = ArtifactRef(key, "motion.bvh", "application/x-bvh", 100_000, "0" * 64)
            await own.apply(claimed.id, Finish(claimed.token, (made,)))

    written = wal()
    figures = {"job_ms": await cost(rounds, job)}
    figures["wal_kb"] = round((wal() - written) / (1.1 * rounds) / 1024, 2)
    await repeated(AT_ONCE, lambda n: ledgers[n].submit(new_job("holder")))
    holds = [Hold(j.id, j.token) for j in await ledgers[0].claim("choreo", "w", AT_ONCE, 3e3)]
    figures["extend_ms"] = await cost(
        rounds, lambda n: ledgers[n % AT_ONCE].extend([holds[n % len(holds)]], 3e3)
    )
    figures["announce_ms"] = await cost(
        rounds, lambda n: ledgers[n % AT_ONCE].presence.announce([status(n % 500)], time.time())
    )
    figures["idle_claim_ms"] = await cost(
        rounds, lambda n: ledgers[n % AT_ONCE].claim("idle", "w", 8, 30.0)
    )
    figures["tail_ms"] = await cost(
        rounds, lambda n: ledgers[n % AT_ONCE].events(after=10**9, limit=100)
    )
    looks = await cost(100, lambda n: ledgers[n % AT_ONCE].presence.present(1e4, time.time()))
    figures["watched_row_ms"] = round(looks / 500, 5)
    with engine.connect() as connection:
        sessions = connection.execute(
            text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        ).scalar_one()
    figures["sessions"] = -(-(int(sessions) - 1) // AT_ONCE)
    figures["session_mb"] = round(held(folder), 1)
    for ledger in ledgers:
        await ledger.close()
    engine.dispose()
    return figures


async def of_redis(url: str, listeners: int = 100, messages: int = 3_000) -> dict[str, float]:
    """Microseconds of Redis for a message, and for each process that it goes to."""
    client = redis.Redis.from_url(url, max_connections=listeners + 8)
    word = b"x" * 400

    async def used() -> float:
        told = await client.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    async def spent() -> float:
        began = await used()
        for _ in range(messages):
            await client.publish("news", word)
        return 1e6 * (await used() - began) / messages

    alone = await spent()
    hearing = [client.pubsub() for _ in range(listeners)]
    for each in hearing:
        await each.subscribe("news")

    async def drain(each: Any) -> None:
        while True:
            await each.get_message(timeout=1.0)

    draining = [asyncio.create_task(drain(each)) for each in hearing]
    together = await spent()
    for task in draining:
        task.cancel()
    await asyncio.gather(*draining, return_exceptions=True)
    await client.aclose()
    return {
        "published_us": round(alone, 1),
        "delivered_us": round((together - alone) / listeners, 2),
    }


def works() -> tuple[Work, ...]:
    """What the models' declared times come to, and the size of files that were made here."""
    clip = len(bvh.encode(play(read(PROMPTS[0]), 5.0, 0))) / 1e6
    mesh = len(mesh_glb.encode(textured(vase()))) / 1e6
    # A batch of eight takes 4 + 8 · 2 s; a shape 17 s and its texture 85 s, each a stage.
    return (
        Work("motions (HY-Motion)", 20.0 / 8, 3, round(clip, 2)),
        Work("meshes (Hunyuan3D-2)", 17.0 + 85.0, 5, round(mesh, 2)),
    )


# -------------------------------------------------------------------------- what it comes to


def needs(devices: int, work: Work, costs: Costs, api_cpu_ms: float) -> dict[str, float]:
    """Of a fleet that is always busy, a process a device.

    `api_cpu_ms` is processor time of an API for a request, measured elsewhere.
    """
    settings = Settings()
    jobs = devices / work.device_seconds
    apis = max(2.0 if devices > 1 else 1.0, jobs * work.requests * api_cpu_ms / 1e3 / 0.7)
    watching = apis + 2.0
    processes = devices + watching
    postgres_ms = (
        jobs * costs.job_ms
        + devices * costs.announce_ms / presence.RENEW
        + devices * costs.extend_ms / (settings.lease_seconds / 3.0)
        + watching * costs.tail_ms / feed_redis.Paces().check
        + watching * devices * costs.watched_row_ms / WATCH_SECONDS
    )
    messages = jobs * work.events
    # Workers hear of cancellations alone.
    redis_us = messages * (costs.published_us + watching * costs.delivered_us)
    return {
        "jobs_a_second": jobs,
        "api_cores": jobs * work.requests * api_cpu_ms / 1e3,
        "postgres_cores": postgres_ms / 1e3,
        "postgres_of_replicas": 1.0 - jobs * costs.job_ms / postgres_ms,
        "postgres_sessions": processes * costs.sessions,
        "postgres_sessions_gb": processes * costs.sessions * costs.session_mb / 1e3,
        "wal_mb_a_second": jobs * costs.wal_kb / 1e3,
        "redis_cores": redis_us / 1e6,
        "puts_a_second": jobs,
        "store_mb_a_second": jobs * work.megabytes,
        "store_tb_a_month": jobs * work.megabytes * 30 * 86_400 / 1e6,
    }


def bottleneck(need: dict[str, float], servers: Servers) -> tuple[str, float]:
    """What is used up first, and how much of it, 1 being all."""
    shares = {name: need[name] / most for name, most in asdict(servers).items()}
    return max(shares.items(), key=lambda each: each[1])


def cell(work: Work, costs: Costs, servers: Servers, api_cpu_ms: float) -> int:
    """The largest fleet with which nothing is used by more than 70 %."""
    least, most = 1, 1_000_000
    while most - least > 1:
        middle = (least + most) // 2
        used = bottleneck(needs(middle, work, costs, api_cpu_ms), servers)[1]
        least, most = (middle, most) if used <= 0.7 else (least, middle)
    return least


def tables(report: dict[str, Any]) -> str:
    """As they stand in docs/capacity.md."""
    lines = ["| of one | |", "| --- | ---: |"]
    lines += [f"| `{name}` | {value:g} |" for name, value in report["costs"].items()]
    for work, told in report["fleets"].items():
        names = list(next(iter(told["needs"].values())))
        lines += ["", f"| {work} | " + " | ".join(f"{int(n):,}" for n in told["needs"]) + " |"]
        lines.append("| --- |" + " ---: |" * len(told["needs"]))
        for name in names:
            cells = [told["needs"][fleet][name] for fleet in told["needs"]]
            shown = [
                c if isinstance(c, str) else f"{c:.3g}" if c < 1e3 else f"{c:,.0f}" for c in cells
            ]
            lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(shown) + " |")
        lines.append(f"\nThe largest cell: {told['cell']:,} devices, by {told['limited by']}.")
    return "\n".join(lines)


async def measured(rounds: int) -> Costs:
    """On servers of its own."""
    with postgres() as url:
        of_ledger = await of_postgres(url, rounds)
    with redis_server() as server:
        of_news = await of_redis(server.url)
    return Costs(**of_ledger, **of_news)


def known(path: Path) -> Costs:
    """Those of a report that was made before."""
    return Costs(**json.loads(path.read_text())["costs"])


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--rounds", type=int, default=2_000)
    told.add_argument("--costs", type=Path, help="a report of this command, to measure nothing")
    told.add_argument("--api-cpu-ms", type=float, default=11.0, help="W1 of docs/benchmarks.md")
    told.add_argument("--postgres-sessions", type=int, default=Servers().postgres_sessions)
    told.add_argument("--sessions", type=int, help="of a process, in place of those measured")
    told.add_argument("--tables", action="store_true")
    asked = told.parse_args()
    costs = known(asked.costs) if asked.costs else asyncio.run(measured(asked.rounds))
    costs = replace(costs, sessions=asked.sessions or costs.sessions)
    servers = Servers(postgres_sessions=asked.postgres_sessions)
    fleets: dict[str, Any] = {}
    for work in works():
        found: dict[str, dict[str, float | str]] = {}
        for devices in FLEETS:
            need = needs(devices, work, costs, asked.api_cpu_ms)
            name, share = bottleneck(need, servers)
            found[str(devices)] = {
                **{key: round(value, 4) for key, value in need.items()},
                "first used up": f"{name.replace('_', ' ')}, {share:,.1%}",
            }
        largest = cell(work, costs, servers, asked.api_cpu_ms)
        limit, _ = bottleneck(needs(largest, work, costs, asked.api_cpu_ms), servers)
        fleets[work.name] = {
            "work": asdict(work),
            "needs": found,
            "cell": largest,
            "limited by": limit.replace("_", " "),
        }
    report = {"costs": asdict(costs), "servers": asdict(servers), "fleets": fleets}
    print(tables(report) if asked.tables else json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
