"""How the replicas of a plan are divided among classes of hardware.

A policy decides a number of replicas. What it takes those to carry, the cheapest mix is to carry as
well. On the way up, that is what there is and the cheapest addition; on the way down, the cheapest
part of what there is with all that is busy. So no replica is stopped for the sake of another, but
where a cheaper mix would have done for a long time.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kinesphere.core.admission import Service
from kinesphere.core.scaling.limits import present
from kinesphere.core.scaling.tiers import Demand, Mix, Tier, cheapest, fits, late_share
from kinesphere.core.scaling.values import Phase, Plan, Replica, Snapshot

MISSED: Final = 0.05
"""Share of late jobs at which a mix is at its limit; mixes are only compared by it."""

AS_GOOD: Final = 0.06
"""Share of late jobs at which another mix still counts as carrying the same."""

PATIENCE: Final = 10.0
"""s that jobs are taken to wait where they have no deadlines."""

SETTLED: Final = 900.0
"""s without a change of the mix, after which a cheaper one is moved to. Longer than a burst, and
than the time for which a provider that takes one spot replica is likely to take more."""

SHORT: Final = (3.0, 300.0, 600.0)
"""(cold starts, s, s): a tier that lacks replicas for so many cold starts, and for so long as a
machine may take to come, is taken to be sold out for the third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What the replicas of a pool may be on.

    Attributes:
        tiers: At least one.
        on_demand: Replicas that must not be spot; fewer only where the whole mix is smaller.
        within: s that a batch may take by itself, or None for any time.
        memory: GB of device memory that the largest job needs.
    """

    tiers: tuple[Tier, ...]
    on_demand: int = 0
    within: float | None = None
    memory: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered of a pool's hardware from one decision to the next.

    Attributes:
        counts: What was decided last, by tier name.
        since: When it last changed, or a replica was taken away.
        short: Since when a tier has had fewer replicas than decided, by tier name.
        away: Until when a tier is taken not to be had, by tier name.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    since: float = 0.0
    short: Mapping[str, float] = field(default_factory=dict)
    away: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Division:
    """How many replicas of each tier, and which are to go.

    Attributes:
        counts: By name of every tier, 0 included.
        drain: Names of the replicas to stop.
        why: What is peculiar about it, as the rest of a sentence, or "".
    """

    counts: Mapping[str, int]
    drain: tuple[str, ...]
    why: str = ""


def divide(
    plan: Plan, snapshot: Snapshot, hardware: Hardware, most: int, before: Standing
) -> tuple[Division, Standing]:
    """Divide a plan's replicas among the tiers.

    A replica that drains although it was not told to is being taken away: it counts as gone at
    once, and where it was spot, its place is taken on demand, because whoever takes one spot
    replica may well take the next. A tier on which jobs do not fit, or take too long by themselves,
    is left as soon as replicas of others are ready to take over.

    Args:
        plan: What the policy decided.
        snapshot: What it was shown, with the tier of every replica.
        hardware: What there may be.
        most: Replicas at most.
        before: What was returned last time, or `Standing()`.
    """
    return _Dividing(plan, snapshot, hardware, most, before).divided()


class _Dividing:
    def __init__(
        self, plan: Plan, snapshot: Snapshot, hardware: Hardware, most: int, before: Standing
    ) -> None:
        self.plan = plan
        self.snapshot = snapshot
        self.hardware = hardware
        self.most = most
        self.before = before
        self.tiers = {tier.name: tier for tier in hardware.tiers}
        first = hardware.tiers[0].name
        self.replicas = [
            each if each.tier in self.tiers else each._replace(tier=first)
            for each in snapshot.replicas or ()
        ]
        self.there = sorted(present(self.replicas), key=_to_keep)
        self.have = Counter(replica.tier for replica in self.there)
        terms = asked(hardware, snapshot.service, snapshot.slack)
        self.demand = replace(terms, cold_start=snapshot.cold_start)
        self.supply = _supply(snapshot, before, self.have)
        self.able = self._able()

    def divided(self) -> tuple[Division, Standing]:
        """See `divide`."""
        able = {tier.name for tier in self.able}
        unfit = [replica for replica in self.there if replica.tier not in able]
        taken = self._taken()
        counts = dict.fromkeys(self.tiers, 0) | dict(self._mix(able, taken).counts)
        counts, why = self._cheaper(counts, taken)
        ready = Counter(r.tier for r in self.there if r.phase in (Phase.IDLE, Phase.BUSY))
        replaced = all(ready[name] >= counts[name] for name in able)
        drain = self._surplus(counts, able)
        if unfit and replaced:
            drain += [replica.name for replica in unfit]
        for replica in () if replaced else unfit:
            counts[replica.tier] += 1
        if taken:
            told = " and ".join(f"{n} {name}" for name, n in taken.items())
            why = f"{told} being taken away and replaced on demand"
        elif unfit:
            why = "jobs do not fit or take too long on what is there"
        return Division(counts, tuple(drain), why), self._standing(counts, bool(taken))

    def _able(self) -> list[Tier]:
        """Tiers that are enough for a job, with as many replicas as can be had; or else all."""
        tiers = [tier for tier in self.hardware.tiers if fits(tier, self.demand)]
        tiers = tiers or list(self.hardware.tiers)
        closed = set(self.supply[1])
        fastest = max((self.tiers[r.tier].speed for r in self.there), default=0.0)
        if self.plan.tier == "larger" and any(tier.speed > fastest for tier in tiers):
            closed |= {tier.name for tier in tiers if tier.speed <= fastest}
        return [
            replace(
                tier,
                most=max(0 if tier.name in closed else tier.most, self.have[tier.name]),
            )
            for tier in tiers
        ]

    def _taken(self) -> Mapping[str, int]:
        """Spot replicas that drain though nobody asked them to, by tier."""
        leaving = Counter(r.tier for r in self.replicas if r.phase is Phase.DRAINING)
        found = {
            name: min(number, self.before.counts.get(name, 0) - self.have[name])
            for name, number in leaving.items()
            if self.tiers[name].spot
        }
        return {name: number for name, number in found.items() if number > 0}

    # --------------------------------------------------------------------------------- mixes

    def _mix(self, able: set[str], taken: Mapping[str, int]) -> Mix:
        """The mix that carries what the policy's replicas would."""
        wanted = self.plan.replicas
        fit = [replica for replica in self.there if replica.tier in able]
        counted, tiers = self.there, self._without_risk(taken)
        kept = Counter(r.tier for r in fit)
        if len(fit) < len(self.there):
            # What is busy on the wrong hardware is no reason to have as much of the right one.
            wanted = min(wanted, max(self.plan.recommended, 1))
            counted = sorted(self.there, key=lambda r: r.tier not in able)
        elif wanted < len(self.there):
            # Part of what there is, and what must not be spot; but nothing that is ready goes for
            # what is on its way.
            base = min(self.hardware.on_demand, wanted)
            tiers = [
                replace(
                    tier,
                    most=min(tier.most, max(self.have[tier.name], 0 if tier.spot else base)),
                )
                for tier in self.able
            ]
            if not any(r.phase is Phase.STARTING for r in self.there):
                kept = Counter(r.tier for r in fit if r.phase is Phase.BUSY)
        counts = Counter(replica.tier for replica in counted[:wanted])
        counts[unit(self.hardware, self.demand).name] += max(wanted - len(counted), 0)
        pairs = [(self.tiers[name], n) for name, n in counts.items() if n]
        return self._carrying(pairs, tiers, kept)

    def _carrying(
        self, pairs: Sequence[tuple[Tier, int]], tiers: Sequence[Tier], kept: Mapping[str, int]
    ) -> Mix:
        load = carried(pairs, self.demand)
        demand = replace(self.demand, load=load, missed=AS_GOOD, within=None, memory=0.0)
        base = min(self.hardware.on_demand, sum(n for _, n in pairs))
        return cheapest(demand, tiers, on_demand=base, most=self.most, kept=kept)

    def _without_risk(self, taken: Mapping[str, int]) -> list[Tier]:
        """The tiers to order from: while spot is being taken away, on demand if there is any."""
        firm = [tier for tier in self.able if not tier.spot]
        if not taken or not firm:
            return self.able
        return [
            replace(tier, most=self.have[tier.name]) if tier.spot else tier for tier in self.able
        ]

    def _cheaper(
        self, counts: dict[str, int], taken: Mapping[str, int]
    ) -> tuple[dict[str, int], str]:
        """The mix with what a cheaper one has beside it, where it has stood for long enough."""
        still = counts == dict(self.before.counts) == {n: self.have[n] for n in self.tiers}
        if taken or not still or self.snapshot.now - self.before.since < SETTLED:
            return counts, ""
        pairs = [(self.tiers[name], n) for name, n in counts.items() if n]
        best = self._carrying(pairs, self.able, {})
        if not best.good or best.price >= sum(tier.price * n for tier, n in pairs):
            return counts, ""
        more = {name: max(n, best.counts.get(name, 0)) for name, n in counts.items()}
        if sum(more.values()) > self.most:
            return counts, ""
        return more, "a cheaper mix is started, and what it replaces goes when it is idle"

    def _surplus(self, counts: Mapping[str, int], able: set[str]) -> list[str]:
        """Idle replicas over the counts, those idle for longest first."""
        drain: list[str] = []
        for name in able:
            idle = [r for r in self.there if r.tier == name and r.phase is Phase.IDLE]
            idle.sort(key=lambda r: (r.until, r.name))
            drain += [r.name for r in idle[: max(self.have[name] - counts[name], 0)]]
        return drain

    def _standing(self, counts: Mapping[str, int], taken: bool) -> Standing:
        short, away = self.supply
        changed = taken or dict(self.before.counts) != dict(counts)
        since = self.snapshot.now if changed else self.before.since
        return Standing(counts, since, short, away)


def unit(hardware: Hardware, demand: Demand) -> Tier:
    """The tier of which a policy counts the replicas to be ordered: the slowest that is enough.

    A mix may then be of fewer and faster ones.
    """
    able = [tier for tier in hardware.tiers if fits(tier, demand)]
    return min(able or hardware.tiers, key=lambda tier: (tier.speed, tier.price, tier.name))


def asked(hardware: Hardware, service: Service | None, slack: float | None) -> Demand:
    """What a job asks of its hardware; of no load yet."""
    alone = service.batch_seconds(1) if service is not None else 1.0
    return Demand(
        load=0.0,
        seconds=max(alone, 1e-3),
        patience=PATIENCE if slack is None else slack,
        missed=MISSED,
        within=hardware.within,
        memory=hardware.memory,
    )


def carried(pairs: Sequence[tuple[Tier, int]], demand: Demand) -> float:
    """The largest load at which a mix has no more than `demand.missed` of its jobs late."""
    low, high = 0.0, sum(tier.speed * n for tier, n in pairs)
    for _ in range(30):
        middle = (low + high) / 2.0
        if late_share(pairs, replace(demand, load=middle)) <= demand.missed:
            low = middle
        else:
            high = middle
    return low


def _to_keep(replica: Replica) -> tuple[bool, float, str]:
    """Busy ones first, then the soonest: the order in which a forecast keeps them."""
    return replica.phase is not Phase.BUSY, replica.until, replica.name


def _supply(
    snapshot: Snapshot, before: Standing, have: Mapping[str, int]
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Since when tiers are short of what was decided, and until when they are not to be had."""
    times, least, pause = SHORT
    now = snapshot.now
    short = {
        name: before.short.get(name, now)
        for name, number in before.counts.items()
        if have.get(name, 0) < number
    }
    away = {name: until for name, until in before.away.items() if until > now}
    for name, since in short.items():
        if now - since >= max(times * snapshot.cold_start, least):
            away[name] = now + pause
    return {name: since for name, since in short.items() if name not in away}, away
