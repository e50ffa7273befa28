"""What an operator asks: how the pools are, and whether the platform can take work."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from kinesphere.core.catalog import Catalog, Model
from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job, State
from kinesphere.ports import Clock, Ledger, Planned, Plans, Pools
from kinesphere.service.intake import Intake
from kinesphere.service.outlook import NOTHING
from kinesphere.service.prices import Prices
from kinesphere.service.routing import Router
from kinesphere.service.values import Pool, Recent

SERVER: Final = "server"
"""Stands among the pools for the process itself, where that takes no more work."""


LATELY: Final = 300.0
"""Seconds of which latencies and costs are told."""

LATEST: Final = 500
"""Jobs of which they are told at most, the last ones of all pools."""


class Operations:
    """The platform as a whole."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        ledger: Ledger,
        pools: Pools,
        plans: Plans,
        intake: Intake,
        router: Router,
        prices: Prices,
        clock: Clock,
    ) -> None:
        self._prices = prices
        self._clock = clock
        self._plans = plans
        self._catalog = catalog
        self._ledger = ledger
        self._pools = pools
        self._intake = intake
        self._router = router

    async def models(self) -> tuple[tuple[Model, bool], ...]:
        """Every model, and whether it answers when none is named."""
        models = self._catalog.models
        defaults = {task: await self._router.default(task) for task in {m.task for m in models}}
        return tuple((model, model == defaults[model.task]) for model in models)

    async def pools(self) -> tuple[Pool, ...]:
        """Every pool with its replicas, its backlog, its plan, and what it did lately."""
        now = self._clock.now()
        backlogs = await self._ledger.backlogs()
        plans = await self._plans.latest()
        ended = await self._ledger.ended(now - LATELY, limit=LATEST)
        statuses = self._pools.statuses()
        return tuple(
            Pool(
                name=name,
                model=model,
                status=statuses[name],
                backlog=backlogs.get(name, NOTHING),
                plan=plans.get(name),
                recent=_recent([job for job in ended if name in job.pools], len(ended), now),
                price=self._prices.all(name, statuses[name].members),
                currency=self._prices.currency,
            )
            for name, (model, _) in self._catalog.pools().items()
            if name in statuses
        )

    async def plan(self, pool: str) -> Planned:
        """What the scaler last decided for a pool.

        Raises Rejected: POOL_NOT_FOUND, POOL_NOT_SCALED.
        """
        if pool not in self._catalog.pools():
            raise Rejected("POOL_NOT_FOUND", f"There is no pool {pool!r}.")
        planned = (await self._plans.latest()).get(pool)
        if planned is None:
            raise Rejected("POOL_NOT_SCALED", f"No policy scales the pool {pool!r}.")
        return planned

    def unready(self) -> Mapping[str, str]:
        """Why the platform cannot take work now, by pool; empty when it can."""
        if self._intake.closed:
            return {SERVER: "stopping"}
        return {
            pool: status.detail or "starting"
            for pool, status in self._pools.statuses().items()
            if not status.able
        }

    async def warm(self, seconds: float) -> Mapping[str, str]:
        """Wait up to `seconds` for every pool to be ready; what is not, by pool."""
        await self._pools.warm(seconds)
        return self.unready()


def _recent(ended: Sequence[Job], looked_at: int, now: float) -> Recent:
    """What these jobs tell, the last to end first, of as many as were looked at in all."""
    own = [job for job in ended if job.finished_at is not None and not (job.cached or job.joined)]
    seconds = LATELY
    if looked_at >= LATEST and own:
        seconds = max(1.0, now - min(job.finished_at or now for job in own))
    made = sorted(
        (job.finished_at or 0.0) - job.created_at for job in own if job.state is State.SUCCEEDED
    )
    return Recent(
        seconds=seconds,
        succeeded=len(made),
        failed=sum(job.state is State.FAILED for job in own),
        p50=_quantile(made, 0.5),
        p95=_quantile(made, 0.95),
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank."""
    return ordered[ceil(share * len(ordered)) - 1] if ordered else None
