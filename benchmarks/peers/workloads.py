"""What every target is asked to do. Each gives figures by name; times in seconds unless named."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from benchmarks.peers.client import Connection, Told, closed_loop
from benchmarks.peers.target import Ask, Load, Running, Target, running

Figures = dict[str, Any]

W1_CLIENTS: Final = (1, 16, 64)
W1_SECONDS: Final = 8.0
W2_CLIENTS: Final = (1, 8, 32, 64)
W2_SECONDS: Final = 10.0
DEVICE: Final = Load(fixed=0.20, per_job=0.02, batch=16)
LIMIT: Final = 16 / (0.20 + 16 * 0.02)
"""Jobs a second of a device whose every batch is full: 30.8."""
BURST: Final = 500
W3_SECONDS: Final = 120.0
CRASHED: Final = 200
CRASH: Final = Load(per_job=0.1)
W4_SECONDS: Final = 60.0
STARTED_WITHIN: Final = 120.0
W7_SECONDS: Final = 100.0
QUIET: Final = 15.0
"""Seconds in which nothing is finished, after which a workload counts what there is."""

WAITED_FOR: Final = 120.0
"""Longest time until a target takes up again what was lost that is waited for, in seconds."""


class Bench:
    """A target, and where its files go."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self._folder = folder
        self._runs = itertools.count()
        self.jobs = itertools.count(1)

    @contextmanager
    def running(self, load: Load, *, counted: bool = False) -> Iterator[Running]:
        """The target, answering, and what it answered first after how many seconds."""
        folder = self._folder / f"{self.target.name}-{next(self._runs)}"
        with running(self.target, folder, load, counted=counted) as made:
            yield made

    def asks(self, number: int, make: Callable[[str], Ask] | None = None) -> "asyncio.Queue[Ask]":
        """So many requests, none like another."""
        queue: asyncio.Queue[Ask] = asyncio.Queue()
        for _ in range(number):
            queue.put_nowait((make or self.target.call)(str(next(self.jobs))))
        return queue

    async def answered(self, made: Running, within: float = STARTED_WITHIN) -> float:
        """Seconds until it answers a call. Raises TimeoutError."""
        began = time.perf_counter()
        while time.perf_counter() - began < within:
            connection = Connection(made.setup.url)
            try:
                async with asyncio.timeout(within - (time.perf_counter() - began)):
                    status, _ = await connection.ask(self.target.call(str(next(self.jobs))))
                if status == 200:
                    return time.perf_counter() - began
            except (OSError, EOFError):  # a time that is over is an OSError too
                pass
            finally:
                await connection.close()
            await asyncio.sleep(0.01)
        raise TimeoutError(f"{self.target.name} does not answer: see {made.setup.folder}")


def _figures(told: Told) -> Figures:
    return {
        "per_second": round(len(told.seconds) / told.elapsed, 1),
        "p50_ms": round(told.quantile(0.50) * 1e3, 1),
        "p95_ms": round(told.quantile(0.95) * 1e3, 1),
        "p99_ms": round(told.quantile(0.99) * 1e3, 1),
        "refused": told.refused,
    }


async def w1(bench: Bench) -> Figures:
    """Overhead: an engine that does nothing, closed loop."""
    found: Figures = {}
    with bench.running(Load()) as made:
        await bench.answered(made)
        await closed_loop(made.setup.url, bench.asks(200), 8, 3.0)
        for clients in W1_CLIENTS:
            before = made.cpu()
            told = await closed_loop(made.setup.url, bench.asks(50_000), clients, W1_SECONDS)
            spent = made.cpu() - before
            found[str(clients)] = _figures(told) | {
                "cpu_per_1000": round(1e3 * spent / max(1, len(told.seconds)), 2)
            }
    return found


async def w2(bench: Bench) -> Figures:
    """Batching: what of the device's limit is used."""
    found: Figures = {}
    with bench.running(DEVICE) as made:
        await bench.answered(made)
        for clients in W2_CLIENTS:
            told = await closed_loop(made.setup.url, bench.asks(5_000), clients, W2_SECONDS)
            figures = _figures(told)
            share = round(100.0 * figures["per_second"] / LIMIT, 1)
            found[str(clients)] = figures | {"share_of_limit": share}
    return found


async def w3(bench: Bench) -> Figures:
    """Burst: 500 jobs at once for two devices."""
    load = Load(DEVICE.fixed, DEVICE.per_job, DEVICE.batch, devices=2)
    with bench.running(load, counted=True) as made:
        await bench.answered(made)
        done = made.setup.folder / "done.txt"
        make, before = bench.target.submit or bench.target.call, len(_lines(done))
        asks = bench.asks(BURST, make)
        began = time.perf_counter()
        asking = asyncio.create_task(
            closed_loop(made.setup.url, asks, 64 if bench.target.submit else BURST, W3_SECONDS)
        )
        finished = await _grown(done, before + BURST, began)
        told = await asking
    return {
        "accepted_s": round(told.elapsed, 2) if bench.target.submit else None,
        "finished_s": None if finished is None else round(finished, 2),
        "lost": BURST - min(BURST, len(_lines(done)) - before),
        "refused": told.refused,
    }


async def w4(bench: Bench) -> Figures:
    """Crash: 200 jobs, a worker killed at a quarter, everything at a half and started again.

    What is not done is lost once nothing was finished for `quiet_s` seconds after that: the time
    in which the target itself would take it up again, where that is worth waiting for, and more.
    """
    again_after = bench.target.redelivery
    quiet = QUIET + (again_after if again_after <= WAITED_FOR else 0.0)
    with bench.running(CRASH, counted=True) as made:
        await bench.answered(made)
        done = made.setup.folder / "done.txt"
        before = len(_lines(done))
        first = next(bench.jobs) + 1
        jobs = {str(number) for number in range(first, first + CRASHED)}
        asks = bench.asks(CRASHED, bench.target.submit or bench.target.call)
        clients = 64 if bench.target.submit else CRASHED
        asking = asyncio.create_task(closed_loop(made.setup.url, asks, clients, W4_SECONDS))
        if bench.target.submit:
            await asking
        began = time.perf_counter()
        await _grown(done, before + CRASHED // 4, began)
        made.kill_worker()
        await _grown(done, before + CRASHED // 2, time.perf_counter())
        made.kill()
        killed, half = time.perf_counter(), len(_lines(done))
        told = await asking
        made.start()
        # Where nothing is left to do, only a new request shows that it works again.
        fresh = asyncio.create_task(bench.answered(made))
        again = await _grown(done, half + 1, killed, still=STARTED_WITHIN)
        with suppress(TimeoutError):
            await fresh
        ended = await _settled(done, jobs, quiet)
    runs = Counter(line for line in _lines(done) if line in jobs)
    return {
        "accepted" if bench.target.submit else "answered": len(told.seconds),
        "executed": len(runs),
        "lost": CRASHED - len(runs),
        "run_twice": sum(1 for count in runs.values() if count > 1),
        "working_again_s": None if again is None else round(again, 1),
        "all_done_s": round(ended - began, 1) if len(runs) == CRASHED else None,
        "quiet_s": quiet,
        "taken_up_again_s": again_after or None,
        "refused": told.refused,
    }


async def w5(bench: Bench) -> Figures:
    """Start and rest: from the launch to the first answer, and idle."""
    with bench.running(Load()) as made:
        first = await bench.answered(made)
        await asyncio.sleep(5.0)
        before, began = made.cpu(), time.perf_counter()
        await asyncio.sleep(10.0)
        idle = (made.cpu() - before) / (time.perf_counter() - began)
        return {
            "first_answer_s": round(first, 2),
            "idle_cpu_percent": round(100.0 * idle, 2),
            "memory_mib": round(made.memory(), 1),
        }


async def w7(bench: Bench) -> Figures:
    """The same 100 requests, over and over."""
    with bench.running(Load()) as made:
        await bench.answered(made)
        jobs = [str(next(bench.jobs)) for _ in range(100)]
        queue: asyncio.Queue[Ask] = asyncio.Queue()
        for _ in range(100):
            for job in jobs:
                queue.put_nowait(bench.target.call(job))
        return _figures(await closed_loop(made.setup.url, queue, 64, W7_SECONDS))


WORKLOADS = {"W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w5, "W7": w7}


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def _grown(path: Path, lines: int, began: float, still: float = QUIET) -> float | None:
    """Seconds since `began` until the record has so many lines; None if it stops growing."""
    length, changed = len(_lines(path)), time.perf_counter()
    while length < lines:
        if time.perf_counter() - changed > still:
            return None
        await asyncio.sleep(0.02)
        if (now := len(_lines(path))) != length:
            length, changed = now, time.perf_counter()
    return time.perf_counter() - began


async def _settled(path: Path, jobs: Set[str], quiet: float) -> float:
    """When the last of these jobs was done, known once none was for `quiet` seconds."""
    lines, done, last = 0, 0, time.perf_counter()
    changed = last
    while (now := time.perf_counter()) - changed < quiet:
        record = [line for line in _lines(path) if line in jobs]
        if len(record) != lines:
            lines, changed = len(record), now
        if len(found := set(record)) != done:
            done, last = len(found), now
        await asyncio.sleep(0.05)
    return last
