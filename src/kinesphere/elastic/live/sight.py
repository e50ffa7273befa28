"""A pool as the scaler sees it, from what the ledger and the replicas say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from kinesphere.core.admission import Service
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.core.scaling.division import Hardware, asked, unit
from kinesphere.core.scaling.tiers import Tier
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
is not there: another is to do its work. Nor is one that sleeps, until the plan asks for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one pool at one moment.

    Attributes:
        statuses: Its replicas, or None where they are not known.
        backlog: What it has to do, or None where the ledger did not answer.
        queue: The first LOOK waiting jobs in order of claims, or None likewise.
        pool: The pool's measures.
        arrived: Jobs that came to it since the scaler began, by their weight: twice the work is
            twice the load.
        recent: The last of them, as they came.
        busy: Share of its ready replicas' time that was spent working lately, or None.
        first_start: s that a start is taken to need before one was measured.
        hardware: What the replicas may be on, or None where all are on the same.
    """

    statuses: Sequence[Status] | None
    backlog: Backlog | None
    queue: Sequence[Queued] | None
    pool: PoolStatus | None
    arrived: float
    busy: float | None
    first_start: float
    hardware: Hardware | None = None
    recent: Sequence[Queued] = ()


def snapshot(seen: Seen, now: float) -> Snapshot:
    """The scaler's view of it. What is not known stays unknown."""
    cold_start = _cold_start(seen)
    service = _service(seen)
    replicas = _replicas(seen, now, cold_start)
    return Snapshot(
        now=now,
        replicas=replicas,
        waiting=_waiting(seen.queue, service),
        queued=None if seen.backlog is None else seen.backlog.waiting,
        running=None if seen.backlog is None else seen.backlog.running,
        arrived=seen.arrived,
        service=service,
        cold_start=cold_start,
        slack=_slack(seen.recent or seen.queue, service),
        busy=seen.busy,
        speed=_unit_speed(seen.hardware, service),
    )


def _service(seen: Seen) -> Service | None:
    """Batch times at speed 1. The replica with the most batches, which measured them, has its own.

    Before any was measured they are what the model declares, for speed 1.
    """
    if seen.pool is None or seen.hardware is None or not seen.pool.measured:
        return None if seen.pool is None else seen.pool.service
    best = max(seen.statuses or (), key=lambda each: each.batches, default=None)
    tier = None if best is None else _tier(best, seen.hardware)
    service = seen.pool.service
    if tier is None or tier.speed == 1.0:
        return service
    return replace(service, fixed=service.fixed * tier.speed, per_job=service.per_job * tier.speed)


def _tier(status: Status, hardware: Hardware) -> Tier | None:
    return next((tier for tier in hardware.tiers if tier.name == status.tier), None)


def _unit_speed(hardware: Hardware | None, service: Service | None) -> float:
    """Speed of the replicas in which a plan is reckoned."""
    return 1.0 if hardware is None else unit(hardware, asked(hardware, service, None)).speed


def _cold_start(seen: Seen) -> float:
    """Of the next replica: the waking of one that sleeps, else a start."""
    asleep = [each for each in seen.statuses or () if each.state is ReplicaState.ASLEEP]
    woken = [each.wake_seconds for each in asleep if each.wake_seconds is not None]
    if woken:
        return min(woken)
    measured = [
        status.load_seconds + (status.warm_seconds or 0.0)
        for status in seen.statuses or ()
        if status.load_seconds is not None
    ]
    # Not the longest: one start that met a busy disk would have the pool sized ahead of its load.
    return median(measured) if measured else seen.first_start


def _replicas(seen: Seen, now: float, cold_start: float) -> tuple[Replica, ...] | None:
    if seen.statuses is None:
        return None
    found, left = [], 0 if seen.hardware is None else seen.hardware.on_demand
    for each in seen.statuses:
        phase = _PHASES.get(each.state)
        if phase is None:
            continue
        tier = None if seen.hardware is None else _tier(each, seen.hardware)
        base = left > 0 and tier is not None and not tier.spot and phase is not Phase.DRAINING
        left -= base
        found.append(
            Replica(
                name=each.worker,
                phase=phase,
                until=_until(each, phase, now, cold_start),
                speed=1.0 if tier is None else tier.speed,
                base=base,
                tier=each.tier,
            )
        )
    return tuple(found)


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
    # A request that weighs as much as a typical one tells nothing of its work.
    return tuple(
        Waiting(
            since=job.ready_at,
            deadline=job.deadline,
            seconds=None if per_job is None or job.weight == 1.0 else job.weight * per_job,
        )
        for job in queue
    )


def _slack(jobs: Sequence[Queued] | None, service: Service | None) -> float | None:
    """Half of the jobs with a deadline could wait so long from when they came."""
    if service is None:
        return None
    given = [
        job.deadline - job.ready_at - service.batch_seconds(job.weight)
        for job in jobs or ()
        if job.deadline is not None
    ]
    return max(0.0, median(given)) if given else None
