"""What came of a load: figures over the requests. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kinesphere.bench.workload import SHORT_CLIP, Task, Workload

LEVELS: Final = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request and its end.

    Attributes:
        task: What was asked for.
        clip_seconds: Length of the motion, or None.
        at: Seconds after the start of the load when it was sent.
        seconds: From sending it to its end.
        state: "succeeded", "failed", …; "refused" with a code for what was not accepted; "lost"
            for what was accepted and has no end.
        code: The stable error code, or "".
        attempts: Claims that it took.
        cached: Whether it was served from the cache, or joined another's run.
    """

    task: Task
    clip_seconds: float | None
    at: float
    seconds: float
    state: str
    code: str = ""
    attempts: int = 1
    cached: bool = False

    @property
    def served(self) -> bool:
        """Whether the user got what was asked for."""
        return self.state == "succeeded"


@dataclass(frozen=True, slots=True)
class Busy:
    """How many replicas of a pool were busy and ready at one moment."""

    at: float
    pool: str
    busy: int
    serving: int


def at_speed(outcomes: Sequence[Outcome], speed: float) -> list[Outcome]:
    """The same on the scale of a load that was sent `speed` times as fast."""
    return [replace(o, at=o.at * speed, seconds=o.seconds * speed) for o in outcomes]


def percentile(values: Sequence[float], level: float) -> float | None:
    """The smallest value that at least `level` percent do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * level / 100.0) - 1)]


def latencies(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Number, mean and percentiles of the served, in seconds."""
    served = [o.seconds for o in outcomes if o.served]
    figures: dict[str, Any] = {"served": len(served)}
    if served:
        figures["mean"] = round(sum(served) / len(served), 4)
    for level in LEVELS:
        value = percentile(served, level)
        figures[f"p{level}"] = None if value is None else round(value, 4)
    return figures


def groups(outcomes: Sequence[Outcome]) -> dict[str, Sequence[Outcome]]:
    """The outcomes by what is told apart: short motions, long motions, meshes."""
    by: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by.setdefault(_group(outcome), []).append(outcome)
    return dict(sorted(by.items()))


def _group(outcome: Outcome) -> str:
    if outcome.clip_seconds is None:
        return outcome.task
    side = "under" if outcome.clip_seconds < SHORT_CLIP else "from"
    return f"{outcome.task} {side} {SHORT_CLIP:g} s"


def utilisation(samples: Sequence[Busy]) -> dict[str, float]:
    """Mean share of its ready replicas that were busy, by pool."""
    busy: Counter[str] = Counter()
    serving: Counter[str] = Counter()
    for sample in samples:
        busy[sample.pool] += sample.busy
        serving[sample.pool] += sample.serving
    return {pool: round(busy[pool] / serving[pool], 4) for pool in sorted(serving) if serving[pool]}


def summary(
    outcomes: Sequence[Outcome],
    samples: Sequence[Busy],
    seconds: float,
    lags: Sequence[float] = (),
) -> dict[str, Any]:
    """Every figure of a load that took `seconds`, JSON values only.

    `lag_p95` is how late, in seconds, the process that sends was itself.
    """
    served = sum(outcome.served for outcome in outcomes)
    accepted = sum(outcome.state != "refused" for outcome in outcomes)
    codes = Counter(o.code or o.state for o in outcomes if not o.served)
    return {
        "seconds": round(seconds, 3),
        "sent": len(outcomes),
        "accepted": accepted,
        "served": served,
        "lost": sum(outcome.state == "lost" for outcome in outcomes),
        "success": round(served / accepted, 5) if accepted else None,
        "throughput": round(served / seconds, 3) if seconds > 0.0 else 0.0,
        "cached": sum(outcome.cached for outcome in outcomes),
        "retried": sum(outcome.attempts > 1 for outcome in outcomes),
        "latency": latencies(outcomes),
        "by_kind": {name: latencies(found) for name, found in groups(outcomes).items()},
        "errors": dict(codes.most_common()),
        "utilisation": utilisation(samples),
        "lag_p95": percentile(lags, 95),
    }


def sustained(outcomes: Sequence[Outcome], load: Workload) -> float | None:
    """Requests a second of a closed loop under its full load, by Little's law; else None.

    Neither the rise of the load nor its end counts, which may be half of a short run.
    """
    full = [o.seconds for o in outcomes if o.served and o.at >= load.ramp]
    if not load.users or not full:
        return None
    return round(load.users / (sum(full) / len(full) + load.think), 3)


def over_time(outcomes: Sequence[Outcome], bins: int) -> Sequence[Mapping[str, float]]:
    """Served requests a second and their p95, s, in equal bins of the time of their ends."""
    if not outcomes:
        return ()
    last = max(o.at + o.seconds for o in outcomes)
    width = max(last / bins, 1e-9)
    filled: list[list[float]] = [[] for _ in range(bins)]
    for outcome in outcomes:
        if outcome.served:
            end = outcome.at + outcome.seconds
            filled[min(bins - 1, int(end / width))].append(outcome.seconds)
    return tuple(
        {
            "at": round((index + 0.5) * width, 3),
            "throughput": len(found) / width,
            "p95": percentile(found, 95) or 0.0,
        }
        for index, found in enumerate(filled)
    )
