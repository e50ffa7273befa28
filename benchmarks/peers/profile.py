"""Where the time of a request goes: `python -m benchmarks.peers.profile [--clients 16]`.

Runs W1's load and prints the processor time of each process per request, and of its threads. Of
Kinesphere embedded it then writes two flame graphs by py-spy to `out/benchmark`: of the server and
of the replica's process, each by thread, for the time in which a thread holds the interpreter's
lock.
"""

import argparse
import asyncio
import subprocess
import tempfile
from pathlib import Path

import psutil
from benchmarks.peers.client import closed_loop
from benchmarks.peers.target import Load, Running
from benchmarks.peers.targets import TARGETS
from benchmarks.peers.workloads import Bench

SECONDS = 10.0
RATE = 200


def threads(process: psutil.Process) -> dict[int, float]:
    """Seconds of processor time so far, by thread."""
    return {each.id: each.user_time + each.system_time for each in process.threads()}


async def measured(made: Running, bench: Bench, clients: int) -> None:
    """Print the processor time of each process and thread per request, in milliseconds."""
    before = {process.pid: threads(process) for process in made.tree()}
    told = await closed_loop(made.setup.url, bench.asks(50_000), clients, SECONDS)
    number = max(1, len(told.seconds))
    print(f"{clients} clients: {number / told.elapsed:.0f} requests a second")
    for process in made.tree():
        known = before.get(process.pid, {})
        spent = {each: took - known.get(each, 0.0) for each, took in threads(process).items()}
        shown = sorted((1e3 * took / number for took in spent.values() if took > 0.0), reverse=True)
        named = " ".join(Path(word).name for word in process.cmdline()[:5])
        print(f"{sum(shown):6.2f}", named, [round(each, 2) for each in shown])


async def recorded(made: Running, bench: Bench, clients: int, out: Path) -> None:
    """Write a flame graph of each process."""
    spies = [
        await asyncio.create_subprocess_exec(
            *("py-spy", "record", "--gil", "--threads", "-r", str(RATE)),
            *("-d", str(int(SECONDS)), "-p", str(process.pid)),
            *("-o", str(out / f"flame-{name}.svg")),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, process in zip(("server", "replica"), made.tree(), strict=False)
    ]
    await closed_loop(made.setup.url, bench.asks(50_000), clients, SECONDS + 1.0)
    for spy in spies:
        await spy.wait()


async def profile(folder: Path, target: str, clients: int, out: Path) -> None:
    """Both, of one target."""
    bench = Bench(TARGETS[target], folder)
    with bench.running(Load()) as made:
        await bench.answered(made)
        await closed_loop(made.setup.url, bench.asks(200), clients, 3.0)
        await measured(made, bench, clients)
        if target == "kinesphere":
            await recorded(made, bench, clients, out)


def main() -> None:
    """Profile it."""
    told = argparse.ArgumentParser(prog="python -m benchmarks.peers.profile", description=__doc__)
    told.add_argument("--target", default="kinesphere", choices=list(TARGETS))
    told.add_argument("--clients", type=int, default=16)
    told.add_argument("--out", type=Path, default=Path("out/benchmark"))
    given = told.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        asyncio.run(profile(Path(folder), given.target, given.clients, given.out))


if __name__ == "__main__":
    main()
