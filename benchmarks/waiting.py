"""How long clients wait that ask with `Prefer: wait=60`: 10, 100 and 1,000 of them at once.

Starts the real server and a closed loop of clients, each with one request under way: a motion of
one second, with a seed of its own. Prints JSON with the times of the requests that were admitted,
refusals by code, and what the same number of clients costs the server in processor time.

    python -m benchmarks.waiting [--clients 10 100 1000] [--seconds 20] [--simulated]

With `--simulated` a stand-in for a GPU answers, which takes 0.2 s a batch of at most 16 and 0.02 s
a job; else choreo, which shares the processors with the server.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

import httpx
from benchmarks.streams import cpu
from tests.servers import ServerProcess

SEEDS = count(1)
GPU = {
    "name": "gpu",
    "payload": 1_000,
    "stages": [{"fixed": 0.2, "per_job": 0.02, "batch_limit": 16}],
}


class Loop:
    """Clients that ask, wait, and ask again."""

    def __init__(self, url: str, clients: int) -> None:
        limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
        self._http = httpx.AsyncClient(base_url=url, timeout=90.0, limits=limits)
        self._clients = clients
        self.waits: list[float] = []
        self.outcomes: Counter[str] = Counter()

    async def run(self, seconds: float) -> float:
        """Ask for so long, then let what is under way end. How long that took, in seconds."""
        began = time.perf_counter()
        async with self._http:
            await asyncio.gather(*(self._client(began + seconds) for _ in range(self._clients)))
        return time.perf_counter() - began

    async def _client(self, until: float) -> None:
        while (asked := time.perf_counter()) < until:
            body = {"prompt": "wave", "duration": 1, "seed": next(SEEDS)}
            try:
                answer = await self._http.post(
                    "/v1/motions", json=body, headers={"Prefer": "wait=60"}
                )
            except httpx.TransportError as error:
                self.outcomes[type(error).__name__] += 1
                continue
            if answer.status_code in (200, 202):
                self.waits.append(time.perf_counter() - asked)
                self.outcomes[str(answer.json()["state"])] += 1
            else:
                self.outcomes[str(answer.json()["error_code"])] += 1


def measured(server: ServerProcess, clients: int, seconds: float) -> dict[str, object]:
    assert server.process is not None
    loop, used = Loop(server.url, clients), cpu(server.process.pid)
    took = asyncio.run(loop.run(seconds))
    done = sorted(loop.waits)
    return {
        "clients": clients,
        "requests": len(done),
        "per_second": round(len(done) / took, 1),
        "p50_ms": round(1e3 * done[len(done) // 2]),
        "p95_ms": round(1e3 * done[int(len(done) * 0.95)]),
        "worst_ms": round(1e3 * done[-1]),
        "server_cpu_percent": round(100 * (cpu(server.process.pid) - used) / took),
        "outcomes": dict(loop.outcomes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--simulated", action="store_true", help="a stand-in for a GPU answers")
    options = parser.parse_args()
    settings = {
        "KINESPHERE_MODELS": "gpu" if options.simulated else "choreo",
        "KINESPHERE_SIMULATED": json.dumps([GPU] if options.simulated else []),
        "KINESPHERE_LOG_LEVEL": "warning",
        "KINESPHERE_USER_QUEUE_LIMIT": str(2 * max(options.clients)),
    }
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder) / "data", settings).start()
        try:
            for clients in options.clients:
                print(json.dumps(measured(server, clients, options.seconds)), flush=True)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
