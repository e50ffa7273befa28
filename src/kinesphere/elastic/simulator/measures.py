"""What a result comes to, in numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from kinesphere.elastic.simulator.values import Result

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """A result in numbers.

    Attributes:
        policy: Which policy decided.
        jobs: How many were done: all that came.
        met: Share of the jobs with a deadline that met it; 1 where none had one.
        wait_mean: s from a job's arrival to its start.
        wait_p50: s.
        wait_p95: s.
        wait_p99: s.
        wait_max: s.
        gpu_hours: Paid replica hours, from order to end: cold starts and draining included.
        cost: Of those hours, by the prices of their tiers.
        starts: Replicas that were ordered after the start of the trace.
        starts_per_hour: Of the trace.
        replicas_mean: Paid replicas on average.
        replicas_max: Paid replicas at most.
        busy: Share of the paid time that was spent on batches.
        lost: Attempts that were lost with a spot replica.
    """

    policy: str
    jobs: int
    met: float
    wait_mean: float
    wait_p50: float
    wait_p95: float
    wait_p99: float
    wait_max: float
    gpu_hours: float
    cost: float
    starts: int
    starts_per_hour: float
    replicas_mean: float
    replicas_max: int
    busy: float
    lost: int

    def as_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        return asdict(self)


def measure(result: Result) -> Measures:
    """Add up a result."""
    waits = sorted(run.wait for run in result.runs)
    due = [run for run in result.runs if run.arrival.deadline is not None]
    paid = sum(r.ended - r.ordered for r in result.rentals)
    starts = sum(not r.initial for r in result.rentals)
    return Measures(
        policy=result.policy,
        jobs=len(result.runs),
        met=sum(run.met for run in due) / len(due) if due else 1.0,
        wait_mean=sum(waits) / len(waits) if waits else 0.0,
        wait_p50=_quantile(waits, 0.5),
        wait_p95=_quantile(waits, 0.95),
        wait_p99=_quantile(waits, 0.99),
        wait_max=waits[-1] if waits else 0.0,
        gpu_hours=paid / HOUR,
        cost=sum((r.ended - r.ordered) * r.tier.price for r in result.rentals) / HOUR,
        starts=starts,
        starts_per_hour=starts * HOUR / result.duration,
        replicas_mean=paid / result.ended,
        replicas_max=max((n for _, n in curve(result)), default=0),
        busy=sum(r.busy for r in result.rentals) / paid if paid > 0.0 else 0.0,
        lost=sum(run.attempts - 1 for run in result.runs),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank."""
    return ordered[ceil(share * len(ordered)) - 1] if ordered else 0.0


def curve(result: Result, *, ready: bool = False) -> list[tuple[float, int]]:
    """How many replicas were paid for, or were ready, from each moment on."""
    changes: dict[float, int] = {0.0: 0}
    for rental in result.rentals:
        began = rental.ready if ready else rental.ordered
        if began < rental.ended:
            changes[began] = changes.get(began, 0) + 1
            changes[rental.ended] = changes.get(rental.ended, 0) - 1
    steps: list[tuple[float, int]] = []
    number = 0
    for when in sorted(changes):
        number += changes[when]
        if not steps or steps[-1][1] != number:
            steps.append((when, number))
    return steps
