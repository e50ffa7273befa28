"""A process that submits jobs to a SQLite ledger and says which were accepted, until it is killed.

Arguments: the path of the ledger, and a word that makes the ids of this process its own.
"""

import asyncio
import sys
from itertools import count

from kinesphere.adapters.ledger_sql import SqlLedger
from tests.clock import VirtualClock
from tests.contracts.ledger import Jobs, RecordingFeed


async def submit_for_ever(path: str, word: str) -> None:
    clock = VirtualClock()
    ledger = await SqlLedger.open(f"sqlite:///{path}", clock, RecordingFeed())
    numbers = count()

    async def submitter() -> None:
        while True:
            job = Jobs(clock)(id=f"{word}{next(numbers):09d}")
            submission = await ledger.submit(job)
            sys.stdout.write(f"{submission.job.id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(submitter() for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(submit_for_ever(sys.argv[1], sys.argv[2]))
