"""What the scaler sees, what it decides, and what it remembers between two decisions.

All times are seconds since the epoch (UTC), given by the caller; all durations are seconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from kinesphere.core.admission import Service
from kinesphere.core.batching import BatchTime


class Phase(StrEnum):
    """What a replica is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"


class Replica(NamedTuple):
    """One replica of the pool.

    Attributes:
        name: Stable name, by which a plan says what to drain.
        phase: What it is doing.
        until: STARTING: when it is expected to be ready. BUSY and DRAINING: when its batch is
            expected to end, by measured batch times. IDLE: since when it has had no work.
        speed: How much faster it works than the pool's measured batch times say; 1 where all
            replicas are on one tier.
        base: Whether it is one of those on demand that a pool keeps under any that are spot.
        tier: The hardware it is on, or "" where that is not known or does not matter.
    """

    name: str
    phase: Phase
    until: float
    speed: float = 1.0
    base: bool = False
    tier: str = ""


class Waiting(NamedTuple):
    """One queued job.

    Attributes:
        since: When it became ready.
        deadline: When it should be done, or None where only the policy's target wait counts.
        seconds: Its own seconds of work, or None where the pool's measured time per job is the best
            that is known.
    """

    since: float
    deadline: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A pool at one moment. None is "not known", never "none".

    Attributes:
        now: When it was taken.
        replicas: Every replica, draining ones included.
        waiting: Queued jobs in the order in which they will be claimed; where there are very many,
            the first of them.
        queued: How many wait in all.
        running: Jobs that are being worked on.
        arrived: Jobs that came to the pool since some fixed moment, in typical ones: a counter that
            only grows, or starts again from 0.
        slack: Seconds that a job of this pool can typically wait and still meet its deadline: the
            median of recent ones; None where jobs have no deadlines.
        service: Batch times, measured, or None before anything was.
        cold_start: Seconds from ordering a replica until it is ready, as measured or declared.
        busy: Share of the ready replicas' time that was spent working over the last minute, 0 to 1:
            what a GPU utilisation gauge shows.
        cpu: Share of host CPU in use, 0 to 1.
        speed: Speed of the replica that would be ordered next; see `Replica`.
    """

    now: float
    replicas: tuple[Replica, ...] | None
    waiting: tuple[Waiting, ...] | None
    queued: int | None
    running: int | None
    arrived: float | None
    service: Service | None
    cold_start: float
    slack: float | None = None
    busy: float | None = None
    cpu: float | None = None
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the scaler decides.

    Attributes:
        replicas: How many there should be, those on their way included and draining ones not. The
            number that KEDA reads.
        drain: Names of idle replicas to stop, so that `replicas` is reached; None where the policy
            cannot choose, as an autoscaler that only sets a number cannot.
        recommended: What the load asks for now, before floors and stabilisation.
        reason: Why, in one sentence.
        tier: "larger" where the policy asks for a larger tier of hardware, else "".
    """

    replicas: int
    drain: tuple[str, ...] | None
    recommended: int
    reason: str
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a policy carries from one decision to the next; a plain value that can be stored.

    Attributes:
        wanted: The last plan's replicas, or None before the first.
        recommended: (when, replicas) that may still hold back a scale-in, oldest first.
        scaled: (when, change) of recent changes, for policies that limit their speed.
        samples: (when, value) of the policy's own metric over its longest window, oldest first.
        worked_at: When there was last any work, or None before the first look.
        panic_until: Until when a panic lasts, for policies that have one.
    """

    wanted: int | None = None
    recommended: tuple[tuple[float, int], ...] = ()
    scaled: tuple[tuple[float, int], ...] = ()
    samples: tuple[tuple[float, float], ...] = ()
    worked_at: float | None = None
    panic_until: float | None = None


@dataclass(frozen=True, slots=True)
class Warm:
    """A floor for a part of the day.

    Attributes:
        start: Seconds after midnight at which the replicas are to be ready.
        end: Seconds after midnight at which the floor ends; before `start` it ends the next day.
        replicas: How many at least.
        days: Days on which it starts, 0 for Monday to 6 for Sunday.
    """

    start: float
    end: float
    replicas: int
    days: tuple[int, ...] = field(default=(0, 1, 2, 3, 4, 5, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Within what a policy may move.

    Attributes:
        minimum: Replicas at least. 0 lets the pool sleep.
        maximum: Replicas at most.
        spare: Replicas beyond those that are busy, so that the next jobs find one free; none
            while a pool with `minimum` 0 sleeps.
        warm: Floors by time of day; the highest one in force counts.
        sleep_after: Seconds without any work after which a pool with `minimum` 0 goes from one
            replica to none. 300, as KEDA's cooldown.
        utc_offset: Seconds that the clock of `warm` is ahead of UTC.
    """

    minimum: int = 1
    maximum: int = 8
    spare: int = 0
    warm: tuple[Warm, ...] = ()
    sleep_after: float = 300.0
    utc_offset: float = 0.0


def service_of(measured: BatchTime, batch_limit: int) -> Service:
    """Batch times for planning, from those that batching measures.

    Batching follows the median, which a few slow batches do not bend; the work that a queue holds
    adds up by the mean. The line is scaled so that it gives the measured batches their total time.
    """
    lines = sum(measured.seconds(size) for size, _ in measured.measured)
    total = sum(seconds for _, seconds in measured.measured)
    scale = total / lines if lines > 0.0 and total > 0.0 else 1.0
    return Service(measured.fixed * scale, measured.per_job * scale, batch_limit)
