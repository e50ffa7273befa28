"""How far estimates are from what comes of them, under steady load.

First in virtual time, where hours cost seconds, then with a real server whose engines sleep as
long as a device would work. Prints JSON: relative errors of the `eta` of each accepted job.

    PYTHONPATH=. python benchmarks/eta.py [--seconds 60]
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from tests import openloop, sleepers
from tests.servers import ServerProcess
from tests.service.simulated import trial
from tests.service.test_outlook import LOADS

RATES = {"batches": 3.0, "stages": 2.5}
"""Jobs a second: both pools are busy for about 80 % of the time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of load on the real server")
    seconds = parser.parse_args().seconds
    found = {"virtual": virtual(), "real": real(seconds)}
    print(json.dumps(found, indent=2))


def virtual() -> dict[str, Any]:
    """A quarter of an hour of each load."""
    found = {}
    for name, load in LOADS.items():
        outcome = asyncio.run(trial(seconds=900.0, settle=100.0, **load))
        found[name] = outcome.summary()
    return found


def real(seconds: float) -> dict[str, Any]:
    """Each model of `tests.sleepers`, one after the other, on one server."""
    with tempfile.TemporaryDirectory() as folder:
        settings = sleepers.environment(Path(folder) / "models", *RATES)
        server = ServerProcess(Path(folder) / "data", settings).start()
        try:
            return {
                model: openloop.told(
                    asyncio.run(
                        openloop.outcomes(
                            server.url, model, rate=rate, seconds=seconds, settle=seconds / 4.0
                        )
                    )
                )
                for model, rate in RATES.items()
            }
        finally:
            server.stop()


if __name__ == "__main__":
    main()
