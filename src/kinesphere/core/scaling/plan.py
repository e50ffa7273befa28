"""The one function that decides: `plan(snapshot, policy, memory)`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final, Protocol

from kinesphere.core.scaling.knative import Knative
from kinesphere.core.scaling.kubernetes import HpaCpu, KedaQueue, KedaUtilisation
from kinesphere.core.scaling.limits import present, replicas_of
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.simple import Schedule, Static, Threshold
from kinesphere.core.scaling.values import Limits, Memory, Plan, Snapshot


class Policy(Protocol):
    """Settings of a policy, a frozen value, and the decision they lead to.

    Attributes:
        name: By which it is chosen.
        needs: Fields of the snapshot without which it cannot decide.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    @property
    def limits(self) -> Limits:
        """Within what it may move."""
        ...

    @property
    def interval(self) -> float:
        """Seconds between two decisions."""
        ...

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """Decide; what `needs` names, and the replicas, are known."""
        ...


POLICIES: Final[Mapping[str, type[Policy]]] = {
    policy.name: policy
    for policy in (
        LookAhead, KedaQueue, KedaUtilisation, Threshold, Static, Schedule, HpaCpu, Knative,
    )
}  # fmt: skip
"""By name; each can be made from its settings by keyword, and all settings have defaults."""


def plan(snapshot: Snapshot, policy: Policy, memory: Memory) -> tuple[Plan, Memory]:
    """Decide how many replicas a pool should have.

    A pure function: the same snapshot, policy and memory give the same plan. Give it the memory
    that it returned last time, or `Memory()` at the first. Where a metric that the policy needs is
    unknown, the last plan holds, because an error is not a zero.
    """
    missing = [name for name in ("replicas", *policy.needs) if getattr(snapshot, name) is None]
    if not missing:
        return policy.decide(snapshot, memory)
    held = memory.wanted
    if held is None:
        held = len(present(snapshot.replicas or ()))
        if snapshot.replicas is None:
            held = policy.limits.minimum
    unknown = " and ".join(missing)
    decided = Plan(
        replicas=held,
        drain=(),
        recommended=held,
        reason=f"{replicas_of(held)}, as before: {unknown} not known, and unknown is not none",
    )
    return decided, replace(memory, wanted=held)
