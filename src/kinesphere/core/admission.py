"""When a job will be done, and whether to take it at all.

A job passes through one pool a stage. In each it waits for what is claimed before it, is run in a
batch, and is delivered while the replica already does other work. The estimate is the outcome of
that course with expected times: what stands before it is dealt out to the replicas as they become
free, in whole batches, and what may still overtake it is added at the rate at which it has come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

BUSIEST: Final = 0.75
"""The largest part of a pool's time that work which overtakes is taken to need: a rate measured
over a minute is not one for ever."""

DEALT_SINGLY: Final = 2
"""Batches for each replica that are dealt out one by one; those before fill the replicas evenly."""

PRECISION: Final = 0.01
"""Relative, of the moment at which a job begins that others overtake."""

NEARLY_DONE: Final = 0.1
"""The part of its expected time that a batch which should have ended is taken to need yet."""

SHORTEST_BATCH: Final = 1e-3
"""Seconds; an engine that needs less keeps the platform busy, not its replica."""

SOONEST_RETRY: Final = 1.0
"""Seconds."""
QUEUE_SHARE: Final = 0.1
"""The part of a full queue that should have gone before those who were refused come again."""


@dataclass(frozen=True, slots=True)
class Service:
    """How fast one replica of a pool works: a batch of n takes `fixed + per_job * n` seconds.

    Attributes:
        fixed: s, from claim to a free device, before the first job.
        per_job: s that a typical job, of weight 1, adds.
        batch_limit: Jobs in one batch at most.
        delivery: s from a free device to a stored result; the replica works meanwhile.
    """

    fixed: float
    per_job: float
    batch_limit: int
    delivery: float = 0.0

    def batch_seconds(self, jobs: float) -> float:
        """Seconds for one batch of `jobs` typical jobs, or of jobs that weigh so much together."""
        return self.fixed + self.per_job * jobs


@dataclass(frozen=True, slots=True)
class Traffic:
    """What may come to a pool while a job waits there, by what came lately.

    Attributes:
        higher: Weight a second that comes with a higher priority.
        rivals: Jobs a second of other users with the same priority.
        rivals_ahead: Rivals that can overtake the job at most, by fair share.
        joining: Jobs a second in all, which fill up batches.
    """

    higher: float = 0.0
    rivals: float = 0.0
    rivals_ahead: int = 0
    joining: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """One pool on a job's course.

    Attributes:
        service: Its speed.
        measured: Whether that was measured.
        replicas: Replicas that are loaded and warm.
        free_in: Seconds until each replica is free that is, or soon will be, able to work.
        jobs: Jobs before this one that wait there.
        weight: Of those together.
        traffic: What may come.
        running: Seconds until the job is delivered there, when it is running; None when it waits.
        leaving: Jobs that run there and will be done before this one; they are before it in the
            next pool.
    """

    service: Service
    measured: bool
    replicas: int
    free_in: Sequence[float]
    jobs: int
    weight: float
    traffic: Traffic = field(default_factory=Traffic)
    running: float | None = None
    leaving: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a job is expected to be done, and what that rests on.

    Attributes:
        seconds: From now until it is done.
        start: From now until its next batch begins; 0 when it is running.
        ahead: Jobs that wait before it in its pool.
        work_ahead: Seconds of one replica's work before it: waiting jobs, and what is left of
            running batches and of starting replicas; over all its stages.
        replicas: Replicas that serve its pool now; 0 while none is ready.
        service_seconds: Of its own batches and deliveries.
        measured: Whether speeds were measured in all of its pools, or declared in some.
    """

    seconds: float
    start: float
    ahead: int
    work_ahead: float
    replicas: int
    service_seconds: float
    measured: bool


def estimate(course: Sequence[Stop], weight: float, ready_in: float = 0.0) -> Estimate:
    """Expect the end of a job.

    Args:
        course: The pools that are left of its course, the present one first.
        weight: Of the job.
        ready_in: Seconds until it may be claimed, while it backs off.
    """
    at, start, ahead, service_seconds = max(0.0, ready_in), 0.0, 0.0, 0.0
    feed = _Feed()
    for index, stop in enumerate(course):
        ahead += _queued_seconds(stop) + sum(stop.free_in)
        if stop.running is not None:
            at, service_seconds = stop.running, service_seconds + stop.running
        else:
            begin, end = _passed(stop, weight, at, feed)
            start = begin if index == 0 else start
            at, service_seconds = end, service_seconds + end - begin
        # Those before it are before it in the next pool too, and reach it from now on.
        first = min(stop.free_in, default=0.0)
        if not stop.leaving:
            first += stop.service.batch_seconds(1.0)
        feed = _Feed(
            feed.jobs + stop.jobs + stop.leaving, feed.weight + stop.weight + stop.leaving, first
        )
    return Estimate(
        seconds=at,
        start=start,
        ahead=course[0].jobs,
        work_ahead=ahead,
        replicas=course[0].replicas,
        service_seconds=service_seconds,
        measured=all(stop.measured for stop in course),
    )


def _queued_seconds(stop: Stop) -> float:
    """What the jobs that wait there before it need of one replica, in full batches."""
    batches = stop.jobs / stop.service.batch_limit
    return stop.service.fixed * batches + stop.service.per_job * stop.weight


@dataclass(frozen=True, slots=True)
class _Feed:
    """What comes from the stage before, ahead of a job: jobs, their weight, and when the first."""

    jobs: int = 0
    weight: float = 0.0
    first: float = 0.0


def _passed(stop: Stop, weight: float, arrives: float, feed: _Feed) -> tuple[float, float]:
    """When a job that arrives so begins and ends there."""
    service, limit = stop.service, stop.service.batch_limit
    jobs = stop.jobs + feed.jobs
    mean = (stop.weight + feed.weight) / jobs if jobs else 1.0
    batch = max(SHORTEST_BATCH, service.batch_seconds(limit * mean))

    def begins(more: float) -> float:
        """When it begins if so many more, on average, are placed before it."""
        fewer = jobs + int(more)
        part = more - int(more)
        soonest = _free(stop, feed, fewer // limit, batch)
        if part == 0.0 or (fewer + 1) % limit != 0:
            return max(arrives, soonest)
        latest = _free(stop, feed, fewer // limit + 1, batch)
        return max(arrives, soonest + part * (latest - soonest))

    begin, more = _overtaken(stop, arrives, begins, max(1, len(stop.free_in)) * limit / batch, mean)
    rest = (jobs + more) % limit
    joiners = min(limit - 1 - rest, max(0.0, stop.traffic.joining * (begin - arrives) - more))
    load = (rest + max(0.0, joiners)) * mean + weight
    return begin, begin + service.batch_seconds(load) + service.delivery


def _free(stop: Stop, feed: _Feed, batches: int, seconds: float) -> float:
    """When a replica is free after so many batches; those that are fed wait for the first."""
    own = min(batches, stop.jobs // stop.service.batch_limit)
    free = _dealt(stop.free_in or (0.0,), own, seconds)
    if batches > own and feed.jobs:
        free = [max(each, feed.first) for each in free]
    return min(_dealt(free, batches - own, seconds))


def _overtaken(
    stop: Stop,
    arrives: float,
    begins: Callable[[float], float],
    capacity: float,
    mean: float,
) -> tuple[float, float]:
    """When it begins, and how many are placed before it until then: the least fixed point.

    `begins` tells the one from the other; `capacity` is how many jobs a second the pool can do.
    """
    traffic = stop.traffic
    higher = min(BUSIEST * capacity, traffic.higher / mean if mean > 0.0 else 0.0)

    def placed(begin: float) -> float:
        waits = begin - arrives
        return higher * waits + min(traffic.rivals * waits, float(traffic.rivals_ahead))

    low = begins(0.0)
    high = begins(placed(low))
    if high - low <= PRECISION * low:
        return high, placed(high)
    while (later := begins(placed(high))) > high:
        low, high = high, arrives + 2.0 * (later - arrives)
    while high - low > PRECISION * high:
        middle = (low + high) / 2.0
        if begins(placed(middle)) > middle:
            low = middle
        else:
            high = middle
    return high, placed(high)


def _dealt(free_in: Sequence[float], batches: int, seconds: float) -> list[float]:
    """When replicas are free after so many batches, each given to the first that is free."""
    free = sorted(free_in)
    singly = DEALT_SINGLY * len(free)
    if batches > singly:
        # As many replicas as are reached by then share the work evenly.
        work = (batches - singly) * seconds
        for count in range(1, len(free) + 1):
            level = (work + sum(free[:count])) / count
            if count == len(free) or level <= free[count]:
                free[:count] = [level] * count
                break
        batches = singly
    heapify(free)
    for _ in range(batches):
        heappush(free, heappop(free) + seconds)
    return free


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait in one pool.

    Attributes:
        jobs: So many jobs.
        seconds: So long, in seconds, until a new job begins; None for any.
    """

    jobs: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a job is not taken: an error code, a sentence, and when to come again, if ever."""

    code: str
    detail: str
    retry_after: float | None


def refusal(
    expected: Estimate,
    waiting: int,
    left: float | None,
    bounds: Bounds,
    hoped: Estimate | None = None,
) -> Refusal | None:
    """Why a new job is not taken, or None when it is.

    Args:
        expected: Of this job.
        waiting: Jobs that wait in its pool, all together.
        left: Seconds until its deadline, or None without one.
        bounds: Of the pool.
        hoped: Of this job, with the replicas that may be ordered for it; None where none may.
    """
    if waiting >= bounds.jobs:
        clear = QUEUE_SHARE * expected.start
        detail = f"{waiting} jobs are waiting; no more are taken."
        return Refusal("QUEUE_FULL", detail, max(SOONEST_RETRY, clear))
    if bounds.seconds is not None and expected.start > bounds.seconds:
        over = expected.start - bounds.seconds
        detail = (
            f"It would wait {expected.start:.1f} s; no more than {bounds.seconds:g} s is taken."
        )
        return Refusal("QUEUE_FULL", detail, max(SOONEST_RETRY, over))
    if left is None:
        return None
    # What was declared and never measured is no reason to refuse, unless by the queue alone.
    best = hoped or expected
    needed = best.seconds if best.measured else best.start
    if needed <= left:
        return None
    late = f"It would be done in {best.seconds:.1f} s, and its deadline is in {left:.1f} s."
    if best.service_seconds > left:
        return Refusal("DEADLINE_UNREACHABLE", f"{late} It cannot be made so fast.", None)
    return Refusal("DEADLINE_UNREACHABLE", late, max(SOONEST_RETRY, needed - left))
