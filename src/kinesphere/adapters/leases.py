"""What a renewal means for one hold."""

from kinesphere.core.jobs import Extend, Job, StaleToken, State
from kinesphere.core.transitions import decide
from kinesphere.ports import Hold, Standing


def renewed(job: Job | None, hold: Hold, lease: float, now: float) -> tuple[Standing, Job | None]:
    """How the holder stands, and the job with its longer lease where it still holds it."""
    if job is None:
        return Standing.LOST, None
    try:
        after, _ = decide(job, Extend(hold.token, now + lease, hold.progress), now)
    except StaleToken:
        if job.state is not State.CANCELLED or job.token != hold.token:
            return Standing.LOST, None
        return (Standing.CANCELLED if job.moved is None else Standing.MOVED), None
    return Standing.HELD, after
