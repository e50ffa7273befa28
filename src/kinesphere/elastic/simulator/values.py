"""What a simulation takes and gives: arrivals and pools, and what became of jobs and replicas.

All times are seconds from the start of the trace.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from kinesphere.core.admission import Service
from kinesphere.core.jobs import DEFAULT_PRIORITY
from kinesphere.core.scaling.tiers import Tier


class Arrival(NamedTuple):
    """One job as it comes.

    Attributes:
        at: When.
        seconds: Its own share of its batch's time on a replica of speed 1; the pool's fixed time
            comes on top.
        deadline: When it should be done, or None.
        user: Who asks, for the fair share.
        priority: 0 to 9; 9 is claimed first.
        pool: Which pool it wants, or "" where routing decides.
        estimate: What can be told of `seconds` beforehand, or None for the pool's mean.
    """

    at: float
    seconds: float
    deadline: float | None = None
    user: str = ""
    priority: int = DEFAULT_PRIORITY
    pool: str = ""
    estimate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool to simulate.

    Attributes:
        name: Pool name.
        service: Batch times of a replica of speed 1.
        cold_start: s from ordering a replica until it is ready.
        replicas: How many are ready at the start.
        tiers: Hardware that its replicas may be on, at least one.
        on_demand: Replicas that are on demand before any is spot.
    """

    name: str
    service: Service
    cold_start: float
    replicas: int = 1
    tiers: tuple[Tier, ...] = field(default=(Tier(name="gpu", price=1.0),))
    on_demand: int = 0


class Run(NamedTuple):
    """What became of one job.

    Attributes:
        arrival: The job.
        began: When the batch that finished it began.
        ended: When that batch ended.
        pool: Where.
        replica: By which replica.
        attempts: 1, and one more for each replica that was taken away under it.
    """

    arrival: Arrival
    began: float
    ended: float
    pool: str
    replica: str
    attempts: int = 1

    @property
    def wait(self) -> float:
        """Seconds from its arrival to its last start."""
        return self.began - self.arrival.at

    @property
    def met(self) -> bool:
        """Whether it was done by its deadline; one without a deadline always is."""
        deadline = self.arrival.deadline
        return deadline is None or self.ended <= deadline + 1e-9


@dataclass(frozen=True, slots=True)
class Rental:
    """One replica from its order to its end, all of which is paid for.

    Attributes:
        name: Of the replica.
        pool: It served this one.
        tier: On this hardware.
        ordered: When it was ordered.
        ready: When it was, or would have been, ready.
        ended: When it was gone.
        busy: s that it spent on batches, lost ones included.
        initial: Whether it was there at the start of the trace, and so is no start.
    """

    name: str
    pool: str
    tier: Tier
    ordered: float
    ready: float
    ended: float
    busy: float
    initial: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A change of plan: when, the replicas wanted, those present and ready, and the reason."""

    at: float
    pool: str
    wanted: int
    present: int
    ready: int
    waiting: int
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that a simulation tells.

    Attributes:
        policy: Name of the policy that decided.
        duration: Length of the trace.
        ended: When the last job was done, or the trace ended, whichever was later.
        runs: One a job, in order of arrival.
        rentals: Every replica there was.
        steps: Changes of the plan or of the replicas, in order.
    """

    policy: str
    duration: float
    ended: float
    runs: tuple[Run, ...]
    rentals: tuple[Rental, ...]
    steps: tuple[Step, ...]
