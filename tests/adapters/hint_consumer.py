"""Consumes the hints of one pool in a process of its own, and prints what each wait returned."""

import asyncio
import json
import sys

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.hints_celery import CeleryHints, create_celery


async def consume(url: str, pool: str) -> None:
    hints = CeleryHints(create_celery(url, [pool]), pool, SystemClock())
    print(json.dumps("ready"), flush=True)
    while True:
        print(json.dumps(await hints.wait(pool, 0.5)), flush=True)


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2]))
