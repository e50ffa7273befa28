"""The engine that every target serves. It needs nothing but the standard library.

A batch of n takes `PEERS_FIXED` + `PEERS_PER_JOB` * n seconds, and gives 1 kB a job. What was
done goes to the file `PEERS_DONE`, a line a job, after the batch: by that lost and repeated work is
counted, whatever a target itself believes.
"""

import os
import time
from collections.abc import Sequence

SIZE = 1024
BATCH = int(os.environ.get("PEERS_BATCH", "1"))
"""Most jobs in a batch."""


class Engine:
    """One device."""

    def __init__(self) -> None:
        self._fixed = float(os.environ.get("PEERS_FIXED", "0"))
        self._per_job = float(os.environ.get("PEERS_PER_JOB", "0"))
        done = os.environ.get("PEERS_DONE", "")
        self._done = os.open(done, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if done else None

    def run(self, jobs: Sequence[str]) -> list[str]:
        """Results of one batch, in order."""
        if seconds := self._fixed + self._per_job * len(jobs):
            time.sleep(seconds)
        if self._done is not None:
            os.write(self._done, "".join(f"{job}\n" for job in jobs).encode())
        return [job.ljust(SIZE, ".") for job in jobs]
