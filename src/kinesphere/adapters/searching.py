"""A search over jobs that a ledger hands out one after the other, the same in all ledgers."""

from collections.abc import Iterable, Sequence

from kinesphere.core.jobs import Job
from kinesphere.core.searching import matches
from kinesphere.ports import SEARCH_LOOK, Found


def picked(jobs: Iterable[Job], count: int, words: Sequence[str], limit: int) -> Found:
    """The first `limit` of `count` jobs that match; more may follow them if they are SEARCH_LOOK.

    No job is taken that is not looked at.
    """
    found: list[Job] = []
    sought, last = tuple(words), None
    for looked, job in enumerate(jobs, 1):
        last = job.id
        if matches(job, sought):
            found.append(job)
        if len(found) >= limit and looked < count:
            return Found(tuple(found), last)
    return Found(tuple(found), last if count >= SEARCH_LOOK else None)
