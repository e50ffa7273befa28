"""What hundreds of requests at once cost a client: one pool of httpx beside `client/lanes.py`.

A server of asyncio answers each request after 0.3 s with four bytes, in the same process. Processor
time of that process, in ms a request, client and server together. JSON to stdout.

    python -m benchmarks.connections [--requests 50 200 400]
"""

import argparse
import asyncio
import json
import time

import httpx
from tests.client.test_lanes import server

from kinesphere.client.lanes import Lanes


async def spent(url: str, transport: httpx.AsyncBaseTransport, requests: int) -> float:
    """Ms of processor time a request, of so many at once, the second time that they are sent."""
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=120.0) as http:
        for _ in range(2):
            began = time.process_time()
            await asyncio.gather(*(http.get("/") for _ in range(requests)))
    return 1e3 * (time.process_time() - began) / requests


async def measured(requests: int) -> dict[str, float]:
    """Both, in turn."""
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with server(0.3) as made:
        pool = await spent(made.url, httpx.AsyncHTTPTransport(limits=unlimited), requests)
        lanes = await spent(made.url, Lanes(), requests)
        # The server is to see the ends of its connections.
        await asyncio.sleep(0.1)
    return {"pool_ms": round(pool, 2), "lanes_ms": round(lanes, 2), "ratio": round(lanes / pool, 3)}


def main() -> None:
    """Measure and print."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--requests", type=int, nargs="+", default=[50, 200, 400])
    for requests in told.parse_args().requests:
        print(json.dumps({"requests": requests, **asyncio.run(measured(requests))}), flush=True)


if __name__ == "__main__":
    main()
