"""The metrics of a process that has Redis for a broker, with hints that nobody takes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deploy.onebox.redis_server import redis_server

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.hint_depth import HintDepth
from kinesphere.adapters.hints_celery import CeleryBell, create_celery
from kinesphere.adapters.metric_gauges import Reading
from kinesphere.adapters.metrics import Metrics
from kinesphere.core.catalog import Catalog
from kinesphere.http.probes import probing

POOLS: Final = ("choreo", "relief.shape", "relief.texture")
HINTS: Final = len(POOLS)


@contextmanager
def hints_page() -> Iterator[str]:
    """The address of its probes."""
    with redis_server() as redis:
        bell = CeleryBell(create_celery(redis.url, POOLS))
        for pool in POOLS:
            bell.ring(pool)
        told: list[str] = []
        ready, over = threading.Event(), threading.Event()
        server = threading.Thread(target=lambda: asyncio.run(_serve(redis.url, told, ready, over)))
        server.start()
        try:
            assert ready.wait(20), "the probes do not listen"
            yield told[0]
        finally:
            over.set()
            server.join(20)
            bell.close()


async def _serve(
    redis: str, told: list[str], ready: threading.Event, over: threading.Event
) -> None:
    depth = HintDepth(redis, POOLS)

    async def read() -> Reading:
        return Reading(backlogs={}, redis_queue=await depth.length())

    metrics = Metrics(Catalog(()), SystemClock(), read)
    async with probing("127.0.0.1", 0, metrics, lambda: "") as url:
        told.append(url)
        ready.set()
        await asyncio.to_thread(over.wait)
    await depth.close()
