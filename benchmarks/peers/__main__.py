"""`python -m benchmarks.peers [--targets kinesphere,litserve] [--workloads W1,W2] [--out FOLDER]`.

Needs the dependency group `benchmarks`; each peer is installed into an environment of its own.
"""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import report
from benchmarks.peers.targets import TARGETS
from benchmarks.peers.workloads import WORKLOADS, Bench, Figures

LIMIT: Final = 280.0
"""Seconds that one workload may take of one target, so that all of them fit in 40 minutes."""


async def _within(seconds: float, measuring: Awaitable[Figures]) -> Figures:
    async with asyncio.timeout(seconds):
        return await measuring


def main() -> None:
    """Measure, and write `peers.json`, `peers.md` and plots."""
    told = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    told.add_argument("--targets", default=",".join(TARGETS), help="of: %(default)s")
    told.add_argument("--workloads", default=",".join(WORKLOADS), help="of: %(default)s")
    told.add_argument("--out", type=Path, default=Path("out/benchmark"))
    given = told.parse_args()
    targets = [TARGETS[name] for name in given.targets.split(",")]
    figures: dict[str, dict[str, Any]] = {}
    for target in targets:
        target.installed()
    for name in given.workloads.split(","):
        for target in targets:
            if name == "W7" and not target.name.startswith("kinesphere"):
                continue  # nobody else keeps results
            began, load = time.perf_counter(), os.getloadavg()[0]
            with tempfile.TemporaryDirectory(prefix="peers-") as folder:
                bench = Bench(target, Path(folder))
                try:
                    found = asyncio.run(_within(LIMIT, WORKLOADS[name](bench)))
                except (TimeoutError, OSError) as error:
                    found = {"failed": f"{type(error).__name__}: {error}"}
            took = round(time.perf_counter() - began, 1)
            figures.setdefault(name, {})[target.name] = found | {"load_before": load}
            print(f"{name} {target.name} ({took} s): {json.dumps(found)}", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }
    (given.out / "peers.json").write_text(
        json.dumps({"machine": machine, "figures": figures}, indent=1)
    )
    (given.out / "peers.md").write_text(report.table(figures, TARGETS))
    report.plots(figures, TARGETS, given.out)


if __name__ == "__main__":
    main()
