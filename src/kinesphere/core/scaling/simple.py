"""Policies that look at one number, or at none."""

from dataclasses import dataclass, field
from typing import ClassVar

from kinesphere.core.scaling.limits import bounded, floor, present, replicas_of, worked_at
from kinesphere.core.scaling.values import Limits, Memory, Phase, Plan, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """Always as many as the limits' minimum."""

    name: ClassVar[str] = "static"
    needs: ClassVar[tuple[str, ...]] = ()

    limits: Limits = field(default_factory=Limits)
    interval: float = 60.0

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        return _fixed(self.limits.minimum, snapshot, memory, "set by hand")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """As many as the floors in force say, and nothing more."""

    name: ClassVar[str] = "schedule"
    needs: ClassVar[tuple[str, ...]] = ()

    limits: Limits = field(default_factory=Limits)
    interval: float = 30.0

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        due = floor(self.limits, snapshot.now, snapshot.cold_start)
        return _fixed(due, snapshot, memory, "by the time of day")


def _fixed(number: int, snapshot: Snapshot, memory: Memory, why: str) -> tuple[Plan, Memory]:
    plan = Plan(
        replicas=number,
        drain=None,
        recommended=number,
        reason=f"{replicas_of(number)}: {why}",
    )
    return plan, Memory(wanted=number, worked_at=worked_at(snapshot, memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Steps at fixed lengths of the queue: the manager that many write first.

    Over `long` waiting jobs one replica more, over `longer` two more; with devices over `busy` and
    the CPU over `cpu`, a larger tier. One less when nothing waits and a replica is idle.

    Attributes:
        limits: Within what it may move.
        interval: s between two decisions.
        long: Waiting jobs.
        longer: Waiting jobs.
        busy: Device utilisation, 0 to 1.
        cpu: Host CPU in use, 0 to 1.
    """

    name: ClassVar[str] = "threshold"
    needs: ClassVar[tuple[str, ...]] = ("queued",)

    limits: Limits = field(default_factory=Limits)
    interval: float = 30.0
    long: int = 50
    longer: int = 100
    busy: float = 0.85
    cpu: float = 0.8

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        replicas = present(snapshot.replicas or ())
        queued, current = snapshot.queued or 0, len(replicas)
        step = 2 if queued > self.longer else 1 if queued > self.long else 0
        if queued == 0 and any(r.phase is Phase.IDLE for r in replicas):
            step = -1
        wanted = bounded(current + step, snapshot, self.limits, memory)
        hot = (snapshot.busy or 0.0) > self.busy and (snapshot.cpu or 0.0) > self.cpu
        plan = Plan(
            replicas=wanted,
            drain=None,
            recommended=current + step,
            reason=f"{replicas_of(wanted)}: {queued} jobs wait, steps are at {self.long} and "
            f"{self.longer}",
            tier="larger" if hot else "",
        )
        return plan, Memory(wanted=wanted, worked_at=worked_at(snapshot, memory))
