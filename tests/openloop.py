"""Asks a server for motions at a steady rate, whatever it answers, and compares ETAs with ends."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from statistics import median
from typing import Any

import httpx


@dataclass(frozen=True)
class Outcome:
    """One job: its estimate, and how long it took, both in s from its acceptance."""

    expected: float
    actual: float
    basis: dict[str, Any]

    @property
    def error(self) -> float:
        """Relative, signed."""
        return (self.expected - self.actual) / self.actual


async def outcomes(
    url: str,
    model: str,
    *,
    rate: float,
    seconds: float,
    settle: float,
    durations: Sequence[float] = (1.0, 4.0, 10.0),
    priorities: Sequence[int] = (5, 5, 5, 8),
    seed: int = 1,
) -> list[Outcome]:
    """Ask `rate` times a second on average; those of the first `settle` s are left out."""
    random = Random(seed)
    async with httpx.AsyncClient(base_url=url, timeout=60.0) as http:
        loop = asyncio.get_running_loop()
        start, at = loop.time(), 0.0
        asked: list[tuple[float, asyncio.Task[httpx.Response]]] = []
        while (at := at + random.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, start + at - loop.time()))
            body = {
                "prompt": "a man walks",
                "duration": random.choice(durations),
                "seed": len(asked),
                "model": model,
                "priority": random.choice(priorities),
            }
            asked.append((at, asyncio.create_task(http.post("/v1/motions", json=body))))
        told = []
        for since, task in asked:
            answer = await task
            assert answer.status_code == 202, answer.text
            if since >= settle:
                told.append(answer.json())
        last = await task
        await http.get(f"/v1/jobs/{last.json()['id']}/events", timeout=120.0)
        return [await _outcome(http, job) for job in told]


async def _outcome(http: httpx.AsyncClient, job: dict[str, Any]) -> Outcome:
    """Once it has ended; answers that ask for patience are obeyed."""
    while True:
        answer = await http.get(f"/v1/jobs/{job['id']}")
        now = answer.json()
        if answer.status_code == 200 and now["finished_at"] is not None:
            break
        await asyncio.sleep(float(answer.headers.get("Retry-After", 0.2)))
    took = datetime.fromisoformat(now["finished_at"]) - datetime.fromisoformat(now["created_at"])
    return Outcome(job["eta"]["seconds"], took.total_seconds(), job["eta"]["basis"])


def told(found: Sequence[Outcome]) -> dict[str, float]:
    """The distribution of relative errors."""
    sizes = sorted(abs(each.error) for each in found)
    return {
        "jobs": len(sizes),
        "median_error": round(median(sizes), 4),
        "p90_error": round(sizes[int(0.9 * len(sizes))], 4),
        "within_25_percent": round(sum(size <= 0.25 for size in sizes) / len(sizes), 4),
        "median_bias": round(median(each.error for each in found), 4),
        "median_seconds": round(median(each.actual for each in found), 3),
    }
