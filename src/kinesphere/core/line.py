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
        jobs: How many were seen.
        weight: Theirs together.
        tag: Of the job itself.
        later: Where there may be more of them, the tags of the later half, in order of claims.
    """

    jobs: int
    weight: float
    tag: int
    later: Sequence[int] = ()


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
    seen, seen_weight = look.jobs, look.weight
    if look.later:
        more = min(_beyond(look), max(0.0, waiting.get(priority, Load(0, 0.0)).jobs - seen))
        seen_weight += more * seen_weight / seen
        seen += round(more)
    return Load(jobs + seen, weight + seen_weight)


def _beyond(look: Look) -> float:
    """How many lie between the last one that was seen and the job itself."""
    first, last = look.later[0], look.later[-1]
    # Of the outermost tags some were not seen.
    within = [tag for tag in look.later if first < tag < last]
    density = len(within) / (last - first - 1) if within else len(look.later) / (last - first + 1)
    return max(0.0, density * (look.tag - last) - look.later.count(last))
