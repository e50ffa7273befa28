"""What replicas cost, as far as the scaling policy names prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.core.scaling.division import Hardware
from kinesphere.core.scaling.tiers import next_tier
from kinesphere.ports import PoolStatus

HOUR: Final = 3600.0
_NOBODY: Final[Mapping[str, Hardware]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of the tiers that a policy file declares.

    Attributes:
        hardware: What the replicas of a pool may be on; a pool without has no known price.
        currency: ISO 4217 code of all prices, or "" where nobody says.
    """

    hardware: Mapping[str, Hardware] = field(default_factory=lambda: _NOBODY)
    currency: str = ""

    def replica(self, pool: str, members: Sequence[Status]) -> float | None:
        """An hour of one replica of a pool: the mean of those there are, else of the next one."""
        hardware = self.hardware.get(pool)
        if hardware is None:
            return None
        prices = {tier.name: tier.price for tier in hardware.tiers}
        there = [prices[each.tier] for each in _paid(members) if each.tier in prices]
        if there:
            return sum(there) / len(there)
        tier = next_tier(hardware.tiers, {}, hardware.on_demand)
        return None if tier is None else tier.price

    def all(self, pool: str, members: Sequence[Status]) -> float | None:
        """An hour of all replicas that a pool has."""
        price = self.replica(pool, members)
        return None if price is None else price * len(_paid(members))

    def job(self, pools: Mapping[str, PoolStatus], weight: float) -> float | None:
        """One job by itself in these pools: the time of a replica, and no idle time."""
        total = 0.0
        for pool, status in pools.items():
            price = self.replica(pool, status.members)
            if price is None:
                return None
            total += price / HOUR * status.service.batch_seconds(weight)
        return total


def _paid(members: Sequence[Status]) -> list[Status]:
    return [each for each in members if each.state is not ReplicaState.STOPPED]
