"""What another scaling policy would have made of the platform's own past."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from kinesphere.core.catalog import Catalog
from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import EventKind
from kinesphere.core.scaling.division import Hardware
from kinesphere.elastic.policies import PolicyTable
from kinesphere.ports import Clock, Errands, Ledger, Pools, PoolStatus
from kinesphere.service.prices import Prices

if TYPE_CHECKING:
    from kinesphere.elastic.simulator.traces import Trace

MOST_EVENTS: Final = 50_000
"""Events that are read, the last ones: some 15,000 jobs of one stage."""

PAGE: Final = 1_000
SECONDS: Final = 30.0
"""Seconds that a simulation may take."""

RUNNING: Final = "running"
ASKED: Final = "asked"

_TOLD: Final = frozenset(
    {
        EventKind.SUBMITTED, EventKind.REVIVED, EventKind.CLAIMED, EventKind.STAGE_FINISHED,
        EventKind.SUCCEEDED,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Simulation:
    """Two policies on the same past of one pool.

    Attributes:
        pool: The pool.
        began: When its first job came, in seconds since the epoch.
        seconds: Length of the past that was played.
        jobs: Stages of jobs that the pool finished then.
        cut: Whether the past asked for holds more than is played; the last of it was.
        priced: Whether costs mean anything.
        running: How the policy that runs does; see `kinesphere.elastic.simulator.replay`.
        asked: How the one asked about does.
    """

    pool: str
    began: float
    seconds: float
    jobs: int
    cut: bool
    priced: bool
    running: Mapping[str, Any]
    asked: Mapping[str, Any]


class Simulations:
    """Plays the ledger's past, one simulation at a time, in a process apart."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        ledger: Ledger,
        pools: Pools,
        errands: Errands,
        prices: Prices,
        policies: Mapping[str, PolicyTable],
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._pools = pools
        self._errands = errands
        self._prices = prices
        self._policies = policies
        self._clock = clock

    async def compare(self, pool: str, asked: PolicyTable, seconds: float) -> Simulation:
        """Play the last `seconds` of a pool against a policy and against the one that runs.

        The pool is as it is now: its batch times, its cold start, its hardware, and as many
        replicas at the start.

        Raises:
            Rejected: POOL_NOT_FOUND, HISTORY_EMPTY, BUSY, TOO_MUCH_WORK, OOM_HOST.
            LedgerUnavailable, ErrandFailed.
        """
        status = self._pools.statuses().get(pool)
        if status is None:
            raise Rejected("POOL_NOT_FOUND", f"There is no pool {pool!r}.")
        trace, cut = await self._past(pool, status, self._clock.now() - seconds)
        if trace is None or trace.began is None:
            detail = f"The pool {pool} has finished no job in the last {seconds / 3600.0:g} h."
            raise Rejected("HISTORY_EMPTY", detail)
        hardware = self._prices.hardware.get(pool)
        there = _present(status)
        running = self._policies.get(pool) or PolicyTable(
            policy="static", minimum=max(1, there), maximum=max(1, there)
        )
        given = {
            "rows": [list(row) for row in trace.rows],
            "duration": trace.duration,
            "began": trace.began,
            "pool": self._table(pool, status, hardware),
            "policies": {RUNNING: _fields(running), ASKED: _fields(asked)},
        }
        what = "kinesphere.elastic.simulator.replay:replay"
        lines = {line["label"]: line for line in await self._errands.run(what, given, SECONDS)}
        return Simulation(
            pool, trace.began, trace.duration, len(trace.rows), cut, hardware is not None,
            lines[RUNNING], lines[ASKED],
        )  # fmt: skip

    def _table(self, pool: str, status: PoolStatus, hardware: Hardware | None) -> dict[str, Any]:
        """The pool as a pools file has it."""
        _, stage = self._catalog.pools()[pool]
        service = status.service
        starts = [sum(each.phases.values()) for each in status.members if each.phases]
        table: dict[str, Any] = {
            "name": pool,
            "fixed": service.fixed,
            # A pool whose jobs take no time cannot be played.
            "per_job": max(service.per_job, 1e-6),
            "batch_limit": service.batch_limit,
            "cold_start": median(starts) if starts else stage.load_limit,
            "replicas": _present(status),
        }
        if hardware is not None:
            table["tiers"] = [
                {name: getattr(tier, name) for name in tier.__slots__} for tier in hardware.tiers
            ]
            table["on_demand"] = hardware.on_demand
        return table

    async def _past(
        self, pool: str, status: PoolStatus, since: float
    ) -> "tuple[Trace | None, bool]":
        """The stages that the pool finished since then, and whether there are more."""
        # The simulator comes with the first who asks for it.
        from kinesphere.elastic.simulator.history import Asked, Told, trace_of  # noqa: PLC0415

        first, last = await self._sought(since)
        cut = last - first > MOST_EVENTS
        after = max(first, last - MOST_EVENTS)
        events: list[Told] = []
        while page := await self._ledger.events(after, limit=PAGE):
            events += [
                Told(each.job_id, each.at, each.event.kind.value, each.event.data)
                for each in page
                if each.event.kind in _TOLD
            ]
            after = page[-1].seq
            if after > last:
                break
        jobs = {
            job.id: Asked(job.user, job.priority, job.deadline)
            for job in await self._ledger.ended(since, limit=MOST_EVENTS)
            if pool in job.pools
        }
        fixed = {pool: status.service.fixed}
        found = await asyncio.to_thread(trace_of, events, jobs, fixed)
        return (None if found is None else _of_pool(found, pool)), cut

    async def _sought(self, since: float) -> tuple[int, int]:
        """The numbers after which the events since then are, and after which there are none.

        Events are in order of time but for the clocks of several processes, so they are found by
        halving, in the logarithm of their number.
        """
        last = 1
        while await self._ledger.events(last, limit=1):
            last *= 2
        end = await self._halved(last, None)
        return await self._halved(end, since), end

    async def _halved(self, most: int, since: float | None) -> int:
        """The least number after which no event is, or none before `since`."""
        least = 0
        while least < most:
            middle = (least + most) // 2
            found = await self._ledger.events(middle, limit=1)
            if not found or (since is not None and found[0].at >= since):
                most = middle
            else:
                least = middle + 1
        return least


def _of_pool(trace: "Trace", pool: str) -> "Trace | None":
    """What of a trace is one pool's."""
    rows = [row for row in trace.rows if row.pool == pool]
    if not rows or trace.began is None:
        return None
    first = rows[0].at
    moved = tuple(row._replace(at=row.at - first) for row in rows)
    duration = max(trace.duration - first, moved[-1].at)
    return replace(trace, rows=moved, duration=duration, began=trace.began + first)


def _fields(table: PolicyTable) -> dict[str, Any]:
    """A table as plain values. One that stands for a whole file has more than a table's own."""
    return table.model_dump(include=set(PolicyTable.model_fields))


def _present(status: PoolStatus) -> int:
    return status.serving + status.replicas.get("starting", 0)
