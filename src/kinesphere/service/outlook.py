"""When a job will be done, as far as that can be known now."""

from typing import Final

from kinesphere.core import admission
from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Catalog
from kinesphere.core.jobs import Job
from kinesphere.ports import Backlog, Ledger, Pools

NOTHING: Final = Backlog(waiting=0, running=0, oldest=None)


class Outlook:
    """Estimates from what the ledger has to do and what the replicas were measured to need."""

    def __init__(self, catalog: Catalog, ledger: Ledger, pools: Pools) -> None:
        self._stages = {pool: stage for pool, (_, stage) in catalog.pools().items()}
        self._ledger = ledger
        self._pools = pools

    async def eta(self, job: Job) -> Estimate | None:
        """When an unfinished job may be done; an upper figure, as if it were last in line."""
        if job.ended:
            return None
        return self.estimate(job.pool, (await self._ledger.backlogs()).get(job.pool, NOTHING))

    def estimate(self, pool: str, backlog: Backlog) -> Estimate | None:
        """The same for a job that would join the end of a pool's queue."""
        status = self._pools.statuses().get(pool)
        if status is None:
            return None
        stage = self._stages[pool]
        return admission.estimate(
            status.service,
            backlog.waiting,
            backlog.running,
            status.serving,
            start_up=min(stage.load_limit, 5.0),
        )
