"""How much stands before a job, from a look at the first jobs before it and totals by priority."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """So many jobs, and their weight together."""

    jobs: int
    weight: float


@dataclass(frozen=True, slots=True)
class Look:
    """The first jobs before one, in its own pool and priority.

    Attributes:
        found: Tag and weight of each, in order of claims.
        limit: How many were looked at, at most.
        tag: Of the job itself.
    """

    found: Sequence[tuple[int, float]]
    limit: int
    tag: int


def ahead(look: Look, priority: int, waiting: Mapping[int, Load]) -> Load:
    """The jobs that are claimed before one.

    All of higher priority are. Those of its own are counted where the look has reached the end of
    them; else the rest is as dense in tags as the later half of what was seen, which is exact for
    users who queue alike, and never more than wait.

    Args:
        look: At its own priority.
        priority: Its own.
        waiting: All jobs of the pool that wait, by priority.
    """
    higher = [load for level, load in waiting.items() if level > priority]
    jobs = sum(load.jobs for load in higher)
    weight = sum(load.weight for load in higher)
    seen = len(look.found)
    seen_weight = sum(each for _, each in look.found)
    if seen >= look.limit:
        more = min(_beyond(look), max(0.0, waiting.get(priority, Load(0, 0.0)).jobs - seen))
        seen_weight += more * seen_weight / seen
        seen += round(more)
    return Load(jobs + seen, weight + seen_weight)


def _beyond(look: Look) -> float:
    """How many lie between the last one that was seen and the job itself."""
    half = [tag for tag, _ in look.found[len(look.found) // 2 :]]
    first, last = half[0], half[-1]
    # Of the outermost tags some were not seen.
    within = [tag for tag in half if first < tag < last]
    density = len(within) / (last - first - 1) if within else len(half) / (last - first + 1)
    return max(0.0, density * (look.tag - last) - half.count(last))
