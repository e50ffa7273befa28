"""Replicas: which there are, who leads, what is planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kinesphere.core.admission import Service
from kinesphere.core.replicas import Status
from kinesphere.core.scaling.division import Standing
from kinesphere.core.scaling.values import Memory


class Presence(Protocol):
    """Which replicas there are, and which process leads, in the store of the ledger.

    Both lapse unless they are renewed. The store's own time counts: a process whose clock is wrong
    is neither young nor old for that. All methods raise LedgerUnavailable.
    """

    async def announce(self, statuses: Sequence[Status], now: float) -> None:
        """Say how some replicas are; `now` is the time by which the statuses were made."""
        ...

    async def withdraw(self, workers: Sequence[str]) -> None:
        """Say that these replicas are no more."""
        ...

    async def present(self, seconds: float, now: float) -> tuple[Status, ...]:
        """The replicas announced within the last `seconds`, their times told by the caller's `now`.

        What was to come when they were announced (`free_in`, `remaining`) is nearer by their age.
        """
        ...

    async def lead(self, office: str, holder: str, seconds: float) -> bool:
        """Whether `holder` leads in `office` for `seconds` from now, first come.

        The one that leads renews it by asking again. At most one leads at any moment.
        """
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """What the scaler decided for a pool.

    Attributes:
        pool: The pool.
        replicas: How many it is to have: the number that KEDA reads where there are no tiers.
        recommended: What the load alone asked for.
        reason: Why, in one sentence.
        policy: Which policy decided.
        tier: "larger" where more of the same would not help, else "".
        at: When.
        memory: What the policy remembers.
        tiers: How many on each class of hardware, by its name; empty where the pool has no classes.
        standing: What is remembered of those classes.
    """

    pool: str
    replicas: int
    recommended: int
    reason: str
    policy: str
    tier: str
    at: float
    memory: Memory
    tiers: Mapping[str, int] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)


class Plans(Protocol):
    """The last plan of each pool, in the store of the ledger. Raises LedgerUnavailable."""

    async def store(self, plans: Sequence[Planned]) -> None:
        """Keep these in place of those before."""
        ...

    async def latest(self) -> Mapping[str, Planned]:
        """By pool; a pool that is not scaled has none."""
        ...


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool's replicas as known here.

    Attributes:
        replicas: How many are in each state: starting, ready, busy, setup_failed, defunct, …
        service: How fast one replica works, as measured, or as the model declares before that.
        measured: Whether `service` was measured.
        free_in: Expected seconds until each replica is free that works or is on its way; 0 for one
            that waits for work.
        remaining: Expected seconds until each job that runs here is delivered, by job id.
        detail: Why a replica is not ready, in words; "" when all is well.
        may_sleep: Whether it may have no replica while it has no work.
        members: Each replica.
        growth: Expected seconds until each replica is free that may yet be ordered, if it is
            ordered for a job that comes now; empty where nobody orders any.
    """

    replicas: Mapping[str, int]
    service: Service
    measured: bool
    detail: str = ""
    free_in: tuple[float, ...] = ()
    remaining: Mapping[str, float] = field(default_factory=dict)
    may_sleep: bool = False
    members: tuple[Status, ...] = ()
    growth: tuple[float, ...] = ()

    @property
    def able(self) -> bool:
        """Whether it can take work now, or sleeps and will wake for it."""
        others = sum(self.replicas.values()) - self.replicas.get("asleep", 0)
        return self.serving > 0 or (self.may_sleep and not others)

    @property
    def serving(self) -> int:
        """Replicas that are loaded and warm."""
        return self.replicas.get("ready", 0) + self.replicas.get("busy", 0)

    @property
    def defunct(self) -> bool:
        """Whether there are replicas, and all have given up."""
        return self.replicas.get("defunct", 0) == sum(self.replicas.values()) > 0


class Pools(Protocol):
    """What the API may know of the replicas, and ask of them."""

    def statuses(self) -> Mapping[str, PoolStatus]:
        """Every pool that is served, by name."""
        ...

    async def warm(self, seconds: float) -> bool:
        """Return True when every pool has a ready replica, or False after `seconds`."""
        ...
