"""What idle streams of events cost: memory and CPU of a real server with a thousand of them open.

Starts `kinesphere serve` without replicas, so that jobs wait, opens streams that follow them, and
reads the proportional set size of the server's process before and after. Prints JSON.

    python -m benchmarks.streams [--streams 1000] [--seconds 20]
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.servers import ServerProcess

TICKS = os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Proportional set size in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss")


def cpu(pid: int) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Streams:
    """Open connections, and what came over them."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._writers: list[asyncio.StreamWriter] = []
        self._readers: list[asyncio.Task[None]] = []
        self.beats = 0
        self.events = 0
        self.cut = 0

    async def open(self, path: str) -> None:
        """Open one, and return when its first event has come."""
        reader, writer = await asyncio.open_connection(*self._address, limit=4096)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._address[0]}\r\n\r\n".encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        while b"data:" not in await reader.readline():
            pass
        self._writers.append(writer)
        self._readers.append(asyncio.create_task(self._read(reader)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self.beats += line.startswith(b":")
            self.events += line.startswith(b"event:")
        self.cut += 1

    async def close(self) -> None:
        """Leave them all."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._readers)


async def measure(server: ServerProcess, streams: int, seconds: float) -> dict[str, object]:
    assert server.process is not None
    pid = server.process.pid
    async with httpx.AsyncClient(base_url=server.url, timeout=30.0) as http:
        jobs = [
            (await http.post("/v1/motions", json={"prompt": "wave", "seed": n})).json()["id"]
            for n in range(min(streams, 100))
        ]
    parts = urlsplit(server.url)
    opened = Streams(parts.hostname or "", parts.port or 0)
    # The first ones bring code and caches into memory that the others share.
    for job in jobs[:10]:
        await opened.open(f"/v1/jobs/{job}/events")
    before = memory(pid)
    began = time.perf_counter()
    for n in range(streams):
        await opened.open(f"/v1/jobs/{jobs[n % len(jobs)]}/events")
    took = time.perf_counter() - began
    opened_at, used = memory(pid), cpu(pid)
    await asyncio.sleep(seconds)
    idle_cpu, beats = (cpu(pid) - used) / seconds, opened.beats
    after = memory(pid)
    cut = opened.cut
    await opened.close()
    return {
        "streams": streams,
        "memory_mb_before": round(before / 1024, 1),
        "memory_mb_opened": round((opened_at - before) / 1024, 1),
        "memory_mb_after_a_while": round((after - before) / 1024, 1),
        "kb_per_stream": round((after - before) / streams, 1),
        "open_ms": round(1e3 * took / streams, 2),
        "heartbeats": beats,
        "cpu_percent": round(100 * idle_cpu, 2),
        "cut": cut,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    settings = {
        "KINESPHERE_REPLICAS": "choreo=0",
        "KINESPHERE_MODELS": "choreo",
        "KINESPHERE_LOG_LEVEL": "warning",
    }
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder) / "data", settings).start(ready=False)
        try:
            print(json.dumps(asyncio.run(measure(server, options.streams, options.seconds))))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
