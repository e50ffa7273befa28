"""Errands in a process apart: results, refusals, crashes, time, turns."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from kinesphere.adapters.clock import SystemClock
from kinesphere.adapters.errands import ChildErrands
from kinesphere.core.failures import FieldError, Rejected
from kinesphere.ports import ErrandFailed

HERE = "tests.adapters.test_errands"


def double(number: int, data: bytes = b"") -> list[object]:
    print("libraries talk")
    return [2 * number, data, os.getpid(), [k for k in os.environ if k.startswith("KINESPHERE_")]]


def refuse() -> None:
    raise Rejected("IMAGE_REJECTED", "no", (FieldError("picture", "is none", "one"),))


def fail() -> None:
    raise ValueError("oh")


def exhaust() -> None:
    raise MemoryError


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    while True:
        signal.pause()


@pytest.fixture
async def errands() -> AsyncIterator[ChildErrands]:
    running = ChildErrands(SystemClock(), waiting=1)
    yield running
    await running.close()


@pytest.mark.slow
async def test_what_a_function_does_is_told_and_stays_apart(
    errands: ChildErrands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINESPHERE_LINK_SECRET", "s")
    doubled, data, first, ours = await errands.run(
        f"{HERE}:double", {"number": 21, "data": b"\0x"}, 60.0
    )
    assert (doubled, data, ours) == (42, b"\0x", [])
    with pytest.raises(Rejected) as refused:
        await errands.run(f"{HERE}:refuse", {}, 60.0)
    assert refused.value.fields == (FieldError("picture", "is none", "one"),)
    with pytest.raises(ErrandFailed, match="ValueError: oh"):
        await errands.run(f"{HERE}:fail", {}, 60.0)
    with pytest.raises(Rejected, match="OOM_HOST"):
        await errands.run(f"{HERE}:exhaust", {}, 60.0)
    # The same process all along, until it dies or takes too long.
    assert (await errands.run(f"{HERE}:double", {"number": 1}, 60.0))[2] == first != os.getpid()
    with pytest.raises(ErrandFailed, match="its process ended"):
        await errands.run(f"{HERE}:die", {}, 60.0)
    second = (await errands.run(f"{HERE}:double", {"number": 1}, 60.0))[2]
    with pytest.raises(Rejected, match="TOO_MUCH_WORK"):
        await errands.run(f"{HERE}:hang", {}, 0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


async def test_too_many_are_refused_at_once(errands: ChildErrands) -> None:
    hanging = [asyncio.create_task(errands.run(f"{HERE}:hang", {}, 60.0)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Rejected, match="BUSY"):
        await errands.run(f"{HERE}:hang", {}, 60.0)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
