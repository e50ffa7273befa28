"""What a number of replicas would mean for the jobs that wait and those that will come."""

import math
from collections.abc import Sequence
from heapq import heapify, heapreplace
from typing import NamedTuple

from kinesphere.core.admission import Service


class Due(NamedTuple):
    """A job in a forecast, waiting or expected.

    Attributes:
        since: When it came, or will come.
        start_by: When it must have been started for the forecast to be good.
        seconds: Its own share of a batch's time; the batch's fixed time comes on top.
    """

    since: float
    start_by: float
    seconds: float


class Fleet(NamedTuple):
    """Replicas in a forecast: when each is free, and its speed.

    Attributes:
        lanes: Those that are there or on their way, in the order in which they would be kept.
        new: One that is ordered now.
    """

    lanes: list[tuple[float, float]]
    new: tuple[float, float]


def fewest(
    room: range, guess: int, fleet: Fleet, jobs: Sequence[Due], service: Service
) -> tuple[int, tuple[Due, float] | None]:
    """The smallest number in `room` that is enough, or its last; and who is late with fewer.

    The least is tried first, then the guess and its neighbours, then by halves.
    """
    low, high = room[0], room[-1]
    late: tuple[Due, float] | None = None
    tries = [guess + 1, guess - 1, guess, low]
    while low < high:
        number = tries.pop() if tries else (low + high) // 2
        if not low <= number < high:
            continue
        free = fleet.lanes[:number] + [fleet.new] * (number - len(fleet.lanes))
        found = first_late(free, jobs, service)
        if found is None:
            high = number
        else:
            late, low = found, number + 1
    return low, late


def first_late(
    free: Sequence[tuple[float, float]], jobs: Sequence[Due], service: Service
) -> tuple[Due, float] | None:
    """The first job that would start too late, with its start, or None where all are in time.

    Jobs are taken in order, in batches, each by the replica that is free first.

    Args:
        free: When each replica is free, and its speed; in any order.
        jobs: In the order of their claims.
        service: Batch times at speed 1, and the batch limit.
    """
    if not free:
        return (jobs[0], math.inf) if jobs else None
    lanes = list(free)
    heapify(lanes)
    if service.batch_limit == 1:
        return _first_late_alone(lanes, jobs, service.fixed)
    position, count = 0, len(jobs)
    while position < count:
        at, speed = lanes[0]
        start = max(at, jobs[position].since)
        seconds = service.fixed
        for job in jobs[position : position + service.batch_limit]:
            if job.since > start:
                break
            if start > job.start_by:
                return job, start
            seconds += job.seconds
            position += 1
        heapreplace(lanes, (start + seconds / speed, speed))
    return None


def _first_late_alone(
    lanes: list[tuple[float, float]], jobs: Sequence[Due], fixed: float
) -> tuple[Due, float] | None:
    """The same for batches of one, which is where the time of a forecast goes. Uses up `lanes`."""
    for job in jobs:
        since, start_by, seconds = job
        start, speed = lanes[0]
        if start > start_by:
            return job, start
        start = start if start > since else since
        heapreplace(lanes, (start + (fixed + seconds) / speed, speed))
    return None


def delayed(replicas: int, load: float, patience: float) -> float:
    """Share of jobs that wait longer than `patience` at a steady random load.

    Erlang's C formula with the exponential tail of the wait, for arrivals at random. The tail is
    that of jobs of even length, exp(-2 (c - a) t / s), which Cosmetatos's and Kimura's correction
    (half the wait of exponential service) comes to in heavy traffic.

    Args:
        replicas: How many serve, c.
        load: Mean number of busy replicas, a.
        patience: How long a job may wait, in mean service times, t / s.
    """
    if load <= 0.0:
        return 0.0
    if replicas <= load:
        return 1.0
    blocked = 1.0
    for n in range(1, replicas + 1):
        blocked = load * blocked / (n + load * blocked)
    waits = replicas * blocked / (replicas - load * (1.0 - blocked))
    return waits * math.exp(-2.0 * (replicas - load) * patience)


def staffing(load: float, patience: float, missed: float, most: int) -> int:
    """The fewest replicas, at most `most`, at which no more than `missed` of the jobs are late."""
    least = max(1, math.floor(load))
    for replicas in range(least, most):
        if delayed(replicas, load, patience) <= missed:
            return replicas
    return most
