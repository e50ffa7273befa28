"""Knative's autoscaler, as it computes.

Source: knative/serving pkg/autoscaler/scaling/autoscaler.go and its documented defaults. Work that
waits counts as concurrency, as it does in Knative's activator.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from kinesphere.core.scaling.limits import bounded, present, replicas_of, worked_at
from kinesphere.core.scaling.values import Limits, Memory, Phase, Plan, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Knative:
    """Average concurrency over a stable window, or over a short one in a panic.

    Attributes:
        limits: Within what it may move.
        interval: s between two decisions.
        utilisation: Part of a replica's batch limit that is its target concurrency.
        stable: s of the stable window.
        panic: s of the panic window.
        panic_at: Wanted over ready replicas, by the panic window, from which it panics.
        down_rate: Replicas over wanted ones, at most, in one step down.
    """

    name: ClassVar[str] = "knative"
    needs: ClassVar[tuple[str, ...]] = ("queued", "running")

    limits: Limits = field(default_factory=Limits)
    interval: float = 2.0
    utilisation: float = 0.7
    stable: float = 60.0
    panic: float = 6.0
    panic_at: float = 2.0
    down_rate: float = 2.0

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        now = snapshot.now
        replicas = present(snapshot.replicas or ())
        ready = max(sum(r.phase is not Phase.STARTING for r in replicas), 1)
        concurrency = float((snapshot.queued or 0) + (snapshot.running or 0))
        kept = tuple(each for each in memory.samples if now - each[0] < self.stable)
        samples = (*kept, (now, concurrency))
        limit = snapshot.service.batch_limit if snapshot.service is not None else 1
        target = self.utilisation * limit
        least = math.floor(ready / self.down_rate)
        stable = max(math.ceil(_mean(samples, now, self.stable) / target), least)
        panic = max(math.ceil(_mean(samples, now, self.panic) / target), least)
        until = memory.panic_until
        if panic / ready >= self.panic_at:
            until = now + self.stable
        elif until is not None and now > until:
            until = None
        asked = stable
        if until is not None:
            asked = max(panic, memory.wanted or 0, ready)
        wanted = bounded(asked, snapshot, self.limits, memory)
        how = f"over {self.panic:g} s in a panic" if until is not None else f"{self.stable:g} s"
        plan = Plan(
            replicas=wanted,
            drain=None,
            recommended=asked,
            reason=f"{replicas_of(wanted)}: {concurrency:.0f} jobs are here now, and the mean "
            f"{how} asks for {asked}",
        )
        return plan, Memory(
            wanted=wanted,
            samples=samples,
            panic_until=until,
            worked_at=worked_at(snapshot, memory),
        )


def _mean(samples: tuple[tuple[float, float], ...], now: float, window: float) -> float:
    inside = [value for at, value in samples if now - at < window]
    return sum(inside) / len(inside)
