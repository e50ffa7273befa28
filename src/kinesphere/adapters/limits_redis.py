"""Counting requests in a Redis that several processes share, by the `limits` library.

Its moving window is one Lua script an operation, so it is exact.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kinesphere.adapters.limits_memory import MemoryLimits
from kinesphere.ports import Allowance, Clock, Quota

_log = logging.getLogger("kinesphere.limits")

PATIENCE: Final = 0.5
"""Seconds that Redis has for one operation. A request should not wait longer to be counted."""

PAUSE: Final = 1.0
"""Seconds between two tries of a Redis that does not answer."""

_PREFIX: Final = "kinesphere"


class RedisLimits:
    """See `kinesphere.ports.Limits`; shared by everybody who uses the same Redis.

    The times are those of the processes that count, so their clocks should agree to a fraction of
    the window. While Redis is out of reach this process counts in its own memory: that is logged
    once, told to `on_fallback` at each request, and tried again every second.
    """

    def __init__(self, url: str, clock: Clock, on_fallback: Callable[[], None]) -> None:
        # One retry: after a restart of Redis every pooled connection is stale.
        self._pool: ConnectionPool = ConnectionPool.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 1),
        )
        storage = RedisStorage(
            f"async+{url}",
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type] # documented, but not annotated
        )
        self._shared = MovingWindowRateLimiter(storage)
        self._own = MemoryLimits(clock)
        self._clock = clock
        self._on_fallback = on_fallback
        self._down = False
        self._next_try = 0.0

    async def take(self, key: str, quota: Quota) -> Allowance:
        """See the port."""
        found = await self._ask(key, quota, take=True)
        return await self._own.take(key, quota) if found is None else found

    async def look(self, key: str, quota: Quota) -> Allowance:
        """See the port."""
        found = await self._ask(key, quota, take=False)
        return await self._own.look(key, quota) if found is None else found

    async def close(self) -> None:
        """See the port."""
        await self._own.close()
        await self._pool.aclose()

    async def _ask(self, key: str, quota: Quota, *, take: bool) -> Allowance | None:
        """What Redis says, or None when it does not answer."""
        now = self._clock.monotonic()
        if self._down and now < self._next_try:
            self._on_fallback()
            return None
        # Only one request at a time waits for a Redis that is gone.
        self._next_try = now + PAUSE
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._of_redis(key, quota, take=take)
        except (RedisError, OSError) as error:
            self._fell(error)
            return None
        if self._down:
            self._down = False
            _log.info("Redis counts requests again", extra={"action": "limits.recovered"})
        return found

    async def _of_redis(self, key: str, quota: Quota, *, take: bool) -> Allowance:
        item = RateLimitItemPerSecond(quota.requests, quota.seconds)
        admitted = await self._shared.hit(item, key) if take else None
        until, remaining = await self._shared.get_window_stats(item, key)
        if admitted is None:
            admitted = remaining > 0
        # Others may have taken meanwhile: who was refused is told to wait, whatever is left now.
        left = max(0, remaining) if admitted else 0
        used = quota.requests - remaining
        # The library counts by the wall clock.
        reset = max(0.0, until - self._clock.now()) if used else 0.0
        return Allowance(admitted, quota, left, min(reset, quota.seconds))

    def _fell(self, error: Exception) -> None:
        self._on_fallback()
        self._next_try = self._clock.monotonic() + PAUSE
        if not self._down:
            self._down = True
            _log.warning(
                "Redis does not count requests (%s); each process counts its own",
                str(error) or type(error).__name__,
                extra={"action": "limits.degraded"},
            )
