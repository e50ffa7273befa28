"""Which hardware: the cheapest mix of tiers that keeps the waits short.

A mix is judged as one group of replicas of its mean speed, by the same steady-load formula that
sizes a pool. What a job needs of a single replica, room and speed, decides which tiers count at
all: where none of the present ones is enough, the mix moves to a larger tier.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from types import MappingProxyType
from typing import Final

from kinesphere.core.scaling.forecast import delayed

EXACT: Final = 16
"""The largest mix of which every one is tried; of a larger one, so many replicas are chosen freely
and the rest are of the tier of the best value."""

HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A class of hardware that a pool may use.

    Attributes:
        name: Stable name.
        price: Of one replica for an hour, in any one currency.
        speed: How much faster than the reference replica it works.
        memory: GB of device memory for a job; infinite where it is never short.
        spot: Whether the provider may take it away.
        notice: s between the provider's notice and the loss.
        losses: Notices an hour that one such replica can expect.
        most: Replicas of it that can be had.
    """

    name: str
    price: float
    speed: float = 1.0
    memory: float = math.inf
    spot: bool = False
    notice: float = 30.0
    losses: float = 0.0
    most: int = 64

    def __post_init__(self) -> None:
        """Refuse what no hardware is."""
        if self.speed <= 0.0 or self.price < 0.0:
            raise ValueError(f"tier {self.name}: speed must be over 0, and price not under 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a pool's work asks of its hardware.

    Attributes:
        load: Replicas of speed 1 that are busy on average.
        seconds: Mean time of a batch at speed 1.
        patience: s that a job may wait.
        missed: Share of the jobs that may wait longer.
        within: s that a batch itself may take, or None for any time.
        memory: GB of device memory that the largest job needs.
        cold_start: s from ordering a replica until it is ready.
    """

    load: float
    seconds: float
    patience: float
    missed: float = 0.05
    within: float | None = None
    memory: float = 0.0
    cold_start: float = 0.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Replicas of each tier.

    Attributes:
        counts: By tier name, those with at least one replica.
        price: Of an hour of it.
        late: Share of the jobs that are expected to wait too long.
        good: Whether that is within the demand.
    """

    counts: Mapping[str, int]
    price: float
    late: float
    good: bool


def fits(tier: Tier, demand: Demand) -> bool:
    """Whether one replica of the tier is large and fast enough for any job by itself."""
    fast = demand.within is None or demand.seconds / tier.speed <= demand.within
    return tier.memory >= demand.memory and fast


def late_share(counts: Sequence[tuple[Tier, int]], demand: Demand) -> float:
    """Share of the jobs that wait longer than the demand's patience on this mix."""
    replicas = sum(n for _, n in counts)
    power = _power(counts, demand)
    if demand.load <= 0.0:
        return 0.0
    if power <= demand.load:
        return 1.0
    speed = power / replicas
    return delayed(replicas, demand.load / speed, demand.patience * speed / demand.seconds)


def _power(counts: Sequence[tuple[Tier, int]], demand: Demand) -> float:
    """Work that a mix does in a second, at speed 1.

    A spot replica counts for the part of the time that it is there: after a loss it is missing from
    the end of the notice until the one ordered in its place is ready.
    """
    return sum(
        n * tier.speed * (1.0 - min(1.0, tier.losses * _gap(tier, demand) / HOUR))
        for tier, n in counts
    )


def _gap(tier: Tier, demand: Demand) -> float:
    return max(demand.cold_start - tier.notice, 0.0) if tier.spot else 0.0


def cheapest(
    demand: Demand,
    tiers: Sequence[Tier],
    *,
    on_demand: int = 0,
    most: int = 64,
    kept: Mapping[str, int] = MappingProxyType({}),
) -> Mix:
    """The cheapest mix that is good, or where none is, the one with the fewest late jobs.

    Exact where `most` is at most EXACT, and see there for more. Of two equally cheap mixes the one
    with fewer replicas is taken.

    Args:
        demand: What the work asks.
        tiers: What can be had.
        on_demand: Replicas that must not be spot; fewer only where the whole mix is smaller, or no
            more of them can be had.
        most: Replicas in all, at most; those that are kept may be more.
        kept: Replicas that the mix has in any case, by tier name.
    """
    able = [tier for tier in tiers if fits(tier, demand)]
    if not able or (demand.load <= 0.0 and on_demand == 0 and not any(kept.values())):
        late = 1.0 if demand.load > 0.0 else 0.0
        return Mix({}, 0.0, late, late <= demand.missed)
    best: Mix | None = None
    strongest = -1.0
    bulk = _bulk(demand, able, on_demand, most)
    least = tuple(max(n, kept.get(t.name, 0)) for t, n in zip(able, bulk, strict=True))
    top = max(most, sum(least))
    room = top - sum(n for t, n in zip(able, least, strict=True) if t.spot)
    base = min(on_demand, room, sum(tier.most for tier in able if not tier.spot))
    for counts in _by_price(able, least, top):
        replicas = sum(counts)
        pairs = list(zip(able, counts, strict=True))
        firm = sum(n for tier, n in pairs if not tier.spot)
        if firm < min(base, replicas):
            continue
        late, power = late_share(pairs, demand), _power(pairs, demand)
        if late <= demand.missed and firm >= base:
            return _mix(able, counts, late, firm >= on_demand)
        if best is None or (late, -power) < (best.late, -strongest):
            best, strongest = _mix(able, counts, late, False), power
    return best or Mix({}, 0.0, 1.0, False)


def _mix(tiers: Sequence[Tier], counts: Sequence[int], late: float, good: bool) -> Mix:
    pairs = [(tier, n) for tier, n in zip(tiers, counts, strict=True) if n]
    price = sum(tier.price * n for tier, n in pairs)
    return Mix({tier.name: n for tier, n in pairs}, price, late, good)


def _bulk(demand: Demand, tiers: Sequence[Tier], on_demand: int, most: int) -> tuple[int, ...]:
    """What a large mix has without a choice; nothing, of a small one."""
    best = min(tiers, key=lambda tier: (value(tier), tier.name))
    left = 0
    if most > EXACT:
        left = max(min(int(demand.load / best.speed) - EXACT // 2, most - EXACT), 0)
    counts = [0] * len(tiers)
    order = sorted(range(len(tiers)), key=lambda i: (value(tiers[i]), tiers[i].name))
    firm = [i for i in order if not tiers[i].spot]
    for choice, wanted in ((firm, min(on_demand, left)), (order, left)):
        for i in choice:
            add = max(min(wanted - sum(counts), tiers[i].most - counts[i]), 0)
            counts[i] += add
    return tuple(counts)


def value(tier: Tier) -> float:
    """Price of an hour of work at speed 1."""
    return tier.price / tier.speed


def _by_price(tiers: Sequence[Tier], bulk: tuple[int, ...], most: int) -> Iterator[tuple[int, ...]]:
    """Every mix from `bulk` on, the cheapest first, then the smallest."""
    number = count()
    start = sum(t.price * n for t, n in zip(tiers, bulk, strict=True))
    heap = [(start, sum(bulk), next(number), bulk, 0)]
    room = min(most, sum(bulk) + EXACT)
    while heap:
        price, replicas, _, counts, last = heappop(heap)
        yield counts
        if replicas == room:
            continue
        for i in range(last, len(tiers)):
            if counts[i] < tiers[i].most:
                more = (*counts[:i], counts[i] + 1, *counts[i + 1 :])
                entry = (price + tiers[i].price, replicas + 1, next(number), more, i)
                heappush(heap, entry)


def next_tier(tiers: Sequence[Tier], have: Mapping[str, int], on_demand: int) -> Tier | None:
    """The tier of which to order one more replica, or None where nothing can be had.

    On demand until the base is there, then whatever gives work for the least money.
    """
    firm = sum(have.get(tier.name, 0) for tier in tiers if not tier.spot)
    open_tiers = [tier for tier in tiers if have.get(tier.name, 0) < tier.most]
    if firm < on_demand and (base := [tier for tier in open_tiers if not tier.spot]):
        open_tiers = base
    return min(open_tiers, key=lambda tier: (value(tier), tier.name), default=None)
