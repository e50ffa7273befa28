"""A pool as the scaler sees it, from what the ledger and the replicas say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from kinesphere.core.admission import Service
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.core.scaling.values import Phase, Replica, Snapshot, Waiting
from kinesphere.ports import Backlog, PoolStatus, Queued

LOOK: Final = 512
"""Waiting jobs that are looked at one by one; those beyond are counted."""

_PHASES: Final = {
    ReplicaState.STARTING: Phase.STARTING,
    ReplicaState.SETUP_FAILED: Phase.STARTING,
    ReplicaState.READY: Phase.IDLE,
    ReplicaState.BUSY: Phase.BUSY,
    ReplicaState.DRAINING: Phase.DRAINING,
}
"""A replica whose start failed tries again, so it is on its way. One that is defunct, or stopped,
is not there: another is to do its work."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one pool at one moment.

    Attributes:
        statuses: Its replicas, or None where they are not known.
        backlog: What it has to do, or None where the ledger did not answer.
        queue: The first LOOK waiting jobs in order of claims, or None likewise.
        pool: The pool's measures.
        arrived: Jobs that came to it since the scaler began.
        busy: Share of its ready replicas' time that was spent working lately, or None.
        first_start: s that a start is taken to need before one was measured.
    """

    statuses: Sequence[Status] | None
    backlog: Backlog | None
    queue: Sequence[Queued] | None
    pool: PoolStatus | None
    arrived: int
    busy: float | None
    first_start: float


def snapshot(seen: Seen, now: float) -> Snapshot:
    """The scaler's view of it. What is not known stays unknown."""
    cold_start = _cold_start(seen)
    service = seen.pool.service if seen.pool is not None else None
    return Snapshot(
        now=now,
        replicas=_replicas(seen.statuses, now, cold_start),
        waiting=_waiting(seen.queue, service),
        queued=None if seen.backlog is None else seen.backlog.waiting,
        running=None if seen.backlog is None else seen.backlog.running,
        arrived=seen.arrived,
        service=service,
        cold_start=cold_start,
        slack=_slack(seen.queue, service),
        busy=seen.busy,
    )


def _cold_start(seen: Seen) -> float:
    measured = [
        status.load_seconds + (status.warm_seconds or 0.0)
        for status in seen.statuses or ()
        if status.load_seconds is not None
    ]
    return max(measured, default=seen.first_start)


def _replicas(
    statuses: Sequence[Status] | None, now: float, cold_start: float
) -> tuple[Replica, ...] | None:
    if statuses is None:
        return None
    return tuple(
        Replica(name=each.worker, phase=phase, until=_until(each, phase, now, cold_start))
        for each in statuses
        if (phase := _PHASES.get(each.state)) is not None
    )


def _until(status: Status, phase: Phase, now: float, cold_start: float) -> float:
    if phase is Phase.IDLE:
        return status.since
    if phase is Phase.STARTING:
        return max(now, status.since + cold_start)
    return now + status.free_in


def _waiting(queue: Sequence[Queued] | None, service: Service | None) -> tuple[Waiting, ...] | None:
    if queue is None:
        return None
    per_job = None if service is None else service.per_job
    return tuple(
        Waiting(
            since=job.ready_at,
            deadline=job.deadline,
            seconds=None if per_job is None else job.weight * per_job,
        )
        for job in queue
    )


def _slack(queue: Sequence[Queued] | None, service: Service | None) -> float | None:
    """Half of the waiting jobs with a deadline could wait so long from when they came."""
    if service is None:
        return None
    given = [
        job.deadline - job.ready_at - service.batch_seconds(1)
        for job in queue or ()
        if job.deadline is not None
    ]
    return max(0.0, median(given)) if given else None
