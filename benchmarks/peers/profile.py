"""Where the time of a request goes: `python -m benchmarks.peers.profile [--clients 16]`.

Runs W1's load and prints the processor time of each process per request, and of its threads. Of
Kinesphere it then writes flame graphs by py-spy to `out/benchmark`: of each process that was
started and of its child, by thread, for the time in which a thread holds the interpreter's lock.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from operator import itemgetter
from pathlib import Path

import psutil
from benchmarks.peers.client import closed_loop
from benchmarks.peers.target import Load, Running
from benchmarks.peers.targets import TARGETS
from benchmarks.peers.workloads import Bench

SECONDS = 10.0
RATE = 200
SPY = str(Path(sys.executable).with_name("py-spy"))


def threads(process: psutil.Process) -> dict[int, float]:
    """Seconds of processor time so far, by thread."""
    return {each.id: each.user_time + each.system_time for each in process.threads()}


def names(process: psutil.Process) -> dict[int, str]:
    """The names of its threads, by id, as far as it is Python."""
    words = [SPY, "dump", "-p", str(process.pid)]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = re.finditer(r'^Thread (\d+) \([^)]*\): "([^"]*)"', told, re.MULTILINE)
    return {int(match[1]): match[2] for match in found}


async def measured(made: Running, bench: Bench, clients: int) -> None:
    """Print the processor time of each process and thread per request, in milliseconds."""
    before = {process.pid: threads(process) for process in made.tree()}
    told = await closed_loop(made.setup.url, bench.asks(50_000), clients, SECONDS)
    number = max(1, len(told.seconds))
    print(f"{clients} clients: {number / told.elapsed:.0f} requests a second")
    for process in made.tree():
        known = before.get(process.pid, {})
        spent: defaultdict[str, float] = defaultdict(float)
        named = names(process)
        for each, took in threads(process).items():
            # Threads of one pool differ in a number.
            name = named.get(each, "").rstrip("-_0123456789")
            spent[name] += 1e3 * (took - known.get(each, 0.0)) / number
        most = sorted(spent.items(), key=itemgetter(1), reverse=True)
        shown = ", ".join(f"{name} {took:.2f}" for name, took in most if took > 0.0)
        command = " ".join(Path(word).name for word in process.cmdline()[:5])
        print(f"{sum(spent.values()):6.2f} {command}: {shown}")


async def recorded(made: Running, bench: Bench, clients: int, out: Path) -> None:
    """Write a flame graph of each process of its own."""
    spied = {}
    for name, pid in made.named().items():
        spied[name] = pid
        spied |= {f"{name}-child": each.pid for each in psutil.Process(pid).children()}
    spies = [
        await asyncio.create_subprocess_exec(
            *(SPY, "record", "--gil", "--threads", "-r", str(RATE)),
            *("-d", str(int(SECONDS)), "-p", str(pid)),
            *("-o", str(out / f"flame-{name}.svg")),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, pid in spied.items()
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
        if target.startswith("kinesphere"):
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
