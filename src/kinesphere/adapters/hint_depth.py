"""How many hints wait in Redis, where Redis is Celery's broker."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from kinesphere.adapters.hints_celery import queue_name

PATIENCE: Final = 1.0
"""Seconds that a scrape waits for Redis."""


class HintDepth:
    """Reads the lengths of the pools' queues; kombu keeps each in a list of the queue's name."""

    def __init__(self, url: str, pools: Iterable[str]) -> None:
        self._client = Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        self._queues = [queue_name(pool) for pool in pools]

    async def length(self) -> int | None:
        """Hints of all pools together, or None when Redis does not answer."""
        with suppress(RedisError, OSError):
            async with self._client.pipeline(transaction=False) as pipeline:
                for queue in self._queues:
                    pipeline.llen(queue)
                lengths: list[int] = await pipeline.execute()
                return sum(lengths)
        return None

    async def close(self) -> None:
        """Let go of Redis."""
        with suppress(RedisError, OSError):
            await self._client.aclose()
