"""Waiting for a condition, in place of sleeping for a guess."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def wait_until(
    predicate: Callable[[], bool | Awaitable[bool]],
    description: str,
    seconds: float = 20.0,
    pause: float = 0.005,
) -> None:
    """Return once `predicate` is true; fail after `seconds`, saying what did not come true.

    `pause`: seconds between two looks.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = predicate()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {description}")
        await asyncio.sleep(pause)
