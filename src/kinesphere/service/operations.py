"""What an operator asks: how the pools are, and whether the platform can take work."""

from collections.abc import Mapping
from typing import Final

from kinesphere.core.catalog import Catalog, Model
from kinesphere.core.failures import Rejected
from kinesphere.ports import Ledger, Planned, Plans, Pools
from kinesphere.service.intake import Intake
from kinesphere.service.outlook import NOTHING
from kinesphere.service.routing import Router
from kinesphere.service.values import Pool

SERVER: Final = "server"
"""Stands among the pools for the process itself, where that takes no more work."""


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
    ) -> None:
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
        """Every pool with its replicas and its backlog."""
        backlogs = await self._ledger.backlogs()
        statuses = self._pools.statuses()
        return tuple(
            Pool(name, model, statuses[name], backlogs.get(name, NOTHING))
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
