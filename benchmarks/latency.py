"""The longest thing that a user waits for: text to BVH over HTTP, on a warm server.

Starts its own server on a free port, asks `/generate` for clips of 5 s one after another, each
with a seed of its own, downloads each file, and prints JSON: milliseconds for the request, and
for the request with the download.

    python benchmarks/latency.py [--requests 100]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

PROMPTS = (
    "a tired man walks in a circle, then waves twice",
    "一个舞者旋转跳跃后单膝跪地",
    "she runs forward, jumps and bows",
    "挥手",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        server = subprocess.Popen(
            [sys.executable, "-m", "kinesphere", "serve", "--port", "0", "--data", str(data)],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "KINESPHERE_RATE_LIMIT": "0"},
        )
        try:
            print(json.dumps(measure(address(data), requests), indent=2))
        finally:
            server.terminate()
            server.wait(60)


def address(data: Path) -> str:
    """Where the server listens, once it does."""
    limit = time.monotonic() + 60
    while not (data / "server.json").exists():
        if time.monotonic() > limit:
            raise SystemExit("the server did not start")
        time.sleep(0.02)
    url: str = json.loads((data / "server.json").read_text())["url"]
    return url


def measure(url: str, requests: int) -> dict[str, object]:
    """Ask one after another, as a lone user does."""
    asked, fetched = [], []
    with httpx.Client(base_url=url, timeout=60) as http:
        http.post("/warmup").raise_for_status()
        for number in range(requests + 5):
            body = {"prompt": PROMPTS[number % len(PROMPTS)], "duration": 5, "seed": number}
            began = time.perf_counter()
            answer = http.post("/generate", json=body).raise_for_status()
            made = time.perf_counter()
            http.get(answer.json()["motion_url"]).raise_for_status()
            if number >= 5:
                asked.append((made - began) * 1e3)
                fetched.append((time.perf_counter() - began) * 1e3)
    return {
        "what": "POST /generate, 5 s clips, one at a time, each new",
        "requests": requests,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "generate_ms": spread(asked),
        "generate_and_download_ms": spread(fetched),
    }


def spread(milliseconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and extremes."""
    cuts = statistics.quantiles(milliseconds, n=20)
    return {
        "median": round(statistics.median(milliseconds), 1),
        "p95": round(cuts[18], 1),
        "min": round(min(milliseconds), 1),
        "max": round(max(milliseconds), 1),
    }


if __name__ == "__main__":
    main()
