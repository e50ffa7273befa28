"""Sends a fresh server as many requests made from its own document as one wants.

    python -m benchmarks.fuzz --requests 50000

Half of them are right by the document, half wrong. It prints what came back as JSON, and ends with
status 1 if there was a server error, or anything that the document does not say.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from tests.http.fuzzing import attack, operations
from tests.servers import ServerProcess

PORTION = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=3_600.0, help="stop after this time")
    parser.add_argument("--seed", type=int, default=0, help="of the first portion")
    options = parser.parse_args()
    # What libraries say of each other is not what this measures.
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder) / "data").start()
        try:
            report = fuzz(server.url, options.requests, options.seconds, options.seed)
        finally:
            server.stop()
        errors = [line for line in server.logged() if line["level"] == "error"]
    report["logged_errors"] = len(errors)
    print(json.dumps(report, indent=2))
    sys.exit(1 if report["wrong"] or errors else 0)


def fuzz(url: str, requests: int, seconds: float, first: int) -> dict[str, object]:
    """Go round the operations until enough was sent, each portion with the next seed."""
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    began = time.monotonic()
    everything = [(operation, mode) for operation in operations(url) for mode in GenerationMode]
    numbers = itertools.count(first)
    while statuses.total() < requests and time.monotonic() < began + seconds:
        for (operation, mode), number in zip(everything, numbers, strict=False):
            try:
                statuses += attack(operation, mode, PORTION, number)
            except FailureGroup as found:
                wrong.append(f"{mode.value} {operation.label}, seed {number}: {found.exceptions}")
    return {
        "requests": statuses.total(),
        "seconds": round(time.monotonic() - began, 1),
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "wrong": wrong,
    }


if __name__ == "__main__":
    main()
