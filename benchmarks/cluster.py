"""Times the parts that a cluster adds, against real servers on this machine; JSON to stdout.

Artifacts: puts, reads and links of files of 40 kB, and one large file, through S3 (SeaweedFS) and
through the local folder, by 32 callers. The feed: events from another process through Redis, from
`publish` there to the listener here, at `--rate` a second.

    python -m benchmarks.cluster
"""

import argparse
import asyncio
import json
import multiprocessing
import platform
import tempfile
import time
from pathlib import Path
from time import perf_counter
from typing import Any

from deploy.onebox.redis_server import redis_server
from deploy.onebox.s3_server import CREDENTIALS, s3_server
from tests.waiting import wait_until

from kinesphere.adapters.artifacts_local import LocalArtifacts
from kinesphere.adapters.artifacts_s3 import S3Artifacts
from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.feed_redis import RedisFeed
from kinesphere.adapters.s3_location import Location
from kinesphere.core.jobs import ArtifactRef, Event, EventKind
from kinesphere.ports import Artifacts, Record

CALLERS = 32
SMALL = 40_000
LARGE = 64 * 2**20


async def shared(number: int, work: Any) -> float:
    """Calls a second when CALLERS share `number` calls of `work(i)`."""
    numbers = iter(range(number))

    async def caller() -> None:
        for i in numbers:
            await work(i)

    began = perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return number / (perf_counter() - began)


async def store(artifacts: Artifacts, number: int) -> dict[str, float]:
    """Figures of one store."""
    await artifacts.put("warm/1/x.bvh", b"x")
    data = bytes(SMALL)
    puts = await shared(number, lambda i: artifacts.put(f"job{i}/1/motion.bvh", data))
    reads = await shared(number, lambda i: artifacts.read(f"job{i}/1/motion.bvh"))
    ref = ArtifactRef("job1/1/motion.bvh", "motion.bvh", "model/bvh", SMALL, "0" * 64)
    began = perf_counter()
    for _ in range(1_000):
        artifacts.link(ref, SystemClock().now() + 3600)
    link = (perf_counter() - began) * 1e3
    large = bytes(LARGE)
    began = perf_counter()
    await artifacts.put("large/1/mesh.glb", large)
    written = perf_counter()
    await artifacts.read("large/1/mesh.glb")
    return {
        "puts_per_second": round(puts),
        "reads_per_second": round(reads),
        "link_microseconds": round(link, 1),
        "large_put_mb_per_second": round(LARGE / 1e6 / (written - began)),
        "large_read_mb_per_second": round(LARGE / 1e6 / (perf_counter() - written)),
    }


async def _nothing(after: int, limit: int) -> tuple[Record, ...]:
    del after, limit
    return ()


def publish(url: str, number: int, rate: float) -> None:
    """The other process."""

    async def publishing() -> None:
        feed = RedisFeed(url, SystemClock(), _nothing)
        running = asyncio.create_task(feed.run())
        await wait_until(lambda: feed.connected, "Redis is reached")
        began = perf_counter()
        for seq in range(1, number + 1):
            await asyncio.sleep(max(0.0, began + seq / rate - perf_counter()))
            feed.publish([Record(seq, "a", time.time(), Event(EventKind.CLAIMED))])
        await asyncio.sleep(0.5)
        running.cancel()

    asyncio.run(publishing())


async def feed(url: str, number: int, rate: float) -> dict[str, float]:
    """How long events of another process take."""
    clock = SystemClock()
    here = RedisFeed(url, clock, _nothing)
    running = asyncio.create_task(here.run())
    await wait_until(lambda: here.connected, "Redis is reached")
    delays = []
    async with here.listen() as news:
        other = multiprocessing.get_context("spawn").Process(
            target=publish, args=(url, number, rate)
        )
        other.start()
        async for item in news:
            if isinstance(item, Record):
                delays.append(clock.now() - item.at)
            if len(delays) == number:
                break
    running.cancel()
    await asyncio.to_thread(other.join)
    delays.sort()
    return {
        "events": number,
        "per_second": rate,
        "p50_ms": round(delays[number // 2] * 1e3, 2),
        "p95_ms": round(delays[int(number * 0.95)] * 1e3, 2),
        "p99_ms": round(delays[int(number * 0.99)] * 1e3, 2),
    }


async def measured(number: int, rate: float) -> dict[str, Any]:
    """Everything."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        local = await store(LocalArtifacts(Path(folder), b"k" * 32, clock), number)
    with s3_server() as server:
        remote = S3Artifacts(Location.parse(server.url()), clock, CREDENTIALS)
        await remote.prepare()
        s3 = await store(remote, number)
    with redis_server() as redis:
        return {
            "machine": platform.platform(),
            "artifacts": {"local": local, "s3": s3},
            "feed": await feed(redis.url, number, rate),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measured(given.number, given.rate)), indent=2))
