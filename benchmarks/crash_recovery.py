"""How long a job is idle when `kill -9` takes the worker that runs it; JSON to stdout.

A cluster on this machine with the settings as they come (a lease of 9 s), two workers of a pool;
each time the one that has a job is killed with its engine in the middle of it, and the clock runs
from the kill to the claim by the other one, and to the job's end. The worker comes back each time.

    python -m benchmarks.crash_recovery [--kills 10]
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from deploy.onebox.cluster import Cluster, cluster

STEP = 2.0
"""Seconds that a job takes."""

PATIENCE = 90.0


def until(look: Callable[[], Any]) -> Any:
    """What `look` returns once that is true."""
    limit = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {PATIENCE:g} s")
        time.sleep(0.01)
    return found


def claims(made: Cluster, job_id: str) -> list[str]:
    """Who claimed a job, in order."""
    rows = made.postgres.execute(
        f"SELECT data FROM events WHERE job_id = '{job_id}' AND kind = 'claimed' ORDER BY seq"
    )
    return [str(json.loads(str(row[0]))["worker"]) for row in rows]


def one(made: Cluster, number: int) -> tuple[float, float]:
    """Seconds from a kill to the next claim and to the end."""
    made.ready()
    body = {"prompt": "he walks", "duration": 1, "seed": number, "cache": "no"}
    url = made.apis[0].url
    job_id = httpx.post(url + "/v1/motions", json=body, timeout=30).json()["id"]
    first = until(lambda: claims(made, job_id))[0]
    look = f"{url}/v1/jobs/{job_id}"
    until(lambda: httpx.get(look, timeout=30).json()["progress"] > 0.3)
    victim = next(w for w in made.workers if str(w.pid) == first.split("/")[1])
    children = victim.children()
    victim.kill()
    killed = time.monotonic()
    until(lambda: len(claims(made, job_id)) > 1)
    claimed = time.monotonic() - killed
    until(lambda: httpx.get(look, timeout=30).json()["state"] == "succeeded")
    ended = time.monotonic() - killed
    assert not any(Path(f"/proc/{child}").exists() for child in children), "an engine is left"
    victim.start()
    victim.said("replica_ready")
    return claimed, ended


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and maximum."""
    return {"median_s": round(median(seconds), 2), "max_s": round(max(seconds), 2)}


def measured(kills: int) -> dict[str, Any]:
    """Everything."""
    model = {"name": "steady", "payload": 64, "rank": 50, "stages": [{"fixed": STEP}]}
    settings = {
        "KINESPHERE_RATE_LIMIT": "0",
        "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
        "KINESPHERE_MODELS": "steady",
        "KINESPHERE_SIMULATED": json.dumps([model]),
    }
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), settings) as made:
        made.api()
        made.sweeper()
        for _ in range(2):
            made.worker("steady")
        found = []
        for number in range(kills):
            found.append(one(made, number))
            print(f"{number + 1}: {found[-1][0]:.2f} s, {found[-1][1]:.2f} s", file=sys.stderr)
    return {
        "machine": platform.platform(),
        "kills": kills,
        "job_s": STEP,
        "claimed_again": spread([claimed for claimed, _ in found]),
        "ended": spread([ended for _, ended in found]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    print(json.dumps(measured(parser.parse_args().kills), indent=2))
