"""How many replicas a pool should have, and of which hardware: pure functions and values."""

from kinesphere.core.scaling.plan import POLICIES, Policy, plan
from kinesphere.core.scaling.values import Limits, Memory, Phase, Plan, Replica, Snapshot, Waiting

__all__ = [
    "POLICIES",
    "Limits",
    "Memory",
    "Phase",
    "Plan",
    "Policy",
    "Replica",
    "Snapshot",
    "Waiting",
    "plan",
]
