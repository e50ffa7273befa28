"""The time of this machine."""

import asyncio
import time


class SystemClock:
    """See `kinesphere.ports.Clock`."""

    def now(self) -> float:
        """See the port."""
        return time.time()  # noqa: TID251 - this is the port's way to it

    def monotonic(self) -> float:
        """See the port."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See the port."""
        await asyncio.sleep(seconds)
