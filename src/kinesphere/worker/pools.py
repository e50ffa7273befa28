"""The replicas as the API sees them: those of this server, or of the whole cluster."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from kinesphere.core.admission import Service
from kinesphere.core.catalog import Catalog
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.ports import Clock, PoolStatus

_FIRST_START: Final = 5.0
"""Seconds that a start is taken to need before one was measured."""

_LATE_START: Final = 0.5
"""Seconds that a start which should be over is taken to need yet."""

_LOOK: Final = 0.02
"""Seconds between two looks at replicas that warm up."""


_THERE: Final = frozenset(
    {ReplicaState.STARTING, ReplicaState.READY, ReplicaState.BUSY, ReplicaState.SETUP_FAILED}
)
"""Replicas in whose place no other is ordered."""


def _start(replicas: Sequence[Status], first: float) -> float:
    """Seconds from order to work: of the longest start that is known, or `first`."""
    known = [r.load_seconds + (r.warm_seconds or 0.0) for r in replicas if r.load_seconds]
    return max(known, default=first)


def _serving(replica: Status) -> bool:
    return replica.state in (ReplicaState.READY, ReplicaState.BUSY)


def _batch_limit(replicas: Sequence[Status], declared: int) -> int:
    """That of the weakest replica that serves: promises must hold whoever takes the job."""
    limits = [r.placement.batch_limit for r in replicas if _serving(r)]
    return min((limit for limit in limits if limit is not None), default=declared)


class ReplicaPools:
    """See `kinesphere.ports.Pools`. `everyone` tells how every replica is known to be."""

    def __init__(
        self,
        catalog: Catalog,
        everyone: Callable[[], Sequence[Status]],
        clock: Clock,
        may_sleep: Collection[str] = (),
        may_grow: Mapping[str, tuple[int, float]] = MappingProxyType({}),
    ) -> None:
        """`may_sleep` names the pools that may have no replica while they have no work.

        `may_grow` tells of pools to which replicas are added for jobs that would else be late: how
        many there may be, and the seconds after which that is decided at the latest.
        """
        self._stages = {pool: stage for pool, (_, stage) in catalog.pools().items()}
        self._everyone = everyone
        self._clock = clock
        self._may_sleep = frozenset(may_sleep)
        self._may_grow = may_grow

    def statuses(self) -> Mapping[str, PoolStatus]:
        """See the port."""
        replicas: dict[str, list[Status]] = {pool: [] for pool in self._stages}
        for status in self._everyone():
            # Other processes may serve models that this one was not told to.
            if status.pool in replicas:
                replicas[status.pool].append(status)
        return {pool: self._status(pool, found) for pool, found in replicas.items()}

    def _status(self, pool: str, replicas: list[Status]) -> PoolStatus:
        stage = self._stages[pool]
        # The replica with the most batches knows best.
        best = max(replicas, key=lambda r: (r.batches, r.measured), default=None)
        measured = best is not None and best.measured
        fixed, per_job = stage.seconds
        if best is not None and measured:
            fixed, per_job = best.fixed_seconds, best.job_seconds
        return PoolStatus(
            may_sleep=pool in self._may_sleep,
            replicas=Counter(replica.state.value for replica in replicas),
            service=Service(
                fixed,
                per_job,
                _batch_limit(replicas, stage.batch_limit),
                delivery=best.delivery_seconds if best is not None else 0.0,
            ),
            measured=measured,
            free_in=self._free_in(replicas, min(stage.load_limit, _FIRST_START)),
            growth=self._growth(pool, replicas, min(stage.load_limit, _FIRST_START)),
            remaining={job: left for r in replicas for job, left in r.remaining.items()},
            members=tuple(replicas),
            detail=next((r.last_error for r in replicas if r.last_error and not _serving(r)), ""),
        )

    def _growth(self, pool: str, replicas: list[Status], first_start: float) -> tuple[float, ...]:
        most, interval = self._may_grow.get(pool, (0, 0.0))
        there = sum(replica.state in _THERE for replica in replicas)
        return (interval + _start(replicas, first_start),) * max(0, most - there)

    def _free_in(self, replicas: list[Status], first_start: float) -> tuple[float, ...]:
        """Of each replica that serves or starts; one that failed to start may fail again."""
        start = _start(replicas, first_start)
        now = self._clock.now()
        free = [r.free_in for r in replicas if _serving(r)]
        starting = [r for r in replicas if r.state is ReplicaState.STARTING]
        free += [max(_LATE_START, r.since + start - now) for r in starting]
        if not free:
            # The first job has one of them woken.
            asleep = [r for r in replicas if r.state is ReplicaState.ASLEEP]
            free = [start if r.wake_seconds is None else r.wake_seconds for r in asleep]
        return tuple(free)

    def memory(self) -> Mapping[str, int]:
        """Bytes of main memory that the engine processes of each pool use together."""
        used: Counter[str] = Counter()
        for status in self._everyone():
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
        return all(status.able for status in self.statuses().values())
