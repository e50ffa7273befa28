"""Whose turn it is: start-time fair queueing (Goyal, Vin and Cheng 1996), every job costing 1.

A lane is one pool and priority. Entering it gives a job a start tag; the lane's virtual time is
the largest tag claimed so far. Finish tags at or below the virtual time say nothing any more and
may be forgotten, so what a ledger has to keep is bounded by the users who wait.
"""

from typing import Final

from kinesphere.core.jobs import TERMINAL, Job, State

COST: Final = 1


def start_tag(virtual: int, finish: int | None) -> int:
    """The tag of a user's next job, given the lane's virtual time and the user's finish tag."""
    return virtual if finish is None else max(virtual, finish)


def enters(before: Job | None, after: Job) -> bool:
    """Whether the job takes a new place in a lane, rather than the one it had.

    It does when it is new, moves on to its next stage, is revived, or is raised by who joined it;
    an attempt that failed or was given back keeps its place. A job that waits for another's run has
    none, and one that inherits that run has the other's.
    """
    if after.ended or after.leader is not None:
        return False
    if before is not None and before.leader is not None:
        return False
    if before is not None and before.precedence != after.precedence:
        # While it runs, too: the place that it had, to go back to, was in another lane.
        return True
    if after.state is not State.QUEUED:
        return False
    return before is None or before.stage != after.stage or before.state in TERMINAL
