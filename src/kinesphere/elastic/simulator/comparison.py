"""Policies side by side on the same trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Final

from kinesphere.core.scaling.knative import Knative
from kinesphere.core.scaling.kubernetes import Hpa, HpaCpu, KedaQueue, KedaUtilisation
from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.plan import Policy
from kinesphere.core.scaling.simple import Schedule, Static, Threshold
from kinesphere.core.scaling.tiers import Demand, Mix, cheapest
from kinesphere.core.scaling.values import Limits
from kinesphere.elastic.simulator.clairvoyant import clairvoyant
from kinesphere.elastic.simulator.engine import Route, as_asked, simulate
from kinesphere.elastic.simulator.measures import Measures, measure
from kinesphere.elastic.simulator.values import Arrival, Pool, Result

RETUNED: Final = Hpa(stabilise_down=60.0)
"""An HPA whose scale-in window is cut from 300 s to 60 s."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of a comparison: a label, the result, and its measures."""

    label: str
    result: Result
    measures: Measures


def rivals(limits: Limits) -> dict[str, Policy]:
    """Every policy with its own defaults within the same limits, by label.

    "keda" has both triggers, of which either is enough; "static" is at the maximum.
    """
    most = replace(limits, minimum=limits.maximum)
    return {
        "look-ahead": LookAhead(limits=limits),
        "keda": KedaQueue(limits=limits, busy=0.85),
        "keda, 60 s": KedaQueue(limits=limits, busy=0.85, hpa=RETUNED),
        "keda-queue": KedaQueue(limits=limits),
        "keda-utilisation": KedaUtilisation(limits=limits),
        "hpa-cpu": HpaCpu(limits=limits),
        "hpa-cpu, 60 s": HpaCpu(limits=limits, hpa=RETUNED),
        "knative": Knative(limits=limits),
        "threshold": Threshold(limits=limits),
        "schedule": Schedule(limits=limits),
        "static, maximum": Static(limits=most),
    }


def compare(
    pools: Sequence[Pool],
    chosen: Mapping[str, Mapping[str, Policy]],
    arrivals: Sequence[Arrival],
    duration: float,
    *,
    route: Route = as_asked,
    seed: int = 0,
) -> list[Compared]:
    """Play the trace once for each labelled choice of policies (a policy for each pool)."""
    lines: list[Compared] = []
    for label, policies in chosen.items():
        result = simulate(pools, policies, arrivals, duration, route=route, seed=seed)
        lines.append(Compared(label, result, measure(result)))
    return lines


def bound(pool: Pool, arrivals: Sequence[Arrival], duration: float, limits: Limits) -> Compared:
    """The clairvoyant's line, for one pool within the limits."""
    result = clairvoyant(pool, arrivals, duration, limits.minimum, limits.maximum)
    return Compared("clairvoyant", result, measure(result))


def hardware(
    pool: Pool, arrivals: Sequence[Arrival], duration: float, limits: Limits
) -> Mix | None:
    """The cheapest mix of the pool's tiers for the trace's mean load, or None where none came.

    A tier on which half of the jobs would miss their deadline with no wait at all does not count.
    """
    own = [a for a in arrivals if a.pool in {pool.name, ""}]
    if not own:
        return None
    service, speed_limit, patience = pool.service, None, 10.0
    batch = service.fixed + fmean(a.seconds for a in own) * service.batch_limit
    given = [a.deadline - a.at for a in own if a.deadline is not None]
    if given:
        speed_limit = median(given)
        patience = max(speed_limit - batch, 0.0)
    demand = Demand(
        load=len(own) / duration * batch / service.batch_limit,
        seconds=batch,
        patience=patience,
        within=speed_limit,
        cold_start=pool.cold_start,
    )
    return cheapest(demand, pool.tiers, on_demand=pool.on_demand, most=limits.maximum)
