"""What replicas of this process do: their time, its price, their starts and deaths."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from kinesphere.adapters.metric_book import Book
from kinesphere.core.catalog import Catalog
from kinesphere.core.replicas import ReplicaState
from kinesphere.ports import Clock

HOUR: Final = 3600.0
_LOAD: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True)
class Rent:
    """What the replicas of this process run on, and what that costs.

    Attributes:
        tier: The class of hardware, or "".
        prices: Of one replica for an hour, by pool; a pool without one has no known price.
    """

    tier: str = ""
    prices: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


class ReplicaMetrics:
    """Counts replicas' seconds by state; `settle` brings them up to now."""

    def __init__(self, book: Book, catalog: Catalog, clock: Clock, rent: Rent) -> None:
        self._clock = clock
        self._rent = rent
        self._models = {pool: model.name for pool, (model, _) in catalog.pools().items()}
        self._now: dict[str, tuple[str, str, float]] = {}
        self._entered = book.counter(
            "kinesphere_replica_entered_total",
            "Times that a replica of this process came to a state.",
            ("pool", "state"),
        )
        self._seconds = book.counter(
            "kinesphere_replica_seconds_total",
            "Time that replicas of this process have been in a state: together what is paid for, "
            "busy what is used. Where a replica has a GPU, these are GPU-seconds.",
            ("pool", "tier", "state"),
            "seconds",
        )
        self._cost = book.counter(
            "kinesphere_cost_total",
            "Price of the time of this process's replicas, in the currency of the scaling policy's "
            "tiers. Absent where no tier names a price.",
            ("pool", "model", "tier"),
            "currency",
        )
        self._load = book.histogram(
            "kinesphere_engine_start_seconds",
            "Time of a start by phase: spawn, look (at the device), import, read_weights, "
            "to_device, compile, load (what of it the engine does not time), warm_up.",
            ("pool", "phase"),
            _LOAD,
            "seconds",
        )
        self._deaths = book.counter(
            "kinesphere_engine_deaths_total",
            "Engine processes that ended unasked or were killed; each is started again.",
            ("pool",),
        )
        for pool, model in self._models.items():
            self._deaths.labels(pool)
            for state in (ReplicaState.STARTING, ReplicaState.SETUP_FAILED, ReplicaState.DEFUNCT):
                self._entered.labels(pool, state.value)
            if pool in rent.prices:
                self._cost.labels(pool, model, rent.tier)

    def entered(self, pool: str, worker: str, state: str) -> None:
        """A replica came to another state."""
        self._spend(worker)
        self._entered.labels(pool, str(state)).inc()
        if state == ReplicaState.STOPPED:
            self._now.pop(worker, None)
        else:
            self._now[worker] = (pool, str(state), self._clock.monotonic())

    def started(self, pool: str, phases: Mapping[str, float]) -> None:
        """An engine was started; seconds by phase."""
        for phase, seconds in phases.items():
            self._load.labels(pool, phase).observe(seconds)

    def died(self, pool: str) -> None:
        """An engine's process ended unasked."""
        self._deaths.labels(pool).inc()

    def settle(self) -> None:
        """Count every replica's time up to now."""
        for worker in self._now:
            self._spend(worker)

    def _spend(self, worker: str) -> None:
        if worker not in self._now:
            return
        pool, state, since = self._now[worker]
        now = self._clock.monotonic()
        self._now[worker] = (pool, state, now)
        tier = self._rent.tier
        self._seconds.labels(pool, tier, state).inc(now - since)
        price = self._rent.prices.get(pool)
        if price is not None:
            self._cost.labels(pool, self._models.get(pool, ""), tier).inc(
                price * (now - since) / HOUR
            )
