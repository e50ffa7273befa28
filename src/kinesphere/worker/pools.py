"""The replicas of this server as the API sees them."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from kinesphere.core.admission import Service
from kinesphere.core.catalog import Catalog
from kinesphere.ports import Clock, PoolStatus
from kinesphere.worker.fleet import Fleet
from kinesphere.worker.status import ReplicaState, Status

_LOOK: Final = 0.02
"""Seconds between two looks at replicas that warm up."""


def _serving(replica: Status) -> bool:
    return replica.state in (ReplicaState.READY, ReplicaState.BUSY)


class LocalPools:
    """See `kinesphere.ports.Pools`."""

    def __init__(self, catalog: Catalog, fleet: Fleet, clock: Clock) -> None:
        self._stages = {pool: stage for pool, (_, stage) in catalog.pools().items()}
        self._fleet = fleet
        self._clock = clock

    def statuses(self) -> Mapping[str, PoolStatus]:
        """See the port."""
        replicas: dict[str, list[Status]] = {pool: [] for pool in self._stages}
        for status in self._fleet.statuses():
            replicas[status.pool].append(status)
        return {pool: self._status(pool, found) for pool, found in replicas.items()}

    def _status(self, pool: str, replicas: list[Status]) -> PoolStatus:
        stage = self._stages[pool]
        # The replica with the most batches knows best.
        best = max(replicas, key=lambda r: r.batches, default=None)
        measured = best is not None and best.batches > 0
        fixed, per_job = stage.seconds
        if best is not None and measured:
            fixed, per_job = best.fixed_seconds, best.job_seconds
        return PoolStatus(
            replicas=Counter(replica.state.value for replica in replicas),
            service=Service(fixed, per_job, stage.batch_limit),
            measured=measured,
            detail=next((r.last_error for r in replicas if r.last_error and not _serving(r)), ""),
        )

    def memory(self) -> Mapping[str, int]:
        """Bytes of main memory that the engine processes of each pool use together."""
        used: Counter[str] = Counter()
        for status in self._fleet.statuses():
            used[status.pool] += status.memory
        return used

    async def warm(self, seconds: float) -> bool:
        """See the port."""
        give_up = self._clock.monotonic() + seconds
        while not self._warm():
            if self._clock.monotonic() >= give_up:
                return False
            await self._clock.sleep(_LOOK)
        return True

    def _warm(self) -> bool:
        return all(status.serving for status in self.statuses().values())
