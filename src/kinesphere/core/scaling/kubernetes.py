"""Kubernetes' Horizontal Pod Autoscaler, and KEDA above it, as they compute.

Sources: kubernetes/kubernetes pkg/controller/podautoscaler (replica_calculator.go, horizontal.go)
and the KEDA 2 documentation. KEDA itself only moves a workload between 0 and 1; from 1 on the HPA
decides, and it cannot choose which replica goes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from kinesphere.core.scaling.limits import bounded, largest_of, present, replicas_of, worked_at
from kinesphere.core.scaling.values import Limits, Memory, Phase, Plan, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Hpa:
    """How an HPA moves towards what its metrics ask for. Defaults are Kubernetes' own.

    Attributes:
        tolerance: Relative distance from the target within which nothing changes.
        stabilise_up: s over which the smallest recommendation counts on the way up.
        stabilise_down: s over which the largest recommendation counts on the way down.
        up_percent: Growth allowed in `period`, in percent of the replicas at its start.
        up_pods: Replicas allowed to be added in `period`; the larger of both counts.
        down_percent: Shrinkage allowed in `period`, in percent.
        period: s.
    """

    tolerance: float = 0.1
    stabilise_up: float = 0.0
    stabilise_down: float = 300.0
    up_percent: float = 100.0
    up_pods: int = 4
    down_percent: float = 100.0
    period: float = 15.0


def average_value(metric: float, target: float, current: int, tolerance: float) -> int:
    """Replicas for a total `metric` of which each may have `target`."""
    if current > 0 and abs(metric / (target * current) - 1.0) <= tolerance:
        return current
    return math.ceil(metric / target)


def utilisation(shares: float, target: float, ready: int, starting: int, tolerance: float) -> int:
    """Replicas for a mean `shares` of a resource over `ready` replicas, each to use `target`.

    On the way up replicas that are not ready yet count as using nothing; where that turns the
    decision round, nothing changes.
    """
    current = ready + starting
    if ready == 0:
        return current
    ratio = shares / target
    if not starting or ratio < 1.0:
        if abs(ratio - 1.0) <= tolerance:
            return current
        return math.ceil(ratio * ready)
    damped = ratio * ready / current
    if abs(damped - 1.0) <= tolerance or damped < 1.0:
        return current
    return math.ceil(damped * current)


def behave(
    hpa: Hpa, snapshot: Snapshot, limits: Limits, memory: Memory, asked: tuple[int, str]
) -> tuple[Plan, Memory]:
    """Stabilise what was asked for, limit its speed, and keep it within the limits."""
    recommended, why = asked
    now = snapshot.now
    current = len(present(snapshot.replicas or ()))
    desired = bounded(recommended, snapshot, limits, memory)
    kept = largest_of(memory.recommended, now, desired, hpa.stabilise_down)
    lows = smallest_of(memory.samples, now, desired, hpa.stabilise_up)
    highest, lowest = kept[0][1], int(lows[0][1])
    wanted = current
    if lowest > current:
        wanted = lowest
    elif highest < current:
        wanted = highest
    scaled = tuple((at, by) for at, by in memory.scaled if now - at < hpa.period)
    if wanted > current:
        before = current - sum(by for _, by in scaled if by > 0)
        room = max(math.ceil(before * (1 + hpa.up_percent / 100)), before + hpa.up_pods)
        wanted = min(wanted, max(room, current))
    elif wanted < current:
        before = current - sum(by for _, by in scaled if by < 0)
        wanted = max(wanted, min(math.floor(before * (1 - hpa.down_percent / 100)), current))
    wanted = bounded(wanted, snapshot, limits, memory)
    if wanted != current:
        scaled = (*scaled, (now, wanted - current))
    held = ""
    if wanted > desired:
        held = ", as no more may go at once"
        if highest >= wanted:
            held = f", as {highest} were asked for in the last {hpa.stabilise_down:g} s"
    elif wanted < desired:
        held = ", as no more may come at once"
        if lowest <= wanted:
            held = f", as {lowest} were asked for in the last {hpa.stabilise_up:g} s"
    reason = f"{replicas_of(wanted)}{held}: {why}"
    plan = Plan(replicas=wanted, drain=None, recommended=recommended, reason=reason)
    return plan, Memory(
        wanted=wanted,
        recommended=kept,
        scaled=scaled,
        samples=lows,
        worked_at=worked_at(snapshot, memory),
    )


def smallest_of(
    recommended: Sequence[tuple[float, float]], now: float, latest: int, window: float
) -> tuple[tuple[float, float], ...]:
    """The recommendations to keep, with `latest` among them; the first is the smallest."""
    kept = [(at, n) for at, n in recommended if n < latest and now - at < window]
    return (*kept, (now, float(latest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class KedaQueue:
    """KEDA's triggers, of which the HPA takes the largest.

    Attributes:
        limits: Within what it may move.
        interval: s; an HPA looks every 15.
        waiting: Waiting jobs for each replica.
        busy: Device utilisation for each replica, 0 to 1, as a second trigger; None for none.
        hpa: How the HPA below moves.
    """

    name: ClassVar[str] = "keda-queue"
    needs: ClassVar[tuple[str, ...]] = ("queued",)

    limits: Limits = field(default_factory=Limits)
    interval: float = 15.0
    waiting: float = 3.0
    busy: float | None = None
    hpa: Hpa = field(default_factory=Hpa)

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        asked = _by_queue(snapshot, self.waiting, self.hpa)
        if self.busy is not None and snapshot.busy is not None:
            asked = max(asked, _by_use(snapshot, snapshot.busy, self.busy, self.hpa))
        return behave(self.hpa, snapshot, self.limits, memory, asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class KedaUtilisation:
    """KEDA on the devices' utilisation alone.

    Attributes:
        limits: Within what it may move.
        interval: s.
        busy: Device utilisation for each replica, 0 to 1.
        hpa: How the HPA below moves.
    """

    name: ClassVar[str] = "keda-utilisation"
    needs: ClassVar[tuple[str, ...]] = ("busy",)

    limits: Limits = field(default_factory=Limits)
    interval: float = 15.0
    busy: float = 0.85
    hpa: Hpa = field(default_factory=Hpa)

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        asked = _by_use(snapshot, snapshot.busy or 0.0, self.busy, self.hpa)
        return behave(self.hpa, snapshot, self.limits, memory, asked)


def _by_queue(snapshot: Snapshot, target: float, hpa: Hpa) -> tuple[int, str]:
    queued, current = snapshot.queued or 0, len(present(snapshot.replicas or ()))
    number = average_value(queued, target, current, hpa.tolerance)
    return number, f"{queued} jobs wait, {target:g} to each replica"


def _by_use(snapshot: Snapshot, used: float, target: float, hpa: Hpa) -> tuple[int, str]:
    replicas = present(snapshot.replicas or ())
    ready = sum(r.phase is not Phase.STARTING for r in replicas)
    number = average_value(used * ready, target, len(replicas), hpa.tolerance)
    return number, f"devices are {used:.0%} busy, {target:.0%} is the target"


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaCpu:
    """An HPA on a resource's utilisation: the CPU's, where it is measured, or else the device's.

    Attributes:
        limits: Within what it may move.
        interval: s.
        target: Utilisation to keep, 0 to 1.
        hpa: How it moves.
    """

    name: ClassVar[str] = "hpa-cpu"
    needs: ClassVar[tuple[str, ...]] = ("busy",)

    limits: Limits = field(default_factory=Limits)
    interval: float = 15.0
    target: float = 0.7
    hpa: Hpa = field(default_factory=Hpa)

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        replicas = present(snapshot.replicas or ())
        starting = sum(r.phase is Phase.STARTING for r in replicas)
        used = (snapshot.busy if snapshot.cpu is None else snapshot.cpu) or 0.0
        ready = len(replicas) - starting
        number = utilisation(used, self.target, ready, starting, self.hpa.tolerance)
        why = f"replicas are {used:.0%} busy, {self.target:.0%} is the target"
        return behave(self.hpa, snapshot, self.limits, memory, (number, why))
