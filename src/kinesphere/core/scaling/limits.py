"""Floors, sleep, stabilisation, and which replicas may go: what all policies share."""

from collections.abc import Sequence
from typing import Final

from kinesphere.core.scaling.values import Limits, Memory, Phase, Replica, Snapshot, Warm

DAY: Final = 86_400.0
EPOCH_WEEKDAY: Final = 3
"""1 January 1970 was a Thursday."""


def in_force(warm: Warm, now: float, utc_offset: float) -> bool:
    """Whether a floor holds at `now`."""
    local = now + utc_offset
    day, second = divmod(local, DAY)
    weekday = (int(day) + EPOCH_WEEKDAY) % 7
    if warm.start <= warm.end:
        return weekday in warm.days and warm.start <= second < warm.end
    if second >= warm.start:
        return weekday in warm.days
    return second < warm.end and (weekday - 1) % 7 in warm.days


def floor(limits: Limits, now: float, cold_start: float) -> int:
    """The least replicas at `now`; a floor that begins within a cold start counts already."""
    warm = (
        each.replicas
        for each in limits.warm
        if in_force(each, now, limits.utc_offset)
        or in_force(each, now + cold_start, limits.utc_offset)
    )
    return min(max(limits.minimum, *warm, 0), limits.maximum)


def has_work(snapshot: Snapshot) -> bool:
    """Whether anything waits or runs, as far as that is known."""
    return bool(snapshot.queued) or bool(snapshot.running)


def bounded(wanted: int, snapshot: Snapshot, limits: Limits, memory: Memory) -> int:
    """`wanted` within the limits; at least 1 while there is, or lately was, any work."""
    since = worked_at(snapshot, memory)
    awake = since is not None and snapshot.now - since < limits.sleep_after
    least = max(floor(limits, snapshot.now, snapshot.cold_start), 1 if awake else 0)
    if limits.spare and (awake or limits.minimum):
        busy = sum(replica.phase is Phase.BUSY for replica in snapshot.replicas or ())
        least = max(least, busy + limits.spare)
    return min(max(wanted, least), limits.maximum)


def largest_of(
    recommended: Sequence[tuple[float, int]], now: float, latest: int, window: float
) -> tuple[tuple[float, int], ...]:
    """The recommendations to keep, with `latest` among them; the first is the largest.

    One that came before a larger or equal one can never again be the largest within the window,
    so only falling values stay.
    """
    kept = [(at, n) for at, n in recommended if n > latest and now - at < window]
    return (*kept, (now, latest))


def present(replicas: Sequence[Replica]) -> list[Replica]:
    """Those that count: all but the draining ones."""
    return [replica for replica in replicas if replica.phase is not Phase.DRAINING]


def to_drain(replicas: Sequence[Replica], wanted: int) -> tuple[str, ...]:
    """Idle replicas to stop so that `wanted` remain, those idle for longest first.

    The base goes only where fewer than it are wanted.
    """
    there = present(replicas)
    surplus = len(there) - wanted
    if surplus <= 0:
        return ()
    idle = sorted(
        (r for r in there if r.phase is Phase.IDLE), key=lambda r: (r.base, r.until, r.name)
    )
    loose = [r.name for r in idle if not r.base]
    base = [r.name for r in idle if r.base]
    over_base = max(sum(r.base for r in there) - wanted, 0)
    return tuple((loose + base[:over_base])[:surplus])


def worked_at(snapshot: Snapshot, memory: Memory) -> float | None:
    """When there was last any work; replicas that are there at the first look were of use."""
    if has_work(snapshot) or (memory.worked_at is None and snapshot.replicas):
        return snapshot.now
    return memory.worked_at


def kept_for(wanted: int, asked: int, engaged: bool, why: str) -> str:
    """The reason for `wanted` replicas, where `asked` were asked for because of `why`."""
    if wanted < asked:
        return f"{replicas_of(wanted)}, the most allowed: {why}"
    if wanted > asked:
        return f"{replicas_of(wanted)}, the fewest allowed now: {why}"
    if engaged:
        return f"{replicas_of(wanted)}: all of them are busy or on their way, and none is stopped"
    return f"{replicas_of(wanted)}: {why}"


def replicas_of(count: int) -> str:
    """A number of replicas in words."""
    return f"{count} replica" if count == 1 else f"{count} replicas"
